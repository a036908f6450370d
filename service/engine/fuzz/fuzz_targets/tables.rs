//! A data file with anything in it is used or refused with file, row and field, never a panic; what is used serves a
//! whole answer.
//!
//! The first byte says which file; the rest replaces a part of its bundled text, or all of it.

#![no_main]

use faciliauto_engine::{Catalogue, Stock, Tables, reference};
use faciliauto_engine_fuzz::{TODAY, good_stock, questionnaire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [file, from, length, rest @ ..] = data else {
        return;
    };
    let files = reference::DATA_FILES;
    let (name, bundled) = files[usize::from(*file) % files.len()];
    let put = String::from_utf8_lossy(rest);
    // Whole lines of the bundled text around what is put in, so that most of the file stays good.
    let lines: Vec<&str> = bundled.split_inclusive('\n').collect();
    let from = usize::from(*from) % (lines.len() + 1);
    let to = (from + usize::from(*length)).min(lines.len());
    let text = [&lines[..from].concat(), put.as_ref(), &lines[to..].concat()].concat();
    match reference::tables_with(name, &text) {
        Ok(tables) => answer(&tables, rest),
        Err(error) => {
            let _ = error.to_string();
        }
    }
});

fn answer(tables: &Tables, bytes: &[u8]) {
    let mut bytes = arbitrary::Unstructured::new(bytes);
    let (Ok(buyer), Ok(stock)) = (questionnaire(&mut bytes), good_stock(&mut bytes)) else {
        return;
    };
    let few = stock.cars.into_iter().take(64);
    let stock = Stock {
        cars: few.collect(),
        ..stock
    };
    if let Ok(catalogue) = Catalogue::build(stock, tables, TODAY, "fuzz.1".to_owned()) {
        let _ = catalogue.recommend(&buyer);
    }
}
