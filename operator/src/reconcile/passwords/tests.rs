use super::*;

fn password(text: &str) -> Password {
    Password::new(text)
}

/// Passwords by number, with what serves, and the change they come from.
fn passwords(known: &[(u32, &str)], serving: u32, change: u32) -> Passwords {
    Passwords {
        admin: password("admin"),
        known: known
            .iter()
            .map(|(number, text)| (*number, password(text)))
            .collect(),
        serving,
        change,
        synced: None,
    }
}

impl Passwords {
    fn synced_with(self, users: &str, server: Option<&str>, at: i64) -> Self {
        Self {
            synced: Some(Synced {
                users: users.to_owned(),
                server: server.map(str::to_owned),
                at,
            }),
            ..self
        }
    }

    fn told(self) -> Self {
        self.synced_with("users", Some("pod/0"), NOW)
    }
}

const NOW: i64 = 10_000;

fn facts(wanted: &Password) -> Facts<'_> {
    Facts {
        wanted,
        users: "users".to_owned(),
        server: Some("pod/0".to_owned()),
        told: false,
        telling: false,
        everybody_uses_serving: true,
        now: NOW,
    }
}

/// Prevents: a step that is taken before everybody is ready for it, and a change that stands still.
#[test]
fn steps_are_taken_one_by_one() {
    let (one, two) = (&[(1, "a")][..], &[(1, "a"), (2, "b")][..]);
    let told = |passwords: Passwords| passwords.told();
    // What is there; what is wanted; a Job told Redis; pods agree; what follows.
    for (present, wanted, is_told, agree, expected) in [
        (told(passwords(one, 1, 1)), "a", false, true, None),
        (
            told(passwords(one, 1, 1)),
            "b",
            false,
            true,
            Some((Step::Begun, passwords(two, 1, 2))),
        ),
        // Even when pods of a restart or a rollout are about: they all have the serving one.
        (
            told(passwords(one, 1, 1)),
            "b",
            false,
            false,
            Some((Step::Begun, passwords(two, 1, 2))),
        ),
        // Telling: pods get the new one only when Redis knows it.
        (passwords(two, 1, 2), "b", false, true, None),
        (
            passwords(two, 1, 2),
            "b",
            true,
            true,
            Some((Step::Told, told(passwords(two, 1, 2)))),
        ),
        (
            told(passwords(two, 1, 2)),
            "b",
            false,
            false,
            Some((Step::Handed, told(passwords(two, 2, 2)))),
        ),
        // Replacing: the old one stays as long as anybody has it.
        (told(passwords(two, 2, 2)), "b", false, false, None),
        (
            told(passwords(two, 2, 2)),
            "b",
            false,
            true,
            Some((Step::Dropped, passwords(&[(2, "b")], 2, 3))),
        ),
        (passwords(two, 2, 2), "b", false, true, None),
        // Dropping.
        (passwords(&[(2, "b")], 2, 3), "b", false, true, None),
        (
            passwords(&[(2, "b")], 2, 3),
            "b",
            true,
            true,
            Some((Step::Told, told(passwords(&[(2, "b")], 2, 3)))),
        ),
        // A change while Redis is being told: nobody was given the second, so the third takes its place,
        // under a number of its own.
        (
            passwords(two, 1, 2),
            "c",
            false,
            true,
            Some((Step::Begun, passwords(&[(1, "a"), (3, "c")], 1, 3))),
        ),
        // Back to the first: Redis may have been told of the second, so it is told again.
        (
            passwords(two, 1, 2),
            "a",
            false,
            true,
            Some((Step::Dropped, passwords(one, 1, 3))),
        ),
        // A change while pods are being replaced waits.
        (told(passwords(two, 2, 2)), "c", false, false, None),
        (
            told(passwords(two, 2, 2)),
            "c",
            false,
            true,
            Some((Step::Dropped, passwords(&[(2, "b")], 2, 3))),
        ),
        // A change while the old one is being dropped need not wait.
        (
            passwords(&[(2, "b")], 2, 3),
            "c",
            false,
            true,
            Some((Step::Begun, passwords(&[(2, "b"), (4, "c")], 2, 4))),
        ),
    ] {
        let wanted = password(wanted);
        let facts = Facts {
            told: is_told,
            everybody_uses_serving: agree,
            ..facts(&wanted)
        };
        assert_eq!(present.next(&facts), expected, "{present:?} {facts:?}");
        // While a Job is at it nothing changes that it could be telling of.
        let held_up = Facts {
            telling: true,
            ..facts
        };
        let expected = expected.filter(|(step, _)| matches!(step, Step::Told | Step::Handed));
        assert_eq!(present.next(&held_up), expected, "{present:?} {held_up:?}");
    }
}

/// Prevents: a Redis that started again with a file of before being taken for one that knows the change,
/// and one that is told again for ever.
#[test]
fn another_process_has_to_be_told_until_its_file_has_arrived() {
    let wanted = password("a");
    let told_at = |at| passwords(&[(1, "a")], 1, 1).synced_with("users", Some("pod/0"), at);
    for (passwords, users, server, expected) in [
        (told_at(NOW), "users", Some("pod/0"), true),
        (told_at(NOW), "users", Some("pod/1"), false),
        (told_at(NOW), "users", None, false),
        (told_at(NOW), "others", Some("pod/0"), false),
        (told_at(NOW - 299), "users", Some("pod/1"), false),
        (told_at(NOW - 300), "users", Some("pod/1"), true),
        (told_at(NOW - 300), "others", Some("pod/1"), false),
        (passwords(&[(1, "a")], 1, 1), "users", Some("pod/0"), false),
        (
            passwords(&[(1, "a")], 1, 1).synced_with("users", None, NOW),
            "users",
            Some("pod/9"),
            true,
        ),
    ] {
        let facts = Facts {
            users: users.to_owned(),
            server: server.map(str::to_owned),
            ..facts(&wanted)
        };
        assert_eq!(passwords.are_synced(&facts), expected, "{passwords:?} {facts:?}");
        assert_eq!(passwords.under_way(&facts).is_none(), expected);
    }
}

/// Prevents: a state that is read otherwise than it was written, others' keys among the passwords, and a
/// spoiled Secret that is believed.
#[test]
fn secret_holds_the_whole_state() {
    let kept = passwords(&[(2, "b"), (4, "c")], 2, 4).synced_with("users", Some("pod/0"), 7);
    let secret = |data| Secret {
        data: Some(data),
        ..Secret::default()
    };
    let data = kept.data().expect("JSON");
    assert_eq!(
        data.keys().collect::<Vec<_>>(),
        ["admin", "password-2", "password-4", "state"]
    );
    let mut more = data.clone();
    more.insert("password-3".to_owned(), ByteString(b"x".to_vec()));
    assert_eq!(Passwords::read(&secret(more)), Some(kept.clone()));
    for key in data.keys() {
        let mut less = data.clone();
        less.remove(key);
        assert_eq!(Passwords::read(&secret(less)), None, "{key}");
        let mut spoiled = data.clone();
        spoiled.insert(key.clone(), ByteString(vec![0xff]));
        assert_eq!(Passwords::read(&secret(spoiled)), None, "{key}");
    }
    let text = format!("{kept:?}");
    assert!(text.contains("Password(…)") && !text.contains("\"c\""), "{text}");
}
