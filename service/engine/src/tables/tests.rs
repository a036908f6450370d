//! Every data file, spoilt in one place at a time.

use super::*;

/// Puts a spoilt text in the place of a file's own.
fn with<'text>(file: &str, text: &'text str) -> Files<'text> {
    let mut files: Files<'text> = BUNDLED;
    *slot(&mut files, file) = text;
    files
}

fn slot<'files, 'text>(files: &'files mut Files<'text>, file: &str) -> &'files mut &'text str {
    match file {
        "brands.csv" => &mut files.brands,
        "cost.json" => &mut files.cost,
        "criteria.json" => &mut files.criteria,
        "energy.csv" => &mut files.energy,
        "ipva.csv" => &mut files.ipva,
        "models.csv" => &mut files.models,
        "names.csv" => &mut files.names,
        "places.csv" => &mut files.places,
        "weights.csv" => &mut files.weights,
        other => panic!("no data file {other}"),
    }
}

/// Prevents a slip in a data file from starting a service that answers with it, or from sending whoever fixes it to the
/// wrong place.
#[test]
#[rustfmt::skip]
fn a_spoilt_figure_is_named_by_file_row_and_field() {
    // file, what is replaced, by what, row, field
    let spoilt: &[(&str, &str, &str, Option<u64>, &str)] = &[
        ("models.csv", "# version: 2026.1\n", "", None, "version"),
        ("models.csv", "valid_from: 2026-03-01", "valid_from: soon", None, "valid_from"),
        ("models.csv", "# confidence: medium", "# confidence: good", None, "confidence"),
        ("models.csv", "brand,model,category", "brand,model,kind", None, "category"),
        ("models.csv", "Kwid 1.0,Compacto", "Kwid 1.0,Kart", Some(6), "category"),
        ("models.csv", "Mobi 1.0,Compacto,2016,2026", "Mobi 1.0,Compacto,2016,2015", Some(7), "year_to"),
        ("models.csv", "Mobi 1.0,Compacto,2016", "Mobi 1.0,Compacto,MMXVI", Some(7), "year_from"),
        ("models.csv", "1.0 8V Fire,flex", "1.0 8V Fire,coal", Some(7), "fuel"),
        ("models.csv", "1.0 8V Fire,flex,MT5", "1.0 8V Fire,flex,XY5", Some(7), "transmission"),
        ("models.csv", "1.0 8V Fire,flex,MT5,74", "1.0 8V Fire,flex,MT5,7", Some(7), "power_cv"),
        ("models.csv", "MT5,74,4,4,215,13.5,15.0", "MT5,74,4,4,215,13.5,", Some(7), "kml_hwy_gasoline"),
        ("models.csv", "MT5,74,4,4,215,13.5", "MT5,74,4,4,215,NaN", Some(7), "kml_city_gasoline"),
        ("models.csv", "9.6,10.4,,,,1,2017", "9.6,10.4,,,,6,2017", Some(7), "latin_ncap_stars"),
        ("models.csv", "9.6,10.4,,,,1,2017", "9.6,10.4,,,,1,", Some(7), "latin_ncap_test_year"),
        ("models.csv", "42000,X,,1,4.8", "42000,Z,,1,4.8", Some(7), "app_class_best"),
        ("models.csv", "946,999,hatch,popular_hatch", "946,999,hatch,kart", None, "segment"),
        ("models.csv", "Fiat,Mobi 1.0", "Renault,Kwid 1.0", Some(7), "model"),
        ("models.csv", "Fiat,Mobi 1.0,Compacto", "Fiat,Mobi 1.0", Some(7), "row"),
        ("names.csv", "Fiat,Mobi 1.0,Mobi,1.0 8V,", "Fiat,Mobi 1.0,Mobi,1.0 8V,\nFiat,Nada,Nada,1.0,", Some(8), "model"),
        ("names.csv", "Fiat,Mobi 1.0,Mobi", "Fiat,Mobi 1.0,", Some(7), "family"),
        ("energy.csv", "gasolina,l,6.30", "gasolina,l,free", Some(6), "price_brl"),
        ("energy.csv", "gasolina,l,6.30", "gasolina,kWh,6.30", Some(6), "unit"),
        ("energy.csv", "gasolina,l", "querosene,l", Some(6), "energy"),
        ("energy.csv", "etanol,l", "gasolina,l", Some(7), "energy"),
        ("energy.csv", "6.30,2026-03-01", "6.30,2026-02-30", Some(6), "valid_from"),
        ("ipva.csv", "AC,2.0", "AC,20.5", Some(6), "default_pct"),
        ("ipva.csv", "AC,2.0", "XX,2.0", Some(6), "uf"),
        ("ipva.csv", "AL,3.0", "AC,3.0", Some(7), "uf"),
        ("ipva.csv", "pickup:3.45", "bicycle:3.45", Some(14), "rules_first_match_wins"),
        ("ipva.csv", "pickup:3.45", "pickup", Some(14), "rules_first_match_wins"),
        ("ipva.csv", "cv<=81:2.75", "cv<=x:2.75", Some(7), "rules_first_match_wins"),
        ("places.csv", "RO,Ariquemes", "XX,Ariquemes", Some(7), "state"),
        ("places.csv", "Ariquemes,-9.9133", "Ariquemes,-99.9133", Some(7), "latitude"),
        ("places.csv", "Ariquemes,-9.9133,-63.0408", "Ariquemes,-9.9133,63.0408", Some(7), "longitude"),
        ("places.csv", "RO,Cabixi", "RO,ARIQUEMÉS", Some(8), "name"),
        ("places.csv", "Cabixi,-13.4978,-60.5542,", "Cabixi,-13.4978,-60.5542,Ariquemes", Some(8), "name"),
        ("weights.csv", "profile,familia,1000", "profile,familia,0", Some(6), "economia"),
        ("weights.csv", "profile,familia", "profile,gente", Some(6), "name"),
        ("weights.csv", "profile,familia", "habit,familia", Some(6), "kind"),
        ("weights.csv", "profile,trabalho", "profile,familia", Some(7), "name"),
        ("brands.csv", "vw,volkswagen", "VW,volkswagen", Some(6), "alias"),
        ("brands.csv", "volks,volkswagen", "vw,volkswagen", Some(7), "alias"),
        ("criteria.json", "\"version\": \"2026.1\",", "\"version\": \"\",", None, "version"),
        ("criteria.json", "\"zero\": 0.90", "\"zero\": \"0.90\"", None, "anchors/economia/zero"),
        ("criteria.json", "\"zero\": 0.90", "\"zero\": 0.30", None, "anchors/economia/full"),
        ("criteria.json", "\"boot_share\": 0.80", "\"boot_share\": 1.5", None, "space/boot_share"),
        ("criteria.json", "[1, 2, 4, 7, 12]", "[1, 2, 4, 7]", None, "weights/priority_values"),
        ("criteria.json", "[1, 2, 4, 7, 12]", "[1, 2, 4, 12, 7]", None, "weights/priority_values"),
        ("criteria.json", "\"preco\": 30", "\"preco\": 230", None, "weights"),
        ("criteria.json", "\"zero\": 600", "\"zero\": 10", None, "anchors/distancia/full"),
        ("criteria.json", "\"distancia\": 24", "\"distancia\": 224", None, "weights"),
        ("criteria.json", "\"other_state_utility\": 102", "\"other_state_utility\": 256", None, "distance/other_state_utility"),
        ("criteria.json", "\"budget_percent\": 10", "\"budget_percent\": -10", None, "relaxation/budget_percent"),
        ("criteria.json", "\"trabalho\": 0.80", "\"trabalho\": 0.75", None, "city_share"),
        ("criteria.json", "\"seats_half\": 5", "\"seats_half\": 8", None, "space/seats_half"),
        ("criteria.json", "\"utility\": 102", "\"utility\": 256", None, "missing/utility"),
        ("criteria.json", "\"available_days\": 45", "\"days\": 45", None, "stock/available_days"),
        ("criteria.json", "\"candidates\": 200", "\"candidates\": 20", None, "diversity/candidates"),
        ("criteria.json", "\"model\": 5, \"brand\": 2", "\"model\": 5, \"brand\": 3", None, "diversity/likeness_tenths"),
        ("criteria.json", "\"of_a_model\": 3", "\"of_a_model\": 0", None, "diversity/at_most/of_a_model"),
        ("criteria.json", "\"most_changes\": 2", "\"most_changes\": 9", None, "refinement/most_changes"),
        ("cost.json", "\"months\": 48", "\"months\": 0", None, "financing/months"),
        ("cost.json", "\"months\": 48", "\"months\": 4.8", None, "financing/months"),
        ("cost.json", "{ \"age_to\": 6, \"value\": 28 }", "{ \"age_to\": 2, \"value\": 28 }", None, "financing/yearly_rate_percent"),
        ("cost.json", "{ \"age_to\": null, \"value\": 35 }", "{ \"age_to\": 99, \"value\": 35 }", None, "financing/yearly_rate_percent"),
        ("cost.json", "{ \"age_to\": null, \"value\": 35 }", "{ \"age_to\": null }", None, "financing/yearly_rate_percent/3/value"),
        ("cost.json", "\"RJ\": 1.30", "\"XX\": 1.30", None, "insurance/state_factor/XX"),
        ("cost.json", "\"hybrid\": 10,", "", None, "depreciation_percent/hybrid"),
        ("cost.json", "\"Hatch\": \"compact_hatch\"", "\"Hatch\": \"kart\"", None, "unknown_model/segment/Hatch"),
        ("cost.json", "\"5000-8000\": 6500,", "", None, "guidance/income/5000-8000"),
        ("cost.json", "\"medium\",\n", "\"medium\"\n", Some(6), "document"),
    ];
    for (file, from, to, row, field) in spoilt {
        let mut bundled = BUNDLED;
        let original = *slot(&mut bundled, file);
        assert!(original.contains(from), "{file} has no {from:?} to spoil");
        let text = original.replacen(from, to, 1);
        let error = Tables::read(with(file, &text)).expect_err(from);
        assert_eq!(
            (error.file, error.row, error.field.as_str()),
            (*file, *row, *field),
            "{from:?}: {error}"
        );
    }
}

/// Prevents an error that names the place in a form nobody finds.
#[test]
fn an_error_reads_as_a_place_and_a_reason() {
    let error = TableError::new("energy.csv", Some(6), "price_brl", "must not be empty");
    assert_eq!(
        error.to_string(),
        "energy.csv, row 6, field price_brl: must not be empty"
    );
    let error = TableError::new("cost.json", None, "financing/months", "is missing");
    assert_eq!(error.to_string(), "cost.json, field financing/months: is missing");
}

/// Prevents an answer that cannot say by which figures it was made.
#[test]
fn every_file_names_its_version() {
    let tables = Tables::bundled().unwrap();
    let files: Vec<&str> = tables.versions().iter().map(|(file, _)| *file).collect();
    let expected = [
        "brands.csv",
        "cost.json",
        "criteria.json",
        "energy.csv",
        "ipva.csv",
        "models.csv",
        "names.csv",
        "places.csv",
        "weights.csv",
    ];
    assert_eq!(files, expected);
    assert!(tables.versions().iter().all(|(_, version)| !version.is_empty()));
    assert_eq!(tables.models().count(), 100);
    assert_eq!(
        (tables.brand_alias("vw"), tables.brand_alias("fiat")),
        ("volkswagen", "fiat")
    );
}
