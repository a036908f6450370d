//! The moments of a restore at which something dies: at a command on the line to Redis, or as soon as something is there to
//! be seen.

use super::{
    line::{Side, Stop},
    steps::Step,
    stocks::{DEALERS, EVENTS},
};

/// What is seen at a moment that is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The resource names the restore.
    Declared,
    /// Its Job is there.
    JobIsMade,
    /// The first process of it runs.
    ProcessRuns,
    /// The target knows of it.
    Noted,
    /// The status says this phase, or a later one.
    Phase(&'static str),
    /// The target knows that it is done.
    NotedAsDone,
    /// The Job is complete.
    JobIsComplete,
}

/// When something dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    At(Stop),
    Seen(Sign),
}

/// A moment by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) name: &'static str,
    pub(crate) when: When,
}

/// Phases of a restore as the status has them, in order.
pub(crate) const PHASES: [&str; 5] = ["Pending", "Verifying", "Snapshotting", "Loading", "Succeeded"];

/// Events that one script fills in.
const EVENTS_AT_ONCE: usize = 100;

/// The moments at which anything may die, in the order in which they come.
pub(crate) fn of_all() -> Vec<Moment> {
    let seen = |name, sign| Moment {
        name,
        when: When::Seen(sign),
    };
    let at = |name, at, nth, side| Moment {
        name,
        when: When::At(Stop {
            after: None,
            at,
            nth,
            side,
        }),
    };
    let later = |name, after, at, nth, side| Moment {
        name,
        when: When::At(Stop {
            after: Some(after),
            at,
            nth,
            side,
        }),
    };
    use Side::{Before, Unanswered};
    vec![
        seen("verify begins", Sign::ProcessRuns),
        seen("verify is done, the restore is noted", Sign::Noted),
        at("before the fence", Step::RaiseFence, 1, Before),
        at("the fence is up, unanswered", Step::RaiseFence, 1, Unanswered),
        later(
            "half of the safety backup",
            Step::RaiseFence,
            Step::ReadDealer,
            DEALERS / 2,
            Before,
        ),
        at("load takes over the fence", Step::RenewFence, 1, Before),
        at("a generation is begun, unanswered", Step::Begin, 1, Unanswered),
        at("the ledger is filled in", Step::FillLedger, 1, Unanswered),
        at("half of the dealers", Step::FillDealer, DEALERS / 2, Unanswered),
        at(
            "half of the events",
            Step::FillEvents,
            EVENTS / EVENTS_AT_ONCE / 2,
            Before,
        ),
        later(
            "half of it is compared",
            Step::FillEvents,
            Step::ReadDealer,
            DEALERS / 2,
            Before,
        ),
        at("all is compared", Step::BeginLedgers, 1, Before),
        at(
            "the ledgers are applied, unanswered",
            Step::EndLedgers,
            1,
            Unanswered,
        ),
        at("before the switch", Step::Switch, 1, Before),
        at("switched, unanswered", Step::Switch, 1, Unanswered),
        seen("the restore is noted as done", Sign::NotedAsDone),
    ]
}

/// Those at which only the operator has something to do.
pub(crate) fn of_the_operator() -> Vec<Moment> {
    let seen = |name, sign| Moment {
        name,
        when: When::Seen(sign),
    };
    vec![
        seen("the restore is declared", Sign::Declared),
        seen("its Job is made", Sign::JobIsMade),
        seen("the status says Pending", Sign::Phase(PHASES[0])),
        seen("the status says Verifying", Sign::Phase(PHASES[1])),
        seen("the status says Snapshotting", Sign::Phase(PHASES[2])),
        seen("the status says Loading", Sign::Phase(PHASES[3])),
        seen("the Job is complete", Sign::JobIsComplete),
        seen("the status says Succeeded", Sign::Phase(PHASES[4])),
    ]
}
