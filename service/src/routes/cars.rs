//! `GET /cars` and `GET /cars/{id}`. A list shows what is on offer, page by page; a single car is shown for
//! as long as it is in the stock, with `disponivel` saying whether it still can be bought.

use std::cmp::Ordering;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{HeaderValue, LINK},
    },
    web,
};
use faciliauto_engine::{
    catalogue::{Catalogue, CatalogueCar},
    stock::{Category, Centavos},
    text::fold,
};
use serde_json::json;

use super::{
    openapi::{Description, Group},
    query::{Query, escape},
    wire::CarAnswer,
};
use crate::{
    error::ApiError,
    fields::Fields,
    startup::Shared,
    stock::rows::{self, words},
};

const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: i64 = 200;

/// Says which parameters of the query nobody knows.
pub(super) const IGNORED: &str = "X-Ignored-Parameters";

/// What it says, to readers of the description.
pub(super) const IGNORED_TEXT: &str = "Os parâmetros desconhecidos, que não foram usados.";

/// How a list is ordered. Equal cars stand in the order of their ids, so every order is total and a page
/// can begin exactly behind another, also when the stock changed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Id,
    PriceUp,
    PriceDown,
    YearUp,
    YearDown,
    OdometerUp,
    OdometerDown,
}

impl Order {
    const WORDS: [&str; 7] = [
        "id",
        "preco_asc",
        "preco_desc",
        "ano_asc",
        "ano_desc",
        "km_asc",
        "km_desc",
    ];

    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "id" => Self::Id,
            "preco" | "preco_asc" => Self::PriceUp,
            "preco_desc" => Self::PriceDown,
            "ano_asc" => Self::YearUp,
            "ano" | "ano_desc" => Self::YearDown,
            "km" | "km_asc" => Self::OdometerUp,
            "km_desc" => Self::OdometerDown,
            _ => return None,
        })
    }

    /// What is compared before the id, the smaller first.
    fn key(self, item: &CatalogueCar) -> i64 {
        let price = i64::try_from(item.car.price.0).unwrap_or(i64::MAX);
        match self {
            Self::Id => 0,
            Self::PriceUp => price,
            Self::PriceDown => -price,
            Self::YearUp => i64::from(item.car.year),
            Self::YearDown => -i64::from(item.car.year),
            Self::OdometerUp => i64::from(item.car.odometer_km),
            Self::OdometerDown => -i64::from(item.car.odometer_km),
        }
    }
}

/// Where a page ended: key and id of its last car.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    key: i64,
    id: String,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (key, id) = text.split_once('~')?;
        Some(Self {
            key: key.parse().ok()?,
            id: id.to_owned(),
        })
    }

    fn is_before(&self, key: i64, id: &str) -> bool {
        self.key.cmp(&key).then_with(|| self.id.as_str().cmp(id)) == Ordering::Less
    }
}

/// What is asked for.
struct Search {
    dealership_id: Option<String>,
    brand: Option<String>,
    category: Option<Category>,
    price_minimum: Option<Centavos>,
    price_maximum: Option<Centavos>,
    year_minimum: Option<u16>,
    odometer_maximum: Option<u32>,
    state: Option<String>,
    order: Order,
    limit: usize,
    cursor: Option<Cursor>,
}

impl Search {
    const NUMBERS: [&str; 5] = ["preco_min", "preco_max", "ano_min", "km_max", "limit"];

    fn read(fields: &mut Fields<'_>) -> Self {
        fields.narrow("cursor", || json!({"pattern": "^-?[0-9]{1,18}~"}));
        let cursor = fields.text("cursor").and_then(|text| {
            let cursor = Cursor::parse(&text);
            if cursor.is_none() {
                fields.error(
                    "cursor",
                    "format",
                    "deve vir do cabeçalho Link de uma página anterior",
                );
            }
            cursor
        });
        Self {
            dealership_id: fields.text("dealership_id"),
            brand: fields.text("marca"),
            category: fields.word("categoria", &words::categories(), Category::from_word),
            price_minimum: fields.money("preco_min"),
            price_maximum: fields.money("preco_max"),
            year_minimum: fields.integer("ano_min", 1900..=2100),
            odometer_maximum: fields.integer("km_max", 0..=5_000_000),
            state: rows::state(fields, "estado"),
            order: fields
                .word("ordenar", &Order::WORDS, Order::from_word)
                .unwrap_or(Order::Id),
            limit: fields
                .integer("limit", 1..=LARGEST_LIMIT)
                .unwrap_or(DEFAULT_LIMIT),
            cursor,
        }
    }

    /// The cars of the page, and whether there are more behind it.
    fn page<'a>(&self, catalogue: &'a Catalogue) -> (Vec<&'a CatalogueCar>, bool) {
        let folded = |text: &str| catalogue.tables().brand_alias(&fold(text)).to_owned();
        let brand = self.brand.as_deref().map(folded);
        let keep = |item: &&CatalogueCar| {
            let car = &item.car;
            catalogue.is_available(item)
                && self
                    .dealership_id
                    .as_ref()
                    .is_none_or(|id| *id == car.dealership_id)
                && brand.as_ref().is_none_or(|brand| *brand == folded(&car.brand))
                && self.category.is_none_or(|category| category == car.category)
                && self.price_minimum.is_none_or(|least| car.price >= least)
                && self.price_maximum.is_none_or(|most| car.price <= most)
                && self.year_minimum.is_none_or(|least| car.year >= least)
                && self.odometer_maximum.is_none_or(|most| car.odometer_km <= most)
                && self.state.as_ref().is_none_or(|state| {
                    catalogue
                        .dealership(&car.dealership_id)
                        .is_some_and(|seller| seller.state == *state)
                })
                && self
                    .cursor
                    .as_ref()
                    .is_none_or(|cursor| cursor.is_before(self.order.key(item), &car.id))
        };
        let mut cars: Vec<&CatalogueCar> = catalogue.cars().filter(keep).collect();
        // Stable, over cars that stand in the order of their ids.
        cars.sort_by_key(|item| self.order.key(item));
        let more = cars.len() > self.limit;
        cars.truncate(self.limit);
        (cars, more)
    }
}

pub(super) fn describe_list() -> Description {
    Description::new(Group::Stock, "Os carros à venda, página por página")
        .details("A página seguinte está no cabeçalho Link, com rel=\"next\".")
        .query(|fields| {
            Search::read(fields);
        })
        .answers::<Vec<CarAnswer<'static>>>(StatusCode::OK, "Os carros da página.")
        .with_optional_header("Link", "A página seguinte, quando há.")
        .with_optional_header(IGNORED, IGNORED_TEXT)
        .refuses([ApiError::NoCatalogue])
}

pub(super) fn describe() -> Description {
    Description::new(Group::Stock, "Um carro")
        .details("Também depois de vendido, com disponivel false, enquanto está no estoque.")
        .answers::<CarAnswer<'static>>(StatusCode::OK, "O carro.")
        .refuses([ApiError::NoCatalogue, ApiError::CarNotFound])
}

pub(super) async fn list(request: HttpRequest, shared: web::Data<Shared>) -> Result<HttpResponse, ApiError> {
    let (search, unknown) =
        Query::parse(request.query_string())?.read(&Search::NUMBERS, &[], Search::read)?;
    let served = shared.showroom.open()?;
    let (cars, more) = search.page(&served.catalogue);
    let mut response = named_unknown(HttpResponse::Ok(), &unknown);
    if more && let Some(last) = cars.last() {
        let link = next_page(&request, &format!("{}~{}", search.order.key(last), last.car.id));
        response.insert_header((LINK, format!("<{link}>; rel=\"next\"")));
    }
    let answers: Vec<_> = cars
        .into_iter()
        .filter_map(|item| CarAnswer::new(&served.catalogue, item))
        .collect();
    Ok(response.json(answers))
}

pub(super) async fn show(
    path: web::Path<String>,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, ApiError> {
    let served = shared.showroom.open()?;
    let item = served.catalogue.car(&path).ok_or(ApiError::CarNotFound)?;
    let answer = CarAnswer::new(&served.catalogue, item).ok_or(ApiError::CarNotFound)?;
    Ok(HttpResponse::Ok().json(answer))
}

/// The same request with another cursor.
pub(super) fn next_page(request: &HttpRequest, cursor: &str) -> String {
    let kept = request
        .query_string()
        .split('&')
        .filter(|parameter| !parameter.is_empty() && !parameter.starts_with("cursor="));
    let mut query: Vec<String> = kept.map(str::to_owned).collect();
    query.push(format!("cursor={}", escape(cursor)));
    format!("{}?{}", request.path(), query.join("&"))
}

/// Names the parameters that were not used in a header, since a list has no room for warnings.
pub(super) fn named_unknown(mut response: HttpResponseBuilder, unknown: &[String]) -> HttpResponseBuilder {
    let names: Vec<String> = unknown.iter().map(|name| escape(name)).collect();
    if !names.is_empty()
        && let Ok(value) = HeaderValue::from_str(&names.join(", "))
    {
        response.insert_header((IGNORED, value));
    }
    response
}
