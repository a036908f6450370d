//! Answers to questionnaires that were answered before: bounded by bytes, never of an older catalogue.
//!
//! The key is a hash of the canonical request, two times 64 bits under keys of this process alone, so that nobody can
//! prepare a request that gets another's answer. What the answer was made of stands beside it: a catalogue of another
//! version or day is a miss, whatever the key says.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::web::Bytes;
use faciliauto_engine::{catalogue::Catalogue, questionnaire::Usage};
use jiff::civil::Date;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter, sync::Cache};

use crate::{configuration::CacheSettings, document::Value};

/// Of the memory that the cache may take, what is left to the answers themselves: the rest is for its index and for the
/// keys that made room. An answer of five cars has some 25 KB.
const fn for_answers(most_bytes: u64) -> u64 {
    most_bytes / 8 * 7
}

/// How many answers about the size of one the cache lays itself out for.
const LIKELY_ANSWERS: usize = 256;

/// How many keys that had to make room are remembered, to tell a cache that is too small from questions that are new.
const REMEMBERED_EVICTIONS: usize = 4096;

/// Bytes of the canonical form of a questionnaire.
const LIKELY_REQUEST: usize = 512;

/// What one entry costs beside its text.
const OVERHEAD: u64 = 256;

/// Identifies a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64, u64);

/// An answer as it was sent, with what is counted whenever it is sent again.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    pub(crate) body: Bytes,
    pub(crate) usage: Usage,
    /// Of each recommended car, in tenths of a percent.
    pub(crate) matches: Arc<[u16]>,
    /// How much the recommended cars differ, where there are two.
    pub(crate) diversity_thousandths: Option<u16>,
    /// Why the list is empty, when it is.
    pub(crate) empty_cause: Option<Arc<str>>,
    version: Arc<str>,
    day: Date,
    made: Instant,
}

impl Remembered {
    pub(crate) fn new(
        body: Bytes,
        usage: Usage,
        matches: Arc<[u16]>,
        diversity_thousandths: Option<u16>,
        empty_cause: Option<Arc<str>>,
        catalogue: &Catalogue,
    ) -> Self {
        Self {
            body,
            usage,
            matches,
            diversity_thousandths,
            empty_cause,
            version: catalogue.version().into(),
            day: catalogue.reference_date(),
            made: Instant::now(),
        }
    }
}

/// Why an answer had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Miss {
    /// Not seen before, as far as anybody remembers.
    First,
    /// Seen with another catalogue.
    Version,
    /// Seen too long ago, or on another day: ages and freshness count from the day.
    Expired,
    /// Seen, and pushed out by others since.
    Evicted,
}

impl Miss {
    pub(crate) const ALL: [Self; 4] = [Self::First, Self::Version, Self::Expired, Self::Evicted];

    /// The label of the metric.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Version => "version",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
        }
    }
}

/// The cache of one process.
pub(crate) struct ResponseCache {
    answers: Cache<Key, Remembered, Bytewise, DefaultHashBuilder, Noting>,
    evicted: Arc<Evictions>,
    lifetime: Duration,
    is_off: bool,
    hashers: [RandomState; 2],
}

#[cfg(test)]
impl Default for ResponseCache {
    fn default() -> Self {
        Self::holding(7 << 20, Duration::from_secs(300))
    }
}

impl ResponseCache {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        Self::holding(for_answers(settings.most_bytes), settings.lifetime)
    }

    fn holding(bytes: u64, lifetime: Duration) -> Self {
        let evicted = Arc::new(Evictions::default());
        let noting = Noting(Arc::clone(&evicted));
        Self {
            answers: Cache::with(
                LIKELY_ANSWERS,
                bytes,
                Bytewise,
                DefaultHashBuilder::default(),
                noting,
            ),
            evicted,
            lifetime,
            is_off: bytes == 0 || lifetime.is_zero(),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    /// The key of a request: of its values, in whatever order its fields came. `None` when it discloses an income, which
    /// is neither looked for nor kept, and where nothing is.
    pub(crate) fn key(&self, body: &Value<'_>) -> Option<Key> {
        if self.is_off {
            return None;
        }
        let income = body.as_object().and_then(|fields| {
            fields
                .get("financial_capacity")?
                .as_object()?
                .get("monthly_income_range")
        });
        if income.is_some() {
            return None;
        }
        // Fields are kept in the order of their names, so this is the canonical form.
        let mut canonical = Canonical(Vec::with_capacity(LIKELY_REQUEST));
        body.hash(&mut canonical);
        let [first, second] = &self.hashers;
        Some(Key(first.hash_one(&canonical.0), second.hash_one(&canonical.0)))
    }

    /// The answer, if it was made of this catalogue.
    pub(crate) fn get(&self, key: Key, catalogue: &Catalogue) -> Result<Remembered, Miss> {
        match self.answers.get(&key) {
            Some(found) if *found.version != *catalogue.version() => Err(Miss::Version),
            Some(found) if found.day != catalogue.reference_date() => Err(Miss::Expired),
            Some(found) if found.made.elapsed() >= self.lifetime => Err(Miss::Expired),
            Some(found) => Ok(found),
            None if self.evicted.forget(key) => Err(Miss::Evicted),
            None => Err(Miss::First),
        }
    }

    pub(crate) fn put(&self, key: Key, answer: Remembered) {
        self.answers.insert(key, answer);
    }
}

/// All that a value has to say for its hash, to be hashed in one go: a hash of many small pieces takes several times as
/// long.
struct Canonical(Vec<u8>);

impl Hasher for Canonical {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// What the allocator gives for so many bytes: it has four sizes to each doubling.
fn held(bytes: usize) -> u64 {
    let step = (bytes.next_power_of_two() / 8).max(16);
    bytes.next_multiple_of(step) as u64
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<Key, Remembered> for Bytewise {
    fn weight(&self, _: &Key, answer: &Remembered) -> u64 {
        held(answer.body.len()) + OVERHEAD
    }
}

/// The last keys that had to make room, the oldest first.
#[derive(Default)]
struct Evictions(Mutex<(HashSet<Key>, VecDeque<Key>)>);

impl Evictions {
    fn note(&self, key: Key) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, order) = &mut *kept;
        if known.insert(key) {
            order.push_back(key);
        }
        if order.len() > REMEMBERED_EVICTIONS
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
    }

    /// Whether a key had to make room. Its place in the order stays and falls away in time.
    fn forget(&self, key: Key) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.remove(&key)
    }
}

#[derive(Clone)]
struct Noting(Arc<Evictions>);

impl Lifecycle<Key, Remembered> for Noting {
    type RequestState = ();

    fn begin_request(&self) -> Self::RequestState {}

    fn on_evict(&self, _: &mut Self::RequestState, key: Key, _: Remembered) {
        self.0.note(key);
    }
}

#[cfg(test)]
mod tests {
    use faciliauto_engine::{stock::Stock, tables::Tables};
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    fn catalogue(version: &str, day: Date) -> Catalogue {
        let tables = Tables::bundled().unwrap();
        Catalogue::build(Stock::default(), &tables, day, version.to_owned()).unwrap()
    }

    fn answer(bytes: usize, catalogue: &Catalogue) -> Remembered {
        Remembered::new(
            vec![b'x'; bytes].into(),
            Usage::Family,
            [].into(),
            None,
            None,
            catalogue,
        )
    }

    /// Prevents the same questions in another order from being asked of the engine again, and an income from leaving a
    /// trace.
    #[test]
    fn a_key_is_of_values_and_never_of_an_income() {
        let cache = ResponseCache::default();
        let key = |text: &str| cache.key(&serde_json::from_str(text).unwrap());
        let one = key(r#"{"orcamento_min": 1, "prioridades": {"espaco": 1, "economia": 2}}"#);
        assert_eq!(
            one,
            key(r#"{"prioridades": {"economia": 2, "espaco": 1}, "orcamento_min": 1}"#)
        );
        assert_ne!(
            one,
            key(r#"{"prioridades": {"economia": 2, "espaco": 2}, "orcamento_min": 1}"#)
        );
        let disclosed = json!({"financial_capacity": {"monthly_income_range": "0-3000"}}).into();
        assert_eq!(cache.key(&disclosed), None);
    }

    /// Prevents an answer of an older catalogue, or of yesterday, from being sent.
    #[test]
    fn another_version_or_day_is_a_miss() {
        let cache = ResponseCache::default();
        let key = cache.key(&json!({}).into()).unwrap();
        let today = date(2026, 11, 25);
        let served = catalogue("a.1", today);
        assert_eq!(cache.get(key, &served).err(), Some(Miss::First));
        cache.put(key, answer(100, &served));
        assert_eq!(cache.get(key, &served).unwrap().body.len(), 100);
        assert_eq!(
            cache.get(key, &catalogue("a.2", today)).err(),
            Some(Miss::Version)
        );
        let tomorrow = catalogue("a.1", date(2026, 11, 26));
        assert_eq!(cache.get(key, &tomorrow).err(), Some(Miss::Expired));
    }

    /// Prevents an answer from being sent for longer than was set, and a cache that is switched off from holding any.
    #[test]
    fn an_answer_has_its_time() {
        let served = catalogue("a.1", date(2026, 11, 25));
        let settings = |seconds, most_bytes| CacheSettings {
            lifetime: Duration::from_secs(seconds),
            most_bytes,
        };
        let cache = ResponseCache::new(settings(1, 1 << 20));
        let key = cache.key(&json!({}).into()).unwrap();
        cache.put(key, answer(100, &served));
        assert!(cache.get(key, &served).is_ok());
        let mut old = answer(100, &served);
        old.made = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        cache.put(key, old);
        assert_eq!(cache.get(key, &served).err(), Some(Miss::Expired));
        for off in [settings(0, 1 << 20), settings(300, 0)] {
            assert_eq!(ResponseCache::new(off).key(&json!({}).into()), None);
        }
    }

    /// Prevents the cache from outgrowing its bound, and a bound that is too small from looking like new questions.
    #[test]
    fn what_is_held_is_bounded_and_what_made_room_is_known() {
        let bound = 100_000;
        let cache = ResponseCache::holding(bound, Duration::from_secs(300));
        let served = catalogue("a.1", date(2026, 11, 25));
        let keys: Vec<Key> = (0..500)
            .map(|number| cache.key(&json!({"limit": number}).into()).unwrap())
            .collect();
        for key in &keys {
            cache.put(*key, answer(1000, &served));
        }
        assert!(cache.answers.weight() <= bound, "{}", cache.answers.weight());
        let misses: Vec<Miss> = keys
            .iter()
            .filter_map(|key| cache.get(*key, &served).err())
            .collect();
        assert!(
            misses.len() > 300 && misses.iter().all(|miss| *miss == Miss::Evicted),
            "{misses:?}"
        );
    }
}
