//! How often an address may ask.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::json;

use crate::harness::{
    application::{Answer, TestApplication},
    eventually,
    redis_server::RedisServer,
};

const LOCAL: (&str, &str) = ("FACILIAUTO_LIMITS", "local");
const BEHIND_A_PROXY: (&str, &str) = ("FACILIAUTO_TRUSTED_HOPS", "1");

async fn replica(redis: &RedisServer) -> TestApplication {
    TestApplication::start(&[
        ("FACILIAUTO_REDIS_URL", &redis.url()),
        ("FACILIAUTO_LIMITS", "redis"),
        BEHIND_A_PROXY,
    ])
    .await
}

/// A questionnaire from an address behind a proxy. Without a catalogue the answer is 503, which is not 429.
async fn ask_as(application: &TestApplication, address: &str) -> Answer {
    let request = application
        .client
        .post(format!("{}/recommend", application.api))
        .header("x-forwarded-for", address)
        .json(&json!({"orcamento_min": 1, "orcamento_max": 2, "uso_principal": "lazer"}));
    application.send(request).await
}

async fn passed(answers: impl IntoIterator<Item = impl Future<Output = Answer>>) -> usize {
    let answers = join_all(answers).await;
    answers.iter().filter(|answer| answer.status != 429).count()
}

async fn decided_alone(application: &TestApplication) -> f64 {
    let series = "rate_limit_decisions_total{decider=\"local\"}";
    application.metric(series).await.unwrap_or_default()
}

/// Prevents a client from having a burst for each replica.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_let_one_burst_through() {
    let redis = RedisServer::start();
    let replicas = [replica(&redis).await, replica(&redis).await];
    for attempt in 1..=60 {
        let address = format!("203.0.113.{attempt}");
        let alone = decided_alone(&replicas[0]).await + decided_alone(&replicas[1]).await;
        let begun = Instant::now();
        let passed = passed((0..40).map(|index| ask_as(&replicas[index % 2], &address))).await;
        let took = begun.elapsed();
        let alone = decided_alone(&replicas[0]).await + decided_alone(&replicas[1]).await - alone;
        // On a busy machine an answer of Redis may come after its deadline: then that replica decided alone, as it
        // should, and this attempt says nothing about sharing. Nor does one in which a request was given back.
        if alone == 0.0 && took < Duration::from_millis(400) {
            assert_eq!(passed, 5, "{took:?}");
            let keys = redis.keys("faciliauto:limit:*");
            assert!(keys.len() >= 2, "{keys:?}");
            for key in keys {
                // -2: gone since it was named.
                let left = redis.seconds_left(&key);
                assert!(left != -1 && left <= 4, "{key}: {left}");
                assert!(!key.contains("203.0.113"), "addresses are hashed: {key}");
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the machine was too busy for any of the attempts");
}

/// Prevents a client from being refused without being told by whom, why, and until when.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_when_to_come_back() {
    let application = TestApplication::start(&[LOCAL]).await;
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(application.recommend(json!({})).await);
    }
    let policy = "\"recommend\";q=5;w=3";
    let first = &answers[0];
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), policy);
    assert_eq!(first.header("ratelimit"), "\"recommend\";r=4;t=1");
    let refused = answers.pop().expect("six");
    assert_eq!(refused.header("ratelimit-policy"), policy);
    assert_eq!(refused.header("ratelimit"), "\"recommend\";r=0;t=3");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
    let problem = refused.problem(429);
    assert_eq!(problem["type"], "urn:problem-type:faciliauto:too-many-requests");
    let refusals = application
        .metric("rate_limited_total{class=\"recommend\"}")
        .await;
    assert_eq!(refusals, Some(1.0));

    tokio::time::sleep(Duration::from_secs(1)).await;
    application.recommend(json!({})).await.ok();
    let lost = application.get("/nada").await;
    assert_eq!(lost.header("ratelimit-policy"), "\"default\";q=10;w=1");
    lost.problem(404);
}

/// Prevents a probe from being refused, which would have a healthy pod restarted, and one class from spending
/// the requests of another.
#[tokio::test(flavor = "multi_thread")]
async fn each_class_has_its_own_limit_and_probes_have_none() {
    let application = TestApplication::start(&[LOCAL]).await;
    for path in ["/health", "/livez", "/readyz", "/api/health"] {
        assert_eq!(passed((0..60).map(|_| application.get(path))).await, 60, "{path}");
        assert_eq!(application.get(path).await.header("ratelimit"), "");
    }
    for (paths, burst, per_second) in [
        (["/stats", "/api/stats"], 20.0, 10.0),
        (["/cars", "/nada"], 10.0, 10.0),
    ] {
        let begun = Instant::now();
        let passed = passed((0..60).map(|index| application.get(paths[index % 2]))).await as f64;
        let most = burst + (begun.elapsed().as_secs_f64() * per_second).ceil();
        assert!((burst..=most).contains(&passed), "{paths:?}: {passed}");
    }
}

/// Prevents a questionnaire from being counted as something cheaper because of how its path is written.
#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_write_a_path_counts_as_the_same() {
    let application = TestApplication::start(&[LOCAL]).await;
    let body = json!({"orcamento_min": 1, "orcamento_max": 2, "uso_principal": "lazer"});
    for path in [
        "/recommend",
        "/api/recommend",
        "/%72ecommend",
        "/api/recommen%64",
        "/recommend?a=b",
    ] {
        let answer = application.post(path, &body).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("ratelimit").starts_with("\"recommend\""), "{path}");
    }
    application.post("/%72%65commend", &body).await.problem(429);
}

/// Prevents all clients of a proxy from being counted as one, and a client from being counted as whom it likes.
#[tokio::test(flavor = "multi_thread")]
async fn the_header_counts_only_behind_a_proxy() {
    let behind = TestApplication::start(&[LOCAL, BEHIND_A_PROXY]).await;
    let from = |index: usize| format!("6.6.6.6, 198.51.100.{index}");
    let addresses: Vec<_> = (0..12).map(from).collect();
    assert_eq!(
        passed(addresses.iter().map(|address| ask_as(&behind, address))).await,
        12
    );
    let open = TestApplication::start(&[LOCAL]).await;
    let passed = passed(addresses.iter().map(|address| ask_as(&open, address))).await;
    assert!((5..12).contains(&passed), "{passed}");
}

/// Prevents a Redis that hangs, dies or comes back from refusing or holding up anybody, from giving whoever spent
/// a burst another one, or from never being asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_done_without_and_taken_up_again() {
    let mut redis = RedisServer::start();
    let application = replica(&redis).await;
    let series = "rate_limit_decisions_total{decider=\"redis\"}";
    let shared = async || application.metric(series).await.unwrap_or_default();
    eventually("the limit is shared", async || {
        ask_as(&application, "192.0.2.1").await;
        (shared().await > 0.0).then_some(())
    })
    .await;
    for hang in [true, false] {
        if hang {
            redis.signal("STOP");
        } else {
            redis.kill();
        }
        let begun = Instant::now();
        let address = if hang { "192.0.2.2" } else { "192.0.2.3" };
        let mut let_through = 0;
        for _ in 0..20 {
            let_through += usize::from(ask_as(&application, address).await.status != 429);
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        let most = 5 + (took.as_secs_f64() * 2.0).ceil() as usize;
        assert!((5..=most).contains(&let_through), "{let_through} in {took:?}");
        if hang {
            redis.signal("CONT");
        } else {
            redis.start_again();
        }
        let before = shared().await;
        eventually("the limit is shared again", async || {
            ask_as(&application, "192.0.2.4").await;
            (shared().await > before).then_some(())
        })
        .await;
    }
}

/// Prevents replicas that start together from hashing addresses differently, which would share nothing.
#[tokio::test(flavor = "multi_thread")]
async fn all_replicas_hash_with_the_secret_that_came_first() {
    let redis = RedisServer::start();
    let urls = [redis.url(), redis.url(), redis.url()];
    let replicas = join_all(urls.iter().map(|_| replica(&redis))).await;
    let secret: String = redis.ask(&["GET", "faciliauto:limit-secret"]);
    assert_eq!(secret.len(), 64);
    assert_eq!(redis.seconds_left("faciliauto:limit-secret"), -1);
    eventually("every replica has asked the store", async || {
        let mut all = true;
        for replica in &replicas {
            ask_as(replica, "192.0.2.9").await;
            let series = "rate_limit_decisions_total{decider=\"redis\"}";
            all &= replica.metric(series).await > Some(0.0);
        }
        all.then_some(())
    })
    .await;
    assert_eq!(redis.keys("faciliauto:limit:recommend:*").len(), 1);

    let series = "rate_limit_decisions_total{decider=\"redis\"}";
    let before = replicas[0].metric(series).await;
    let _: String = redis.ask(&["SCRIPT", "FLUSH"]);
    eventually("a server that forgot the script is given it again", async || {
        ask_as(&replicas[0], "192.0.2.9").await;
        (replicas[0].metric(series).await > before).then_some(())
    })
    .await;
}

/// What a server is told while this watches, one line for each command.
struct Watch(BufReader<TcpStream>);

impl Watch {
    fn start(server: &RedisServer) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it serves");
        stream.write_all(b"MONITOR\r\n").expect("it reads");
        let mut watch = Self(BufReader::new(stream));
        assert_eq!(watch.line(), "+OK");
        watch
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it tells");
        line.trim_end().to_owned()
    }

    /// What was told until a mark that is set now.
    fn end(mut self, server: &RedisServer) -> Vec<String> {
        server.ask::<String>(&["ECHO", "the end"]);
        let lines = std::iter::from_fn(|| Some(self.line()));
        lines.take_while(|line| !line.contains("the end")).collect()
    }
}

/// Who sent a command, of a line that says when, in which database, who and what. Of a script's own commands nobody.
fn sender(line: &str) -> Option<&str> {
    let (database_and_client, _) = line.split_once('[')?.1.split_once(']')?;
    let (_, client) = database_and_client.split_once(' ')?;
    (client != "lua").then_some(client)
}

/// Prevents a check from costing a request a second round trip.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_one_command() {
    const CHECKS: usize = 20;
    let redis = RedisServer::start();
    let application = replica(&redis).await;
    let is_check = |line: &str| line.contains(":limit:recommend:");
    let told = eventually("the limit is shared", async || {
        let watch = Watch::start(&redis);
        for index in 0..CHECKS {
            ask_as(&application, &format!("198.51.100.{index}")).await;
        }
        let told = watch.end(&redis);
        // While answers are late each replica decides alone, and sends nothing.
        let checks = told
            .iter()
            .filter(|line| is_check(line) && sender(line).is_some());
        let checks = checks.count();
        assert!(checks <= CHECKS, "{told:#?}");
        (checks > 0).then_some(told)
    })
    .await;
    // Connections of their own check, so that whatever else one sends once it does is part of a check.
    let mut checking = BTreeSet::new();
    for line in &told {
        match sender(line) {
            Some(client) if is_check(line) => drop(checking.insert(client)),
            Some(client) => assert!(!checking.contains(client), "{line}\n{told:#?}"),
            None => {}
        }
    }
}

/// Prevents limits that were set from being announced, or kept, as the usual ones.
#[tokio::test(flavor = "multi_thread")]
async fn limits_are_as_they_were_set() {
    let redis = RedisServer::start();
    for (variables, who) in [
        (vec![LOCAL], "local"),
        (
            vec![
                ("FACILIAUTO_LIMITS", "redis"),
                ("FACILIAUTO_REDIS_URL", &redis.url()),
            ],
            "redis",
        ),
    ] {
        let set = [
            BEHIND_A_PROXY,
            ("FACILIAUTO_LIMIT_RECOMMEND", "1/3"),
            ("FACILIAUTO_LIMIT_STATS", "4/2"),
            ("FACILIAUTO_LIMIT_DEFAULT", "5/10"),
        ];
        let variables: Vec<_> = variables.into_iter().chain(set).collect();
        let application = TestApplication::start(&variables).await;
        let mut policies = vec![ask_as(&application, "203.0.113.1").await];
        for path in ["/stats", "/dealerships"] {
            policies.push(application.get(path).await);
        }
        let policies: Vec<_> = policies
            .iter()
            .map(|answer| answer.header("ratelimit-policy"))
            .collect();
        assert_eq!(
            policies,
            [
                "\"recommend\";q=3;w=3",
                "\"stats\";q=2;w=1",
                "\"default\";q=10;w=2"
            ],
            "{who}"
        );
        // A burst takes three seconds to come back: on a machine that is slower than one second for six answers,
        // one more may pass. Where Redis answered after its deadline, the replica decided alone, by an allowance of its
        // own, and the attempt says nothing.
        let (mut passed_of_six, mut given_back) = (None, 0);
        for attempt in 2..=30 {
            let address = format!("203.0.113.{attempt}");
            let (alone, begun) = (decided_alone(&application).await, Instant::now());
            let passed = passed((0..6).map(|_| ask_as(&application, &address))).await;
            given_back = usize::try_from(begun.elapsed().as_secs()).unwrap();
            if who == "local" || decided_alone(&application).await == alone {
                passed_of_six = Some(passed);
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let passed = passed_of_six.expect("the machine was too busy for any of the attempts");
        assert!((3..=3 + given_back).contains(&passed), "{who}: {passed}");
    }
}
