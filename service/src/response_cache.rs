//! Answers to questionnaires that were answered before: bounded by bytes, never of an older catalogue.
//!
//! The key is a hash of the canonical request, two times 64 bits under keys of this process alone, so that nobody can
//! prepare a request that gets another's answer. What the answer was made of stands beside it: a catalogue of another
//! version or day is a miss, whatever the key says.
//!
//! Apps send the same answers in the same bytes, so the key of bytes that were read before is remembered too. A cache that
//! is full keeps an answer only when its question comes a second time: what is asked once pushes nothing out.

use std::{
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::web::Bytes;
use faciliauto_engine::{catalogue::Catalogue, questionnaire::Usage};
use jiff::civil::Date;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter, sync::Cache};

use crate::{configuration::CacheSettings, document::Value};

/// Of the memory that the cache may take, what is left to the answers themselves: the rest is for its index, for the keys
/// that made room, and for what answers are made of, which is kept beside it (`car_texts.rs`). An answer of five cars has
/// some 25 KB.
const fn for_answers(most_bytes: u64) -> u64 {
    most_bytes / 4 * 3
}

/// How many answers about the size of one the cache lays itself out for.
const LIKELY_ANSWERS: usize = 256;

/// How many keys are remembered that had to make room or found none, to tell a cache that is too small from questions that
/// are new: sets of so many.
const SETS: usize = 1024;
const IN_A_SET: usize = 4;

/// How many spellings of requests are remembered.
const SPELLINGS: usize = 1024;

/// Bytes of the canonical form of a questionnaire.
const LIKELY_REQUEST: usize = 512;

/// What one entry costs beside its text.
const OVERHEAD: u64 = 256;

/// Identifies a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64, u64);

/// What is counted of an answer whenever it is sent.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) usage: Usage,
    /// Of each recommended car, in tenths of a percent.
    pub(crate) matches: Box<[u16]>,
    /// How much the recommended cars differ, where there are two.
    pub(crate) diversity_thousandths: Option<u16>,
    /// Why the list is empty, when it is.
    pub(crate) empty_cause: Option<Box<str>>,
}

/// An answer as it was sent.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) body: Bytes,
    pub(crate) counted: Counted,
    version: Box<str>,
    day: Date,
    made: Instant,
}

impl Remembered {
    pub(crate) fn new(body: Bytes, counted: Counted, catalogue: &Catalogue) -> Self {
        Self {
            body,
            counted,
            version: catalogue.version().into(),
            day: catalogue.reference_date(),
            made: Instant::now(),
        }
    }

    /// Whether it is of this catalogue and no older than may be.
    fn is_of(&self, catalogue: &Catalogue, lifetime: Duration) -> Result<(), Miss> {
        if *self.version != *catalogue.version() {
            Err(Miss::Version)
        } else if self.day != catalogue.reference_date() || self.made.elapsed() >= lifetime {
            Err(Miss::Expired)
        } else {
            Ok(())
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
    /// Seen, and there was no room for it, at once or since.
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
    answers: Cache<Key, Arc<Remembered>, Bytewise, DefaultHashBuilder, Noting>,
    /// The keys of requests, by the key of their bytes.
    spellings: Cache<Key, Key>,
    without_room: Arc<WithoutRoom>,
    lifetime: Duration,
    is_off: bool,
    hashers: [RandomState; 2],
}

#[cfg(test)]
impl Default for ResponseCache {
    fn default() -> Self {
        Self::holding(6 << 20, Duration::from_secs(300))
    }
}

impl ResponseCache {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        Self::holding(for_answers(settings.most_bytes), settings.lifetime)
    }

    fn holding(bytes: u64, lifetime: Duration) -> Self {
        let without_room = Arc::new(WithoutRoom::default());
        let noting = Noting(Arc::clone(&without_room));
        Self {
            answers: Cache::with(
                LIKELY_ANSWERS,
                bytes,
                Bytewise,
                DefaultHashBuilder::default(),
                noting,
            ),
            spellings: Cache::new(SPELLINGS),
            without_room,
            lifetime,
            is_off: bytes == 0 || lifetime.is_zero(),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    fn key_of(&self, bytes: &[u8]) -> Key {
        let [first, second] = self.hashers.each_ref().map(|keys| {
            let mut hasher = keys.build_hasher();
            hasher.write(bytes);
            hasher.finish()
        });
        Key(first, second)
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
        Some(self.key_of(&canonical.0))
    }

    /// The key of a request's bytes, which says nothing of what they mean.
    pub(crate) fn spelling(&self, body: &[u8]) -> Spelling {
        Spelling(self.key_of(body))
    }

    /// The answer to a request whose bytes were read before, if it was made of this catalogue. What is not found by its
    /// bytes may be found by its key.
    pub(crate) fn known_by(&self, spelling: Spelling, catalogue: &Catalogue) -> Option<Arc<Remembered>> {
        let key = self.spellings.get(&spelling.0)?;
        let found = self.answers.get(&key)?;
        found.is_of(catalogue, self.lifetime).is_ok().then_some(found)
    }

    /// Remembers what some bytes ask for. Never those of a request without a key.
    pub(crate) fn know_by(&self, spelling: Spelling, key: Key) {
        self.spellings.insert(spelling.0, key);
    }

    /// The answer, if it was made of this catalogue.
    pub(crate) fn get(&self, key: Key, catalogue: &Catalogue) -> Result<Arc<Remembered>, Miss> {
        match self.answers.get(&key) {
            Some(found) => found.is_of(catalogue, self.lifetime).map(|()| found),
            None if self.without_room.forget(key) => Err(Miss::Evicted),
            None => Err(Miss::First),
        }
    }

    /// Whether an answer that was missing is to be kept: while there is room each is, and then what is asked for again.
    pub(crate) fn admits(&self, key: Key, miss: Miss) -> bool {
        let admits = miss != Miss::First || !self.without_room.any.load(Ordering::Relaxed);
        if !admits {
            self.without_room.note(key);
        }
        admits
    }

    pub(crate) fn put(&self, key: Key, answer: Remembered) {
        self.answers.insert(key, Arc::new(answer));
    }
}

/// Identifies the bytes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling(Key);

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

impl Weighter<Key, Arc<Remembered>> for Bytewise {
    fn weight(&self, _: &Key, answer: &Arc<Remembered>) -> u64 {
        held(answer.body.len()) + OVERHEAD
    }
}

/// The keys that last had to make room or found none. Some are lost when many are noted at once, which costs an answer
/// its place and nothing else.
struct WithoutRoom {
    /// Whether there ever was one.
    any: AtomicBool,
    /// Where a key may stand is told by its one half, which it is by the other. Never 0.
    sets: Box<[[AtomicU64; IN_A_SET]]>,
    /// Which of a set makes room next.
    turn: AtomicU64,
}

impl Default for WithoutRoom {
    fn default() -> Self {
        Self {
            any: AtomicBool::new(false),
            sets: std::iter::repeat_with(Default::default).take(SETS).collect(),
            turn: AtomicU64::new(0),
        }
    }
}

impl WithoutRoom {
    fn set(&self, Key(half, _): Key) -> &[AtomicU64; IN_A_SET] {
        &self.sets[half as usize % SETS]
    }

    fn note(&self, key: Key) {
        let set = self.set(key);
        let place = set
            .iter()
            .find(|place| place.load(Ordering::Relaxed) == 0)
            .unwrap_or_else(|| &set[self.turn.fetch_add(1, Ordering::Relaxed) as usize % IN_A_SET]);
        // Nothing else is read on the strength of it, so no order is needed.
        place.store(key.1 | 1, Ordering::Relaxed);
    }

    /// Whether a key was noted; it is no more.
    fn forget(&self, key: Key) -> bool {
        let noted = key.1 | 1;
        self.set(key).iter().any(|place| {
            place
                .compare_exchange(noted, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        })
    }
}

#[derive(Clone)]
struct Noting(Arc<WithoutRoom>);

impl Lifecycle<Key, Arc<Remembered>> for Noting {
    type RequestState = ();

    fn begin_request(&self) -> Self::RequestState {}

    fn on_evict(&self, _: &mut Self::RequestState, key: Key, _: Arc<Remembered>) {
        self.0.any.store(true, Ordering::Relaxed);
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
        let counted = Counted {
            usage: Usage::Family,
            matches: [].into(),
            diversity_thousandths: None,
            empty_cause: None,
        };
        Remembered::new(vec![b'x'; bytes].into(), counted, catalogue)
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
        // Of keys that share a set the fifth is lost.
        let evicted = misses.iter().filter(|miss| **miss == Miss::Evicted).count();
        assert!(
            evicted > 300 && evicted + 20 > misses.len(),
            "{evicted}: {misses:?}"
        );
    }

    /// Prevents questions that nobody asks again from pushing out answers to those that many ask, and a question that many
    /// ask from never being kept.
    #[test]
    fn a_full_cache_keeps_what_is_asked_for_again() {
        let cache = ResponseCache::holding(100_000, Duration::from_secs(300));
        let served = catalogue("a.1", date(2026, 11, 25));
        let key = |number: usize| cache.key(&json!({"limit": number}).into()).unwrap();
        let ask = |number: usize| {
            let miss = cache.get(key(number), &served).err()?;
            let admitted = cache.admits(key(number), miss);
            if admitted {
                cache.put(key(number), answer(1000, &served));
            }
            Some((miss, admitted))
        };
        assert_eq!(ask(0), Some((Miss::First, true)), "while there is room");
        assert_eq!(ask(0), None);
        for number in 1..500 {
            ask(number);
        }
        let held = cache.answers.len();
        assert_eq!(ask(1000), Some((Miss::First, false)));
        assert_eq!(ask(1000), Some((Miss::Evicted, true)));
        assert_eq!(ask(1000), None);
        assert!(held > 20 && cache.answers.weight() <= 100_000, "{held}");
    }

    /// Prevents bytes from finding the answer to other bytes, or one of an older catalogue.
    #[test]
    fn bytes_that_were_read_before_find_their_answer() {
        let cache = ResponseCache::default();
        let served = catalogue("a.1", date(2026, 11, 25));
        let key = cache.key(&json!({"limit": 3}).into()).unwrap();
        let spelling = cache.spelling(br#"{"limit": 3}"#);
        assert!(cache.known_by(spelling, &served).is_none());
        cache.put(key, answer(100, &served));
        cache.know_by(spelling, key);
        assert!(cache.known_by(spelling, &served).is_some());
        assert!(
            cache
                .known_by(cache.spelling(br#"{"limit":3}"#), &served)
                .is_none()
        );
        let newer = catalogue("a.2", date(2026, 11, 25));
        assert!(cache.known_by(spelling, &newer).is_none());
    }
}
