//! A new operator, whose default image is another: one resource at a time.

use faciliauto_operator::resources::Kind;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, NAME, writes},
    workloads::{CRASHES, NO_ROOM, NO_UPGRADE, run},
};

const NAMES: [&str; 3] = ["centro", "norte", NAME];

/// Three systems that follow the operator's default image.
async fn serving() -> Harness {
    let spec = || json!({"monitoring": {"dashboards": {"enabled": false}}});
    let mut harness = Harness::new(spec());
    for name in NAMES.iter().filter(|name| **name != NAME) {
        harness.add(name, spec());
    }
    harness.settle_with(run).await;
    for name in NAMES {
        assert_eq!(harness.condition_of(name, "Ready")["status"], "True", "{name}");
    }
    harness
}

/// Tag of the image that each Deployment asks for.
fn tags(harness: &Harness) -> [String; 3] {
    NAMES.map(|name| {
        let deployment = harness.child(Kind::Deployment, name).expect("the Deployment");
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        image
            .as_str()
            .and_then(|image| image.rsplit_once(':'))
            .expect("a tag")
            .1
            .to_owned()
    })
}

async fn look_at_all(harness: &mut Harness) {
    for name in NAMES {
        harness.look_at(name).await.expect("a look");
    }
}

/// Prevents: a new operator that replaces the pods of all systems at once.
#[tokio::test]
async fn upgrade_takes_one_resource_at_a_time() {
    let mut harness = serving().await;
    harness.upgrade("10");
    look_at_all(&mut harness).await;
    assert_eq!(
        tags(&harness),
        ["9.8.7", "9.8.7", "9.8.7"],
        "until the last of them is known"
    );
    assert_eq!(harness.take_nudged(), ["centro"], "who is first is told");
    let mut expected = ["9.8.7", "9.8.7", "9.8.7"];
    for (index, name) in NAMES.iter().enumerate() {
        harness.look_at(name).await.expect("a look");
        expected[index] = "10";
        assert_eq!(tags(&harness), expected);
        look_at_all(&mut harness).await;
        assert_eq!(tags(&harness), expected, "the others wait until it is done");
        harness.take_nudged();
        run(&harness.api);
        harness.look_at(name).await.expect("a look");
        let next = NAMES
            .get(index + 1)
            .map(|name| vec![(*name).to_owned()])
            .unwrap_or_default();
        assert_eq!(harness.take_nudged(), next);
    }
    harness.settle_with(run).await;
    harness.api.take_calls();
    harness.restart();
    look_at_all(&mut harness).await;
    assert_eq!(
        writes(&harness.api.take_calls()),
        Vec::<String>::new(),
        "an equal template restarts nobody"
    );
}

/// Prevents: a release that breaks one system breaking them all, and a wave that nobody can set going again.
#[tokio::test]
async fn failure_stops_the_upgrade() {
    let mut harness = serving().await;
    // The second of them gets its images from elsewhere, where the next ones do not work.
    harness.change_spec_of("norte", |spec| spec["image"] = json!({"repository": NO_UPGRADE}));
    harness.settle_with(run).await;

    harness.upgrade("10");
    harness.settle_with(run).await;
    let half = ["10", "9.8.7", "9.8.7"];
    assert_eq!(
        tags(&harness),
        half,
        "the second was put back, and nobody followed"
    );
    assert_eq!(harness.condition_of("norte", "Stalled")["reason"], "RolledBack");
    assert_eq!(
        harness.condition_of("centro", "UpgradeHeld"),
        Value::Null,
        "it is done"
    );
    let held = harness.condition_of(NAME, "UpgradeHeld");
    let message = held["message"].as_str().expect("a message");
    assert!(message.contains("norte in namespace lojas"), "{message}");
    assert_eq!(harness.condition("Ready")["status"], "True");
    assert_eq!(
        harness.condition("Stalled"),
        Value::Null,
        "nothing is wrong with it"
    );
    assert_eq!(
        harness
            .told()
            .iter()
            .filter(|reason| *reason == "UpgradeHeld")
            .count(),
        1
    );
    harness.restart();
    harness.settle_with(run).await;
    assert_eq!(tags(&harness), half, "a restart does not set it going again");
    harness.change_spec_of("norte", |spec| {
        spec["disruptionBudget"] = json!({"maxUnavailable": 2})
    });
    harness.settle_with(run).await;
    assert_eq!(tags(&harness), half, "nor does an edit of something else");

    harness.change_spec_of("norte", |spec| spec["image"] = json!({}));
    harness.settle_with(run).await;
    assert_eq!(tags(&harness), ["10", "10", "10"], "what was put right does");
    for name in NAMES {
        assert_eq!(harness.condition_of(name, "UpgradeHeld"), Value::Null);
        assert_eq!(harness.condition_of(name, "Stalled"), Value::Null);
    }
}

/// Prevents: a wave that a failure stopped for good: the next version of the operator begins anew.
#[tokio::test]
async fn next_version_goes_on() {
    let mut harness = serving().await;
    harness.upgrade(&format!("10-{CRASHES}"));
    harness.settle_with(run).await;
    assert_eq!(tags(&harness), ["9.8.7", "9.8.7", "9.8.7"]);
    harness.upgrade("11");
    harness.settle_with(run).await;
    assert_eq!(tags(&harness), ["11", "11", "11"]);
}

/// Prevents: a full node that keeps all others from being upgraded; a user's own edit that has to wait.
#[tokio::test]
async fn what_waits_is_left_behind_and_what_users_edit_is_followed() {
    let mut harness = serving().await;
    harness.upgrade(&format!("10-{NO_ROOM}"));
    harness.settle_with(run).await;
    let new = format!("10-{NO_ROOM}");
    assert_eq!(
        tags(&harness),
        [new.as_str(), &new, &new],
        "each waits for a node, and none for another"
    );

    let mut harness = serving().await;
    harness.upgrade(&format!("10-{CRASHES}"));
    harness.settle_with(run).await;
    harness.change_spec_of("norte", |spec| spec["image"] = json!({"tag": "theirs"}));
    harness.settle_with(run).await;
    assert_eq!(tags(&harness), ["9.8.7", "theirs", "9.8.7"]);
    assert_eq!(harness.condition_of("norte", "UpgradeHeld"), Value::Null);
}
