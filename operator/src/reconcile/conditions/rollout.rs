//! What conditions say of rollouts that do not go as they should.

use super::{Draft, FALSE, TRUE};
use crate::reconcile::rollout::{Report, decide::Standing};

/// The reason for an image of Redis that was put back.
const REDIS_IMAGE: &str = "RedisImageIncompatible";

/// What was asked for does not serve, and will not by itself.
pub(super) fn stalled(report: &Report) -> Option<Draft> {
    const KIND: &str = "Stalled";
    let standings = [&report.redis, &report.api];
    let messages = |of: fn(&Standing) -> Option<&String>| {
        let found: Vec<_> = standings
            .iter()
            .filter_map(|standing| of(standing).cloned())
            .collect();
        (!found.is_empty()).then(|| found.join(" "))
    };
    let back = messages(|standing| match standing {
        Standing::RolledBack(message) => Some(message),
        _ => None,
    });
    let failed = messages(|standing| match standing {
        Standing::Failed(message) => Some(message),
        _ => None,
    });
    match (back, failed) {
        (Some(back), failed) => {
            let all: Vec<_> = [Some(back), failed].into_iter().flatten().collect();
            Some(Draft::new(KIND, TRUE, "RolledBack", all.join(" ")))
        }
        (None, Some(failed)) => Some(Draft::new(KIND, TRUE, "RolloutFailed", failed)),
        (None, None) => None,
    }
}

/// Why Redis, which does not answer, does not: because of its image.
pub(super) fn redis(report: Option<&Report>) -> Option<Draft> {
    match &report?.redis {
        Standing::RolledBack(message) => Some(Draft::new("RedisReady", FALSE, REDIS_IMAGE, message)),
        Standing::Followed | Standing::Waiting(_) | Standing::Failed(_) | Standing::Held => None,
    }
}

/// A new operator's templates wait, because they did harm elsewhere.
pub(super) fn upgrade_held(report: &Report) -> Option<Draft> {
    let (namespace, name) = report.held_by.as_ref()?;
    let message = format!(
        "The pods of {name} in namespace {namespace} failed with what this version of the operator builds, so these stay as they are. See its condition Stalled; the upgrade goes on when it works, when it is deleted, or with another version of the operator."
    );
    Some(Draft::new("UpgradeHeld", TRUE, "OtherFailed", message))
}
