//! Single dealerships in memory.

use std::{collections::BTreeMap, sync::PoisonError};

use futures::future::{BoxFuture, FutureExt, ready};

use super::{Content, MemoryState};
use crate::state::{
    StateError, Written,
    dealers::{DealerView, Dealers, TokenDigest, Versions},
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
    ) -> BoxFuture<'a, Result<Written<bool>, StateError>> {
        let known = self.with_content(|content| {
            if !content.dealers.contains_key(id) {
                return false;
            }
            match token {
                Some(token) => content.tokens.insert(id.to_owned(), token),
                None => content.tokens.remove(id),
            };
            true
        });
        ready(known.map(Written::as_it_is)).boxed()
    }
}
