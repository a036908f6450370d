//! Redis's configuration file, as an immutable ConfigMap whose name carries the hash of its content.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use crate::{
    names,
    reconcile::validate::{ManagedRedisSettings, Validated},
    resources::metadata,
};

/// Key of the file. Both official entry points recognise a configuration file by this ending.
pub(crate) const FILE: &str = "redis.conf";

/// Where the file is mounted.
pub(crate) const FOLDER: &str = "/etc/faciliauto/redis-config";

/// Where the users are mounted: a folder, so that an update of the Secret reaches the pod.
pub(crate) const ACL_FOLDER: &str = "/etc/faciliauto/redis-acl";

/// Where the volume is mounted.
pub(crate) const DATA_FOLDER: &str = "/data";

pub(crate) fn build(validated: &Validated, managed: &ManagedRedisSettings) -> ConfigMap {
    let file = file(managed.max_memory_bytes);
    let name = names::redis_config(&validated.owner.name, &names::short_hash([file.as_str()]));
    ConfigMap {
        metadata: metadata(&validated.owner, name, names::REDIS),
        data: Some(BTreeMap::from([(FILE.to_owned(), file)])),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

fn file(max_memory_bytes: i128) -> String {
    format!(
        "# Who may log in stands in the file of users; without it nobody may.\n\
         aclfile {ACL_FOLDER}/{acl}\n\
         protected-mode no\n\
         bind * -::*\n\
         port {port}\n\
         dir {DATA_FOLDER}\n\
         # At most a second of writes is lost when the process or its node dies.\n\
         appendonly yes\n\
         appendfsync everysec\n\
         aof-use-rdb-preamble yes\n\
         # The append-only file is the durable form; snapshots beside it would be ignored at start.\n\
         save \"\"\n\
         # Half of the memory limit: a rewrite of the file may copy as much again.\n\
         maxmemory {max_memory_bytes}\n\
         # Only what has a time to live may go: stock and feedback never do.\n\
         maxmemory-policy volatile-lru\n\
         tcp-keepalive 60\n",
        acl = names::ACL_KEY,
        port = names::REDIS_PORT,
    )
}
