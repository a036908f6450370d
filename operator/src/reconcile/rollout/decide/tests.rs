use serde_json::json;

use super::*;
use crate::reconcile::rollout::revisions::Revision;

const GENERATION: i64 = 5;

fn time(minutes: i64) -> Timestamp {
    Timestamp::from_second(minutes * 60).expect("a time")
}

fn template(image: &str) -> Value {
    json!({
        "metadata": {"annotations": {names::CREDENTIALS: "c1"}},
        "spec": {"containers": [{"name": "api", "image": image}]},
    })
}

fn identity(image: &str) -> String {
    Identity::of(&template(image)).to_string()
}

fn revision(image: &str, ready: i64) -> Revision {
    Revision {
        name: format!("producao-{image}"),
        template: template(image),
        replicas: ready,
        ready,
    }
}

/// `current` is on its way or serves, `old` is what served before.
fn live(current: &str, old: &str, judgement: Judgement) -> Live {
    Live {
        state: State {
            generation: Some(GENERATION),
            template: Some(Identity::of(&template(current))),
            last_good: Some(format!("producao-{old}")),
            ..State::default()
        },
        template: template(current),
        current: Some(revision(current, 2)),
        others: vec![revision(old, 2)],
        judgement,
    }
}

fn failed(image: bool) -> Judgement {
    Judgement::Failed(Fault {
        message: "It crashes.".to_owned(),
        image,
    })
}

fn wish(template: &Value) -> Wish<'_> {
    Wish {
        template,
        generation: GENERATION,
        automatic: true,
        retry: None,
        image_waits: None,
        may_upgrade: true,
        is_edited: false,
        now: time(0),
    }
}

/// The live side after the cluster has done what was decided.
fn after(decision: &Decision, current: &str, old: &str, judgement: Judgement) -> Live {
    Live {
        state: decision.state.clone(),
        template: decision.template.clone(),
        ..live(current, old, judgement)
    }
}

fn message(decision: &Decision) -> &str {
    match &decision.standing {
        Standing::Waiting(message) | Standing::Failed(message) | Standing::RolledBack(message) => message,
        Standing::Followed | Standing::Held => "",
    }
}

/// Prevents: a first Deployment that waits for anything.
#[test]
fn nothing_live_is_built() {
    let new = template("1");
    let decision = decide(&wish(&new), None);
    assert_eq!((decision.template, decision.standing), (new, Standing::Followed));
    assert_eq!(decision.state.generation, Some(GENERATION));
}

/// Prevents: a healthy new template that is held back, and the one before it being forgotten.
#[test]
fn another_template_is_tried_at_once() {
    let new = template("2");
    for (judgement, expected) in [
        (Judgement::Complete, "producao-1"),
        (Judgement::Progressing { due: None }, "producao-0"),
        (failed(false), "producao-0"),
    ] {
        let decision = decide(&wish(&new), Some(&live("1", "0", judgement.clone())));
        assert_eq!(decision.template, new, "{judgement:?}");
        assert_eq!(
            decision.state.last_good.as_deref(),
            Some(expected),
            "{judgement:?}"
        );
        assert_eq!(decision.state.failed, None);
        assert_eq!(decision.standing, Standing::Followed);
    }
}

/// Prevents: pods that fail and stay, and a message that leaves people guessing.
#[test]
fn what_fails_goes_back() {
    let new = template("2");
    let decision = decide(&wish(&new), Some(&live("2", "1", failed(false))));
    assert_eq!(decision.template, template("1"));
    assert_eq!(decision.state.failed, Some(identity("2")));
    assert_eq!(
        decision.look_again, None,
        "nothing but an image is tried again by itself"
    );
    for part in ["producao-2", "It crashes.", "producao-1 serves", names::RETRY] {
        assert!(
            message(&decision).contains(part),
            "{part}: {}",
            message(&decision)
        );
    }
    let on_the_way = Judgement::Progressing { due: Some(time(7)) };
    let decision = decide(&wish(&new), Some(&live("2", "1", on_the_way)));
    assert_eq!(
        (decision.template, decision.look_again),
        (new.clone(), Some(time(7)))
    );
}

/// Prevents: a rollback that nobody asked for: by hand, for want of room, of somebody else's edit, of the
/// first revision.
#[test]
fn what_does_not_go_back() {
    let new = template("2");
    let by_hand = Wish {
        automatic: false,
        ..wish(&new)
    };
    let edited = Wish {
        is_edited: true,
        ..wish(&new)
    };
    let mut first = live("2", "1", failed(false));
    first.others.clear();
    let waiting = Judgement::Waiting {
        message: "No room.".to_owned(),
        due: time(9),
    };
    for (what, decision, expected) in [
        (
            "by hand",
            decide(&by_hand, Some(&live("2", "1", failed(false)))),
            "goes on serving",
        ),
        (
            "edited",
            decide(&edited, Some(&live("2", "1", failed(false)))),
            "",
        ),
        (
            "the first",
            decide(&wish(&new), Some(&first)),
            "no earlier revision",
        ),
        (
            "no room",
            decide(&wish(&new), Some(&live("2", "1", waiting))),
            "No room.",
        ),
    ] {
        assert_eq!(decision.template, new, "{what}");
        assert_eq!(decision.state.failed, None, "{what}");
        assert!(
            message(&decision).contains(expected),
            "{what}: {}",
            message(&decision)
        );
    }
}

/// Prevents: an edit of something else trying what failed again and again; a fix that has to wait.
#[test]
fn what_failed_stays_away_until_it_changes() {
    let (bad, good) = (template("2"), template("1"));
    let back = decide(&wish(&bad), Some(&live("2", "1", failed(false))));
    let live = after(&back, "1", "2", Judgement::Complete);
    let unrelated = Wish {
        generation: GENERATION + 1,
        now: time(10_000),
        ..wish(&bad)
    };
    let decision = decide(&unrelated, Some(&live));
    assert_eq!(decision.template, good);
    assert_eq!(decision.standing, back.standing, "the words stay the same");
    assert_eq!(decision.state.failure, back.state.failure);
    let fixed = template("3");
    let decision = decide(&wish(&fixed), Some(&live));
    assert_eq!(decision.template, fixed);
    assert_eq!((decision.state.failed, decision.state.failure), (None, None));
    assert_eq!(decision.state.last_good.as_deref(), Some("producao-1"));
}

/// Prevents: pods that go on with an old password, because they were put back with it.
#[test]
fn secrets_do_not_go_back() {
    let mut rotated = template("2");
    let back = decide(&wish(&rotated), Some(&live("2", "1", failed(false))));
    rotated["metadata"]["annotations"][names::CREDENTIALS] = json!("c2");
    let live = after(&back, "1", "2", Judgement::Complete);
    let decision = decide(&wish(&rotated), Some(&live));
    assert_eq!(
        decision.template, rotated,
        "with other credentials it is another template"
    );
    let failed_again = after(&decision, "2", "1", failed(false));
    let decision = decide(&wish(&rotated), Some(&failed_again));
    let mut expected = template("1");
    expected["metadata"]["annotations"][names::CREDENTIALS] = json!("c2");
    assert_eq!(decision.template, expected);
}

/// Prevents: an image that was pushed a minute late and never arrives, and a registry that is asked for
/// ever at the same pace.
#[test]
fn image_is_tried_again_with_longer_pauses() {
    let bad = template("2");
    let mut now = 0;
    let mut live = live("2", "1", failed(true));
    for pause in [10, 30, 60, 60] {
        let wish = |minutes: i64| Wish {
            now: time(minutes),
            ..wish(&bad)
        };
        let back = decide(&wish(now), Some(&live));
        assert_eq!(back.look_again, Some(time(now + pause)));
        let waiting = after(&back, "1", "2", Judgement::Complete);
        assert_eq!(
            decide(&wish(now + pause - 1), Some(&waiting)).template,
            template("1")
        );
        let again = decide(&wish(now + pause), Some(&waiting));
        assert_eq!((&again.template, &again.standing), (&bad, &Standing::Followed));
        let trying = after(&again, "2", "1", Judgement::Progressing { due: None });
        assert_eq!(
            decide(&wish(now + pause), Some(&trying)).template,
            bad,
            "it is given its time"
        );
        live = after(&again, "2", "1", failed(true));
        now += pause;
    }
    let came = after(&decide(&wish(&bad), Some(&live)), "2", "1", Judgement::Complete);
    let mut came = came;
    came.state.failure.as_mut().expect("a failure").retrying = true;
    came.template = bad.clone();
    let decision = decide(&wish(&bad), Some(&came));
    assert_eq!(
        (decision.state.failed, decision.state.failure),
        (None, None),
        "forgotten once it works"
    );
}

/// Prevents: a person who has put things right outside and has to wait; one annotation value that tries
/// for ever.
#[test]
fn retry_is_asked_for_once_a_value() {
    let bad = template("2");
    let wish = |retry| Wish { retry, ..wish(&bad) };
    let back = decide(&wish(Some("before")), Some(&live("2", "1", failed(false))));
    let rolled_back = after(&back, "1", "2", Judgement::Complete);
    for (retry, expected) in [(Some("before"), "1"), (None, "1"), (Some("now"), "2")] {
        let decision = decide(&wish(retry), Some(&rolled_back));
        assert_eq!(decision.template, template(expected), "{retry:?}");
    }
    let again = decide(&wish(Some("now")), Some(&rolled_back));
    let failed_again = after(&again, "2", "1", failed(false));
    let back = decide(&wish(Some("now")), Some(&failed_again));
    assert_eq!(back.template, template("1"));
    let rolled_back = after(&back, "1", "2", Judgement::Complete);
    assert_eq!(
        decide(&wish(Some("now")), Some(&rolled_back)).template,
        template("1")
    );
}

/// Prevents: a new operator that replaces all pods before its turn, one that takes an edit of the
/// resource or of a Secret for its own doing, and drift that stays meanwhile.
#[test]
fn new_operators_template_waits_for_its_turn() {
    let new = template("2");
    let waits = Wish {
        may_upgrade: false,
        ..wish(&new)
    };
    let before = live("1", "0", Judgement::Complete);
    let held = decide(&waits, Some(&before));
    assert_eq!(
        (&held.template, &held.standing),
        (&template("1"), &Standing::Held)
    );
    assert_eq!(held.state.held.as_deref(), Some("producao-1"));
    assert_eq!(held.state.template, before.state.template);

    let mut edited = after(&held, "1", "0", Judgement::Progressing { due: None });
    edited.current = None;
    edited.others.push(revision("1", 2));
    edited.template = template("somebody's");
    assert_eq!(decide(&waits, Some(&edited)).template, template("1"));

    let its_turn = decide(&wish(&new), Some(&after(&held, "1", "0", Judgement::Complete)));
    assert_eq!(its_turn.template, new);
    assert!(its_turn.state.upgrade);
    assert_eq!(
        (its_turn.state.held, its_turn.state.last_good.as_deref()),
        (None, Some("producao-1"))
    );

    let users = Wish {
        generation: GENERATION + 1,
        ..waits.clone()
    };
    assert_eq!(
        decide(&users, Some(&before)).template,
        new,
        "the user's edit does not wait"
    );
    let mut rotated = template("1");
    rotated["metadata"]["annotations"][names::CREDENTIALS] = json!("c2");
    let waits = Wish {
        template: &rotated,
        ..waits
    };
    assert_eq!(
        decide(&waits, Some(&before)).template,
        rotated,
        "nor does a Secret"
    );
}
