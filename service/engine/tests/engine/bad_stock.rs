//! Stock that cannot be used is refused as a whole, each field by its name on the wire.

use faciliauto_engine::{Car, Catalogue, Centavos, Dealership, Stock, StockProblemKind, StockProblems};

use crate::fixtures::{TODAY, dealership, onix, tables};

fn problems(stock: Stock) -> StockProblems {
    Catalogue::build(stock, tables(), TODAY, "test".to_owned()).unwrap_err()
}

/// Prevents a bad row from being imported, or from being blamed on another row or field.
#[test]
fn every_bad_field_is_named() {
    type CarChange = fn(&mut Car);
    let cars: [(CarChange, &str); 14] = [
        (|car| car.id = "bom".to_owned(), "id"),
        (|car| car.id = " ".to_owned(), "id"),
        (|car| car.brand = String::new(), "marca"),
        (|car| car.model = "  ".to_owned(), "modelo"),
        (|car| car.dealership_id = "outra".to_owned(), "dealership_id"),
        (|car| car.year = 1899, "ano"),
        (|car| car.year = 2028, "ano"),
        (|car| car.year = 0, "ano"),
        (|car| car.price = Centavos(0), "preco"),
        (|car| car.price = Centavos(10_000_000_001), "preco"),
        (|car| car.price = Centavos(u64::MAX), "preco"),
        (|car| car.fipe_price = Some(Centavos(0)), "preco_fipe"),
        (|car| car.odometer_km = 5_000_001, "quilometragem"),
        (|car| car.odometer_km = u32::MAX, "quilometragem"),
    ];
    for (change, field) in cars {
        let mut bad = onix("ruim");
        change(&mut bad);
        let id = bad.id.clone();
        let found = problems(Stock {
            dealerships: vec![dealership("loja")],
            cars: [onix("bom"), bad].into(),
        });
        let named: Vec<_> = found
            .problems
            .iter()
            .map(|problem| (problem.kind, problem.row, &*problem.id, problem.field))
            .collect();
        assert_eq!(named, [(StockProblemKind::Car, 1, &*id, field)], "{found}");
        assert_eq!(found.total, 1);
    }

    type DealershipChange = fn(&mut Dealership);
    let dealerships: [(DealershipChange, &str); 10] = [
        (|shop| shop.id = "loja".to_owned(), "id"),
        (|shop| shop.id = String::new(), "id"),
        (|shop| shop.name = String::new(), "name"),
        (|shop| shop.city = " ".to_owned(), "city"),
        (|shop| shop.state = "sp".to_owned(), "state"),
        (|shop| shop.state = "XX".to_owned(), "state"),
        (
            |shop| (shop.latitude, shop.longitude) = (Some(90.1), Some(0.0)),
            "latitude",
        ),
        (
            |shop| (shop.latitude, shop.longitude) = (Some(0.0), Some(f64::NAN)),
            "longitude",
        ),
        (|shop| shop.latitude = Some(1.0), "longitude"),
        (|shop| shop.longitude = Some(1.0), "latitude"),
    ];
    for (change, field) in dealerships {
        let mut bad = dealership("ruim");
        change(&mut bad);
        let found = problems(Stock {
            dealerships: vec![dealership("loja"), bad],
            cars: [onix("bom")].into(),
        });
        let named: Vec<_> = found
            .problems
            .iter()
            .map(|problem| (problem.kind, problem.row, problem.field))
            .collect();
        assert_eq!(named, [(StockProblemKind::Dealership, 1, field)], "{found}");
    }
}

/// Prevents one broken export of a hundred thousand cars from answering with a hundred thousand lines.
#[test]
fn a_hundred_problems_are_listed_and_all_are_counted() {
    let cars: Vec<Car> = (0..250)
        .map(|index| Car {
            price: Centavos(0),
            ..onix(&format!("c{index:03}"))
        })
        .collect();
    let found = problems(Stock {
        dealerships: vec![dealership("loja")],
        cars: cars.into(),
    });
    assert_eq!((found.problems.len(), found.total), (100, 250));
    let text = found.to_string();
    assert!(
        text.starts_with("the stock has 250 problems; cars[0] (id \"c000\"), field preco: "),
        "{text}"
    );
    assert!(text.ends_with("; and 150 more"), "{text}");
}

/// Prevents an empty stock from being an error: a new deployment starts with none.
#[test]
fn an_empty_stock_is_a_catalogue() {
    let catalogue = Catalogue::build(Stock::default(), tables(), TODAY, "empty.1".to_owned()).unwrap();
    assert_eq!(
        (catalogue.len(), catalogue.version(), catalogue.reference_date()),
        (0, "empty.1", TODAY)
    );
    let answer = catalogue.recommend(&crate::fixtures::questionnaire());
    assert_eq!(
        answer.message.as_deref(),
        Some("Não há carros disponíveis no momento.")
    );
    assert_eq!((answer.matching, answer.suggestion), (0, None));
}
