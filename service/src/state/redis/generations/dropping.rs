//! Drops generations, a thousand keys at a time.

use redis::AsyncCommands;

use super::RedisState;
use crate::state::{StateError, generations::Epoch};

/// Keys that the server looks at, and lets go, in one go.
const KEYS_AT_ONCE: usize = 1000;

impl RedisState {
    /// Drops a generation; false when there is no such generation.
    pub(super) async fn drop_one(&self, generation: &Epoch) -> Result<bool, StateError> {
        // The first step tells whether it may be dropped, and makes it unreadable.
        match self.drop_step(generation, &[], "more").await {
            Ok(()) => {}
            Err(StateError::NoGeneration(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        let pattern = format!("{}*", literally(&self.keys.root(generation.as_str())));
        let mut cursor = 0;
        loop {
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(&pattern);
            command.arg("COUNT").arg(KEYS_AT_ONCE);
            let mut connection = self.manager.clone();
            let (next, keys): (u64, Vec<Vec<u8>>) =
                self.bounded(command.query_async(&mut connection)).await?;
            if !keys.is_empty() {
                self.drop_step(generation, &keys, "more").await?;
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
        match self.drop_step(generation, &[], "last").await {
            // Somebody else dropped it at the same time.
            Err(StateError::NoGeneration(_)) | Ok(()) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn drop_step(&self, generation: &Epoch, keys: &[Vec<u8>], step: &str) -> Result<(), StateError> {
        let mut invocation = self.generations.drop.prepare_invoke();
        invocation
            .key(self.keys.generation())
            .key(self.keys.fence())
            .key(self.keys.kept())
            .key(self.keys.generations());
        for key in keys {
            invocation.key(key);
        }
        invocation
            .arg(generation.as_str())
            .arg(self.keys.root(generation.as_str()))
            .arg(step);
        self.settled(generation, &invocation).await?;
        Ok(())
    }

    pub(super) async fn sweep(&self) -> Result<usize, StateError> {
        let mut connection = self.manager.clone();
        let known: Vec<String> = self.bounded(connection.smembers(self.keys.generations())).await?;
        let mut dropped = 0;
        for generation in known {
            match self.drop_one(&Epoch::new(generation)).await {
                Ok(true) => dropped += 1,
                Ok(false) | Err(StateError::GenerationInUse(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(dropped)
    }
}

/// A pattern that only this text matches.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '^' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents keys of another deployment from being looked at because a prefix has a star in it.
    #[test]
    fn a_prefix_is_no_pattern() {
        assert_eq!(literally(r"app*[1]\:e:"), r"app\*\[1\]\\:e:");
    }
}
