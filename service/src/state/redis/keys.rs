//! Names of keys; the table above `redis.rs` says what lies under each.

/// Names of keys under one prefix.
pub(super) struct Keys {
    pub(super) prefix: String,
}

impl Keys {
    pub(super) fn generation(&self) -> String {
        format!("{}:generation", self.prefix)
    }

    pub(super) fn fence(&self) -> String {
        format!("{}:fence", self.prefix)
    }

    pub(super) fn kept(&self) -> String {
        format!("{}:kept", self.prefix)
    }

    pub(super) fn generations(&self) -> String {
        format!("{}:generations", self.prefix)
    }

    /// What the names of all keys of a generation begin with.
    pub(super) fn root(&self, epoch: &str) -> String {
        format!("{}:{epoch}:", self.prefix)
    }

    pub(super) fn confirmed(&self) -> String {
        format!("{}:confirmed", self.prefix)
    }

    pub(super) fn channel(&self) -> String {
        format!("{}:changes", self.prefix)
    }

    pub(super) fn catalog(&self, epoch: &str) -> String {
        format!("{}:{epoch}:catalog", self.prefix)
    }

    pub(super) fn dealerships(&self, epoch: &str) -> String {
        format!("{}:{epoch}:dealerships", self.prefix)
    }

    pub(super) fn stock(&self, epoch: &str) -> String {
        format!("{}:{epoch}:stock", self.prefix)
    }

    pub(super) fn tokens(&self, epoch: &str) -> String {
        format!("{}:{epoch}:tokens", self.prefix)
    }

    pub(super) fn once(&self, epoch: &str, key: &str) -> String {
        format!("{}:{epoch}:once:{key}", self.prefix)
    }

    pub(super) fn person_secret(&self, epoch: &str) -> String {
        format!("{}:{epoch}:person-secret", self.prefix)
    }

    pub(super) fn former_secrets(&self, epoch: &str) -> String {
        format!("{}:{epoch}:former-secrets", self.prefix)
    }

    pub(super) fn ledger(&self, epoch: &str) -> String {
        format!("{}:{epoch}:ledger", self.prefix)
    }

    pub(super) fn sold_prefix(&self, epoch: &str) -> String {
        format!("{}:{epoch}:sold:", self.prefix)
    }

    pub(super) fn updates_prefix(&self, epoch: &str) -> String {
        format!("{}:{epoch}:updates:", self.prefix)
    }

    pub(super) fn chunk_prefix(&self, epoch: &str) -> String {
        format!("{}:{epoch}:stock:", self.prefix)
    }

    pub(super) fn chunk(&self, epoch: &str, dealership: &str, version: &str, index: usize) -> String {
        format!("{}{dealership}:{version}:{index}", self.chunk_prefix(epoch))
    }
}
