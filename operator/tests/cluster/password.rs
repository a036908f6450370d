//! A password of the user's is changed while buyers ask.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{
    ByteString,
    api::core::v1::{Pod, Secret},
};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use crate::{
    harness::{NAME, Sandbox, eventually, with_operator},
    redis_client,
};

const SECRET: &str = "redis-password";
const OLD: &str = "the password of before";
const NEW: &str = "the password of after";

/// Requests a second, in turns: a read, a recommendation, a write.
const RATE: u32 = 50;

/// How often a request whose answer the proxy cut is asked again, each time after a pause: its connections are cut
/// together, and the next request may be given one of them.
const CUT_AT_MOST: u32 = 3;
const CUT_PAUSE: Duration = Duration::from_millis(200);

/// A minute until the Secret is read again, a Job, a rollout that waits for each pod to leave, a Job.
const CHANGED: Duration = Duration::from_secs(300);

/// Prevents: a change of password that costs anybody an answer, restarts Redis, or leaves the old
/// password valid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_changes_while_requests_run() {
    with_operator("password", |sandbox| async move {
        let secrets = sandbox.api::<Secret>();
        secrets
            .create(&PostParams::default(), &secret(OLD))
            .await
            .expect("the Secret");
        sandbox
            .apply(json!({
                "autoscaling": {"enabled": false}, "replicas": 2,
                "api": {"rateLimits": {"enabled": false}},
                "redis": {"managed": {"passwordSecret": SECRET}},
            }))
            .await;
        sandbox.wait_until_ready().await;
        let redis = redis_process(&sandbox.api()).await;
        assert!(lets_in(&sandbox, OLD).await && !lets_in(&sandbox, NEW).await);

        let stop = Arc::new(AtomicBool::new(false));
        let load = tokio::spawn(ask(sandbox.clone(), Arc::clone(&stop)));
        sleep(Duration::from_secs(3)).await;
        let change = json!({"data": secret(NEW).data});
        secrets
            .patch(SECRET, &PatchParams::default(), &Patch::Merge(change))
            .await
            .expect("the change");
        let begun = Instant::now();
        eventually("the change is over", CHANGED, || async {
            let login = secrets.get(&format!("{NAME}-redis-login")).await.ok()?.data?;
            let found = sandbox.resources().get(NAME).await.ok()?;
            let conditions = found.data["status"]["conditions"].as_array()?.clone();
            let is_busy = conditions.iter().any(|one| one["type"] == "Reconciling");
            (login.contains_key("password-2") && !login.contains_key("password-1") && !is_busy).then_some(())
        })
        .await;
        println!("the password was changed after {:?}", begun.elapsed());
        sleep(Duration::from_secs(3)).await;
        stop.store(true, Ordering::Relaxed);
        let (asked, refused) = load.await.expect("the load");
        println!("{asked} requests, refused: {refused:#?}");
        assert!(refused.is_empty(), "of {asked} requests: {refused:#?}");
        assert!(asked > 1_000, "{asked}");
        assert_eq!(
            redis_process(&sandbox.api()).await,
            redis,
            "Redis was not restarted"
        );
        assert!(lets_in(&sandbox, NEW).await, "the new password");
        assert!(!lets_in(&sandbox, OLD).await, "the old password is refused");
    })
    .await;
}

fn secret(password: &str) -> Secret {
    let bytes = ByteString(password.as_bytes().to_vec());
    Secret {
        metadata: kube::core::ObjectMeta {
            name: Some(SECRET.to_owned()),
            ..Default::default()
        },
        data: Some(BTreeMap::from([("password".to_owned(), bytes)])),
        ..Secret::default()
    }
}

/// Asks until it is told to stop. Returns how often, and what was not answered.
async fn ask(sandbox: Sandbox, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let cars = sandbox
        .call_api("GET", "/cars?limit=1", None)
        .await
        .expect("cars");
    let car = cars[0]["id"].clone();
    let questionnaire = json!({
        "orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia", "tamanho_familia": 4,
        "prioridades": {"seguranca": 5, "espaco": 4}, "limit": 5,
    });
    let mut requests: JoinSet<Result<Value, (String, kube::Error)>> = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    let (mut asked, mut refused) = (0, Vec::new());
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let (method, path, body) = match asked % 3 {
            0 => ("GET", "/health", None),
            1 => ("POST", "/recommend", Some(questionnaire.clone())),
            _ => (
                "POST",
                "/api/interactions/track",
                Some(json!({"session_id": format!("s-{asked}"), "car_id": car, "interaction_type": "click"})),
            ),
        };
        asked += 1;
        let sandbox = sandbox.clone();
        requests.spawn(async move {
            let mut answer = sandbox.call_api(method, path, body.clone()).await;
            for again in 1..=CUT_AT_MOST {
                let Err(error) = &answer else { break };
                if !cut_by_the_proxy(error) {
                    break;
                }
                println!(
                    "{method} {path} after {:?}: cut, asked again ({again})",
                    begun.elapsed()
                );
                sleep(CUT_PAUSE).await;
                answer = sandbox.call_api(method, path, body.clone()).await;
            }
            answer.map_err(|error| (format!("{method} {path} after {:?}", begun.elapsed()), error))
        });
        while let Some(answer) = requests.try_join_next() {
            refused.extend(fault(answer.expect("no panic")));
        }
    }
    while let Some(answer) = requests.join_next().await {
        refused.extend(fault(answer.expect("no panic")));
    }
    (asked, refused)
}

/// The API server's proxy now and then closes its own connection while it copies a body, whatever goes on
/// behind it ("use of closed network connection" in its log). The status had come: nobody was refused.
fn cut_by_the_proxy(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Service(source) if source.to_string().contains("reading a body"))
}

fn fault(answer: Result<Value, (String, kube::Error)>) -> Option<String> {
    match answer {
        Ok(answer) => (answer["status"] == "degraded").then(|| format!("degraded: {answer}")),
        Err((what, error)) => Some(format!("{what}: {error}")),
    }
}

/// Redis's pod and how often it was started again.
async fn redis_process(pods: &Api<Pod>) -> (Option<String>, i32) {
    let redis = ListParams::default().labels("app.kubernetes.io/component=redis");
    let found = pods.list(&redis).await.expect("pods").items;
    let [pod] = &found[..] else {
        panic!("one pod of Redis: {found:?}");
    };
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.clone());
    (pod.uid(), statuses.expect("a container")[0].restart_count)
}

/// Whether Redis lets the API's user in with this password: a pod of Redis's own image asks, under the
/// labels of an import, which may talk to Redis.
async fn lets_in(sandbox: &Sandbox, password: &str) -> bool {
    redis_client::run(sandbox, password, "$REDIS time").await
}
