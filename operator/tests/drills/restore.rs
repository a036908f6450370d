//! A large stock that is restored while it is in use, and restored after it was lost.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use faciliauto_operator::cli::restore::{Wish, declare};
use serde_json::Value;

use crate::{
    archive::Archive,
    compare::{Course, Evidence},
    damage::Damage,
    elsewhere::{Moved, take_away, there_and_back},
    figures::bench,
    harness::{NAME, eventually, with_operator},
    load::statuses,
    stock::{CARS, DEALERS, dealer_id},
    system::{Made, System, say},
    traffic::Entry,
    watch::{Sight, Watch},
};

/// From the loss to what was restored being served, at most.
const RTO: Duration = Duration::from_secs(300);

/// From the switch to its being served by every replica, at most.
const FOLLOWED: Duration = Duration::from_secs(5);

/// The same of twice as many cars.
const FOLLOWED_DOUBLED: Duration = Duration::from_secs(10);

/// How long what is under way may take when a load ends.
const SETTLED: Duration = Duration::from_secs(15);

/// Writes go on for so long before a backup, between it and what happens then, and after the restore.
const WRITES: Duration = Duration::from_secs(5);

/// Somebody who did something in the past, and is erased between backup and restore.
const ERASED: [&str; 2] = ["past-7", "visit-of-7"];

/// What one round found.
struct Outcome {
    /// From the damage, or the wish, to the last replica that follows.
    whole: Duration,
    followed: Duration,
    failed: usize,
    refused: usize,
    missing: usize,
    different: usize,
}

/// Prevents: a restore that buyers notice, one that takes longer than was promised, one that brings back something else
/// than what was backed up, and one that takes with it what somebody was told is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_backed_up_comes_back() {
    with_operator("drill-restore", |sandbox| async move {
        let system = System::furnish(sandbox).await;
        let mut outcomes = vec![(Damage::None, round(&system, Damage::None).await)];
        let undone = undo(&system).await;
        for damage in [Damage::Emptied, Damage::VolumeLost] {
            outcomes.push((damage, round(&system, damage).await));
        }
        let last = system.back_up().await;
        let moved = there_and_back(&system, NAME, &last).await;
        let doubled = doubled(&system).await;
        judge(&outcomes, undone, &moved, &doubled);
    })
    .await;
}

/// When what happened in a restore.
struct Moments {
    fenced: Instant,
    switched: Instant,
    /// The last replica served it.
    followed: Instant,
}

/// Restores while somebody watches; `generation` is what the store names until then.
async fn watched(
    system: &System,
    watch: &Watch,
    begun: Instant,
    generation: Option<String>,
    id: &str,
    from: &str,
) -> Moments {
    restore(system, id, from).await;
    let restored = eventually("the store names another generation", WRITES, || async {
        watch.generation().filter(|now| Some(now) != generation.as_ref())
    })
    .await;
    let named = Sight::Generation(Some(restored.clone()));
    let switched = moment(watch, begun, |sight| *sight == named).await;
    let fenced = moment(watch, begun, |sight| *sight == Sight::Fenced(true)).await;
    let mut followed = switched;
    for replica in 0..system.addresses.len() {
        let generation = restored.clone();
        let serves = Sight::Served { replica, generation };
        followed = followed.max(moment(watch, begun, |sight| *sight == serves).await);
    }
    Moments {
        fenced,
        switched,
        followed,
    }
}

/// Reads and lists that failed from one moment to another.
fn failed_between(journal: &[Entry], from: Instant, to: Instant) -> usize {
    let unserved = |entry: &&Entry| !entry.deed.is_write() && entry.statuses.last() != Some(&200);
    let within = |entry: &&Entry| entry.at >= from && entry.at <= to;
    let failed: Vec<&Entry> = journal.iter().filter(within).filter(unserved).collect();
    for entry in failed.iter().take(5) {
        say(&format!("failed: {entry:?}"));
    }
    failed.len()
}

/// What a restore of twice as many cars showed.
struct Doubled {
    followed: Duration,
    failed: usize,
}

/// Restores in place once more, with twice as many cars and the same load.
async fn doubled(system: &System) -> Doubled {
    take_away(system).await;
    system.double().await;
    let watch = Watch::begin(system).await;
    let load = system.traffic.start(&system.replicas());
    let made = system.back_up().await;
    tokio::time::sleep(WRITES).await;
    let begun = Instant::now();
    let generation = watch.generation();
    let moments = watched(system, &watch, begun, generation, "doubled", made.name()).await;
    let journal = load.finish(SETTLED).await;
    let followed = moments.followed - moments.switched;
    say(&format!(
        "{} cars served {followed:.2?} after the switch; answers {:?}",
        2 * CARS,
        statuses(&journal)
    ));
    Doubled {
        followed,
        failed: failed_between(&journal, begun, moments.followed),
    }
}

async fn round(system: &System, damage: Damage) -> Outcome {
    say(&format!("round {}", damage.word()));
    let watch = Watch::begin(system).await;
    let load = system.traffic.start(&system.replicas());
    tokio::time::sleep(WRITES).await;
    let made = system.back_up().await;
    tokio::time::sleep(WRITES).await;
    let erased: Vec<String> = match damage {
        Damage::None => {
            system.erase(ERASED[0]).await;
            ERASED.map(str::to_owned).into()
        }
        // Ledgers are lost with everything else: of somebody who was erased since the backup nothing knows any more.
        _ => Vec::new(),
    };
    let begun = Instant::now();
    damage.happen(system).await;
    // What was acknowledged until then has gone with the rest.
    let lost = match damage {
        Damage::None => None,
        _ => Some(moment(&watch, begun, |sight| *sight == Sight::Generation(None)).await),
    };
    let generation = watch.generation().filter(|_| lost.is_none());
    let Moments {
        fenced,
        switched,
        followed,
    } = watched(system, &watch, begun, generation, damage.word(), made.name()).await;
    tokio::time::sleep(WRITES).await;
    let journal = load.finish(SETTLED).await;
    say(&format!(
        "fence after {:.1?}, switch after {:.1?}, served {:.2?} later; answers {:?}",
        fenced - begun,
        switched - begun,
        followed - switched,
        statuses(&journal)
    ));
    let course = Course {
        backed_up: made.span.0,
        lost,
        fenced,
        switched,
    };
    let (missing, different) = compare(system, damage, &made, course, &journal, &erased).await;
    Outcome {
        whole: followed - begun,
        followed: followed - switched,
        failed: failed_between(&journal, begun, followed),
        refused: journal
            .iter()
            .filter(|entry| entry.deed.is_write() && entry.statuses.contains(&503))
            .count(),
        missing,
        different,
    }
}

/// Takes the last restore back as a person does; the time of that, and records that are not as they were before it.
async fn undo(system: &System) -> (Duration, usize) {
    say("undoing it");
    let begun = Instant::now();
    let namespace = system.sandbox.namespace.clone();
    let undoing = move || {
        Command::new(env!("CARGO_BIN_EXE_faciliauto-operator"))
            .args(["restore", NAME, "--namespace", &namespace, "--undo"])
            .stdin(Stdio::null())
            .output()
    };
    let done = tokio::task::spawn_blocking(undoing).await.expect("a thread");
    let done = done.expect("the command line");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let took = begun.elapsed();
    let now = system.back_up().await;
    let folder = system.backups_of(NAME).await;
    let safety = note(system, Damage::None).await["safety"].clone();
    let before = Archive::read(&folder.join(safety.as_str().expect("a safety backup")));
    let differences = before.differences(&Archive::read(&folder.join(now.name())));
    for difference in differences.iter().take(5) {
        say(&format!("differs after the undo: {difference}"));
    }
    (took, differences.len())
}

/// What the restore noted at the place of backups.
async fn note(system: &System, damage: Damage) -> Value {
    let folder = system.backups_of(NAME).await;
    let note = folder.join(format!("restores/{}.json", damage.word()));
    serde_json::from_slice(&std::fs::read(note).expect("a note")).expect("a note")
}

/// When something was first seen, which it must be.
async fn moment(watch: &Watch, since: Instant, is_meant: impl Fn(&Sight) -> bool) -> Instant {
    eventually("it is seen", Duration::from_secs(60), || async {
        watch.first(since, &is_meant)
    })
    .await
}

/// Declares a restore, and waits for its end.
async fn restore(system: &System, id: &str, from: &str) {
    let wish = Wish {
        id: id.to_owned(),
        from: from.to_owned(),
        claim: None,
    };
    let sandbox = &system.sandbox;
    declare(&sandbox.client, &sandbox.namespace, NAME, &wish)
        .await
        .expect("the restore is declared");
    let status = eventually("the restore has ended", RTO * 2, || async {
        let found = sandbox.resources().get(NAME).await.ok()?;
        let status = found.data["status"]["restore"].clone();
        let is_over = ["Succeeded", "Failed"].contains(&status["phase"].as_str()?);
        (status["id"] == id && is_over).then_some(status)
    })
    .await;
    assert_eq!(status["phase"], "Succeeded", "{status}");
    say(status["message"].as_str().unwrap_or_default());
}

/// Numbers of acknowledged writes that are missing, and of records that are not as they were.
async fn compare(
    system: &System,
    damage: Damage,
    made: &Made,
    course: Course,
    journal: &[Entry],
    erased: &[String],
) -> (usize, usize) {
    let last = system.back_up().await;
    let folder = system.backups_of(NAME).await;
    let note = note(system, damage).await;
    let read = |name: &str| Archive::read(&folder.join(name));
    let (from, now) = (read(made.name()), read(last.name()));
    let safety = note["safety"].as_str().map(read);
    let evidence = Evidence {
        course,
        from: &from,
        safety: safety.as_ref(),
        now: &now,
        journal,
        erased,
    };
    let missing = evidence.missing();
    let mut differences = evidence.differences();
    differences.extend(served_otherwise(system, &now).await);
    let events = ["feedback", "interactions"];
    say(&format!(
        "compared {} cars and {} events of the backup, {} cars and {} events now: {} differ; {} of {} acknowledged are missing",
        from.count(&["stock"]),
        from.count(&events),
        now.count(&["stock"]),
        now.count(&events),
        differences.len(),
        missing.len(),
        journal
            .iter()
            .filter(|entry| entry.acknowledged && entry.deed.is_write())
            .count(),
    ));
    for difference in differences.iter().take(5) {
        say(&format!("differs: {difference}"));
    }
    for entry in missing.iter().take(5) {
        let since = |moment: Instant| {
            let later = entry.answered().saturating_duration_since(moment).as_secs_f64();
            later - moment.saturating_duration_since(entry.answered()).as_secs_f64()
        };
        let (fence, switch) = (since(course.fenced), since(course.switched));
        say(&format!(
            "missing: {fence:+.3} s from the fence, {switch:+.3} s from the switch: {entry:?}"
        ));
    }
    (missing.len(), differences.len())
}

/// Cars that a replica shows its dealer in another way than the store has them.
async fn served_otherwise(system: &System, now: &Archive) -> Vec<String> {
    let mut found = Vec::new();
    for address in &system.addresses {
        let mut served = 0;
        for dealer in 0..DEALERS {
            let path = format!("/api/dealerships/{}/stock", dealer_id(dealer));
            let rows = system.get(address, &path).await.expect("a stock");
            for row in rows.as_array().expect("rows") {
                served += 1;
                let id = row["id"].as_str().expect("an id");
                let car = now.car(id).unwrap_or_default();
                let fields = row.as_object().expect("a row");
                let differs = fields
                    .iter()
                    .find(|(name, value)| !value.is_null() && car[*name] != **value);
                if let Some((name, value)) = differs {
                    found.push(format!(
                        "{address} has {name} {value} of {id}, and the store {}",
                        car[name]
                    ));
                }
            }
        }
        if served != now.count(&["stock"]) {
            found.push(format!("{address} has {served} cars"));
        }
    }
    found
}

fn judge(outcomes: &[(Damage, Outcome)], undone: (Duration, usize), moved: &Moved, doubled: &Doubled) {
    let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
    let most = |figure: fn(&Outcome) -> Duration, of: &dyn Fn(Damage) -> bool| {
        let meant = outcomes.iter().filter(|(damage, _)| of(*damage));
        meant
            .map(|(_, outcome)| figure(outcome))
            .max()
            .unwrap_or_default()
    };
    let sum =
        |figure: fn(&Outcome) -> usize| outcomes.iter().map(|(_, outcome)| figure(outcome)).sum::<usize>();
    for (damage, outcome) in outcomes {
        let word = damage.word();
        bench(
            &format!("drill.restore.{word}.seconds"),
            seconds(outcome.whole),
            "s",
        );
        bench(
            &format!("drill.restore.{word}.refused_writes"),
            outcome.refused,
            "requests",
        );
        bench(
            &format!("drill.restore.{word}.failed_requests"),
            outcome.failed,
            "requests",
        );
    }
    bench("drill.restore.undo.seconds", seconds(undone.0), "s");
    bench("drill.restore.into_nothing.seconds", seconds(moved.whole), "s");
    let rto = most(|outcome| outcome.whole, &|damage| damage != Damage::None);
    let followed = most(|outcome| outcome.followed, &|_| true);
    // Where the store was lost the figures above tell; that nobody is disturbed is promised of a restore in place.
    let in_place = outcomes.iter().filter(|(damage, _)| *damage == Damage::None);
    let failed: usize = in_place.map(|(_, outcome)| outcome.failed).sum::<usize>() + doubled.failed;
    let refused = sum(|outcome| outcome.refused);
    let missing = sum(|outcome| outcome.missing);
    let different = sum(|outcome| outcome.different) + undone.1 + moved.different;
    bench("drill.restore.rto_s", seconds(rto), "s");
    bench(
        "drill.restore.followed_s",
        format!("{:.2}", followed.as_secs_f64()),
        "s",
    );
    bench(
        "drill.restore.followed_100k_s",
        format!("{:.2}", doubled.followed.as_secs_f64()),
        "s",
    );
    bench("drill.restore.failed_requests", failed, "requests");
    bench("drill.restore.refused_writes", refused, "requests");
    bench("drill.restore.acknowledged_missing", missing, "writes");
    bench("drill.restore.records_differing", different, "records");

    assert_eq!(missing, 0, "acknowledged, and missing");
    assert_eq!(different, 0, "records that are not as they were");
    assert_eq!(failed, 0, "reads and lists that failed");
    assert!(rto <= RTO, "{rto:?} from the loss to the service");
    assert!(
        followed <= FOLLOWED,
        "{followed:?} from the switch to every replica"
    );
    assert!(
        doubled.followed <= FOLLOWED_DOUBLED,
        "{:?} from the switch to every replica with twice as many cars",
        doubled.followed
    );
}
