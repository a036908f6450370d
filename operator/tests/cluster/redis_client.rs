//! Somebody who talks to a system's Redis from within the cluster.

use serde_json::json;

use crate::{
    harness::{NAME, Sandbox},
    shell::{self, Errand},
};

/// Runs a line of shell in a pod of Redis's own image, under the labels of an import, which may talk to Redis. In it
/// `$REDIS` is `redis-cli` as the user of the API with this password. Returns whether it succeeded.
pub(crate) async fn run(sandbox: &Sandbox, password: &str, script: &str) -> bool {
    let client = format!("redis-cli -e -h {NAME}-redis --user api --no-auth-warning");
    let errand = Errand {
        script,
        environment: json!([{"name": "REDISCLI_AUTH", "value": password}, {"name": "REDIS", "value": client}]),
        ..Errand::default()
    };
    shell::run(sandbox, errand).await.succeeded
}
