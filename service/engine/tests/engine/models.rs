//! Advertised names meet the model table, or nothing at all: never another car's facts.

use faciliauto_engine::{Car, Category, Fuel, Gearbox};

use crate::fixtures::{catalogue, onix};

fn model_of(car: Car) -> Option<String> {
    catalogue(vec![car])
        .cars()
        .next()
        .unwrap()
        .model
        .as_ref()
        .map(|model| format!("{} {}", model.brand, model.name))
}

/// Prevents a dealer's way of writing a name from hiding the facts of the model.
#[test]
fn usual_spellings_find_their_model() {
    let automatic = |brand: &str, model: &str, version: &str, year, category| Car {
        brand: brand.to_owned(),
        model: model.to_owned(),
        version: Some(version.to_owned()),
        year,
        category,
        gearbox: Gearbox::Automatic,
        ..onix("a")
    };
    let hybrid = |car| Car {
        fuel: Fuel::Hybrid,
        ..car
    };
    let diesel = |car| Car {
        fuel: Fuel::Diesel,
        ..car
    };
    let manual = |car| Car {
        gearbox: Gearbox::Manual,
        ..car
    };
    use Category::{Compact, Hatch, Pickup, Sedan, Suv};
    for (car, model) in [
        (
            automatic(
                "GM - Chevrolet",
                "ONIX HATCH LTZ 1.0 12V TB Flex 5p Aut.",
                "",
                2022,
                Hatch,
            ),
            "Chevrolet Onix 1.0 Turbo AT",
        ),
        (
            manual(automatic("GM", "Onix", "1.0 LT", 2021, Hatch)),
            "Chevrolet Onix 1.0",
        ),
        (
            automatic("chevrolet", "Onix Plus", "1.0 Turbo Premier", 2023, Sedan),
            "Chevrolet Onix Plus 1.0 Turbo AT",
        ),
        (
            automatic("VW", "Polo", "200 TSI Highline", 2020, Hatch),
            "Volkswagen Polo 1.0 TSI AT",
        ),
        (
            manual(automatic("Volkswagen", "Polo Track", "1.0", 2024, Hatch)),
            "Volkswagen Polo Track/MPI 1.0",
        ),
        (
            automatic("Toyota", "Yaris", "XLS 1.5", 2020, Sedan),
            "Toyota Yaris Sedan 1.5 CVT",
        ),
        (
            automatic("Toyota", "Yaris", "XLS 1.5", 2020, Hatch),
            "Toyota Yaris HB 1.5 CVT",
        ),
        (
            automatic("Toyota", "Corolla", "2.0 XEi", 2016, Sedan),
            "Toyota Corolla 2.0 (old)",
        ),
        (
            hybrid(automatic("Toyota", "Corolla Cross", "XRX 1.8", 2023, Suv)),
            "Toyota Corolla Cross Hybrid",
        ),
        (
            hybrid(automatic("Toyota", "Corolla", "Altis", 2023, Sedan)),
            "Toyota Corolla Hybrid",
        ),
        (
            automatic("Jeep", "Compass", "1.3 T270 Longitude", 2022, Suv),
            "Jeep Compass 1.3T",
        ),
        (
            diesel(automatic("Jeep", "Compass", "Limited", 2020, Suv)),
            "Jeep Compass 2.0 diesel",
        ),
        (
            automatic("Mercedes Benz", "C180", "1.6 Turbo", 2018, Sedan),
            "Mercedes-Benz C 180/C 200",
        ),
        (
            automatic("Citroën", "C4 Cactus", "Feel 1.6", 2021, Suv),
            "Citroen C4 Cactus 1.6",
        ),
        (
            manual(automatic("Fiat", "Strada", "Volcano 1.3", 2022, Pickup)),
            "Fiat Strada 1.3 CD",
        ),
        (
            manual(automatic("VW", "up!", "1.0 TSI Move", 2018, Compact)),
            "Volkswagen up! 1.0 TSI",
        ),
    ] {
        let name = car.display_text();
        let car = if car.brand.starts_with("Mercedes") {
            Car {
                fuel: Fuel::Gasoline,
                ..car
            }
        } else {
            car
        };
        assert_eq!(model_of(car).as_deref(), Some(model), "{name}");
    }
}

trait DisplayText {
    fn display_text(&self) -> String;
}

impl DisplayText for Car {
    fn display_text(&self) -> String {
        format!("{} {} {:?} {}", self.brand, self.model, self.version, self.year)
    }
}

/// Prevents a car from being credited with the facts of a car that it is not.
#[test]
fn another_year_fuel_engine_or_name_finds_nothing() {
    type Change = fn(&mut Car);
    let changes: [Change; 7] = [
        |car| car.year = 2012,
        |car| car.fuel = Fuel::Diesel,
        |car| car.fuel = Fuel::Electric,
        |car| car.version = Some("1.4 LTZ".to_owned()),
        |car| car.model = "Onixx".to_owned(),
        |car| car.brand = "Fiat".to_owned(),
        |car| car.brand = "Lada".to_owned(),
    ];
    assert_eq!(model_of(onix("a")).as_deref(), Some("Chevrolet Onix 1.0"));
    for change in changes {
        let mut car = onix("a");
        change(&mut car);
        assert_eq!(model_of(car.clone()), None, "{}", car.display_text());
    }
}
