//! The script that decides for all replicas, against a token bucket.

use std::cell::RefCell;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use redis::{Commands, Script};

use crate::harness::redis_server::RedisServer;

const SCRIPT: &str = include_str!("../../src/limits/decide.lua");

/// Any time will do, as long as it has as many digits as one of today.
const BEGINNING: u64 = 1_795_600_000_000_000;

/// Long enough that no key is gone by Redis's clock before it is by the test's.
const KEY_LIVES_MS: u64 = 60_000;

/// Counts in microseconds of credit; a request costs an interval.
struct TokenBucket {
    credit: u64,
    at: u64,
}

/// Prevents Redis from deciding otherwise than the process does by itself, and rounding from adding up.
#[test]
fn the_script_decides_as_a_token_bucket() {
    let redis = RedisServer::start();
    let connection = RefCell::new(redis.connection());
    let script = Script::new(SCRIPT);
    let traffic = (1..=50_u64, 1..=30_u64).prop_flat_map(|(per_second, burst)| {
        let interval = 1_000_000 / per_second;
        let gap = prop_oneof![
            3 => 0..=interval * 2,
            2 => Just(0),
            2 => (0..=burst).prop_map(move |times| times * interval),
            1 => 0..=interval * burst * 2,
        ];
        (Just((interval, interval * burst)), vec(gap, 1..80))
    });
    let mut runner = TestRunner::new(Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&traffic, |((interval, whole), gaps)| {
        let mut connection = connection.borrow_mut();
        let _: u64 = connection.del("limit:a").expect("nothing is remembered");
        let mut bucket = TokenBucket {
            credit: whole,
            at: BEGINNING,
        };
        let mut now = BEGINNING;
        for gap in gaps {
            now += gap;
            bucket.credit = (bucket.credit + now - bucket.at).min(whole);
            bucket.at = now;
            let allowed = bucket.credit >= interval;
            bucket.credit -= if allowed { interval } else { 0 };

            let mut invocation = script.key("limit:a");
            invocation.arg(interval).arg(whole).arg(KEY_LIVES_MS).arg(now);
            let answer: (u8, u64, u64) = invocation.invoke(&mut *connection).expect("an answer");
            let expected = (u8::from(allowed), now + whole - bucket.credit, now);
            prop_assert_eq!(answer, expected);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Prevents replicas from deciding each by its own clock, and a key from staying for ever.
#[test]
fn without_a_time_the_servers_counts() {
    let redis = RedisServer::start();
    let mut connection = redis.connection();
    let (seconds, _): (u64, u64) = redis.ask(&["TIME"]);
    let script = Script::new(SCRIPT);
    let mut invocation = script.key("limit:a");
    invocation.arg(500_000).arg(2_500_000).arg(3_500);
    let (allowed, whole_at, now): (u8, u64, u64) = invocation.invoke(&mut connection).expect("an answer");
    assert_eq!((allowed, whole_at), (1, now + 500_000));
    assert!(
        (seconds..seconds + 60).contains(&(now / 1_000_000)),
        "{now} {seconds}"
    );
    let left: i64 = redis.ask(&["PTTL", "limit:a"]);
    assert!((1..=3_500).contains(&left), "{left}");
}
