//! A system of full size: two replicas with limits on, a large stock and a long past.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::{
        batch::v1::Job,
        core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service},
    },
    jiff::Timestamp,
};
use kube::{Api, ResourceExt, api::ListParams};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    harness::{NAME, Sandbox, eventually},
    past,
    stock::{CARS, CARS_OF_EACH, DEALERS, dealer_id, dealership, rows},
    traffic::Traffic,
};

/// Events that are there before the drill begins.
pub(crate) const EVENTS: u64 = 200_000;

/// A backup's Job, from its making to its end.
const BACKED_UP: Duration = Duration::from_secs(300);

/// Before an administrator who was told to wait asks again.
const LIMITED: Duration = Duration::from_millis(200);

/// A limit of requests a second lets everybody through by then.
const LIMITED_AT_MOST: Duration = Duration::from_secs(30);

/// The API's port in its pods.
pub(crate) const PORT: u16 = 8000;

/// What a drill knows of it.
pub(crate) struct System {
    pub(crate) sandbox: Sandbox,
    /// `HOST:PORT` of each replica.
    pub(crate) addresses: Vec<String>,
    /// Everybody who uses it.
    pub(crate) traffic: Traffic,
    /// Of an administrator.
    pub(crate) admin: String,
    pub(crate) client: Client,
}

/// A backup that was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// What its program said of it.
    pub(crate) report: Value,
    /// When its Job was made, and when it was seen to be over.
    pub(crate) span: (Instant, Instant),
    /// When its program began, had written it, and had proven it.
    pub(crate) phases: [Instant; 3],
}

impl Made {
    pub(crate) fn name(&self) -> &str {
        self.report["backup"].as_str().expect("a name")
    }

    /// From its beginning to its proof.
    pub(crate) fn seconds(&self) -> f64 {
        (self.phases[2] - self.phases[0]).as_secs_f64()
    }
}

impl System {
    /// Brings one up and fills it.
    pub(crate) async fn furnish(sandbox: Sandbox) -> Self {
        say("bringing a system up");
        sandbox
            .apply(json!({
                "autoscaling": {"enabled": false}, "replicas": 2,
                "api": {"rateLimits": {"enabled": true, "trustedProxyHops": 1}},
                // Half of it is for data: two generations of this size, and the one that is kept.
                "redis": {"managed": {"resources": {"limits": {"memory": "2Gi"}}}},
            }))
            .await;
        sandbox.wait_until_ready().await;
        let system = Self {
            addresses: addresses(&sandbox, NAME).await,
            traffic: Traffic::new(Vec::new()),
            admin: secret(&sandbox, &format!("{NAME}-admin-tokens"), "admin").await,
            client: Client::builder()
                .timeout(Duration::from_secs(30))
                .build()
                .expect("a client"),
            sandbox,
        };
        say(&format!("putting {CARS} cars of {DEALERS} dealers"));
        let mut tokens = Vec::new();
        for dealer in 0..DEALERS {
            tokens.push(system.open_dealership(dealer).await);
        }
        system.wait_for_cars(CARS).await;
        say(&format!("recording {EVENTS} events"));
        let begun = Instant::now();
        past::record(&system.addresses, EVENTS).await;
        say(&format!("recorded in {:.0?}", begun.elapsed()));
        Self {
            traffic: Traffic::new(tokens),
            ..system
        }
    }

    /// Opens as many dealerships again, with as many cars.
    pub(crate) async fn double(&self) {
        say(&format!("putting {CARS} cars more"));
        for dealer in DEALERS..2 * DEALERS {
            self.open_dealership(dealer).await;
        }
        self.wait_for_cars(2 * CARS).await;
    }

    async fn wait_for_cars(&self, cars: usize) {
        for address in &self.addresses {
            eventually("every replica has all cars", Duration::from_secs(60), || async {
                let health = self.get(address, "/health").await.ok()?;
                (health["cars"] == json!(cars)).then_some(())
            })
            .await;
        }
    }

    /// Makes a dealership with all its cars, and gives its token.
    async fn open_dealership(&self, dealer: usize) -> String {
        let base = format!("/api/dealerships/{}", dealer_id(dealer));
        self.administer(Method::PUT, &base, Some(dealership(dealer)))
            .await;
        let put = self
            .administer(Method::PUT, &format!("{base}/stock"), Some(rows(dealer)))
            .await;
        assert_eq!(put["cars"], json!(CARS_OF_EACH), "{put}");
        let made = self
            .administer(Method::POST, &format!("{base}/token"), None)
            .await;
        made["token"].as_str().expect("a token").to_owned()
    }

    /// `http://HOST:PORT` of each replica.
    pub(crate) fn replicas(&self) -> Vec<String> {
        let urls = self.addresses.iter().map(|address| format!("http://{address}"));
        urls.collect()
    }

    async fn administer(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self
            .client
            .request(method, format!("http://{}{path}", self.addresses[0]));
        if let Some(body) = body {
            request = request.json(&body);
        }
        // Nobody else comes from there, and the dealers' limit is not what is drilled.
        let answer = self.ask(request, "192.0.2.1").await.expect("the API answers");
        let status = answer.status();
        let text = answer.text().await.expect("an answer");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Asks a replica as the administrator, as fast as the limit lets it.
    pub(crate) async fn get(&self, address: &str, path: &str) -> reqwest::Result<Value> {
        let request = self.client.get(format!("http://{address}{path}"));
        self.ask(request, "192.0.2.2")
            .await?
            .error_for_status()?
            .json()
            .await
    }

    /// Sends an administrator's request from that address, and again while it is told to wait.
    async fn ask(&self, request: RequestBuilder, from: &str) -> reqwest::Result<Response> {
        let request = request.bearer_auth(&self.admin).header("x-forwarded-for", from);
        let begun = Instant::now();
        loop {
            let sent = request.try_clone().expect("a body that can be sent again");
            let answer = sent.send().await?;
            if answer.status() != StatusCode::TOO_MANY_REQUESTS || begun.elapsed() > LIMITED_AT_MOST {
                return Ok(answer);
            }
            tokio::time::sleep(LIMITED).await;
        }
    }

    /// Erases all that is held of somebody.
    pub(crate) async fn erase(&self, user: &str) {
        self.administer(Method::DELETE, &format!("/api/users/{user}/data"), None)
            .await;
    }

    /// Makes a backup as a person does, and waits until it is proven.
    pub(crate) async fn back_up(&self) -> Made {
        self.back_up_of(NAME).await
    }

    /// The same of another resource beside it.
    pub(crate) async fn back_up_of(&self, name: &str) -> Made {
        let begun = Instant::now();
        let Sandbox { client, namespace } = &self.sandbox;
        let made = faciliauto_operator::cli::backup::make(client, namespace, name)
            .await
            .expect("the Job");
        let jobs = self.sandbox.api::<Job>();
        eventually("the backup's Job is complete", BACKED_UP, || async {
            let status = jobs.get(&made.name_any()).await.ok()?.status?;
            let conditions = status.conditions.unwrap_or_default();
            let failed = conditions.iter().find(|condition| condition.type_ == "Failed");
            assert!(failed.is_none(), "the backup failed: {failed:?}");
            conditions
                .iter()
                .any(|condition| condition.type_ == "Complete")
                .then_some(())
        })
        .await;
        let ended = Instant::now();
        let label = format!("batch.kubernetes.io/job-name={}", made.name_any());
        let pods = self.sandbox.api::<Pod>();
        let pods = pods
            .list(&ListParams::default().labels(&label))
            .await
            .expect("the pods of the Job");
        let report = pods
            .iter()
            .find_map(|pod| {
                let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
                let message = containers
                    .first()?
                    .state
                    .as_ref()?
                    .terminated
                    .as_ref()?
                    .message
                    .as_ref()?;
                serde_json::from_str::<Value>(message)
                    .ok()
                    .filter(|report| !report["backup"].is_null())
            })
            .expect("the backup's report");
        let made = Made {
            phases: ["started_at", "finished_at", "verified_at"].map(|field| instant(&report[field])),
            report,
            span: (begun, ended),
        };
        say(&format!("backup {} in {:.1} s", made.report, made.seconds()));
        made
    }

    /// Where the node has the volume of a resource's backups.
    pub(crate) async fn backups_of(&self, name: &str) -> PathBuf {
        folder_of_backups(&self.sandbox, name).await
    }

    /// Its Redis, as the API logs in to it, from this machine.
    pub(crate) async fn redis(&self) -> redis::Client {
        let password = secret(&self.sandbox, &format!("{NAME}-redis-login"), "password-1").await;
        let services = self.sandbox.api::<Service>();
        let service = services
            .get(&format!("{NAME}-redis"))
            .await
            .expect("Redis's Service");
        let address = service.spec.and_then(|spec| spec.cluster_ip).expect("an address");
        assert_ne!(address, "None", "Redis's Service has an address");
        redis::Client::open(format!("redis://api:{password}@{address}:6379")).expect("a URL")
    }

    /// What its keys begin with.
    pub(crate) fn prefix(&self) -> String {
        format!("{}:{NAME}", self.sandbox.namespace)
    }
}

/// A moment that somebody else's clock told, which is this machine's.
fn instant(time: &Value) -> Instant {
    let time = time.as_str().expect("a time").parse::<Timestamp>();
    let since = Timestamp::now().duration_since(time.expect("a time"));
    Instant::now() - Duration::try_from(since).unwrap_or_default()
}

/// Says how far the drill is.
pub(crate) fn say(text: &str) {
    eprintln!("    {text}");
}

/// Where the node has the volume of a resource's backups.
pub(crate) async fn folder_of_backups(sandbox: &Sandbox, name: &str) -> PathBuf {
    let claims = sandbox.api::<PersistentVolumeClaim>();
    let claim = claims.get(&format!("{name}-backup")).await.expect("the claim");
    let volume = claim.spec.and_then(|spec| spec.volume_name).expect("a volume");
    let volumes: Api<PersistentVolume> = Api::all(sandbox.client.clone());
    let spec = volumes
        .get(&volume)
        .await
        .expect("the volume")
        .spec
        .expect("a spec");
    let local = spec.local.map(|local| local.path);
    let path = local.or_else(|| spec.host_path.map(|host| host.path));
    path.expect("a volume that is a folder of this machine").into()
}

/// `HOST:PORT` of each replica of a resource.
pub(crate) async fn addresses(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let selector = format!("app.kubernetes.io/instance={name},app.kubernetes.io/component=api");
    let pods = sandbox.api::<Pod>();
    let pods = pods
        .list(&ListParams::default().labels(&selector))
        .await
        .expect("the API's pods");
    let addresses: Vec<String> = pods
        .iter()
        .filter_map(|pod| Some(format!("{}:{PORT}", pod.status.as_ref()?.pod_ip.as_ref()?)))
        .collect();
    assert_eq!(addresses.len(), 2, "both replicas have an address");
    addresses
}

async fn secret(sandbox: &Sandbox, name: &str, key: &str) -> String {
    let secret = sandbox.api::<Secret>().get(name).await.expect(name);
    let data = secret.data.expect("data");
    let text = String::from_utf8(data[key].0.clone()).expect("text");
    text.lines().next().unwrap_or_default().trim().to_owned()
}
