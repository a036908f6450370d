//! The tasks that the process consists of. Each is to last as long as the process: one that ends by
//! itself, by an error, a panic or simply so, ends the process, for a pod without it would look alive
//! and do nothing.

use std::{collections::HashMap, future::Future};

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// Tasks under supervision, each with a name for the log.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task.
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> AbortHandle {
        let handle = self.running.spawn(task);
        self.names.insert(handle.id(), name);
        handle
    }

    /// Waits until a task ends, and says which and how.
    pub async fn first_end(&mut self) -> anyhow::Error {
        match self.next_end().await {
            Some((name, Ok(Ok(())))) => anyhow::anyhow!("{name} ended by itself"),
            Some((name, Ok(Err(error)))) => error.context(format!("{name} ended by itself")),
            Some((name, Err(error))) => anyhow::Error::new(error).context(format!("{name} died")),
            None => anyhow::anyhow!("no task is running"),
        }
    }

    /// Waits until the task called `name` ends, after it was asked to. True if it ended well.
    pub async fn end_of(&mut self, name: &str) -> bool {
        while let Some((ended, outcome)) = self.next_end().await {
            let is_well = matches!(outcome, Ok(Ok(())));
            if ended == name {
                return is_well;
            }
            tracing::warn!(
                task = ended,
                is_well,
                "a task ended while the process was stopping"
            );
        }
        false
    }

    async fn next_end(&mut self) -> Option<(&'static str, Result<anyhow::Result<()>, JoinError>)> {
        let ended = self.running.join_next_with_id().await?;
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Ok(outcome)),
            Err(error) => (error.id(), Err(error)),
        };
        Some((self.names.remove(&id).unwrap_or("a task"), outcome))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Prevents: a pod that counts as alive although the task that renews its lease, or fills its
    /// stores, is gone.
    #[tokio::test]
    async fn process_ends_with_any_of_its_tasks() {
        for (how, expected) in [
            ("killed", "the lease died"),
            ("panic", "the lease died"),
            ("error", "the lease ended by itself: why"),
            ("end", "the lease ended by itself"),
        ] {
            let mut tasks = Tasks::default();
            tasks.spawn("the watches", pending());
            let lease = tasks.spawn("the lease", async move {
                match how {
                    "panic" => panic!("on purpose"),
                    "error" => anyhow::bail!("why"),
                    "end" => Ok(()),
                    _ => pending().await,
                }
            });
            if how == "killed" {
                lease.abort();
            }
            let said = format!("{:#}", tasks.first_end().await);
            assert!(said.starts_with(expected), "{how}: {said}");
        }
    }

    /// Prevents: a shutdown that takes a failed controller for one that has finished its looks, and
    /// gives the lease back while it may still be writing.
    #[tokio::test]
    async fn end_of_a_task_tells_whether_it_ended_well() {
        let mut tasks = Tasks::default();
        tasks.spawn("other", async { Ok(()) });
        tasks.spawn("well", async { Ok(()) });
        assert!(tasks.end_of("well").await);
        tasks.spawn("badly", async { anyhow::bail!("why") });
        assert!(!tasks.end_of("badly").await);
        assert!(!tasks.end_of("absent").await);
    }
}
