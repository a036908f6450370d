//! A change of the Redis password, step by step, with a crash after each call, and when something is in
//! its way. A Redis in memory knows what Jobs told it; whoever runs must be known to it at any moment.

use std::collections::BTreeSet;

use faciliauto_operator::{
    reconcile::{Error, Retry},
    resources::Kind,
};
use faciliauto_service::{
    configuration::{Command, Settings},
    state::connection::UrlSource,
};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    fake_api::{Call, Fault},
    harness::{Harness, NAME, NAMESPACE, path, run_controllers},
    restricted::faults,
};

const OLD: &str = "the password of before";
const NEW: &str = "the password of after";
const NEWER: &str = "the password of long after";
const LOGIN: &str = "producao-redis-login";
const ACL: &str = "producao-redis-acl";
const USERS: &str = "senha-do-redis";

/// What Redis's file of users says of the API's user.
fn digests(users: &str) -> BTreeSet<String> {
    let line = users.lines().find(|line| line.starts_with("user api on "));
    let words = line.expect("the API's user").split_whitespace();
    words
        .filter_map(|word| word.strip_prefix('#').map(str::to_owned))
        .collect()
}

/// As a Secret holds it.
fn encoded(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}

fn digest(password: &str) -> String {
    let digest = Sha256::digest(password.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A system of which Redis and the API's pods are followed.
struct System {
    harness: Harness,
    /// Digests with which Redis lets the API in.
    redis: BTreeSet<String>,
    /// The passwords that pods were given, by the number in their template.
    pods: BTreeSet<String>,
    seen_jobs: BTreeSet<String>,
}

impl System {
    fn new(spec: Value, secret: Option<&str>) -> Self {
        let harness = Harness::new(spec);
        harness.run_redis("pod", 0);
        let system = Self {
            harness,
            redis: BTreeSet::new(),
            pods: BTreeSet::new(),
            seen_jobs: BTreeSet::new(),
        };
        if let Some(password) = secret {
            system.set_secret(password);
        }
        system
    }

    /// A running system that uses the user's Secret with the old password.
    async fn running() -> Self {
        let spec = json!({"redis": {"managed": {"passwordSecret": USERS}}, "monitoring": {"dashboards": {"enabled": false}}});
        let mut system = Self::new(spec, Some(OLD));
        system.harness.settle().await;
        system.redis = digests(&system.file());
        system.pods = [system.mark()].into();
        assert_eq!(system.redis, [digest(OLD)].into());
        assert_eq!(
            system.sync_jobs(),
            Vec::<String>::new(),
            "nobody has to be told at first"
        );
        system.harness.api.take_calls();
        system
    }

    /// Another system in the same state, with an operator that has just started.
    fn copy(&self) -> Self {
        Self {
            harness: self.harness.copy(),
            redis: self.redis.clone(),
            pods: self.pods.clone(),
            seen_jobs: self.seen_jobs.clone(),
        }
    }

    fn set_secret(&self, password: &str) {
        let secret = json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": USERS, "namespace": NAMESPACE}, "data": {"password": encoded(password)}});
        self.harness.api.put(&path(Kind::Secret, USERS), secret);
    }

    fn secret(&self, name: &str, key: &str) -> Option<String> {
        let secret = self.harness.child(Kind::Secret, name)?;
        let secret: Secret = serde_json::from_value(secret).expect("a Secret");
        let bytes = secret.data?.remove(key)?;
        Some(String::from_utf8(bytes.0).expect("text"))
    }

    fn file(&self) -> String {
        self.secret(ACL, "users.acl").expect("the users")
    }

    fn deployment(&self) -> Value {
        self.harness
            .child(Kind::Deployment, NAME)
            .expect("the Deployment")
    }

    /// The number in the Deployment's template.
    fn mark(&self) -> String {
        let deployment = self.deployment();
        let mark = &deployment["spec"]["template"]["metadata"]["annotations"]["faciliauto.com/credentials"];
        mark.as_str().expect("a mark").to_owned()
    }

    /// The password that a pod of the Deployment would be given.
    fn given(&self) -> String {
        let volumes = &self.deployment()["spec"]["template"]["spec"]["volumes"];
        let secret = &volumes[0]["secret"];
        assert_eq!(
            (&secret["secretName"], &secret["items"][0]["path"]),
            (&json!(LOGIN), &json!("password"))
        );
        let key = secret["items"][0]["key"].as_str().expect("a key");
        assert_eq!(key, format!("password-{}", self.mark()));
        self.secret(LOGIN, key)
            .expect("a key that exists, or no pod starts")
    }

    fn sync_jobs(&self) -> Vec<String> {
        let mut jobs = self.harness.names(Kind::Job);
        jobs.retain(|name| name.starts_with("producao-acl-sync-"));
        jobs
    }

    /// Jobs that were not there before tell Redis what they mount.
    fn run_new_jobs(&mut self) {
        for name in self.sync_jobs() {
            if self.seen_jobs.insert(name.clone()) {
                let job = self.harness.child(Kind::Job, &name).expect("the Job");
                let volumes = job["spec"]["template"]["spec"]["volumes"]
                    .as_array()
                    .expect("volumes");
                let item = |index: usize| {
                    volumes[index]["secret"]["items"][0]["key"]
                        .as_str()
                        .expect("a key")
                };
                assert!(
                    self.secret(LOGIN, item(0)).is_some(),
                    "the administrator's password"
                );
                if let Some(users) = self.secret(ACL, item(1)) {
                    self.redis = digests(&users);
                }
            }
        }
    }

    /// Everybody who runs, or may start now, is let in.
    fn check(&self, when: &str) {
        let given = self.given();
        assert!(
            self.redis.contains(&digest(&given)),
            "{when}: a pod that starts is refused"
        );
        for number in &self.pods {
            let password = self.secret(LOGIN, &format!("password-{number}"));
            let password = password.unwrap_or_else(|| panic!("{when}: the key of pods that run is gone"));
            assert!(
                self.redis.contains(&digest(&password)),
                "{when}: a pod that runs is refused"
            );
        }
    }

    /// One look, then the cluster's controllers, everybody checked in between.
    async fn turn(&mut self, when: &str) -> bool {
        let before = self.harness.api.with(|state| state.objects.clone());
        let looked = self.harness.look().await;
        self.pods.insert(self.mark());
        self.check(when);
        self.run_new_jobs();
        self.check(when);
        run_controllers(&self.harness.api);
        self.pods = [self.mark()].into();
        looked.is_ok() && self.harness.api.with(|state| state.objects == before)
    }

    async fn settle(&mut self, when: &str) {
        for _ in 0..20 {
            if self.turn(when).await {
                return;
            }
        }
        panic!(
            "{when}: it does not come to rest: {:#?}",
            self.harness.api.take_calls()
        );
    }

    /// The end of every change.
    fn assert_settled(&self, password: &str, when: &str) {
        assert_eq!(self.given(), password, "{when}");
        assert_eq!(
            self.redis,
            [digest(password)].into(),
            "{when}: the old password is refused"
        );
        assert_eq!(digests(&self.file()), self.redis, "{when}");
        let secret = self.harness.child(Kind::Secret, LOGIN).expect("the Secret");
        let keys: Vec<&String> = secret["data"].as_object().expect("data").keys().collect();
        assert_eq!(
            keys,
            ["admin", &format!("password-{}", self.mark()), "state"],
            "{when}"
        );
    }

    fn complete_job(&self, name: &str, condition: &str) {
        self.harness.api.edit(&path(Kind::Job, name), |job| {
            job["status"] =
                json!({"conditions": [{"type": condition, "status": "True", "message": "it says why"}]});
        });
    }
}

/// Prevents: a step before its time. The whole way, one event after the other.
#[tokio::test]
async fn one_password_takes_the_place_of_another_step_by_step() {
    let mut system = System::running().await;
    let redis = system.harness.child(Kind::StatefulSet, "producao-redis");
    system.set_secret(NEW);
    system.harness.look().await.expect("nothing is wrong");
    assert_eq!(
        digests(&system.file()),
        [digest(OLD), digest(NEW)].into(),
        "both are valid first"
    );
    assert_eq!(system.given(), OLD, "pods wait until Redis knows");
    let jobs = system.sync_jobs();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let reconciling = system.harness.condition("Reconciling");
    assert_eq!(reconciling["reason"], "ChangingPassword", "{reconciling}");
    let calls = system.harness.api.take_calls();
    let written: Vec<_> = calls
        .iter()
        .filter(|call| call.is_write())
        .map(|call| call.path.clone())
        .collect();
    let place = |part: &str| written.iter().position(|path| path.contains(part)).expect(part);
    assert!(
        place(LOGIN) < place(ACL) && place(ACL) < place("/jobs/"),
        "{written:?}"
    );

    system.harness.look().await.expect("nothing is wrong");
    assert_eq!(system.given(), OLD, "the Job is not done");
    system.complete_job(&jobs[0], "Complete");
    system.harness.look().await.expect("nothing is wrong");
    assert_eq!(system.given(), NEW, "Redis knows: pods are replaced");
    // A rollout that is under way, and then a pod on its way out, which still answers.
    system.harness.look().await.expect("nothing is wrong");
    assert_eq!(
        digests(&system.file()).len(),
        2,
        "pods with the old one are about"
    );
    run_controllers(&system.harness.api);
    let leaving = |number: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "producao-1-x", "namespace": NAMESPACE, "deletionTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app.kubernetes.io/managed-by": "faciliauto-operator",
            "app.kubernetes.io/instance": NAME, "app.kubernetes.io/component": "api"},
        "annotations": {"faciliauto.com/credentials": number}}, "status": {"phase": "Running"}})
    };
    system
        .harness
        .api
        .put(&path(Kind::Pod, "producao-1-x"), leaving("1"));
    system.harness.look().await.expect("nothing is wrong");
    assert_eq!(
        digests(&system.file()).len(),
        2,
        "one still answers with the old one"
    );
    system
        .harness
        .api
        .put(&path(Kind::Pod, "producao-1-x"), leaving("2"));
    system.harness.look().await.expect("nothing is wrong");
    assert_eq!(digests(&system.file()), [digest(NEW)].into(), "now it goes");
    let jobs: Vec<_> = system
        .sync_jobs()
        .into_iter()
        .filter(|name| *name != jobs[0])
        .collect();
    assert_eq!(jobs.len(), 1, "Redis is told of that too");
    system.complete_job(&jobs[0], "Complete");
    system.harness.settle().await;
    assert_eq!(system.harness.condition("Reconciling"), Value::Null);
    assert_eq!(
        system.harness.child(Kind::StatefulSet, "producao-redis"),
        redis,
        "Redis is not restarted"
    );
    let told = system.harness.told();
    for reason in ["PasswordChanging", "PasswordChanged"] {
        assert_eq!(told.iter().filter(|told| *told == reason).count(), 1, "{told:?}");
    }
    system.harness.api.take_calls();
    system.harness.look().await.expect("nothing is wrong");
    let calls = system.harness.api.take_calls();
    assert!(calls.iter().all(|call| !call.is_write()), "it rests: {calls:?}");
}

/// Prevents: a change that stands still, or refuses somebody, because the operator died in its middle.
#[tokio::test]
async fn crash_after_any_write_changes_the_password_all_the_same() {
    let running = System::running().await;
    let mut calm = running.copy();
    calm.set_secret(NEW);
    calm.settle("nothing fails").await;
    let calls = calm.harness.api.with(|state| state.calls.clone());
    // A read that fails is a look that is repeated.
    let is_write = |call: &Call| call.is_write() && !call.is_event();
    let writes: Vec<_> = (0..calls.len())
        .filter(|number| is_write(&calls[*number]))
        .collect();
    assert!(writes.len() > 10, "{writes:?}");
    for fault in [Fault::Before, Fault::After] {
        for struck in &writes {
            let mut system = running.copy();
            system.set_secret(NEW);
            system.harness.api.fail(*struck, fault);
            let when = format!("call {struck} failed {fault:?} its effect");
            for _ in 0..20 {
                if !system.harness.api.fault_is_pending() {
                    break;
                }
                system.turn(&when).await;
            }
            assert!(!system.harness.api.fault_is_pending(), "{when}: it came to that");
            system.harness.restart();
            system.settle(&when).await;
            system.assert_settled(NEW, &when);
        }
    }
}

/// Prevents: a second change that is lost, or begins before the first lets go.
#[tokio::test]
async fn change_during_a_change_comes_to_its_end() {
    let running = System::running().await;
    for turns in 0..8 {
        for (last, what) in [(NEWER, "another"), (OLD, "back")] {
            let mut system = running.copy();
            system.set_secret(NEW);
            let when = format!("{what} after {turns} turns");
            for _ in 0..turns {
                system.turn(&when).await;
            }
            system.set_secret(last);
            system.settle(&when).await;
            system.assert_settled(last, &when);
        }
    }
}

/// Prevents: a password that came or went with the Secret that is named not being followed.
#[tokio::test]
async fn generated_password_and_the_users_take_turns() {
    let mut system = System::new(json!({}), Some(NEW));
    system.harness.settle().await;
    let generated = system
        .secret("producao-redis-credentials", "password")
        .expect("a password");
    system.redis = digests(&system.file());
    system.pods = [system.mark()].into();
    system.assert_settled(&generated, "at first");
    system
        .harness
        .change_spec(|spec| spec["redis"] = json!({"managed": {"passwordSecret": USERS}}));
    system.settle("to the user's").await;
    system.assert_settled(NEW, "to the user's");
    system.harness.change_spec(|spec| spec["redis"] = json!({}));
    system.settle("and back").await;
    system.assert_settled(&generated, "and back");
    assert!(!system.harness.told().contains(&"SecretLost".to_owned()));
    system
        .harness
        .api
        .remove(&path(Kind::Secret, "producao-redis-credentials"));
    system.settle("a new one").await;
    let remade = system
        .secret("producao-redis-credentials", "password")
        .expect("a password");
    assert_ne!(remade, generated);
    system.assert_settled(&remade, "a new one");
    assert!(system.harness.told().contains(&"SecretLost".to_owned()));
}

/// Prevents: a Job that fails taking the old password away, or being the last one.
#[tokio::test]
async fn failing_job_leaves_the_old_password_and_is_tried_again() {
    let mut system = System::running().await;
    system.set_secret(NEW);
    system.harness.look().await.expect("nothing is wrong");
    let jobs = system.sync_jobs();
    system.complete_job(&jobs[0], "Failed");
    system.harness.let_time_pass();
    system.harness.look().await.expect("nothing is wrong");
    let reconciling = system.harness.condition("Reconciling");
    assert_eq!(reconciling["reason"], "PasswordChangeFailed", "{reconciling}");
    let message = reconciling["message"].as_str().expect("a message");
    assert!(
        message.contains("it says why") && message.contains(&jobs[0]),
        "{message}"
    );
    assert!(system.harness.told().contains(&"PasswordChangeFailed".to_owned()));
    assert_eq!(
        system.harness.condition("Ready")["status"],
        "True",
        "what runs still runs"
    );
    assert_eq!(system.given(), OLD);
    // Its time to live is over.
    system.harness.api.remove(&path(Kind::Job, &jobs[0]));
    system.settle("again").await;
    system.assert_settled(NEW, "again");
}

/// Prevents: a Redis that started again with the users of before, which no node had brought it news of,
/// being taken for one that knows the new password.
#[tokio::test]
async fn redis_that_starts_again_meanwhile_is_told_again() {
    let mut system = System::running().await;
    system.set_secret(NEW);
    system.harness.look().await.expect("nothing is wrong");
    let first = system.sync_jobs();
    system.complete_job(&first[0], "Complete");
    system.harness.look().await.expect("nothing is wrong");
    assert_eq!(system.given(), NEW);
    system.harness.run_redis("pod", 1);
    run_controllers(&system.harness.api);
    system.harness.look().await.expect("nothing is wrong");
    assert_eq!(system.given(), NEW, "no rollout is turned round");
    assert_eq!(digests(&system.file()).len(), 2, "nothing is dropped");
    assert_eq!(system.sync_jobs().len(), 2, "the process that runs now is told");
    system.redis = digests(&system.file());
    system.pods = [system.mark()].into();
    system.settle("to the end").await;
    system.assert_settled(NEW, "to the end");
    // Who starts later, with a file that has arrived, need not be told; a new pod is another process.
    let jobs = system.sync_jobs().len();
    system.harness.run_redis("another pod", 0);
    system.settle("another pod").await;
    assert_eq!(system.sync_jobs().len(), jobs + 1, "its file may be of before");
}

/// Prevents: a Secret that is not there, or holds no password, taking anything down, or being an error for
/// ever.
#[tokio::test]
async fn users_secret_is_waited_for() {
    let mut system = System::running().await;
    let before = system.deployment();
    for spoil in [true, false] {
        if spoil {
            system.set_secret("too short");
        } else {
            system.harness.api.remove(&path(Kind::Secret, USERS));
        }
        system.harness.let_time_pass();
        let error = system.harness.look().await.expect_err("it waits");
        assert!(matches!(error, Error::Validate(_)), "{error}");
        assert_eq!(
            (error.category(), error.retry()),
            ("missing_reference", Retry::Missing)
        );
        let reconciling = system.harness.condition("Reconciling");
        assert_eq!(reconciling["reason"], "WaitingForReference");
        assert!(
            reconciling["message"]
                .as_str()
                .expect("a message")
                .contains(USERS)
        );
        assert_eq!(system.harness.condition("Stalled"), Value::Null);
        assert_eq!(system.deployment(), before, "what runs goes on");
    }
    system.set_secret(NEW);
    system.settle("it is there").await;
    system.assert_settled(NEW, "it is there");
}

/// Prevents: a lost copy of the passwords that locks the API out.
#[tokio::test]
async fn lost_copy_is_made_anew_without_another_password() {
    let mut system = System::running().await;
    let mark = system.mark();
    system.harness.api.remove(&path(Kind::Secret, LOGIN));
    system.settle("it was deleted").await;
    assert_eq!(
        system.mark(),
        mark,
        "no pod is replaced: the password is the same"
    );
    system.assert_settled(OLD, "it was deleted");
    system.harness.api.edit(&path(Kind::Secret, LOGIN), |secret| {
        secret["data"]["state"] = encoded("{");
    });
    system.settle("it was spoiled").await;
    system.assert_settled(OLD, "it was spoiled");
    assert_eq!(
        system
            .harness
            .told()
            .iter()
            .filter(|told| *told == "SecretLost")
            .count(),
        2
    );
    // Somebody else's of that name is left alone.
    system.harness.api.edit(&path(Kind::Secret, LOGIN), |secret| {
        secret["metadata"]["ownerReferences"] = json!([]);
    });
    system.harness.let_time_pass();
    let error = system.harness.look().await.expect_err("it is not ours");
    assert_eq!(error.category(), "name_conflict");
    assert_eq!(system.harness.condition("NameConflict")["status"], "True");
}

/// Prevents: a Job that no restricted namespace takes, or whose settings the service does not understand.
#[tokio::test]
async fn service_understands_the_job() {
    let mut system = System::running().await;
    system.set_secret(NEW);
    system.harness.look().await.expect("nothing is wrong");
    let job = system
        .harness
        .child(Kind::Job, &system.sync_jobs()[0])
        .expect("the Job");
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(faults(pod), Vec::<String>::new());
    assert!(job["spec"]["ttlSecondsAfterFinished"].is_number());
    let container = &pod["containers"][0];
    let arguments = container["args"].as_array().expect("arguments");
    let arguments = arguments.iter().filter_map(Value::as_str);
    let environment = container["env"].as_array().expect("an environment").iter();
    let environment = environment.map(|variable| {
        let text = |key: &str| variable[key].as_str().expect("a text").to_owned();
        (text("name"), text("value"))
    });
    let settings = Settings::parse(["faciliauto-service"].into_iter().chain(arguments), environment);
    let settings = settings.expect("settings");
    assert_eq!(settings.unknown_variables, Vec::<String>::new());
    assert_eq!(settings.report_file, Some("/dev/termination-log".into()));
    let redis = settings.redis.expect("a Redis");
    let UrlSource::Given(_) = redis.url else {
        panic!("a URL");
    };
    let file = |index: usize| {
        let mount = container["volumeMounts"][index]["mountPath"]
            .as_str()
            .expect("a folder");
        let item = &pod["volumes"][index]["secret"]["items"][0];
        std::path::PathBuf::from(mount).join(item["path"].as_str().expect("a file"))
    };
    assert_eq!(redis.password_file, Some(file(0)));
    let Command::SyncUsers(source) = settings.command else {
        panic!("another command");
    };
    assert_eq!(source.file, file(1));
    assert_eq!(source.own_users, ["api", "health", "acl-sync"]);
}
