//! A kind that comes while we run, against an API server of a few lines.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::{Mutex, MutexGuard},
};

use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;

const KIND: Kind = Kind::ServiceMonitor;
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What the server has, and what was asked.
#[derive(Default)]
struct Cluster {
    has_kind: bool,
    definition_may_be_watched: bool,
    /// Where events of the definition go, once somebody watches it.
    watchers: Vec<mpsc::UnboundedSender<Value>>,
    asked: BTreeMap<&'static str, usize>,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Cluster>>);

impl Server {
    fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.0.lock().expect("the cluster")
    }

    /// How often something was asked since the last time.
    fn take(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.cluster().asked)
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            future::ready(Ok::<_, Infallible>(server.answer(&request)))
        });
        Client::new(service, "default")
    }

    fn answer(&self, request: &Request<Body>) -> Answer {
        let mut cluster = self.cluster();
        let query = request.uri().query().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        let about_definition = request.uri().path().ends_with("/customresourcedefinitions");
        let words = match (about_definition, is_watch) {
            (true, true) => "watch the definition",
            (true, false) => "list the definition",
            (false, true) => "watch the kind",
            (false, false) => "list the kind",
        };
        *cluster.asked.entry(words).or_default() += 1;
        if about_definition {
            let name = "fieldSelector=metadata.name%3Dservicemonitors.monitoring.coreos.com";
            assert!(query.contains(name), "rights are on this name alone: {query}");
        }
        let code = match about_definition {
            true if !cluster.definition_may_be_watched => 403,
            false if !cluster.has_kind => 404,
            _ => 200,
        };
        if code != 200 {
            return whole(
                code,
                &json!({"kind": "Status", "status": "Failure", "code": code, "message": "no"}),
            );
        }
        if !is_watch {
            return whole(
                200,
                &json!({"kind": "List", "apiVersion": "v1",
                "metadata": {"resourceVersion": "1"}, "items": []}),
            );
        }
        let (sender, mut receiver) = mpsc::unbounded_channel::<Value>();
        cluster.watchers.push(sender);
        let lines = stream::poll_fn(move |context| receiver.poll_recv(context))
            .map(|event| Ok(Frame::data(Bytes::from(format!("{event}\n")))));
        Response::new(BodyExt::boxed_unsync(StreamBody::new(lines)))
    }

    /// Somebody installs the kind.
    fn install(&self) {
        let mut cluster = self.cluster();
        cluster.has_kind = true;
        let event = json!({"type": "ADDED", "object": {
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": {"name": KIND.definition(), "resourceVersion": "2"}}});
        for watcher in &cluster.watchers {
            let _ = watcher.send(event.clone());
        }
    }
}

fn whole(code: u16, value: &Value) -> Answer {
    let mut answer = Response::new(Full::from(value.to_string()).boxed_unsync());
    *answer.status_mut() = http::StatusCode::from_u16(code).expect("a code");
    answer
}

/// Watches the kind as the operator does.
fn watch(server: &Server) -> Arc<LiveCapabilities> {
    let plural = KIND.api_resource().plural;
    let writer = Writer::new(KIND.api_resource());
    let shared = Shared {
        client: server.client(),
        children: Arc::new(Children::new(HashMap::from([(KIND, writer.as_reader())]))),
        capabilities: Arc::new(LiveCapabilities::new(Default::default())),
        metrics: Metrics::new(&mut Registry::default()),
        health: Arc::new(Health::new([plural])),
    };
    let capabilities = shared.capabilities.clone();
    tokio::spawn(objects(KIND, writer, shared).for_each(|_| future::ready(())));
    capabilities
}

async fn pass(time: Duration) {
    // In steps: a sleep that ends lets others begin.
    for _ in 0..time.as_secs() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Prevents: an operator that asks an API server for what it lacks as long as it runs, and one that
/// notices only half a minute later that it lacks it no more.
#[tokio::test(start_paused = true)]
async fn an_absent_kind_costs_nothing_and_is_noticed_when_it_comes() {
    let server = Server::default();
    server.cluster().definition_may_be_watched = true;
    let capabilities = watch(&server);
    pass(Duration::from_secs(3)).await;
    assert_eq!(capabilities.now().of(KIND), Availability::Absent);
    server.take();
    // Below the time at which the watch is renewed.
    pass(Duration::from_secs(240)).await;
    assert_eq!(server.take(), BTreeMap::new(), "nothing is asked");

    server.install();
    pass(Duration::from_secs(3)).await;
    assert_eq!(capabilities.now().of(KIND), Availability::Present);
}

/// Prevents: an operator whose rights are older than itself, and which would never notice.
#[tokio::test(start_paused = true)]
async fn without_the_right_to_the_definition_the_kind_is_asked_for_again() {
    let server = Server::default();
    let capabilities = watch(&server);
    pass(Duration::from_secs(240)).await;
    let lists = server.take()["list the kind"];
    assert!((8..=20).contains(&lists), "{lists} times in four minutes");
    server.install();
    pass(Duration::from_secs(65)).await;
    assert_eq!(capabilities.now().of(KIND), Availability::Present);
}
