//! Cars worked by hand, every step written out, so that pencil and paper can check the engine.

use faciliauto_engine::{
    Car, Catalogue, Category, Centavos, Contribution, Criterion, MustHave, Priorities, Quality,
    Questionnaire, Stock,
};

use crate::fixtures::{
    Adjectives, TODAY, catalogue, dealership, onix, order, questionnaire, stranger, tables,
};

/// Prevents any step of the method from drifting: anchors, weights, sums, rounding.
///
/// **Weights** for a family, all priorities 3, no wish: price 30, wear 20, one for each of the eight qualities; 198 are
/// left. The factors 1000, 1600, 700, 1000, 1600, 900, 1200, 1000 sum to 9000, so a factor gets 198/9000 of itself:
/// 22.0, 35.2, 15.4, 22.0, 35.2, 19.8, 26.4, 22.0. Rounded down they sum to 196; the two left go to 19.8 and, of the
/// equal rests .4, to the lower index, 15.4. With the one that each has: 23, 36, 17, 23, 36, 21, 27, 23.
///
/// **Utilities** of an Onix 1.0 of 2022 (4 years old), 40,000 km, R$ 70.000, budget R$ 50.000 to 90.000:
///
/// | criterion | raw | utility | × weight |
/// | --- | --- | --- | --- |
/// | economia | gasoline (0.6/13.8 + 0.4/16.9)·6.30 = 0.4230; ethanol (0.6/9.6 + 0.4/11.9)·4.61 = 0.4431 | (0.9−0.4230)/0.6·255 = 202.7 → 203 | 4669 |
/// | espaco | boot (303−200)/320 = 0.3219, seats 0.5 | (0.8·0.3219 + 0.2·0.5)·255 = 91.2 → 91 | 3276 |
/// | performance | 82 cv / 1.034 t = 79.30 | 19.30/80·255 = 61.5 → 62 | 1054 |
/// | conforto | 6 items | 0.6·255 = 153 | 3519 |
/// | seguranca | 50·5/5·0.6 (test of 2019) + 30 + 12 + 8 = 80 | 204 | 7344 |
/// | revenda | 8 % | 0.7·255 = 178.5 → 179 | 3759 |
/// | confiabilidade | 4 − 40/150 = 3.7333 | 2.7333/4·255 = 174.3 → 174 | 4698 |
/// | custo_manutencao | 0.13 · 1.0 | 0.32/0.35·255 = 233.1 → 233 | 5359 |
/// | quilometragem | 40,000 km | 0.8·255 = 204 | 4080 |
/// | preco | 200 steps of R$ 100 below the maximum, of 400: ⌊255·65,536/400⌋ = 41,779; (200·41,779 + 32,768) >> 16 | 127 | 3810 |
///
/// S = 41,568 and the match ⌊41,568·1000/65,280⌋ = ⌊636.8⌋ = 636 tenths. **Points** ×1000/65,280: 71.5, 50.2, 16.1,
/// 53.9, 112.5, 57.6, 72.0, 82.1, 62.5, 58.4; rounded down they sum to 632, the four left go to the largest rests:
/// confiabilidade (.97), conforto (.91), revenda (.58), economia (.52). **Misses** (weight·(255−utility)): 1196, 5904,
/// 3281, 2346, 1836, 1596, 2187, 506, 1020, 3840 → 18.3, 90.4, 50.3, 35.9, 28.1, 24.4, 33.5, 7.8, 15.6, 58.8; rounded
/// down 358 of the 364 that the match lacks, so six are added: conforto (.94), preco (.82), custo_manutencao (.75),
/// quilometragem (.63), confiabilidade (.50), revenda (.45).
#[test]
fn an_onix_for_a_family() {
    let catalogue = catalogue(vec![onix("a")]);
    let answer = catalogue.recommend(&questionnaire());
    let [best] = &answer.cars[..] else {
        panic!("one car matches")
    };
    assert_eq!(best.match_tenths, 636);

    let weights: Vec<u16> = answer.weights.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights, [23, 36, 17, 23, 36, 21, 27, 23, 20, 30]);
    assert_eq!(
        answer.top_priorities,
        [Quality::Space, Quality::Safety, Quality::Reliability]
    );

    let part = |criterion, points_tenths, missed_tenths, fact: &str| Contribution {
        criterion,
        points_tenths,
        missed_tenths,
        fact: fact.to_owned().into(),
    };
    let quality = Criterion::Quality;
    let expected = [
        part(
            quality(Quality::Safety),
            112,
            28,
            "5 estrelas no Latin NCAP (teste de 2019), 6 airbags, controle de estabilidade e ISOFIX",
        ),
        part(quality(Quality::Maintenance), 82, 8, "cerca de R$ 0,13 por km"),
        part(
            quality(Quality::Economy),
            72,
            18,
            "R$ 0,42 por km com gasolina (13,8 km/l na cidade e 16,9 km/l na estrada)",
        ),
        part(
            quality(Quality::Reliability),
            72,
            34,
            "nota 3,7 de 5, já descontados 40.000 km e 4 anos de uso",
        ),
        part(Criterion::Wear, 62, 16, "40.000 km"),
        part(
            quality(Quality::Resale),
            58,
            25,
            "perde cerca de 8% do valor por ano",
        ),
        part(
            Criterion::Price,
            58,
            59,
            "R$ 70.000, R$ 20.000 abaixo do seu limite",
        ),
        part(quality(Quality::Comfort), 54, 36, "6 itens de conforto"),
        part(
            quality(Quality::Space),
            50,
            90,
            "porta-malas de 303 l e 5 lugares",
        ),
        part(
            quality(Quality::Performance),
            16,
            50,
            "82 cv para 1.034 kg (79 cv/t)",
        ),
    ];
    assert_eq!(best.contributions, expected);
}

/// Prevents a weakness in what matters most from being bought back elsewhere.
///
/// The same Onix for someone who rates performance 5 (value 12 against 4). **Weights**: claims 4·1000, 4·1600, 12·700,
/// 4·1000, 4·1600, 4·900, 4·1200, 4·1000 = 4000, 6400, 8400, 4000, 6400, 3600, 4800, 4000 of 41,600, for 198: 19.04,
/// 30.46, 39.98, 19.04, 30.46, 17.13, 22.85, 19.04. Rounded down they sum to 195; the three left go to performance
/// (.98), confiabilidade (.85) and, of the equal .46, to the lower index, espaco. With one each: 20, 32, 41, 20, 31, 18,
/// 24, 20. **Guard**: performance is worth 62, 15 below the threshold of 77, so it counts 62 − 15 = 47.
///
/// S = 20·203 + 32·91 + 41·47 + 20·153 + 31·204 + 18·179 + 24·174 + 20·233 + 20·204 + 30·127 = 4060 + 2912 + 1927 +
/// 3060 + 6324 + 3222 + 4176 + 4660 + 4080 + 3810 = 38,231 → ⌊585.6⌋. Without the guard it would be 38,846 → 595.
#[test]
fn an_onix_for_someone_who_wants_power() {
    let catalogue = catalogue(vec![onix("a")]);
    let answer = catalogue.recommend(&questionnaire().with_priority(Quality::Performance, 5));
    let weights: Vec<u16> = answer.weights.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights, [20, 32, 41, 20, 31, 18, 24, 20, 20, 30]);
    assert_eq!(answer.cars[0].match_tenths, 585);
}

/// Prevents a likeness that is counted wrongly, a place that is not the best score's, and a price that would not do.
///
/// Nothing is known of these four, so S = 206·102 + 20·wear + 30·price; a step of R$ 100 below R$ 90.000 is worth
/// 41,779/65,536 of a point of utility:
///
/// | car | dealer | km | price | utility of price | S | match |
/// | --- | --- | --- | --- | --- | --- | --- |
/// | p Lada Niva SUV | loja | 40,000 → 204 | 70,000 | (200·41,779 + 32,768) >> 16 = 127 | 21,012 + 4080 + 3810 = 28,902 | 442 |
/// | q Lada Niva SUV | loja | 40,000 → 204 | 70,500 | (195·41,779 + 32,768) >> 16 = 124 | 21,012 + 4080 + 3720 = 28,812 | 441 |
/// | r Lada Laika sedan | loja | 39,999 → 204 | 71,000 | (190·41,779 + 32,768) >> 16 = 121 | 21,012 + 4080 + 3630 = 28,722 | 439 |
/// | s Dacia Logan sedan | outra | 50,000 → 191 | 80,000 | (100·41,779 + 32,768) >> 16 = 64 | 21,012 + 3820 + 1920 = 26,752 | 409 |
///
/// The pure order is p, q, r, s. **Variety**, 392 for each tenth of likeness to the most alike car above:
///
/// | place | q | r | s |
/// | --- | --- | --- | --- |
/// | 1 is p, the best score | | | |
/// | 2 | all ten: 28,812 − 3920 = 24,892 | brand 2, dealer 1: 28,722 − 1176 = **27,546** | none: 26,752 |
/// | 3 | all ten: 24,892 | | category 2 with r: 26,752 − 784 = **25,968** |
/// | 4 | **24,892** | | |
///
/// **To be first**, before p: q needs a utility of 127 and then ties; of the same km, year and a higher id it must cost
/// less than R$ 70.000, R$ 69.999,99. r ties too, but has driven 1 km less: R$ 70.000 will do. s needs
/// 24,832 + 30·u > 28,902, u ≥ 136: d·41,779 + 32,768 ≥ 136·65,536 from d = 213 on, so up to the end of the step of
/// R$ 68.700.
///
/// **Points** of price ×1000/65,280: 58.4, 57.0 (56.99), 55.6 and 29.4. The qualities of all four are 35.94, 56.25,
/// 26.56, 35.94, 56.25, 32.81, 42.19, 35.94, wear 62.5 or 58.5. Of the rests, p's five left go to the three .94, .81 and
/// .56, its price stays at 58; q's six to .99, .94 …: 57; r's five to .94 thrice, .81 and its price's .61: 56; s: 29.
/// So p leads r by 2 tenths in price, r leads s by 27 and s lies 28 behind q.
#[test]
fn four_unknown_cars_with_variety() {
    let known_by = |id: &str, brand: &str, model: &str, km, reais: u64| Car {
        brand: brand.to_owned(),
        model: model.to_owned(),
        odometer_km: km,
        price: Centavos(reais * 100),
        ..stranger(id)
    };
    let sedan = |car| Car {
        category: Category::Sedan,
        ..car
    };
    let cars = vec![
        known_by("p", "Lada", "Niva", 40_000, 70_000),
        known_by("q", "Lada", "Niva", 40_000, 70_500),
        sedan(known_by("r", "Lada", "Laika", 39_999, 71_000)),
        sedan(Car {
            dealership_id: "outra".to_owned(),
            ..known_by("s", "Dacia", "Logan", 50_000, 80_000)
        }),
    ];
    let stock = Stock {
        dealerships: vec![dealership("loja"), dealership("outra")],
        cars: cars.into(),
    };
    let catalogue = Catalogue::build(stock, tables(), TODAY, "test.1".to_owned()).unwrap();
    let pure = order(&catalogue, &questionnaire());
    let expected = [("p", 442), ("q", 441), ("r", 439), ("s", 409)];
    assert_eq!(pure, expected.map(|(id, tenths)| (id.to_owned(), tenths)));

    let varied = Questionnaire {
        diversify: true,
        ..questionnaire()
    };
    let answer = catalogue.recommend(&varied);
    let list: Vec<(&str, Option<u64>)> = answer
        .cars
        .iter()
        .map(|best| {
            let price = best.price_to_be_first.as_ref().map(|first| first.price.0);
            (best.car.car.id.as_str(), price)
        })
        .collect();
    assert_eq!(
        list,
        [
            ("p", None),
            ("r", Some(7_000_000)),
            ("s", Some(6_879_999)),
            ("q", Some(6_999_999))
        ]
    );
    let texts: Vec<&str> = answer
        .cars
        .iter()
        .filter_map(|best| best.comparison.as_ref())
        .map(|comparison| comparison.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "Fica 0,3 ponto à frente do próximo da lista, Lada Laika 2022 de R$ 71.000. Ganha mais em preço (+0,2 \
             ponto): R$ 70.000, R$ 20.000 abaixo do seu limite, contra R$ 71.000, R$ 19.000 abaixo do seu limite.",
            "Fica 3,0 pontos à frente do próximo da lista, Dacia Logan 2022 de R$ 80.000. Ganha mais em preço (+2,7 \
             pontos): R$ 71.000, R$ 19.000 abaixo do seu limite, contra R$ 80.000, R$ 10.000 abaixo do seu limite.",
            "O próximo da lista, Lada Niva 2022 de R$ 70.500, combina mais (44,1% contra 40,9%), mas vem depois para a \
             lista variar modelos, marcas, categorias e lojas. Perde mais em preço (−2,8 pontos): R$ 80.000, R$ 10.000 \
             abaixo do seu limite, contra R$ 70.500, R$ 19.500 abaixo do seu limite.",
        ]
    );
}

/// Prevents a car of which nothing is known from winning by its gaps, and a gap from passing unsaid.
///
/// Each quality counts 102: 206·102 + 20·204 + 30·127 = 28,902 → ⌊442.7⌋. With safety at priority 5 (value 12 against 4
/// of the others) that gap counts 77. Claims of 4·factor: 4000, 6400, 2800, 4000, 12·1600 = 19,200, 3600, 4800, 4000 of
/// 48,800, for 198: 16.2, 26.0, 11.4, 16.2, 77.9, 14.6, 19.5, 16.2. Rounded down they sum to 195; safety (.90), revenda
/// (.61) and confiabilidade (.48) get the three left, so safety weighs 78 + 1 and the other seven 127:
/// 127·102 + 79·77 + 4080 + 3810 = 26,927 → ⌊412.5⌋.
#[test]
fn an_unknown_model_for_a_family() {
    let catalogue = catalogue(vec![stranger("a")]);
    let answer = catalogue.recommend(&questionnaire());
    assert_eq!(answer.cars[0].match_tenths, 442);
    assert_eq!(
        answer.cars[0].attention_points.last().unwrap(),
        "Não temos dados deste carro sobre consumo, espaço, desempenho, conforto, segurança, revenda, \
         confiabilidade e custo de manutenção; por isso esses itens receberam só parte dos pontos."
    );
    let guarded = catalogue.recommend(&questionnaire().with_priority(Quality::Safety, 5));
    assert_eq!(guarded.cars[0].match_tenths, 412);
}

/// Prevents a tie from being broken by chance: cheaper, then driven less, then newer, then the lower id.
#[test]
fn ties_are_broken_in_order() {
    // R$ 70.010 and R$ 70.090 share the step of R$ 100; 40,000 and 40,001 km differ in no utility.
    let priced = |id, reais: u64| {
        let mut car = stranger(id);
        car.price.0 = reais * 100;
        car
    };
    let mut driven = priced("c", 70_010);
    driven.odometer_km += 1;
    let mut older = priced("b", 70_010);
    older.year -= 1;
    let cars = vec![
        priced("a", 70_090),
        older,
        driven,
        priced("e", 70_010),
        priced("d", 70_010),
    ];
    let catalogue = catalogue(cars);
    let answer = catalogue.recommend(&questionnaire());
    let ids: Vec<&str> = answer.cars.iter().map(|best| best.car.car.id.as_str()).collect();
    assert_eq!(ids, ["d", "e", "b", "c", "a"]);
    assert!(
        answer
            .cars
            .iter()
            .all(|best| best.match_tenths == answer.cars[0].match_tenths)
    );
}

/// Prevents two wishes of which one is met from counting as anything but half, and a wish from filtering.
#[test]
fn wishes_count_but_never_filter() {
    let catalogue = catalogue(vec![onix("a")]);
    let wishing = Questionnaire {
        preferred_brands: vec!["gm".to_owned()],
        preferred_gearboxes: vec![faciliauto_engine::Gearbox::Automatic],
        ..questionnaire()
    };
    let answer = catalogue.recommend(&wishing);
    let wishes = answer.cars[0]
        .contributions
        .iter()
        .find(|part| part.criterion == Criterion::Preferences);
    let wishes = wishes.unwrap();
    // 24 · 128 · 1000 / 65,280 = 47.06 of 93.75
    assert_eq!(wishes.points_tenths, 47);
    assert_eq!(
        wishes.fact,
        "atende marca Chevrolet; não atende câmbio (é manual)"
    );
}

/// Prevents a priority that a caller did not check from reading past the table.
#[test]
fn priorities_out_of_range_count_as_the_nearest() {
    let catalogue = catalogue(vec![onix("a")]);
    let with = |priority| Questionnaire {
        priorities: Priorities([priority; 8]),
        ..questionnaire()
    };
    assert_eq!(
        catalogue.recommend(&with(0)).weights,
        catalogue.recommend(&with(1)).weights
    );
    assert_eq!(
        catalogue.recommend(&with(200)).weights,
        catalogue.recommend(&with(5)).weights
    );
}

/// Prevents a requirement stated twice from hiding that it alone emptied the list.
#[test]
fn a_requirement_stated_twice_is_one_filter() {
    let catalogue = catalogue(vec![onix("a")]);
    let twice = Questionnaire {
        must_haves: vec![MustHave::AutomaticGearbox; 2],
        ..questionnaire()
    };
    let answer = catalogue.recommend(&twice);
    assert_eq!(answer.filters.len(), 2);
    assert_eq!(answer.filters[1].removed_only, 1);
}
