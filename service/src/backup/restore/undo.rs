//! Going back to the generation that the last restore replaced, for as long as it is kept.

use std::sync::Arc;

use super::{KEEP, Report, Stage, fencing::Fencing, was_restored_as};
use crate::{
    backup::{error::BackupError, write::Surroundings},
    state::State,
};

/// Goes back. What was erased since stays erased.
///
/// # Errors
/// There is nothing to go back to, or whatever kept it from being done.
pub async fn undo(state: Arc<dyn State>, id: &str, around: &Surroundings) -> Result<Report, BackupError> {
    let mut report = Report {
        restore: id.to_owned(),
        phase: Stage::Reverted,
        from: None,
        safety: None,
        cars: 0,
        events: 0,
        finished_at: None,
    };
    if was_restored_as(state.as_ref(), id).await? {
        report.finished_at = Some(around.clock.now());
        return Ok(report);
    }
    let Some(kept) = state.kept().await? else {
        return Err(BackupError::NotFound(
            "there is nothing to go back to: no restore was made within the last 24 hours; a safety backup may be \
             there still, `backup list` shows it"
                .to_owned(),
        ));
    };
    let fencing = Fencing::raise(Arc::clone(&state), id).await?;
    let switching = async {
        let fence = fencing.fence();
        state.apply_ledgers(fence, &kept.epoch, &[]).await?;
        Ok::<_, BackupError>(state.switch(fence, &kept.epoch, id, KEEP).await?)
    };
    let outcome = tokio::select! {
        outcome = fencing.during(switching) => outcome,
        () = around.stop.cancelled() => Err(BackupError::Other("stopped by a signal".to_owned())),
    };
    match outcome {
        Ok(_) => {
            report.finished_at = Some(around.clock.now());
            Ok(report)
        }
        Err(error) => {
            let _ = state.lower_fence(fencing.fence()).await;
            Err(error)
        }
    }
}
