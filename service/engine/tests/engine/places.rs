//! Which municipality a name stands for.

use faciliauto_engine::{Place, PlaceSearch};

use crate::fixtures::{place, tables};

fn search(name: &str, state: Option<&str>) -> PlaceSearch {
    tables().find_place(name, state)
}

/// Prevents a buyer from being told that their city does not exist because of an accent, a hyphen or an apostrophe.
#[test]
fn a_city_is_found_however_it_is_typed() {
    for (typed, state, label) in [
        ("Sao Joao d'Alianca", None, "São João d'Aliança/GO"),
        ("SÃO JOÃO D’ALIANÇA", None, "São João d'Aliança/GO"),
        ("sao joao dalianca", Some("GO"), "São João d'Aliança/GO"),
        ("embu guaçu", None, "Embu-Guaçu/SP"),
        ("  campinas ", None, "Campinas/SP"),
        ("Santos/SP", None, "Santos/SP"),
        ("Santa Luzia, MG", None, "Santa Luzia/MG"),
        ("Santa Luzia - mg", Some("MG"), "Santa Luzia/MG"),
        ("Brasília", Some("DF"), "Brasília/DF"),
        ("Augusto Severo", Some("RN"), "Campo Grande/RN"),
        // São Paulo's seat stands in the source without the code of its municipality.
        ("sao paulo", None, "São Paulo/SP"),
    ] {
        let PlaceSearch::Found(Place { name, state, .. }) = search(typed, state) else {
            panic!("{typed:?} is {:?}", search(typed, state));
        };
        assert_eq!(format!("{name}/{state}"), label, "{typed:?}");
    }
}

/// Prevents a buyer in one Bom Jesus from getting the cars near another.
#[test]
fn a_name_of_several_states_needs_the_state() {
    assert_eq!(
        search("Bom Jesus", None),
        PlaceSearch::Ambiguous(vec!["PB", "PI", "RN", "RS", "SC"])
    );
    assert_eq!(
        search("bom jesus", Some("RS")),
        PlaceSearch::Found(place("Bom Jesus/RS"))
    );
}

/// Prevents a slip of the finger from leaving a buyer without a hint, and a hint from leading to another state.
#[test]
fn an_unknown_name_brings_the_three_most_like_it() {
    let unknown = |name, state| match search(name, state) {
        PlaceSearch::Unknown(similar) => similar,
        other => panic!("{name:?} is {other:?}"),
    };
    assert_eq!(
        unknown("Canpinas", None),
        ["Campinas/SP", "Canoinhas/SC", "Carpina/PE"].map(str::to_owned)
    );
    assert_eq!(unknown("Canpinas", Some("SP"))[0], "Campinas/SP");
    for state in ["AC", "SP"] {
        let similar = unknown("Nova Iorqui", Some(state));
        assert_eq!(similar.len(), 3);
        assert!(similar.iter().all(|label| label.ends_with(state)), "{similar:?}");
    }
    // Campinas is a city, but not of this state.
    assert_eq!(unknown("Campinas", Some("RJ")).len(), 3);
    assert_eq!(unknown("Campinas/SP", Some("RJ")).len(), 3);
    for nonsense in ["", "?", "圣保罗", &"x".repeat(100_000)] {
        assert_eq!(unknown(nonsense, None).len(), 3, "{nonsense:.9}");
    }
}

/// Prevents a municipality from getting lost: each one is found in its state.
#[test]
fn every_state_has_its_municipalities() {
    for (state, capital) in [
        ("AC", "Rio Branco"),
        ("AL", "Maceió"),
        ("AM", "Manaus"),
        ("AP", "Macapá"),
        ("BA", "Salvador"),
        ("CE", "Fortaleza"),
        ("DF", "Brasília"),
        ("ES", "Vitória"),
        ("GO", "Goiânia"),
        ("MA", "São Luís"),
        ("MG", "Belo Horizonte"),
        ("MS", "Campo Grande"),
        ("MT", "Cuiabá"),
        ("PA", "Belém"),
        ("PB", "João Pessoa"),
        ("PE", "Recife"),
        ("PI", "Teresina"),
        ("PR", "Curitiba"),
        ("RJ", "Rio de Janeiro"),
        ("RN", "Natal"),
        ("RO", "Porto Velho"),
        ("RR", "Boa Vista"),
        ("RS", "Porto Alegre"),
        ("SC", "Florianópolis"),
        ("SE", "Aracaju"),
        ("SP", "São Paulo"),
        ("TO", "Palmas"),
    ] {
        assert_eq!(place(&format!("{capital}/{state}")).state, state);
    }
}
