//! Storage that speaks S3, as a process beside the cluster's node: pods reach it at the node's address.

use std::{
    env,
    net::{IpAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use k8s_openapi::api::core::v1::{Node, Secret};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Sandbox, eventually};

/// The program of versitygw. It runs on this machine, so the node has to be this machine.
pub(crate) const PROGRAM: &str = "FACILIAUTO_TEST_S3_SERVER";

/// The Secret with its keys, as `spec.backup.objectStore.credentialsSecret` names it.
pub(crate) const KEYS: &str = "storage-keys";

const BUCKET: &str = "backups";
const STARTED: Duration = Duration::from_secs(20);

/// A server on a folder of its own. Both go with it.
pub(crate) struct StorageServer {
    process: Child,
    folder: TempDir,
    endpoint: String,
    key: String,
    secret: String,
}

impl StorageServer {
    /// Starts one at the address of the cluster's node.
    pub(crate) async fn start(program: &str) -> Self {
        let address = address_of_node().await;
        let free = TcpListener::bind((address, 0)).expect("the node is this machine");
        let listener = free.local_addr().expect("an address");
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        // A folder is a bucket of the server.
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let (key, secret) = ("test".to_owned(), format!("not-{}", listener.port()));
        let process = Command::new(program)
            .args(["--port", &listener.to_string(), "posix"])
            .arg(folder.path())
            .env("ROOT_ACCESS_KEY", &key)
            .env("ROOT_SECRET_KEY", &secret)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server for S3 starts");
        let server = Self {
            process,
            folder,
            endpoint: format!("http://{listener}"),
            key,
            secret,
        };
        eventually("the server for S3 listens", STARTED, || async {
            TcpStream::connect(listener).ok()
        })
        .await;
        server
    }

    /// A place in it, as a resource names it.
    pub(crate) fn place(&self, prefix: &str) -> Value {
        json!({
            "url": format!("s3://{BUCKET}/{prefix}"), "endpoint": self.endpoint, "pathStyle": true,
            "credentialsSecret": KEYS,
        })
    }

    /// Where it keeps the objects of a place.
    pub(crate) fn folder(&self, prefix: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(prefix)
    }

    /// Puts the keys where a resource of this namespace finds them.
    pub(crate) async fn admit(&self, sandbox: &Sandbox) {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": KEYS},
            "stringData": {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret},
        }))
        .expect("a Secret");
        sandbox
            .api::<Secret>()
            .create(&PostParams::default(), &secret)
            .await
            .expect("the Secret with the keys");
    }
}

impl Drop for StorageServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, where there is one; without it a test says that it is left out.
pub(crate) fn program() -> Option<String> {
    let program = env::var(PROGRAM).ok().filter(|program| !program.is_empty());
    if program.is_none() {
        println!("left out: {PROGRAM} names no server for S3 to start beside the node");
    }
    program
}

async fn address_of_node() -> IpAddr {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default().await.expect("a cluster");
    let nodes = Api::<Node>::all(client).list(&ListParams::default()).await;
    let addresses = nodes
        .expect("the nodes")
        .into_iter()
        .filter_map(|node| node.status?.addresses)
        .flatten();
    addresses
        .filter(|address| address.type_ == "InternalIP")
        .find_map(|address| address.address.parse().ok())
        .expect("a node with an address")
}
