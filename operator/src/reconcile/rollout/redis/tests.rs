use super::*;

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn template(image: &str, memory: &str) -> Value {
    json!({
        "metadata": {"annotations": {names::CREDENTIALS: "c1"}},
        "spec": {"containers": [{"name": "redis", "image": image, "memory": memory}]},
    })
}

fn wish(template: &Value) -> Wish<'_> {
    Wish {
        template,
        generation: 5,
        automatic: true,
        retry: None,
        image_waits: None,
        may_upgrade: true,
        is_edited: false,
        now: time(100),
    }
}

fn failed() -> Judgement {
    Judgement::Failed(Fault {
        message: "It refuses the data.".to_owned(),
        image: false,
    })
}

/// Redis with an image, for which a look has applied `template`; `before` is the image before it.
fn live(template: &Value, before: Option<&str>, judgement: Judgement) -> Live {
    Live {
        state: State {
            generation: Some(5),
            template: Some(Identity::of(template)),
            last_good: before.map(str::to_owned),
            ..State::default()
        },
        template: template.clone(),
        revision: image(template).to_owned(),
        is_observed: true,
        is_ready: judgement == Judgement::Complete,
        pod: judgement.clone(),
        judgement,
        unready: Vec::new(),
    }
}

fn after(decision: &Decision, judgement: Judgement) -> Live {
    Live {
        state: decision.state.clone(),
        ..live(&decision.template, None, judgement)
    }
}

fn unready(revision: &str, is_stuck: bool) -> UnreadyPod {
    UnreadyPod {
        name: "producao-redis-0".to_owned(),
        uid: format!("uid-{revision}"),
        revision: revision.to_owned(),
        is_stuck,
    }
}

fn message(decision: &Decision) -> &str {
    match &decision.standing {
        Standing::Waiting(message) | Standing::Failed(message) | Standing::RolledBack(message) => message,
        Standing::Followed | Standing::Held => "",
    }
}

/// Prevents: a Redis that stays down with an image that does not take its data, and one whose other
/// settings go back with the image.
#[test]
fn image_that_does_not_start_goes_back() {
    let (old, new) = (template("r:7", "1"), template("r:9", "2"));
    let tried = decide(&wish(&new), Some(&live(&old, None, Judgement::Complete)));
    assert_eq!(tried.template, new);
    assert_eq!(tried.state.last_good.as_deref(), Some("r:7"));

    let back = decide(&wish(&new), Some(&after(&tried, failed())));
    assert_eq!(back.template, template("r:7", "2"));
    assert_eq!(back.state.failed.as_deref(), Some("r:9"));
    assert!(
        message(&back).contains("It refuses the data. r:7 was put back."),
        "{}",
        message(&back)
    );

    let down = after(&back, failed());
    let still = decide(&wish(&new), Some(&down));
    assert!(
        message(&still).contains("does not start either"),
        "{}",
        message(&still)
    );
    let edited = template("r:9", "3");
    let decision = decide(&wish(&edited), Some(&after(&back, Judgement::Complete)));
    assert_eq!(
        decision.template,
        template("r:7", "3"),
        "other settings are followed"
    );
    let fixed = template("r:8", "2");
    let decision = decide(&wish(&fixed), Some(&after(&back, Judgement::Complete)));
    assert_eq!((decision.template, decision.state.failed), (fixed, None));
}

/// Prevents: going back to an image that never worked, or without being asked to.
#[test]
fn what_does_not_go_back() {
    let (old, new) = (template("r:7", "1"), template("r:9", "1"));
    let never_worked = Live {
        is_ready: false,
        ..live(&old, None, Judgement::Complete)
    };
    let tried = decide(&wish(&new), Some(&never_worked));
    assert_eq!(tried.state.last_good, None);
    let by_hand = Wish {
        automatic: false,
        ..wish(&new)
    };
    for (what, wish, live) in [
        ("nothing to go back to", wish(&new), after(&tried, failed())),
        ("by hand", by_hand, live(&new, Some("r:7"), failed())),
    ] {
        let decision = decide(&wish, Some(&live));
        assert_eq!(
            (&decision.template, &decision.state.failed),
            (&new, &None),
            "{what}"
        );
        assert!(matches!(decision.standing, Standing::Failed(_)), "{what}");
    }
    let broke_later = Live {
        is_ready: false,
        pod: failed(),
        ..live(&new, Some("r:7"), Judgement::Complete)
    };
    let decision = decide(&wish(&new), Some(&broke_later));
    assert_eq!(
        (decision.template, decision.standing),
        (new, Standing::Followed),
        "it worked once"
    );
}

/// Prevents: a Redis that works being taken away by itself; a person who cannot have it tried again.
#[test]
fn image_is_tried_again_when_asked() {
    let (old, new) = (template("r:7", "1"), template("r:9", "1"));
    let tried = decide(&wish(&new), Some(&live(&old, None, Judgement::Complete)));
    let back = decide(&wish(&new), Some(&after(&tried, failed())));
    let serving = after(&back, Judgement::Complete);
    let later = Wish {
        now: time(1_000_000),
        ..wish(&new)
    };
    assert_eq!(decide(&later, Some(&serving)).template, old);
    let asked = Wish {
        retry: Some("now"),
        ..wish(&new)
    };
    let again = decide(&asked, Some(&serving));
    assert_eq!(again.template, new);
    assert_eq!(again.state.last_good.as_deref(), Some("r:7"));
    let works = decide(&asked, Some(&after(&again, Judgement::Complete)));
    assert_eq!((works.state.failed, works.state.failure), (None, None));
}

/// Prevents: a pod left in the way of the image that works, and one deleted that the cluster would make the
/// same again, or that only takes its time.
#[test]
fn pod_of_an_older_revision_that_is_stuck_goes() {
    let (old, new) = (template("r:7", "1"), template("r:9", "1"));
    let tried = decide(&wish(&new), Some(&live(&old, None, Judgement::Complete)));
    let with_pods = |live: Live| Live {
        unready: vec![
            unready("r:9", false),
            unready("r:8", true),
            unready("r:7", true),
            unready("r:6", false),
        ],
        ..live
    };
    let failing = with_pods(after(&tried, failed()));
    let back = decide(&wish(&new), Some(&failing));
    let own = unready("r:9", false);
    assert!(
        !failing.in_the_way(&back.state).contains(&own),
        "not before the old image is back"
    );
    let unseen = Live {
        is_observed: false,
        ..with_pods(after(&back, Judgement::Complete))
    };
    assert_eq!(
        unseen.in_the_way(&back.state),
        [],
        "nor before its controller knows"
    );
    let seen = with_pods(after(&back, Judgement::Complete));
    assert_eq!(seen.in_the_way(&back.state), [own, unready("r:8", true)]);
}

/// Prevents: a new operator that restarts every Redis at once.
#[test]
fn new_operators_template_waits_for_its_turn() {
    let (old, new) = (template("r:7", "1"), template("r:9", "1"));
    let waits = Wish {
        may_upgrade: false,
        ..wish(&new)
    };
    let before = live(&old, None, Judgement::Complete);
    let held = decide(&waits, Some(&before));
    assert_eq!((&held.template, &held.standing), (&old, &Standing::Held));
    let edit = Wish {
        generation: 6,
        ..waits
    };
    assert_eq!(decide(&edit, Some(&before)).template, new);
    assert!(decide(&wish(&new), Some(&before)).state.upgrade);
}
