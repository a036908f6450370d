//! Cost of ownership: the golden case, the parts, the guidance.

use faciliauto_engine::{
    Accounts, Car, Catalogue, Centavos, CostOfOwnership, FinancialHealth, Fuel, IncomeRange, Payment,
    Questionnaire, Usage,
};

use crate::fixtures::{catalogue, onix, questionnaire, reais, stranger};

fn cost(car: Car, buyer: Questionnaire) -> CostOfOwnership<'static> {
    let buyer = Questionnaire {
        budget_maximum: reais(1_000_000),
        ..buyer
    };
    cost_of_first(&catalogue(vec![car]), &buyer)
}

/// What the best car for a buyer would cost them.
pub(crate) fn cost_of_first(catalogue: &Catalogue, buyer: &Questionnaire) -> CostOfOwnership<'static> {
    let best = &catalogue.recommend(buyer).cars[0];
    let accounts = Accounts::of(catalogue, buyer);
    accounts.of_car(best.car, best.dealership).into_owned()
}

/// An Onix 1.0 of 2021 for R$ 60.000: five years old, so 28 % a year.
fn golden() -> (Car, Questionnaire) {
    let car = Car {
        year: 2021,
        price: reais(60_000),
        ..onix("a")
    };
    let payment = Payment {
        km_per_month: Some(1_000),
        ..Payment::default()
    };
    (
        car,
        Questionnaire {
            state: Some("SP".to_owned()),
            payment,
            ..questionnaire()
        },
    )
}

/// Prevents any part of the cost from drifting by a centavo. Worked apart from this code:
///
/// instalment 1,640.09 and fuel 423.03 as published; maintenance 1,000·0.13·1.0 = 130.00; insurance
/// 60,000·4.7 %·1.05/12 = 246.75; IPVA 60,000·4 %/12 = 200.00; licensing 174.08/12 = 14.51 (14.5067); depreciation
/// 60,000·8 %/12 = 400.00; interest (78,724.32 − 48,000)/48 = 640.09. Desembolso 1,640.09 + 423.03 + 130 + 246.75 + 200 +
/// 14.51 = 2,654.38; econômico 640.09 + 400 + 1,014.29 = 2,054.38.
#[test]
fn the_golden_case_holds_to_the_centavo() {
    let (car, buyer) = golden();
    let expected = CostOfOwnership {
        financing_monthly: Centavos(164_009),
        fuel_monthly: Centavos(42_303),
        maintenance_monthly: Centavos(13_000),
        insurance_monthly: Centavos(24_675),
        ipva_monthly: Centavos(20_000),
        licensing_monthly: Centavos(1_451),
        depreciation_monthly: Centavos(40_000),
        interest_monthly: Centavos(64_009),
        total_monthly: Centavos(265_438),
        economic_total_monthly: Centavos(205_438),
        assumptions: [
            "Financiamento: entrada de R$ 12.000 (suposição nossa), 48 parcelas (suposição nossa) de R$ 1.640,09 com juros \
             de 2,08% ao mês, ou 28% ao ano (suposição nossa); IOF de R$ 1.512,62 incluído.",
            "Uso de 1.000 km por mês, como você informou, 60% na cidade; gasolina a R$ 6,30 por l (preço médio nacional \
             de 01/03/2026), a opção mais barata por km.",
            "Manutenção estimada em R$ 0,13 por km.",
            "Seguro estimado em 4,94% do valor do carro por ano em SP; peça uma cotação, pois o perfil do motorista muda \
             o preço.",
            "IPVA de 4% ao ano em SP, sobre o preço pedido de R$ 60.000; licenciamento de R$ 174,08 por ano (tabela de \
             01/01/2026).",
            "Desvalorização estimada em 8% ao ano.",
            "Contas feitas em 25/11/2026. O desembolso mensal soma parcela, combustível ou energia, manutenção, seguro, \
             IPVA e licenciamento; o custo econômico troca a parcela por juros e desvalorização.",
        ]
        .map(Into::into)
        .to_vec(),
        fits_budget: None,
        budget_percentage: None,
        health: None,
    };
    assert_eq!(cost(car, buyer), expected);
}

/// Prevents a buyer from reading taxes of a state that is not theirs, or of one that does not exist.
#[test]
fn taxes_are_of_the_buyers_state_else_of_the_dealers() {
    let in_state = |state: Option<&str>| {
        let (car, buyer) = golden();
        cost(
            car,
            Questionnaire {
                state: state.map(str::to_owned),
                ..buyer
            },
        )
    };
    // PR, where the dealer is: 60,000·1.9 %/12 = 95.00.
    assert_eq!(in_state(None).ipva_monthly, Centavos(9_500));
    assert_eq!(in_state(Some("ZZ")).ipva_monthly, Centavos(9_500));
    assert!(in_state(None).assumptions[4].contains("PR, estado da loja"));
    // RJ: 4 % and insurance ×1.30.
    assert_eq!(in_state(Some("RJ")).ipva_monthly, Centavos(20_000));
    assert_eq!(in_state(Some("RJ")).insurance_monthly, Centavos(30_550));
}

/// Prevents an old car from being taxed: by the state's age, and nowhere later than the nation's 20 years.
#[test]
fn old_cars_pay_no_ipva() {
    let aged = |year, state: &str| {
        let (car, buyer) = golden();
        cost(
            Car { year, ..car },
            Questionnaire {
                state: Some(state.to_owned()),
                ..buyer
            },
        )
        .ipva_monthly
        .0
    };
    for (state, exempt_age) in [("SP", 20), ("RN", 10), ("DF", 15), ("MT", 18)] {
        assert_eq!(aged(2026 - exempt_age, state), 0, "{state}");
        assert!(aged(2026 - exempt_age + 1, state) > 0, "{state}");
    }
}

/// Prevents a car without facts from being shown as free to run, and an estimate from passing for a fact.
#[test]
fn an_unknown_model_is_estimated_and_says_so() {
    let (car, buyer) = golden();
    let stranger = Car {
        price: car.price,
        year: car.year,
        ..stranger("a")
    };
    let cost = cost(stranger, buyer);
    // Ethanol: (0.6/7.4 + 0.4/8.8)·4.61 = 0.5833; gasoline: (0.6/10.5 + 0.4/12.5)·6.30 = 0.5616 a km.
    assert_eq!(cost.fuel_monthly, Centavos(56_160));
    // Class 3 of maintenance: 0.17 a km; insurance by age: 5.2 %·1.05.
    assert_eq!(cost.maintenance_monthly, Centavos(17_000));
    assert_eq!(cost.insurance_monthly, Centavos(27_300));
    assert!(
        cost.assumptions[1].contains("consumo estimado"),
        "{:?}",
        cost.assumptions
    );
    assert!(
        cost.assumptions[2].contains("média geral"),
        "{:?}",
        cost.assumptions
    );
}

/// Prevents an energy from being priced by another's unit: natural gas by m³, electricity by kWh.
#[test]
fn gas_and_electricity_are_priced_by_their_own_unit() {
    let (car, buyer) = golden();
    let gas = cost(
        Car {
            fuel: Fuel::NaturalGas,
            ..car.clone()
        },
        buyer.clone(),
    );
    // (0.6/(13.8·1.3) + 0.4/(16.9·1.3))·4.70·1000 = 242.76 (242.7619)
    assert_eq!(gas.fuel_monthly, Centavos(24_276));
    let dolphin = Car {
        brand: "BYD".to_owned(),
        model: "Dolphin Mini".to_owned(),
        version: None,
        year: 2025,
        fuel: Fuel::Electric,
        ..car
    };
    // 12.2 kWh a 100 km at R$ 1.00.
    assert_eq!(cost(dolphin, buyer).fuel_monthly, Centavos(12_200));
}

/// Prevents a car that is hardly driven from costing nothing to maintain.
#[test]
fn maintenance_has_a_least() {
    let (car, buyer) = golden();
    let payment = Payment {
        km_per_month: Some(10),
        ..buyer.payment
    };
    assert_eq!(
        cost(car, Questionnaire { payment, ..buyer }).maintenance_monthly,
        Centavos(10_000)
    );
}

/// Prevents guidance from appearing where no income was given, or from using the wrong yardstick.
#[test]
fn guidance_needs_income_or_a_maximum() {
    let guided = |income, maximum_monthly| {
        let (car, buyer) = golden();
        let payment = Payment {
            income,
            maximum_monthly,
            ..buyer.payment
        };
        let cost = cost(car, Questionnaire { payment, ..buyer });
        (cost.fits_budget, cost.budget_percentage, cost.health)
    };
    // Desembolso 2,654.38, instalment 1,640.09.
    use FinancialHealth::{Green, Red, Yellow};
    use IncomeRange::{Above12000, UpTo3000, UpTo8000, UpTo12000};
    assert_eq!(
        guided(Some(UpTo3000), None),
        (Some(false), Some(177.0), Some(Red))
    );
    assert_eq!(guided(Some(UpTo8000), None), (Some(true), Some(40.8), Some(Red)));
    assert_eq!(
        guided(Some(UpTo12000), None),
        (Some(true), Some(26.5), Some(Yellow))
    );
    assert_eq!(
        guided(Some(Above12000), None),
        (Some(true), Some(22.1), Some(Yellow))
    );
    assert_eq!(
        guided(None, Some(Centavos(265_438))),
        (Some(true), Some(100.0), None)
    );
    assert_eq!(
        guided(None, Some(Centavos(265_437))),
        (Some(false), Some(100.0), None)
    );
    let (car, buyer) = golden();
    let cash = Payment {
        down_payment: Some(car.price),
        income: Some(Above12000),
        ..buyer.payment
    };
    assert_eq!(
        cost(
            car,
            Questionnaire {
                payment: cash,
                ..buyer
            }
        )
        .health,
        Some(Green)
    );
}

/// Prevents a use from being reckoned by another's mix of town and road.
#[test]
fn fuel_follows_the_mix_of_the_use() {
    let (car, buyer) = golden();
    // Leisure, 30 % town: (0.3/13.8 + 0.7/16.9)·6.30·1000 = 397.90; work, 80 %: 439.77 (0.8/13.8 + 0.2/16.9).
    let of = |usage| {
        cost(
            car.clone(),
            Questionnaire {
                usage,
                ..buyer.clone()
            },
        )
        .fuel_monthly
    };
    assert_eq!(
        (of(Usage::Leisure), of(Usage::Work)),
        (Centavos(39_790), Centavos(43_977))
    );
}
