//! `make bench-engine`: how fast the engine is, beside the physical limit, in one run.
//!
//! Lines on standard output read `BENCH <name> <value> <unit>`, each value a median; what goes on, spreads (the middle
//! half) and a last table with the targets go to standard error. What is compared is measured in turns, so that a busy
//! machine slows both.
//!
//! ```text
//! cargo bench -p faciliauto-engine --bench engine -- [--quick] [--export DIR] [--serve]
//!   --quick       fewer turns and no ten million cars; FACILIAUTO_BENCH_QUICK=1 is the same
//!   --export DIR  writes the cars, the formula and the answer for other programs to compute (make bench-peers)
//!   --serve       ranks as often as each line of standard input says, and answers with the microseconds of each time
//! ```

// Printing is what a benchmark is for.
#![allow(clippy::print_stdout)]

mod buyers;
mod export;
mod machine;
mod measure;
mod memory;
mod report;
mod rows;
mod serve;
mod stocks;

use std::path::PathBuf;

use report::Report;
use stocks::Stocks;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// What was asked for on the command line.
#[derive(Debug, Default)]
struct Arguments {
    quick: bool,
    export: Option<PathBuf>,
    serve: bool,
}

impl Arguments {
    fn read() -> Self {
        let mut arguments = Self {
            quick: std::env::var_os("FACILIAUTO_BENCH_QUICK").is_some_and(|value| value != "0"),
            ..Self::default()
        };
        let mut words = std::env::args_os().skip(1);
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--quick") => arguments.quick = true,
                Some("--export") => arguments.export = words.next().map(PathBuf::from),
                Some("--serve") => arguments.serve = true,
                // Cargo says so to every benchmark.
                Some("--bench") => {}
                _ => eprintln!("passed over: {}", word.display()),
            }
        }
        arguments
    }
}

fn main() {
    let Arguments { quick, export, serve } = Arguments::read();
    let stocks = Stocks::bundled();
    if export.is_some() || serve {
        let catalogue = stocks.catalogue(stocks::MILLION);
        if let Some(folder) = export {
            export::write(&catalogue, &folder).expect("the export could not be written");
        }
        if serve {
            serve::until_closed(&catalogue).expect("standard input or output broke");
        }
        return;
    }
    machine::describe();
    let mut report = Report::default();
    rows::all(&stocks, quick, &mut report);
    report.print_table();
}
