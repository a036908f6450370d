//! Single dealerships in Redis.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use redis::{AsyncCommands, Script};

use super::{
    RedisState, damaged, facts_of, head_of,
    pointer::{self, Pointer},
};
use crate::{
    state::{
        CatalogVersion, DealerStock, StateError, Written,
        dealers::{
            CarGlance, DealerOutline, DealerView, Dealers, DealershipGlance, TokenChange, TokenDigest,
            Updates, Versions,
        },
        once::{OnceKey, REMEMBERED_FOR, Remembered},
    },
    stock::{fingerprint::Fingerprint, rows},
};

/// What belongs together of one dealership, read in one step, as for the whole stock.
const SNAPSHOT: &str = "return {redis.call('HMGET', KEYS[1], 'counter', 'changed_at'), \
     redis.call('HGET', KEYS[2], ARGV[1]), redis.call('HGET', KEYS[3], ARGV[1]), redis.call('HGETALL', KEYS[4]), \
     redis.call('HGETALL', KEYS[5])}";

/// The same without its updates.
const OUTLINE: &str = "return {redis.call('HMGET', KEYS[1], 'counter', 'changed_at'), \
     redis.call('HGET', KEYS[2], ARGV[1]), redis.call('HGET', KEYS[3], ARGV[1]), redis.call('HGETALL', KEYS[4])}";

/// The version of the whole, one pointer, and one car's update, read in one step.
const GLANCE: &str = "return {redis.call('HMGET', KEYS[1], 'counter', 'changed_at'), \
     redis.call('HGET', KEYS[2], ARGV[1]), redis.call('HGET', KEYS[3], ARGV[2])}";

/// One pointer and the updates beside it, read in one step.
const UPDATES: &str = "return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGETALL', KEYS[2])}";

/// The version of the whole and the pointers, read in one step.
const VERSIONS: &str = "return {redis.call('HMGET', KEYS[1], 'counter', 'changed_at'), \
     redis.call('HGETALL', KEYS[2])}";

/// By name, in milliseconds.
pub(super) type Times = BTreeMap<String, i64>;

pub(super) fn times(times: Times) -> BTreeMap<String, Timestamp> {
    let times = times.into_iter();
    times
        .filter_map(|(name, at)| Some((name, Timestamp::from_millisecond(at).ok()?)))
        .collect()
}

impl RedisState {
    pub(super) async fn epoch(&self) -> Result<String, StateError> {
        let mut connection = self.manager.clone();
        let epoch: Option<String> = self.bounded(connection.get(self.keys.generation())).await?;
        epoch.filter(|epoch| !epoch.is_empty()).ok_or(StateError::NotOpen)
    }

    async fn read_dealer(&self, id: &str) -> Result<DealerView, StateError> {
        let epoch = self.epoch().await?;
        type Snapshot = (
            (Option<u64>, Option<i64>),
            Option<String>,
            Option<String>,
            Times,
            BTreeMap<String, String>,
        );
        let script = Script::new(SNAPSHOT);
        let mut invocation = script.key(self.keys.catalog(&epoch));
        invocation
            .key(self.keys.dealerships(&epoch))
            .key(self.keys.stock(&epoch))
            .key(format!("{}{id}", self.keys.sold_prefix(&epoch)))
            .key(format!("{}{id}", self.keys.updates_prefix(&epoch)))
            .arg(id);
        let mut connection = self.manager.clone();
        let (fields, record, pointer, marks, updates): Snapshot =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        let head = head_of(epoch.clone(), fields).ok_or(StateError::NotOpen)?;
        let mut fingerprint = Fingerprint::default();
        let stock = match (record, pointer) {
            (None, _) => None,
            (Some(_), None) => return Err(damaged(id, "there is no stock for it")),
            (Some(record), Some(pointer)) => {
                let (cars, kept) = self.read_cars(&epoch, id, &pointer, updates).await?;
                fingerprint = kept;
                Some(DealerStock {
                    dealership: rows::dealership_from_json(&record).map_err(|reason| damaged(id, reason))?,
                    cars,
                })
            }
        };
        Ok(DealerView {
            head,
            stock,
            fingerprint,
            sold: times(marks),
        })
    }

    async fn read_outline(&self, id: &str) -> Result<DealerOutline, StateError> {
        let epoch = self.epoch().await?;
        type Outline = ((Option<u64>, Option<i64>), Option<String>, Option<String>, Times);
        let script = Script::new(OUTLINE);
        let mut invocation = script.key(self.keys.catalog(&epoch));
        invocation
            .key(self.keys.dealerships(&epoch))
            .key(self.keys.stock(&epoch))
            .key(format!("{}{id}", self.keys.sold_prefix(&epoch)))
            .arg(id);
        let mut connection = self.manager.clone();
        let (fields, record, pointer, marks): Outline =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        let mut fingerprint = Fingerprint::default();
        let dealership = match (record, pointer) {
            (None, _) => None,
            (Some(_), None) => return Err(damaged(id, "there is no stock for it")),
            (Some(record), Some(pointer)) => {
                fingerprint = Pointer::parse(&pointer)
                    .ok_or_else(|| damaged(id, "its pointer is not understood"))?
                    .fingerprint;
                let dealership = rows::dealership_from_json(&record).map_err(|reason| damaged(id, reason))?;
                Some((dealership, pointer::version(&pointer)))
            }
        };
        Ok(DealerOutline {
            head: head_of(epoch, fields).ok_or(StateError::NotOpen)?,
            dealership,
            fingerprint,
            sold: times(marks),
        })
    }

    async fn read_glance(&self, id: &str, car: &str) -> Result<CarGlance, StateError> {
        let epoch = self.epoch().await?;
        type Glance = ((Option<u64>, Option<i64>), Option<String>, Option<String>);
        let script = Script::new(GLANCE);
        let mut invocation = script.key(self.keys.catalog(&epoch));
        invocation
            .key(self.keys.stock(&epoch))
            .key(format!("{}{id}", self.keys.updates_prefix(&epoch)))
            .arg(id)
            .arg(car);
        let mut connection = self.manager.clone();
        let (fields, pointer, facts): Glance = self.bounded(invocation.invoke_async(&mut connection)).await?;
        let dealership = match pointer {
            None => None,
            Some(text) => Some(DealershipGlance {
                version: pointer::version(&text),
                fingerprint: Pointer::parse(&text)
                    .ok_or_else(|| damaged(id, "its pointer is not understood"))?
                    .fingerprint,
                facts: facts.map(|facts| facts_of(id, car, &facts)).transpose()?,
            }),
        };
        Ok(CarGlance {
            head: head_of(epoch, fields).ok_or(StateError::NotOpen)?,
            dealership,
        })
    }

    async fn read_updates(&self, id: &str) -> Result<Updates, StateError> {
        let epoch = self.epoch().await?;
        let script = Script::new(UPDATES);
        let mut invocation = script.key(self.keys.stock(&epoch));
        invocation
            .key(format!("{}{id}", self.keys.updates_prefix(&epoch)))
            .arg(id);
        let mut connection = self.manager.clone();
        let (pointer, texts): (Option<String>, BTreeMap<String, String>) =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        let cars = texts.into_iter().map(|(car, text)| {
            let facts = facts_of(id, &car, &text)?;
            Ok((car, facts))
        });
        Ok(Updates {
            version: pointer.as_deref().map(pointer::version),
            cars: cars.collect::<Result<_, StateError>>()?,
        })
    }

    async fn read_versions(&self) -> Result<Versions, StateError> {
        let epoch = self.epoch().await?;
        let script = Script::new(VERSIONS);
        let mut invocation = script.key(self.keys.catalog(&epoch));
        invocation.key(self.keys.stock(&epoch));
        let mut connection = self.manager.clone();
        let (fields, pointers): ((Option<u64>, Option<i64>), BTreeMap<String, String>) =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        let head = head_of(epoch, fields).ok_or(StateError::NotOpen)?;
        let versions = pointers
            .into_iter()
            .map(|(id, pointer)| (id, pointer::version(&pointer)));
        Ok(Versions {
            head,
            dealers: versions.collect(),
        })
    }

    async fn read_token(&self, id: &str) -> Result<Option<TokenDigest>, StateError> {
        let epoch = self.epoch().await?;
        let mut connection = self.manager.clone();
        let kept: Option<String> = self
            .bounded(connection.hget(self.keys.tokens(&epoch), id))
            .await?;
        Ok(kept.as_deref().and_then(TokenDigest::from_hexadecimal))
    }

    async fn read_tokens(&self) -> Result<BTreeMap<String, TokenDigest>, StateError> {
        let epoch = self.epoch().await?;
        let mut connection = self.manager.clone();
        let kept: BTreeMap<String, String> =
            self.bounded(connection.hgetall(self.keys.tokens(&epoch))).await?;
        Ok(kept
            .into_iter()
            .filter_map(|(id, digest)| Some((id, TokenDigest::from_hexadecimal(&digest)?)))
            .collect())
    }

    async fn read_remembered(
        &self,
        version: &CatalogVersion,
        key: &OnceKey,
    ) -> Result<Option<Written<Remembered>>, StateError> {
        let ticket = self.confirmer.ticket().await?;
        let mut connection = self.manager.clone();
        let key = self.keys.once(&version.epoch, key.as_str());
        let kept: Option<String> = self.bounded(connection.get(key)).await?;
        // Whoever wrote it may have got no confirmation.
        Ok(kept.map(|kept| {
            let (fingerprint, answer) = kept.split_once(' ').unwrap_or((&kept, ""));
            let remembered = Remembered {
                fingerprint: fingerprint.to_owned(),
                answer: answer.to_owned(),
            };
            Written::new(remembered, self.confirmer.confirmation(ticket))
        }))
    }

    async fn write_token(
        &self,
        id: &str,
        token: Option<TokenDigest>,
        once: Option<&OnceKey>,
    ) -> Result<Written<TokenChange>, StateError> {
        let epoch = self.epoch().await?;
        let mut invocation = self.token.prepare_invoke();
        invocation
            .key(self.keys.generation())
            .key(self.keys.fence())
            .key(self.keys.dealerships(&epoch))
            .key(self.keys.tokens(&epoch))
            .key(self.keys.ledger(&epoch))
            .key(self.keys.once(&epoch, once.map_or("", OnceKey::as_str)))
            .arg(&epoch)
            .arg(id)
            .arg(token.map(TokenDigest::to_hexadecimal).unwrap_or_default());
        if once.is_some() {
            invocation.arg(REMEMBERED_FOR.as_millis() as u64);
        }
        let ticket = self.confirmer.ticket().await?;
        let mut connection = self.manager.clone();
        let answer: Vec<String> = self.bounded(invocation.invoke_async(&mut connection)).await?;
        let part = |index: usize| answer.get(index).cloned().unwrap_or_default();
        match part(0).as_str() {
            "ok" => Ok(Written::new(
                TokenChange::Done,
                self.confirmer.confirmation(ticket),
            )),
            "unknown" => Ok(Written::as_it_is(TokenChange::NoDealership)),
            "used" => Ok(Written::as_it_is(TokenChange::UsedBefore)),
            "moved" => Err(StateError::Moved),
            "fenced" => Err(StateError::Fenced { holder: part(1) }),
            other => Err(StateError::Refused(format!(
                "the script for tokens answered {other:?}"
            ))),
        }
    }
}

impl Dealers for RedisState {
    fn dealer<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DealerView, StateError>> {
        self.read_dealer(id).boxed()
    }

    fn outline<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DealerOutline, StateError>> {
        self.read_outline(id).boxed()
    }

    fn glance<'a>(&'a self, id: &'a str, car: &'a str) -> BoxFuture<'a, Result<CarGlance, StateError>> {
        self.read_glance(id, car).boxed()
    }

    fn updates<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Updates, StateError>> {
        self.read_updates(id).boxed()
    }

    fn versions(&self) -> BoxFuture<'_, Result<Versions, StateError>> {
        self.read_versions().boxed()
    }

    fn dealer_token<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<TokenDigest>, StateError>> {
        self.read_token(id).boxed()
    }

    fn dealer_tokens(&self) -> BoxFuture<'_, Result<BTreeMap<String, TokenDigest>, StateError>> {
        self.read_tokens().boxed()
    }

    fn set_dealer_token<'a>(
        &'a self,
        id: &'a str,
        token: Option<TokenDigest>,
        once: Option<&'a OnceKey>,
    ) -> BoxFuture<'a, Result<Written<TokenChange>, StateError>> {
        self.write_token(id, token, once).boxed()
    }

    fn remembered<'a>(
        &'a self,
        version: &'a CatalogVersion,
        key: &'a OnceKey,
    ) -> BoxFuture<'a, Result<Option<Written<Remembered>>, StateError>> {
        self.read_remembered(version, key).boxed()
    }
}
