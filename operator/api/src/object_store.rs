//! A place in S3-compatible storage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in S3-compatible storage.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.url) || self.url == '' || self.url.matches('^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?$')",
        "message": "objectStore.url must be s3://BUCKET or s3://BUCKET/PREFIX",
        "fieldPath": ".url",
    },
    {
        "rule": "!has(self.endpoint) || self.endpoint == '' || self.endpoint.matches('^https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?/?$')",
        "message": "objectStore.endpoint must be https://HOST or http://HOST:PORT, without a path: the bucket goes into url",
        "fieldPath": ".endpoint",
    },
]))]
pub struct ObjectStore {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`. One prefix belongs to one system.
    #[schemars(length(max = 512))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,

    /// Address of the storage. Default: that of Amazon S3 in the region.
    #[schemars(length(max = 512))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint: String,

    /// Region of the bucket. Default: us-east-1, which storage that knows no regions takes.
    #[schemars(length(max = 64), regex(pattern = r"^[A-Za-z0-9-]*$"))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub region: String,

    /// Whether the bucket's name goes into the path of an address and not into its host, as most storage
    /// of one's own wants it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub path_style: bool,

    /// Name of a ConfigMap whose key `ca.crt` holds certificates of authorities as PEM, for storage with
    /// one of its own. Default: those of the image, and of `trust`.
    #[schemars(length(max = 253), regex(pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ca_config_map: String,

    /// Name of a Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`. Default: the
    /// identity of the pod's ServiceAccount, as the cloud gives it.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub credentials_secret: String,
}

impl ObjectStore {
    /// Whether it names a place.
    pub fn is_named(&self) -> bool {
        !self.url.is_empty()
    }
}
