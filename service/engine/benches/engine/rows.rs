//! What is measured, size by size, so that no more than one large catalogue is in memory.

use std::time::Instant;

use faciliauto_engine::{
    Accounts, Catalogue, CostOfOwnership, InstructionSet, Questionnaire, Recommendation,
    catalogue::CarChange, reference, synthetic::Numbers,
};

use crate::{
    buyers, machine,
    measure::{Samples, Work, in_turns, timed, timed_often},
    memory,
    report::Report,
    stocks::{HUNDRED_THOUSAND, MILLION, Stocks, TEN_MILLION, TEN_THOUSAND},
};

/// Cars in the list that the scan is measured with.
const TOP: usize = 20;

/// Cars in the answer when a request does not say.
const ANSWERED: usize = 5;

/// Ten million cars and the stock that they are built from fit into this.
const TEN_MILLION_BYTES: u64 = 12 << 30;

/// How often each thing is done.
struct Turns {
    scans: usize,
    builds: usize,
}

pub(crate) fn all(stocks: &Stocks, quick: bool, report: &mut Report) {
    let turns = if quick {
        Turns { scans: 31, builds: 1 }
    } else {
        Turns {
            scans: 301,
            builds: 5,
        }
    };
    requests_300(stocks, &turns, report);
    for (word, cars) in [("10k", TEN_THOUSAND), ("100k", HUNDRED_THOUSAND)] {
        let catalogue = stocks.catalogue(cars);
        top_20(&catalogue, word, turns.scans, report);
    }
    let of_a_million = million(stocks, &turns, report);
    builds(stocks, &turns, report);
    if quick {
        eprintln!("ten million cars: skipped, as asked for");
    } else if machine::available_bytes().is_some_and(|bytes| bytes < TEN_MILLION_BYTES) {
        eprintln!("ten million cars: skipped, less than 12 GB of memory are free");
    } else {
        ten_million(stocks, &of_a_million, report);
    }
}

/// The list with its reasons, and what each of its cars costs.
fn whole_request<'catalogue>(
    catalogue: &'catalogue Catalogue,
    buyer: &Questionnaire,
) -> (Recommendation<'catalogue>, Vec<CostOfOwnership<'catalogue>>) {
    let answer = catalogue.recommend(buyer);
    let accounts = Accounts::of(catalogue, buyer);
    let costs = answer.cars.iter();
    let costs = costs.map(|recommended| accounts.of_car(recommended.car, recommended.dealership));
    let costs = costs.collect();
    (answer, costs)
}

/// A whole request against the stock of a small market.
fn requests_300(stocks: &Stocks, turns: &Turns, report: &mut Report) {
    let catalogue = stocks.catalogue(300);
    let buyer = buyers::family(ANSWERED);
    eprintln!(
        "requests, 300 cars, {} match",
        catalogue.recommend(&buyer).matching
    );
    let work = timed_often("recommend", 32, || whole_request(&catalogue, &buyer));
    let samples = in_turns(turns.scans * 10, vec![work]);
    report.at_most(10.0, "engine.recommend_300.us", samples[0].micros(), "us");
}

/// Scan and plain read of one catalogue, by instruction set: how many times the quickest read each scan takes.
fn top_20(
    catalogue: &Catalogue,
    word: &str,
    turns: usize,
    report: &mut Report,
) -> Vec<(InstructionSet, f64)> {
    let buyer = &buyers::scanning(catalogue.tables(), TOP);
    let sets: Vec<InstructionSet> = InstructionSet::available().collect();
    eprintln!("top {TOP} and plain read, {} cars", catalogue.len());
    let scans = sets.iter().map(|set| {
        timed(format!("top {TOP}, {}", set.word()), move || {
            reference::rank(catalogue, buyer, TOP, *set)
        })
    });
    let reads = sets.iter().map(|set| {
        timed(format!("read, {}", set.word()), move || {
            reference::read_hot_bytes(catalogue, buyer, *set)
        })
    });
    let works: Vec<Work<'_>> = scans.chain(reads).collect();
    let samples = in_turns(turns, works);
    let (scans, reads) = samples.split_at(sets.len());
    // Whichever instructions read fastest: that is what this processor can do.
    let read = reads.iter().map(Samples::micros).fold(f64::INFINITY, f64::min);
    if let Some(widest) = scans.last() {
        report.line(format!("engine.top20_{word}.us"), widest.micros(), "us");
    }
    report.line(format!("engine.read_{word}.us"), read, "us");
    sets.into_iter()
        .zip(scans)
        .map(|(set, scan)| (set, scan.micros() / read))
        .collect()
}

/// How many times the plain read a scan of a million cars may take.
fn times_read_target(set: InstructionSet) -> f64 {
    match set.word() {
        "avx512" => 2.0,
        "avx2" => 2.5,
        _ => 4.0,
    }
}

/// Gives back the ratios that ten million cars are compared with.
fn million(stocks: &Stocks, turns: &Turns, report: &mut Report) -> Vec<(InstructionSet, f64)> {
    let (catalogue, kept, most) = memory::held_by(|| stocks.catalogue(MILLION));
    let per_car = |bytes: i64| bytes as f64 / MILLION as f64;
    eprintln!(
        "  held at most while it was built: {:.0} bytes a car",
        per_car(most)
    );
    report.line("engine.bytes_per_car", per_car(kept), "bytes");

    let ratios = top_20(&catalogue, "1m", turns.scans, report);
    for (set, ratio) in &ratios {
        let name = format!("engine.top20_1m.{}.times_read", set.word());
        report.at_most(times_read_target(*set), name, *ratio, "x");
    }

    let (picky, family) = (buyers::picky(TOP), buyers::family(ANSWERED));
    let filters = catalogue.recommend(&picky).filters.len();
    eprintln!("requests, a million cars; counts of {filters} filters");
    let works = vec![
        timed("counts", || {
            reference::scan(&catalogue, &picky, TOP, InstructionSet::widest())
        }),
        timed("recommend", || catalogue.recommend(&family).cars.len()),
    ];
    let samples = in_turns(turns.scans, works);
    report.line("engine.counts_1m.us", samples[0].micros(), "us");
    report.line("engine.recommend_1m.us", samples[1].micros(), "us");

    let patch = patches(catalogue, turns.scans);
    report.at_most(1_000.0, "engine.patch_1m.us", patch.micros(), "us");
    ratios
}

/// A price or the availability of one car after the other, each change on top of the last; giving up the catalogue
/// before it is part of the time.
fn patches(catalogue: Catalogue, turns: usize) -> Samples {
    eprintln!("changes of one car, a million cars");
    let mut numbers = Numbers::new(7);
    let ids: Vec<String> = (0..=turns)
        .filter_map(|_| catalogue.cars().nth(numbers.below(MILLION as u64) as usize))
        .map(|item| item.car.id.clone())
        .collect();
    let mut current = catalogue;
    let mut number = 0;
    let work = || {
        let id = &ids[number % ids.len()];
        let known = current.car(id).expect("a car of the catalogue");
        let change = if number % 2 == 0 {
            CarChange {
                price: Some(faciliauto_engine::Centavos(known.car.price.0 + 10_000)),
                ..CarChange::default()
            }
        } else {
            CarChange {
                available: Some(!known.car.available),
                ..CarChange::default()
            }
        };
        number += 1;
        let begun = Instant::now();
        current = current
            .with_change(id, change, format!("bench.{number}"))
            .expect("a change that can be made");
        begun.elapsed()
    };
    let works: Vec<Work<'_>> = vec![("change".to_owned(), Box::new(work))];
    in_turns(turns, works).remove(0)
}

/// A million cars and a hundred thousand, in turns: a build that is linear takes ten times as long.
fn builds(stocks: &Stocks, turns: &Turns, report: &mut Report) {
    eprintln!("builds, {MILLION} cars and {HUNDRED_THOUSAND}");
    let sizes = [
        ("1m", stocks.stock(MILLION)),
        ("1m, in no order", stocks.shuffled(MILLION)),
        ("100k", stocks.stock(HUNDRED_THOUSAND)),
    ];
    let works = sizes.iter().map(|(word, stock)| -> Work<'_> {
        let work = move || {
            let stock = stock.clone();
            let begun = Instant::now();
            let catalogue = stocks.build(stock);
            let taken = begun.elapsed();
            drop(catalogue);
            taken
        };
        (format!("build {word}"), Box::new(work))
    });
    let samples = in_turns(turns.builds, works.collect());
    let [million, shuffled, hundred_thousand] = [0, 1, 2].map(|index| samples[index].median());
    report.at_most(1.5, "engine.build_1m.s", million, "s");
    report.line("engine.build_1m_unordered.s", shuffled, "s");
    let ratio = million / hundred_thousand;
    report.line("engine.build_1m_over_100k", ratio, "x");
}

fn ten_million(stocks: &Stocks, of_a_million: &[(InstructionSet, f64)], report: &mut Report) {
    let catalogue = stocks.catalogue(TEN_MILLION);
    let ratios = top_20(&catalogue, "10m", 31, report);
    for ((set, ratio), (_, before)) in ratios.iter().zip(of_a_million) {
        let name = format!("engine.top20_10m.{}.times_read", set.word());
        report.at_most(before + 0.5, name, *ratio, "x");
    }
}
