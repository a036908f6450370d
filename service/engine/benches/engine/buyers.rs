//! The questionnaires that are measured, each a whole one.

use faciliauto_engine::{
    Category, Centavos, Frequency, Fuel, Gearbox, MustHave, PlaceSearch, Priorities, Questionnaire, Tables,
    Usage,
};

/// What the rows about the scan ask for: budget, category, on offer, and within 600 km of São Paulo, which every place of
/// sale passes or not.
pub(crate) fn scanning(tables: &Tables, limit: usize) -> Questionnaire {
    let PlaceSearch::Found(city) = tables.find_place("São Paulo", Some("SP")) else {
        panic!("São Paulo is a place of the table");
    };
    Questionnaire {
        city: Some(city),
        radius_metres: Some(600_000),
        ..compared(limit)
    }
}

/// What other programs are compared on: budget, category, on offer. Nothing that `export` does not write down. It is the
/// only place where every answer is written out.
pub(crate) fn compared(limit: usize) -> Questionnaire {
    Questionnaire {
        must_haves: vec![MustHave::Category(Category::Suv)],
        limit,
        ..Questionnaire::new(Centavos(5_000_000), Centavos(9_000_000), Usage::Family)
    }
}

/// A family that answers nearly every question: weights, wishes, a guarded priority and six filters.
pub(crate) fn family(limit: usize) -> Questionnaire {
    Questionnaire {
        budget_minimum: Centavos(4_000_000),
        budget_maximum: Centavos(12_000_000),
        frequency: Some(Frequency::Daily),
        family_size: Some(4),
        needs_space: true,
        has_children: true,
        years_driving: Some(9),
        priorities: Priorities([4, 3, 2, 3, 5, 3, 4, 4]),
        state: Some("SP".to_owned()),
        preferred_brands: vec!["toyota".to_owned(), "volkswagen".to_owned()],
        rejected_brands: vec!["lada".to_owned()],
        preferred_categories: vec![Category::Suv, Category::Sedan],
        preferred_fuels: vec![Fuel::Flex],
        preferred_gearboxes: vec![Gearbox::Automatic],
        year_minimum: Some(2012),
        odometer_maximum_km: Some(150_000),
        must_haves: Vec::new(),
        ..compared(limit)
    }
}

/// Every kind of filter at once, so that counting has all there is to count.
pub(crate) fn picky(limit: usize) -> Questionnaire {
    Questionnaire {
        family_size: Some(5),
        rejected_brands: vec!["lada".to_owned(), "fiat".to_owned()],
        year_minimum: Some(2014),
        year_maximum: Some(2024),
        odometer_maximum_km: Some(120_000),
        must_haves: vec![
            MustHave::AutomaticGearbox,
            MustHave::Fuel(Fuel::Flex),
            MustHave::Category(Category::Suv),
            MustHave::Equipment("ar_condicionado"),
            MustHave::Equipment("camera_re"),
        ],
        usage: Usage::PassengerTransport,
        ..compared(limit)
    }
}
