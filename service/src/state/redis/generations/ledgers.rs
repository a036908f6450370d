//! Applies ledgers to a generation before it may be switched to.

use redis::AsyncCommands;

use super::{
    RedisState,
    filling::{EVENTS_AT_ONCE, entries, secrets},
};
use crate::state::{
    StateError,
    dealers::TokenDigest,
    events::Event,
    generations::{Epoch, Fence, Generations, Ledgers, Private},
};

/// Events that are looked at in one go.
const LOOKED_AT_ONCE: usize = 1000;

impl RedisState {
    pub(super) async fn unite_ledgers(
        &self,
        fence: &Fence,
        generation: &Epoch,
        further: &[Private],
    ) -> Result<(), StateError> {
        let mut invocation = self.generations.kept.prepare_invoke();
        invocation
            .key(self.keys.fence())
            .key(self.keys.kept())
            .arg(&fence.token)
            .arg(generation.as_str());
        self.settled(generation, &invocation).await?;

        let (_, own) = self.read_private(generation).await?;
        // Also of a current generation that is damaged otherwise. Nobody adds to its ledger while the fence is up.
        let current = match self.generation().await? {
            Some(current) => Some(self.read_private(&current).await?.1),
            None => None,
        };
        let ledgers = Ledgers::of(further.iter().cloned().chain(current).chain([own.clone()]));
        self.revoke(fence, generation, &ledgers).await?;
        if ledgers.has_people() {
            self.let_go(fence, generation, &ledgers).await?;
        }
        let hash = &self.generations.hash_always;
        let place = (fence, generation);
        let beside = secrets(ledgers.secrets_beside(own.person_secret.as_ref()));
        self.write_hash(hash, place, ("former-secrets", "more"), &beside)
            .await?;
        let mut news = ledgers.entries().clone();
        news.retain(|entry, at| own.ledger.get(entry) != Some(at));
        self.write_hash(hash, place, ("ledger", "more"), &entries(&news))
            .await?;
        let invocation = self.filling(&self.generations.ready, fence, generation);
        self.settled(generation, &invocation).await?;
        Ok(())
    }

    /// Takes tokens back.
    async fn revoke(&self, fence: &Fence, generation: &Epoch, ledgers: &Ledgers) -> Result<(), StateError> {
        let mut connection = self.manager.clone();
        let tokens = self.keys.tokens(generation.as_str());
        let tokens: Vec<(String, String)> = self.bounded(connection.hgetall(tokens)).await?;
        let mut revoked = Vec::new();
        for (id, token) in &tokens {
            // What cannot be read opens nothing, and need not be carried on.
            if TokenDigest::from_hexadecimal(token).is_none_or(|token| ledgers.has_revoked(token)) {
                revoked.push((id.as_str(), String::new()));
            }
        }
        let hash = &self.generations.hash_always;
        self.write_hash(hash, (fence, generation), ("tokens", "more"), &revoked)
            .await
    }

    /// Takes events out of people who were erased.
    async fn let_go(&self, fence: &Fence, generation: &Epoch, ledgers: &Ledgers) -> Result<(), StateError> {
        let mut before = None;
        loop {
            let page = self
                .read_page(generation.as_str(), LOOKED_AT_ONCE, before)
                .await?;
            let gone: Vec<&Event> = page.iter().filter(|event| ledgers.has_erased(event)).collect();
            for gone in gone.chunks(EVENTS_AT_ONCE) {
                let mut invocation = self.filling(&self.generations.removed, fence, generation);
                for event in gone {
                    invocation.arg(event.day().to_string()).arg(event.id.to_string());
                }
                self.settled(generation, &invocation).await?;
            }
            if page.len() < LOOKED_AT_ONCE {
                return Ok(());
            }
            before = page.last().map(Event::cursor);
        }
    }
}
