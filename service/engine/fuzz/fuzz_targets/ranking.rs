//! Any stock and any buyer: the scan finds what the definitions say, on every instruction set of this processor, and
//! the whole answer can be given.

#![no_main]

use arbitrary::{Result, Unstructured};
use faciliauto_engine::{Catalogue, catalogue::CarChange, reference};
use faciliauto_engine_fuzz::{TODAY, good_stock, questionnaire, tables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Bytes that run out are no finding.
    let _ = search(&mut Unstructured::new(data));
});

fn search(bytes: &mut Unstructured<'_>) -> Result<()> {
    // Who asks comes first, so that short inputs already differ in it.
    let buyer = questionnaire(bytes)?;
    let limit = *bytes.choose(&[0, 1, 5, 20, 200, 5000])?;
    let sold = bytes.arbitrary::<Option<u16>>()?;
    let stock = good_stock(bytes)?;
    let catalogue =
        Catalogue::build(stock, tables(), TODAY, "fuzz.1".to_owned()).expect("a stock without problems");
    reference::assert_scan_agrees(&catalogue, &buyer, limit);
    let answer = catalogue.recommend(&buyer);
    assert!(answer.cars.len() <= buyer.limit.min(answer.matching));

    let Some(item) = sold.and_then(|sold| catalogue.cars().nth(usize::from(sold))) else {
        return Ok(());
    };
    let change = CarChange {
        available: Some(!item.car.available),
        price: Some(buyer.budget_maximum),
        confirmed_on: None,
    };
    let changed = catalogue
        .with_change(&item.car.id, change, "fuzz.2".to_owned())
        .expect("a change that can be made");
    reference::assert_scan_agrees(&changed, &buyer, limit);
    Ok(())
}
