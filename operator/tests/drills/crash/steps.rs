//! Which step of a restore a command is, told by what the scripts of generations are given.

/// A step of a restore that goes to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The fence goes up.
    RaiseFence,
    /// The fence stays up; the first time, by the phase that follows.
    RenewFence,
    /// A new generation is begun.
    Begin,
    /// The ledger is filled in, the last of what is private.
    FillLedger,
    /// A dealership becomes part of the new generation.
    FillDealer,
    /// Events do.
    FillEvents,
    /// A dealership is read: for the safety backup, and later to compare.
    ReadDealer,
    /// Ledgers begin to be applied: what was filled in was compared, and is what the backup has.
    BeginLedgers,
    /// Ledgers are applied.
    EndLedgers,
    /// The new generation takes the place of the old one.
    Switch,
}

impl Step {
    /// The step that a command is; `None` for all others.
    pub(crate) fn of(words: &[Vec<u8>]) -> Option<Self> {
        let words: Vec<&str> = words
            .iter()
            .map(|word| std::str::from_utf8(word).unwrap_or_default())
            .collect();
        let (name, count) = (words.first()?, words.get(2)?);
        if !["EVAL", "EVALSHA"].contains(&name.to_ascii_uppercase().as_str()) {
            return None;
        }
        let (keys, given) = words.get(3..)?.split_at_checked(count.parse().ok()?)?;
        Self::of_script(keys, given)
    }

    fn of_script(keys: &[&str], given: &[&str]) -> Option<Self> {
        let ends_in = |index: usize, end: &str| keys.get(index).is_some_and(|key: &&str| key.ends_with(end));
        match (keys.len(), given) {
            (1, ["raise", ..]) => Some(Self::RaiseFence),
            (1, ["renew", ..]) => Some(Self::RenewFence),
            (1, [_, root, _, rest @ ..]) if ends_in(0, ":fence") && root.ends_with(':') => {
                Self::of_filling(rest)
            }
            (2, [_, _]) if ends_in(0, ":fence") && ends_in(1, ":kept") => Some(Self::BeginLedgers),
            (3, _) if ends_in(0, ":fence") && ends_in(2, ":catalog") => Some(Self::Begin),
            (5, [_, _, _, _, _]) if ends_in(0, ":generation") && ends_in(4, ":catalog") => Some(Self::Switch),
            (6, [_]) if ends_in(0, ":catalog") => Some(Self::ReadDealer),
            _ => None,
        }
    }

    /// What a script that fills is given after what all of them take.
    fn of_filling(rest: &[&str]) -> Option<Self> {
        match rest {
            [] => Some(Self::EndLedgers),
            ["ledger", "new", ..] => Some(Self::FillLedger),
            [_, record, _, _, _, _, _, _] if record.starts_with('{') => Some(Self::FillDealer),
            [count, ..]
                if count
                    .parse::<usize>()
                    .is_ok_and(|count| rest.len() == 1 + 4 * count) =>
            {
                Some(Self::FillEvents)
            }
            _ => None,
        }
    }
}
