//! What must hold of any bytes that a client sends. Nothing here needs the fuzzer: the tests of the service check the
//! seeds and hundreds of their mutations with it too.

use std::sync::LazyLock;

use faciliauto_engine::{catalogue::Catalogue, tables::Tables};
use faciliauto_service::{
    error::ApiError,
    fields::Findings,
    routes::answer_to,
    stock::{
        SAMPLE, StockError, StockFile, rows,
        upload::{CarPatch, LineReader, Unreadable, Upload},
    },
};
use jiff::civil::{Date, date};
use serde_json::{Value, json};

/// The day as of which everything is read.
const TODAY: Date = date(2026, 11, 25);

/// The most mistakes that are listed.
const MOST_LISTED: usize = 100;

/// The sample stock, built once.
fn catalogue() -> &'static Catalogue {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
        let tables = Tables::bundled().expect("the bundled tables");
        let stock = StockFile::whole(SAMPLE, TODAY).expect("the sample stock");
        Catalogue::build(stock, &tables, TODAY, "fuzz.1".to_owned()).expect("a good stock")
    });
    &CATALOGUE
}

/// A body of `POST /recommend` is answered, or refused with a mistake that the sender can find; never a panic, and the
/// same body never otherwise.
pub fn questionnaire(body: &[u8]) {
    let answer = answer_to(body, catalogue());
    assert_eq!(answer, answer_to(body, catalogue()), "asked twice");
    match answer {
        Ok(answer) => {
            let answer: Value = serde_json::from_slice(&answer).expect("an answer that is JSON");
            let cars = answer["recommendations"].as_array().expect("a list").len();
            assert!(cars <= 50, "{cars} cars");
            assert_eq!(answer["total_recommendations"], cars);
            // Who gets nothing is told why.
            assert_eq!(cars == 0, answer["message"].is_string());
        }
        Err(ApiError::InvalidFields(errors) | ApiError::Contradiction(errors)) => {
            assert!((1..=MOST_LISTED).contains(&errors.len()));
            for error in errors {
                assert!(
                    error.pointer.is_empty() || error.pointer.starts_with('/'),
                    "{error:?}"
                );
                assert!(!error.message.is_empty());
            }
        }
        Err(ApiError::BrokenJson { .. }) => assert!(serde_json::from_slice::<Value>(body).is_err()),
        Err(error) => panic!("{error:?}"),
    }
}

/// A dealer's stock is read the same however its bytes arrive, and what is taken comes out of the store as it went in.
/// The first byte says in which pieces it arrives.
pub fn upload(bytes: &[u8]) {
    let Some((size, body)) = bytes.split_first() else {
        return;
    };
    let whole = lines(body, body.len().max(1));
    let pieces = lines(body, usize::from(*size).max(1));
    assert_eq!(outcome(&whole), outcome(&pieces), "cut into pieces of {size}");
    let array = Upload::from_array(body, "loja", TODAY);
    for upload in [whole, array].into_iter().flatten() {
        let findings = &upload.findings;
        assert!(findings.errors.len() <= MOST_LISTED && findings.errors.len() <= findings.error_count);
        let mut stored = Vec::new();
        rows::write_cars(&mut stored, &upload.cars).expect("memory");
        let read = rows::read_cars(stored.as_slice(), "loja").expect("what was written");
        assert_eq!(read, upload.cars);
    }
    for dealership in [None, Some("loja")] {
        if let Ok(file) = StockFile::read(body, dealership, TODAY) {
            operators_file(file);
        }
    }
    if let Ok(value) = serde_json::from_slice(body) {
        let (patch, findings) = CarPatch::read(value, TODAY);
        assert!(findings.error_count > 0 || patch.available.is_some() || patch.price.is_some());
    }
}

/// An operator's file is refused with its mistakes, or each of its cars belongs to one dealership.
fn operators_file(mut file: StockFile) {
    let known = json!({"id": "loja", "name": "Loja", "city": "Recife", "state": "PE"});
    file.check(&[
        rows::dealership(known.into(), String::new(), &mut Findings::default()).expect("a good record"),
    ]);
    let mut cars: Vec<_> = file.cars().iter().cloned().collect();
    match file.good() {
        Ok(()) => {
            let mut parted: Vec<_> = file.part().into_iter().flat_map(|part| part.cars).collect();
            for cars in [&mut cars, &mut parted] {
                cars.sort_by(|one, other| one.id.cmp(&other.id));
            }
            assert_eq!(parted, cars);
        }
        Err(StockError::Validate { listed, total }) => {
            assert!((1..=MOST_LISTED).contains(&listed.len()) && listed.len() <= total);
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn lines(body: &[u8], size: usize) -> Result<Upload, Unreadable> {
    let mut reader = LineReader::new("loja", TODAY);
    for piece in body.chunks(size) {
        reader.push(piece)?;
    }
    reader.finish()
}

/// What of an upload can be compared.
fn outcome(upload: &Result<Upload, Unreadable>) -> Result<String, Unreadable> {
    let upload = upload.as_ref().map_err(|error| *error)?;
    Ok(format!("{:?} {:?}", upload.cars, upload.findings))
}
