//! `make bench-engine`: how fast the engine is, beside the physical limit, in one run.
//!
//! Lines on standard output read `BENCH <name> <value> <unit>`; each value is a median, its spread (the middle half)
//! goes to standard error. What is compared is measured in turns, so that a busy machine slows both.

// Printing is what a benchmark is for.
#![allow(clippy::print_stdout)]

use std::{hint::black_box, time::Instant};

use faciliauto_engine::{
    Catalogue, Category, Centavos, InstructionSet, MustHave, Questionnaire, Tables, Usage, reference,
    synthetic,
};
use jiff::civil::{Date, date};

const TODAY: Date = date(2026, 11, 25);

fn main() {
    let tables = Tables::bundled().expect("the bundled tables");
    let begun = Instant::now();
    let stock = synthetic::stock(&tables, 1_000_448, TODAY, 1);
    eprintln!("made stock in {:?}", begun.elapsed());
    let begun = Instant::now();
    let catalogue = Catalogue::build(stock, &tables, TODAY, "bench.1".to_owned()).expect("a catalogue");
    eprintln!("built in {:?}", begun.elapsed());
    let buyer = buyer();
    for set in InstructionSet::available() {
        let (mut ours, mut read) = (Vec::new(), Vec::new());
        for _ in 0..101 {
            ours.push(micros(|| {
                black_box(reference::rank(&catalogue, &buyer, 20, set));
            }));
            read.push(micros(|| {
                black_box(reference::read_hot_bytes(&catalogue, &buyer, set));
            }));
        }
        ours.sort_by(f64::total_cmp);
        read.sort_by(f64::total_cmp);
        println!(
            "{} rank {:.1} us read {:.1} us ratio {:.2}",
            set.word(),
            ours[50],
            read[50],
            ours[50] / read[50]
        );
        let mut counts = Vec::new();
        for _ in 0..51 {
            counts.push(micros(|| {
                black_box(reference::scan(&catalogue, &buyer, 20, set));
            }));
        }
        counts.sort_by(f64::total_cmp);
        println!("{} with counts {:.1} us", set.word(), counts[25]);
    }
}

fn micros(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1e6
}

fn buyer() -> Questionnaire {
    Questionnaire {
        must_haves: vec![MustHave::Category(Category::Suv)],
        limit: 20,
        ..Questionnaire::new(Centavos(5_000_000), Centavos(9_000_000), Usage::Family)
    }
}
