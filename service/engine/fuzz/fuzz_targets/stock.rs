//! Any stock becomes a catalogue or a list of problems, never a panic.

#![no_main]

use arbitrary::{Result, Unstructured};
use faciliauto_engine::Catalogue;
use faciliauto_engine_fuzz::{TODAY, any_stock, questionnaire, tables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Bytes that run out are no finding.
    let _ = build(&mut Unstructured::new(data));
});

fn build(bytes: &mut Unstructured<'_>) -> Result<()> {
    let stock = any_stock(bytes)?;
    let cars = stock.cars.len();
    match Catalogue::build(stock, tables(), TODAY, "fuzz.1".to_owned()) {
        Ok(catalogue) => {
            assert_eq!(catalogue.len(), cars);
            assert!(catalogue.cars().is_sorted_by(|a, b| a.car.id < b.car.id));
            for item in catalogue.cars() {
                let found = catalogue.car(&item.car.id).expect("a car is found by its id");
                assert_eq!(found.car.id, item.car.id);
                let _ = item.display_name();
            }
            // Sentences and costs of whatever was let in.
            let _ = catalogue.recommend(&questionnaire(bytes)?);
        }
        Err(problems) => {
            assert!(problems.total >= problems.problems.len());
            assert!(!problems.problems.is_empty());
            let _ = problems.to_string();
        }
    }
    Ok(())
}
