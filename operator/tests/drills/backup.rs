//! A backup of a large stock while buyers and dealers use it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    figures::{bench, milliseconds},
    harness::with_operator,
    load::{p99, statuses},
    stock::CARS,
    system::{EVENTS, Made, System, say},
    traffic::{Deed, Entry},
};

/// How much slower the slowest hundredth of lists may be while a backup is made.
const SLOWER: f64 = 1.3;

/// Caches and connections are as they stay.
const WARM: Duration = Duration::from_secs(10);

/// Without a backup, before the first. One after the other in turns, whatever else the machine does disturbs both alike.
const QUIET: Duration = Duration::from_secs(30);

/// Of backups, and of their absence, all told: thousands of lists, so that the slowest hundredth is dozens of them.
const MEASURED: Duration = Duration::from_secs(120);

/// Backups that are made at most, however short they are.
const MOST: usize = 12;

/// Prevents: a backup that takes what it needs from buyers, and one that takes too long or too much to be made daily.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_not_noticed_by_buyers() {
    with_operator("drill-backup", |sandbox| async move {
        let system = System::furnish(sandbox).await;
        let load = system.traffic.start(&system.replicas());
        tokio::time::sleep(WARM).await;
        let (mut quiet, mut backups): (Vec<(Instant, Instant)>, Vec<Made>) = (Vec::new(), Vec::new());
        loop {
            let of_backups = length(backups.iter().map(|made| made.span));
            let lacking = of_backups.saturating_sub(length(quiet.iter().copied()));
            let is_last = of_backups >= MEASURED || backups.len() == MOST;
            // After the last as long as is lacking, so that both come to the same.
            let pause = if is_last { lacking } else { lacking.max(QUIET) };
            let begun = Instant::now();
            tokio::time::sleep(pause).await;
            quiet.push((begun, Instant::now()));
            if is_last {
                break;
            }
            backups.push(system.back_up().await);
        }
        let journal = load.finish(Duration::from_secs(15)).await;
        say(&format!("answers {:?}", statuses(&journal)));
        let spans: Vec<_> = backups.iter().map(|made| made.span).collect();
        judge(&journal, &quiet, &spans, &backups);
    })
    .await;
}

fn judge(journal: &[Entry], quiet: &[(Instant, Instant)], busy: &[(Instant, Instant)], backups: &[Made]) {
    let lists = |spans: &[(Instant, Instant)]| {
        let spans = spans.to_vec();
        move |entry: &Entry| {
            entry.deed == Deed::Recommend && spans.iter().any(|(from, to)| (*from..*to).contains(&entry.at))
        }
    };
    let (before, during) = (p99(journal, lists(quiet)), p99(journal, lists(busy)));
    let count = |spans: &[_]| journal.iter().filter(|entry| lists(spans)(entry)).count();
    let ratio = during.as_secs_f64() / before.as_secs_f64();
    let failed = journal.iter().filter(|entry| entry.statuses.last() != Some(&200));
    let failed: Vec<_> = failed.filter(|entry| !entry.acknowledged).take(5).collect();
    let last = backups.last().expect("a backup");
    let mut seconds: Vec<f64> = backups.iter().map(Made::seconds).collect();
    seconds.sort_by(f64::total_cmp);

    bench(
        "drill.backup.seconds",
        format!("{:.1}", seconds[seconds.len() / 2]),
        "s",
    );
    bench("drill.backup.bytes", &last.report["bytes"], "bytes");
    bench("drill.backup.cars", &last.report["cars"], "cars");
    bench("drill.backup.events", &last.report["events"], "events");
    bench("drill.backup.p99_quiet", milliseconds(before), "ms");
    bench("drill.backup.p99_during", milliseconds(during), "ms");
    bench("drill.backup.p99_ratio", format!("{ratio:.2}"), "ratio");
    for (what, span) in [
        (
            "its pod starts",
            (|made: &Made| (made.span.0, made.phases[0])) as fn(&Made) -> _,
        ),
        ("it is written", |made| (made.phases[0], made.phases[1])),
        ("it is proven", |made| (made.phases[1], made.phases[2])),
        ("its pod ends", |made| (made.phases[2], made.span.1)),
    ] {
        let spans: Vec<_> = backups.iter().map(span).collect();
        say(&format!(
            "while {what}: {} lists, p99 {} ms",
            count(&spans),
            milliseconds(p99(journal, lists(&spans)))
        ));
    }
    say(&format!(
        "{} lists in {:.0?} without a backup, {} in {:.0?} of {} backups",
        count(quiet),
        length(quiet.iter().copied()),
        count(busy),
        length(busy.iter().copied()),
        backups.len()
    ));

    assert_eq!(last.report["cars"], json!(CARS));
    assert!(last.report["events"].as_u64() >= Some(EVENTS), "{}", last.report);
    assert!(failed.is_empty(), "refused, or never answered: {failed:#?}");
    assert!(
        ratio <= SLOWER,
        "p99 {before:?} without a backup, {during:?} during one"
    );
}

fn length(spans: impl IntoIterator<Item = (Instant, Instant)>) -> Duration {
    spans.into_iter().map(|(from, to)| to - from).sum()
}
