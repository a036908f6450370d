use std::sync::Arc;

use super::*;

const READY: Standing = Standing::Wanting { ready: true };
const UNREADY: Standing = Standing::Wanting { ready: false };

fn name(name: &str) -> Name {
    ("lojas".to_owned(), name.to_owned())
}

/// Turns among three resources, and who was nudged.
fn waves() -> (Waves, Arc<Mutex<Vec<String>>>) {
    let nudged = Arc::new(Mutex::new(Vec::new()));
    let heard = nudged.clone();
    let known = || ["a", "b", "c"].map(name).into();
    let nudge = move |name: &Name| heard.lock().expect("the list").push(name.1.clone());
    (Waves::new(known, nudge), nudged)
}

fn taken(nudged: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut nudged.lock().expect("the list"))
}

/// Prevents: two resources that lose pods at once, a wave that starts before it knows what is under way,
/// one that begins with what is broken, and one that nobody goes on with.
#[test]
fn turns_are_taken_one_by_one() {
    let (waves, nudged) = waves();
    assert_eq!(
        waves.ask(&name("a"), UNREADY),
        Turn::Wait,
        "b and c are not known yet"
    );
    assert_eq!(waves.ask(&name("b"), READY), Turn::Wait, "c is not known yet");
    assert_eq!(waves.ask(&name("c"), READY), Turn::Wait, "b is before it");
    assert_eq!(taken(&nudged), ["b"]);
    assert_eq!(waves.ask(&name("b"), READY), Turn::Go);
    assert_eq!(waves.ask(&name("c"), READY), Turn::Wait, "one at a time");
    assert_eq!(waves.ask(&name("b"), Standing::Rolling), Turn::Wait);
    assert_eq!(taken(&nudged), Vec::<String>::new());
    waves.ask(&name("b"), Standing::Settled);
    assert_eq!(taken(&nudged), ["c"], "who is next is told");
    assert_eq!(waves.ask(&name("c"), READY), Turn::Go);
    waves.ask(&name("c"), Standing::Settled);
    assert_eq!(taken(&nudged), ["a"], "what is not ready comes last");
    assert_eq!(waves.ask(&name("a"), UNREADY), Turn::Go);
}

/// Prevents: a template that breaks one system breaking all of them.
#[test]
fn failure_holds_the_others_until_it_is_seen_to() {
    let (waves, nudged) = waves();
    for waiting in ["b", "c"] {
        waves.ask(&name(waiting), READY);
    }
    assert_eq!(waves.ask(&name("a"), READY), Turn::Go);
    waves.ask(&name("a"), Standing::Failed);
    assert_eq!(taken(&nudged), ["b", "c"], "they are to say why they wait");
    waves.ask(&name("a"), Standing::Failed);
    assert_eq!(taken(&nudged), Vec::<String>::new(), "once");
    assert_eq!(waves.ask(&name("b"), READY), Turn::Held(name("a")));
    waves.ask(&name("a"), Standing::Settled);
    assert_eq!(taken(&nudged), ["b"]);
    assert_eq!(waves.ask(&name("b"), READY), Turn::Go);
}

/// Prevents: a resource that cannot be built, or is gone, keeping all others from their turn.
#[test]
fn what_cannot_be_upgraded_is_passed_by() {
    let (waves, nudged) = waves();
    waves.ask(&name("a"), READY);
    waves.ask(&name("b"), READY);
    waves.looked_at(&name("c"));
    assert_eq!(taken(&nudged), ["a"]);
    waves.looked_at(&name("a"));
    assert_eq!(taken(&nudged), ["b"]);
    assert_eq!(waves.ask(&name("b"), READY), Turn::Go);
    waves.looked_at(&name("b"));
    assert_eq!(waves.ask(&name("c"), READY), Turn::Wait, "b goes on");
    waves.forget(&name("b"));
    assert_eq!(
        waves.ask(&name("c"), READY),
        Turn::Wait,
        "b is said to be there, and was not looked at"
    );
    assert_eq!(taken(&nudged), ["c"]);
}
