//! One row: a car or a dealership as JSON, with the names that every app of ours already speaks.
//!
//! The same rows are a dealer's file and, one a line, what the store keeps, which adds `confirmado_em`.

use std::io::{self, BufRead, BufReader, Read, Write};

use faciliauto_engine::{
    equipment,
    stock::{Car, Cars, Category, Centavos, Dealership, Fuel, Gearbox},
    tables::STATES,
};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    document::Value,
    fields::{Fields, Findings, Shape},
};

/// Ids are parts of keys and of addresses.
const LONGEST_ID: usize = 64;

/// The words on the wire of each closed list, as a message names them.
pub mod words {
    use super::{Category, Fuel, Gearbox};

    /// Fuels.
    #[must_use]
    pub fn fuels() -> [&'static str; Fuel::ALL.len()] {
        Fuel::ALL.map(Fuel::word)
    }

    /// Gearboxes.
    #[must_use]
    pub fn gearboxes() -> [&'static str; Gearbox::ALL.len()] {
        Gearbox::ALL.map(Gearbox::word)
    }

    /// Bodies.
    #[must_use]
    pub fn categories() -> [&'static str; Category::ALL.len()] {
        Category::ALL.map(Category::word)
    }
}

/// Reads a dealership. `None` when it has mistakes, which are noted.
pub fn dealership(row: Value<'_>, pointer: String, findings: &mut Findings) -> Option<Dealership> {
    let before = findings.error_count;
    let mut fields = Fields::new(row, pointer, findings)?;
    let dealership = dealership_of(&mut fields);
    fields.finish();
    dealership.filter(|_| findings.error_count == before)
}

/// What may be said of a dealership.
#[must_use]
pub fn dealership_shape() -> Shape {
    Fields::describe(|fields| drop(dealership_of(fields)))
}

/// `None` only when a required field is missing or ill-typed, which is noted.
fn dealership_of(fields: &mut Fields<'_>) -> Option<Dealership> {
    let id = fields.required("id", identifier);
    let name = fields.required("name", Fields::text);
    let city = fields.required("city", Fields::text);
    let state = fields.required("state", state);
    let phone = fields.text("phone");
    let whatsapp = whatsapp(fields);
    let email = fields.text("email");
    let website = fields.text("website");
    let latitude = fields.number("latitude", -90.0..=90.0);
    let longitude = fields.number("longitude", -180.0..=180.0);
    let active = fields.flag("active").unwrap_or(true);
    let verified = fields.flag("verified").unwrap_or(false);
    let premium = fields.flag("premium").unwrap_or(false);
    // Answers carry these beside the record; a dealer may send back what it was given.
    for derived in ["region", "total_cars", "avg_price"] {
        fields.take(derived);
    }
    // The catalogue checks it, for stock from wherever it comes.
    fields.rule(|| {
        json!({"anyOf": [
            {"required": ["latitude", "longitude"],
                "properties": {"latitude": {"type": "number"}, "longitude": {"type": "number"}}},
            {"properties": {"latitude": {"type": "null"}, "longitude": {"type": "null"}}},
        ]})
    });
    Some(Dealership {
        id: id?,
        name: name?,
        city: city?,
        state: state?,
        phone,
        whatsapp,
        email,
        website,
        latitude,
        longitude,
        active,
        verified,
        premium,
    })
}

/// Reads a car. `None` when it has mistakes, which are noted. `dealership`: whose it is when the row need
/// not say so.
pub fn car(
    row: Value<'_>,
    pointer: String,
    dealership: Option<&str>,
    findings: &mut Findings,
) -> Option<Car> {
    let before = findings.error_count;
    let mut fields = Fields::new(row, pointer, findings)?;
    let car = car_of(&mut fields, dealership);
    fields.finish();
    car.filter(|_| findings.error_count == before)
}

/// What a row of a dealer's own stock may say.
#[must_use]
pub fn car_shape() -> Shape {
    Fields::describe(|fields| {
        // An upload takes it out of the row and compares it with its address.
        fields.text("dealership_id");
        drop(car_of(fields, Some("")));
    })
}

/// `None` only when a required field is missing or ill-typed, which is noted.
fn car_of(fields: &mut Fields<'_>, dealership: Option<&str>) -> Option<Car> {
    // The catalogue checks prices, beside what rows say of each other.
    for price in ["preco", "preco_fipe"] {
        fields.narrow(price, || json!({"minimum": 0.01, "maximum": 100_000_000}));
    }
    let id = fields.required("id", identifier);
    let dealership_id = match dealership {
        Some(id) => Some(id.to_owned()),
        None => fields.required("dealership_id", identifier),
    };
    let name = fields.text("nome");
    let brand = fields.required("marca", Fields::text);
    let model = fields.required("modelo", Fields::text);
    let version = fields.text("versao");
    let year = fields.required("ano", |fields, name| fields.integer(name, 1900..=2100));
    let price = fields.required("preco", Fields::money);
    let odometer_km = fields.required("quilometragem", |fields, name| {
        fields.integer(name, 0..=5_000_000)
    });
    let fuel = fields.required("combustivel", |fields, name| {
        fields.word(name, &words::fuels(), Fuel::from_word)
    });
    let gearbox = fields.required("cambio", |fields, name| {
        fields.word(name, &words::gearboxes(), Gearbox::from_word)
    });
    let category = fields.required("categoria", |fields, name| {
        fields.word(name, &words::categories(), Category::from_word)
    });
    let colour = fields.text("cor");
    let doors = fields.integer("portas", 1..=9);
    let images = fields.texts("imagens").unwrap_or_default();
    let available = fields.flag("disponivel").unwrap_or(true);
    let featured = fields.flag("destaque").unwrap_or(false);
    let sample = fields.flag("amostra").unwrap_or(false);
    let equipment = fields.words("equipamentos", equipment::VOCABULARY, |text| {
        equipment::find(text).map(str::to_owned)
    });
    let auction = fields.flag("leilao");
    let accident = fields.flag("sinistro");
    let single_owner = fields.flag("unico_dono");
    let armoured = fields.flag("blindado");
    let ipva_paid = fields.flag("ipva_pago");
    let fipe_price = fields.money("preco_fipe");
    let confirmed_on = date(fields, "confirmado_em");
    Some(Car {
        id: id?,
        dealership_id: dealership_id?,
        name,
        brand: brand?,
        model: model?,
        version,
        year: year?,
        price: price?,
        odometer_km: odometer_km?,
        fuel: fuel?,
        gearbox: gearbox?,
        category: category?,
        colour,
        doors,
        images,
        available,
        featured,
        sample,
        equipment,
        auction,
        accident,
        single_owner,
        armoured,
        ipva_paid,
        fipe_price,
        confirmed_on,
    })
}

/// How many bytes its texts have, which are the only part of a car that can be large.
#[must_use]
pub fn text_bytes(car: &Car) -> usize {
    let optional = [&car.name, &car.version, &car.colour].into_iter().flatten();
    let lists = car.images.iter().chain(car.equipment.iter().flatten());
    let texts = [&car.id, &car.dealership_id, &car.brand, &car.model].into_iter();
    texts.chain(optional).chain(lists).map(String::len).sum()
}

/// What an id is.
#[must_use]
pub fn identifier_schema() -> serde_json::Value {
    json!({"type": "string", "pattern": format!("^[A-Za-z0-9._-]{{1,{LONGEST_ID}}}$")})
}

fn identifier(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    fields.narrow(name, identifier_schema);
    let text = fields.text(name)?;
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if text.len() > LONGEST_ID || !text.chars().all(allowed) {
        fields.error(
            name,
            "format",
            format!("deve ter até {LONGEST_ID} letras, dígitos, '.', '_' ou '-'"),
        );
        return None;
    }
    Some(text)
}

/// Two letters of one of the 27 states, in capitals.
pub fn state(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    fields.word(name, &STATES, |text| {
        let letters = text.trim().to_uppercase();
        STATES.contains(&letters.as_str()).then_some(letters)
    })
}

/// A number as people print it, in E.164.
fn whatsapp(fields: &mut Fields<'_>) -> Option<String> {
    fields.narrow("whatsapp", || json!({"pattern": "^([^0-9]*[0-9]){8,15}[^0-9]*$"}));
    let text = fields.text("whatsapp")?;
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    // A Brazilian number without its country: two digits of area and eight or nine of line.
    let international = match digits.len() {
        10 | 11 if !text.trim_start().starts_with('+') => format!("+55{digits}"),
        8..=15 => format!("+{digits}"),
        _ => {
            fields.error(
                "whatsapp",
                "format",
                "deve ser um número com DDD, como +5511987654321",
            );
            return None;
        }
    };
    Some(international)
}

fn date(fields: &mut Fields<'_>, name: &str) -> Option<Date> {
    fields.narrow(name, || json!({"format": "date"}));
    let parsed = fields.text(name)?.parse();
    if parsed.is_err() {
        fields.error(name, "format", "deve ser uma data, como 2026-11-25");
    }
    parsed.ok()
}

/// A car as a row.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StockRow")]
pub(crate) struct CarRow<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nome: Option<&'a str>,
    marca: &'a str,
    modelo: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    versao: Option<&'a str>,
    ano: u16,
    preco: f64,
    quilometragem: u32,
    combustivel: &'a str,
    cambio: &'a str,
    categoria: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portas: Option<u8>,
    imagens: &'a [String],
    disponivel: bool,
    destaque: bool,
    amostra: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    equipamentos: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leilao: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sinistro: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unico_dono: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blindado: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipva_pago: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preco_fipe: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmado_em: Option<String>,
}

impl<'a> From<&'a Car> for CarRow<'a> {
    fn from(car: &'a Car) -> Self {
        let Car {
            id,
            // The dealership stands once, around its cars.
            dealership_id: _,
            name,
            brand,
            model,
            version,
            year,
            price,
            odometer_km,
            fuel,
            gearbox,
            category,
            colour,
            doors,
            images,
            available,
            featured,
            sample,
            equipment,
            auction,
            accident,
            single_owner,
            armoured,
            ipva_paid,
            fipe_price,
            confirmed_on,
        } = car;
        Self {
            id,
            nome: name.as_deref(),
            marca: brand,
            modelo: model,
            versao: version.as_deref(),
            ano: *year,
            preco: reais(*price),
            quilometragem: *odometer_km,
            combustivel: fuel.word(),
            cambio: gearbox.word(),
            categoria: category.word(),
            cor: colour.as_deref(),
            portas: *doors,
            imagens: images,
            disponivel: *available,
            destaque: *featured,
            amostra: *sample,
            equipamentos: equipment.as_deref(),
            leilao: *auction,
            sinistro: *accident,
            unico_dono: *single_owner,
            blindado: *armoured,
            ipva_pago: *ipva_paid,
            preco_fipe: fipe_price.map(reais),
            confirmado_em: confirmed_on.map(|day| day.to_string()),
        }
    }
}

/// A dealership as a row.
#[derive(Serialize)]
struct DealershipRow<'a> {
    id: &'a str,
    name: &'a str,
    city: &'a str,
    state: &'a str,
    phone: Option<&'a str>,
    whatsapp: Option<&'a str>,
    email: Option<&'a str>,
    website: Option<&'a str>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    active: bool,
    verified: bool,
    premium: bool,
}

/// Centavos as the number of reais that the wire carries; exact for every price that there is.
#[must_use]
pub fn reais(Centavos(centavos): Centavos) -> f64 {
    centavos as f64 / 100.0
}

/// A dealership as the store keeps it.
#[must_use]
pub fn dealership_to_json(dealership: &Dealership) -> String {
    let Dealership {
        id,
        name,
        city,
        state,
        phone,
        whatsapp,
        email,
        website,
        latitude,
        longitude,
        active,
        verified,
        premium,
    } = dealership;
    let row = DealershipRow {
        id,
        name,
        city,
        state,
        phone: phone.as_deref(),
        whatsapp: whatsapp.as_deref(),
        email: email.as_deref(),
        website: website.as_deref(),
        latitude: *latitude,
        longitude: *longitude,
        active: *active,
        verified: *verified,
        premium: *premium,
    };
    // A struct of texts, numbers and flags always serialises.
    serde_json::to_string(&row).unwrap_or_default()
}

/// The dealership that the store kept.
///
/// # Errors
/// What is wrong with it.
pub fn dealership_from_json(text: &str) -> Result<Dealership, String> {
    let value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut findings = Findings::default();
    dealership(value, String::new(), &mut findings).ok_or_else(|| first_mistake(&findings))
}

/// Writes cars one a line.
///
/// # Errors
/// Those of the writer.
pub fn write_cars<'a>(mut writer: impl Write, cars: impl IntoIterator<Item = &'a Car>) -> io::Result<()> {
    for car in cars {
        serde_json::to_writer(&mut writer, &CarRow::from(car))?;
        writer.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads cars of one dealership, one a line.
///
/// # Errors
/// The first line that is no car, with its number and what is wrong with it.
pub fn read_cars(reader: impl Read, dealership: &str) -> Result<Cars, String> {
    let mut cars = Cars::new();
    for (index, line) in BufReader::new(reader).lines().enumerate() {
        let number = index + 1;
        let line = line.map_err(|error| format!("line {number}: {error}"))?;
        cars.push(read_car(line.as_bytes(), number, dealership)?);
    }
    Ok(cars)
}

/// Reads a car of a dealership from a line.
///
/// # Errors
/// That it is no car, with its number and what is wrong with it.
pub fn read_car(line: &[u8], number: usize, dealership: &str) -> Result<Car, String> {
    let value = serde_json::from_slice(line).map_err(|error| format!("line {number}: {error}"))?;
    let mut findings = Findings::default();
    let car = car(value, String::new(), Some(dealership), &mut findings);
    car.ok_or_else(|| format!("line {number}: {}", first_mistake(&findings)))
}

pub(crate) fn first_mistake(findings: &Findings) -> String {
    findings.errors.first().map_or_else(
        || "no row".to_owned(),
        |error| format!("{} {}", error.pointer, error.message),
    )
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn full_car() -> Car {
        Car {
            id: "c-1".to_owned(),
            dealership_id: "d-1".to_owned(),
            name: Some("Argo à venda".to_owned()),
            brand: "Fiat".to_owned(),
            model: "Argo".to_owned(),
            version: Some("1.0 Drive".to_owned()),
            year: 2020,
            price: Centavos(6_299_029),
            odometer_km: 41_000,
            fuel: Fuel::NaturalGas,
            gearbox: Gearbox::Cvt,
            category: Category::Suv,
            colour: Some("Prata".to_owned()),
            doors: Some(4),
            images: vec!["https://example.com/1.jpg".to_owned()],
            available: false,
            featured: true,
            sample: true,
            equipment: Some(vec!["isofix".to_owned()]),
            auction: Some(true),
            accident: Some(false),
            single_owner: Some(true),
            armoured: Some(false),
            ipva_paid: Some(true),
            fipe_price: Some(Centavos(6_400_001)),
            confirmed_on: Some(date(2026, 11, 3)),
        }
    }

    /// Prevents the store from losing or changing a field of a car between two servers.
    #[test]
    fn cars_come_back_as_they_were() {
        let mut bare = full_car();
        bare.id = "c-2".to_owned();
        (bare.name, bare.version, bare.colour, bare.doors) = (None, None, None, None);
        (bare.equipment, bare.auction, bare.accident, bare.single_owner) = (None, None, None, None);
        (bare.armoured, bare.ipva_paid, bare.fipe_price, bare.confirmed_on) = (None, None, None, None);
        let cars = Cars::from([full_car(), bare]);
        let mut text = Vec::new();
        write_cars(&mut text, &cars).unwrap();
        assert_eq!(read_cars(text.as_slice(), "d-1"), Ok(cars));
    }

    /// Prevents the store from losing or changing a field of a dealership.
    #[test]
    fn dealerships_come_back_as_they_were() {
        let dealership = Dealership {
            id: "d-1".to_owned(),
            name: "Um".to_owned(),
            city: "Recife".to_owned(),
            state: "PE".to_owned(),
            phone: Some("(81) 3333-4444".to_owned()),
            whatsapp: Some("+5581987654321".to_owned()),
            email: Some("um@example.com".to_owned()),
            website: Some("https://um.example.com".to_owned()),
            latitude: Some(-8.05),
            longitude: Some(-34.9),
            active: false,
            verified: true,
            premium: true,
        };
        assert_eq!(
            dealership_from_json(&dealership_to_json(&dealership)),
            Ok(dealership)
        );
    }

    /// Prevents a printed number from making a link that no telephone understands.
    #[test]
    fn whatsapp_numbers_become_international() {
        for (printed, expected) in [
            ("(11) 98765-4321", Some("+5511987654321")),
            ("+55 11 98765-4321", Some("+5511987654321")),
            ("5511987654321", Some("+5511987654321")),
            ("+1 202 555 0123", Some("+12025550123")),
            ("123", None),
        ] {
            let row =
                serde_json::json!({"id": "d", "name": "n", "city": "c", "state": "pe", "whatsapp": printed});
            let read = dealership(row.into(), String::new(), &mut Findings::default());
            assert_eq!(
                read.as_ref().and_then(|dealer| dealer.whatsapp.as_deref()),
                expected,
                "{printed}"
            );
            assert_eq!(read.map(|dealer| dealer.state), expected.map(|_| "PE".to_owned()));
        }
    }
}
