//! Single dealerships in memory.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt, ready};

use super::{Content, Kept, MemoryState, generations::let_through};
use crate::state::{
    CatalogVersion, DealerStock, StateError, Written,
    dealers::{
        CarGlance, DealerOutline, DealerVersion, DealerView, Dealers, DealershipGlance, TokenChange,
        TokenDigest, Updates, Versions,
    },
    once::{OnceKey, Remembered},
};

impl MemoryState {
    pub(super) fn with_content<T>(&self, work: impl FnOnce(&mut Content) -> T) -> Result<T, StateError> {
        self.stored()
            .current
            .as_mut()
            .map(work)
            .ok_or(StateError::NotOpen)
    }

    /// The same for what writes: refused while a fence is up.
    pub(super) fn with_writable<T>(&self, work: impl FnOnce(&mut Content) -> T) -> Result<T, StateError> {
        let mut stored = self.stored();
        let stored = &mut *stored;
        let content = stored.current.as_mut().ok_or(StateError::NotOpen)?;
        let_through(stored.fence.as_ref(), self.clock.now())?;
        Ok(work(content))
    }
}

impl Kept {
    fn version(&self) -> DealerVersion {
        DealerVersion {
            put: self.put_at.to_string(),
            updated: self.updated_at.to_string(),
        }
    }
}

impl Dealers for MemoryState {
    fn dealer<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DealerView, StateError>> {
        let view = self.with_content(|content| DealerView {
            head: content.head.clone(),
            stock: content
                .dealers
                .get(id)
                .map(|kept| DealerStock::clone(&kept.stock)),
            fingerprint: content
                .dealers
                .get(id)
                .map(|kept| kept.fingerprint)
                .unwrap_or_default(),
            sold: content.sold.get(id).cloned().unwrap_or_default(),
        });
        ready(view).boxed()
    }

    fn outline<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DealerOutline, StateError>> {
        let outline = self.with_content(|content| {
            let kept = content.dealers.get(id);
            DealerOutline {
                head: content.head.clone(),
                dealership: kept.map(|kept| (kept.stock.dealership.clone(), kept.version())),
                fingerprint: kept.map(|kept| kept.fingerprint).unwrap_or_default(),
                sold: content.sold.get(id).cloned().unwrap_or_default(),
            }
        });
        ready(outline).boxed()
    }

    fn glance<'a>(&'a self, id: &'a str, car: &'a str) -> BoxFuture<'a, Result<CarGlance, StateError>> {
        let glance = self.with_content(|content| CarGlance {
            head: content.head.clone(),
            dealership: content.dealers.get(id).map(|kept| DealershipGlance {
                version: kept.version(),
                fingerprint: kept.fingerprint,
                facts: kept.updates.get(car).copied(),
            }),
        });
        ready(glance).boxed()
    }

    fn updates<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Updates, StateError>> {
        let updates = self.with_content(|content| Updates {
            version: content.dealers.get(id).map(Kept::version),
            cars: content
                .dealers
                .get(id)
                .map(|kept| kept.updates.clone())
                .unwrap_or_default(),
        });
        ready(updates).boxed()
    }

    fn versions(&self) -> BoxFuture<'_, Result<Versions, StateError>> {
        let versions = self.with_content(|content| Versions {
            head: content.head.clone(),
            dealers: content
                .dealers
                .iter()
                .map(|(id, kept)| (id.clone(), kept.version()))
                .collect(),
        });
        ready(versions).boxed()
    }

    fn dealer_token<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<TokenDigest>, StateError>> {
        ready(self.with_content(|content| content.tokens.get(id).copied())).boxed()
    }

    fn dealer_tokens(&self) -> BoxFuture<'_, Result<BTreeMap<String, TokenDigest>, StateError>> {
        ready(self.with_content(|content| content.tokens.clone())).boxed()
    }

    fn set_dealer_token<'a>(
        &'a self,
        id: &'a str,
        token: Option<TokenDigest>,
        once: Option<&'a OnceKey>,
    ) -> BoxFuture<'a, Result<Written<TokenChange>, StateError>> {
        let now = self.clock.now();
        let change = self.with_writable(|content| {
            content.forget(now);
            if once.is_some_and(|key| content.once.contains_key(key)) {
                return TokenChange::UsedBefore;
            }
            if !content.dealers.contains_key(id) {
                return TokenChange::NoDealership;
            }
            if let Some(key) = once {
                let remembered = Remembered {
                    fingerprint: "token".to_owned(),
                    answer: String::new(),
                };
                content.once.insert(key.clone(), (now, remembered));
            }
            let before = match token {
                Some(token) => content.tokens.insert(id.to_owned(), token),
                None => content.tokens.remove(id),
            };
            if let Some(before) = before {
                content.events.token_gone(&before.to_hexadecimal(), now);
            }
            if let Some(token) = token {
                content.events.token_used(&token.to_hexadecimal());
            }
            TokenChange::Done
        });
        ready(change.map(Written::as_it_is)).boxed()
    }

    fn remembered<'a>(
        &'a self,
        version: &'a CatalogVersion,
        key: &'a OnceKey,
    ) -> BoxFuture<'a, Result<Option<Written<Remembered>>, StateError>> {
        let now = self.clock.now();
        let remembered = self.with_content(|content| {
            content.forget(now);
            let (_, remembered) = content.once.get(key)?;
            (content.head.version.epoch == version.epoch).then(|| Written::as_it_is(remembered.clone()))
        });
        ready(remembered).boxed()
    }
}
