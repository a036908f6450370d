//! Single dealerships in memory.

use std::{collections::BTreeMap, sync::PoisonError};

use futures::future::{BoxFuture, FutureExt, ready};

use super::{Content, MemoryState};
use crate::state::{
    CatalogVersion, StateError, Written,
    dealers::{DealerView, Dealers, TokenChange, TokenDigest, Versions},
    once::{OnceKey, Remembered},
};

impl MemoryState {
    fn with_content<T>(&self, work: impl FnOnce(&mut Content) -> T) -> Result<T, StateError> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.as_mut().map(work).ok_or(StateError::NotOpen)
    }
}

impl Dealers for MemoryState {
    fn dealer<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DealerView, StateError>> {
        let view = self.with_content(|content| DealerView {
            head: content.head.clone(),
            stock: content.dealers.get(id).cloned(),
            sold: content.sold.get(id).cloned().unwrap_or_default(),
        });
        ready(view).boxed()
    }

    fn versions(&self) -> BoxFuture<'_, Result<Versions, StateError>> {
        let versions = self.with_content(|content| Versions {
            head: content.head.clone(),
            dealers: content
                .put_at
                .iter()
                .map(|(id, counter)| (id.clone(), counter.to_string()))
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
        let change = self.with_content(|content| {
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
            match token {
                Some(token) => content.tokens.insert(id.to_owned(), token),
                None => content.tokens.remove(id),
            };
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
