//! `models.csv` and `names.csv`: technical facts of the models sold in Brazil, and how sellers write their names.

use std::sync::Arc;

use crate::{
    stock::{Car, Category, Fuel, Gearbox},
    text::fold,
};

use super::{
    TableError,
    reader::{Provenance, Row, Sheet},
};

pub(super) const FILE: &str = "models.csv";
pub(super) const NAMES_FILE: &str = "names.csv";

/// The newest model year that the table knows; a model still on sale then may carry the next model year.
const TABLE_YEAR: u16 = 2026;

/// Distance per unit of energy, km/l (km/m³ for natural gas).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consumption {
    /// In town.
    pub city: f64,
    /// On the road.
    pub highway: f64,
}

/// What a ride app accepts the model as; the classes are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AppClass {
    /// Not accepted.
    None,
    /// The plain class.
    X,
    /// The middle class.
    Comfort,
    /// The highest class.
    Black,
}

/// Technical facts of one model; `None` = not known.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFacts {
    /// As the maker writes it.
    pub brand: String,
    /// Model and engine: the name of the row.
    pub name: String,
    /// Model as sellers write it.
    pub family: String,
    /// Engine and gearbox as sellers write them.
    pub version: String,
    /// Body as buyers search for it.
    pub category: Category,
    /// First and last year sold.
    pub years: (u16, u16),
    /// What moves it.
    pub fuel: Fuel,
    /// How gears are changed.
    pub gearbox: Gearbox,
    /// Power, cv.
    pub power_cv: u16,
    /// Seats, the driver's included.
    pub seats: u8,
    /// Boot, bed or load space, litres.
    pub boot_l: u16,
    /// On gasoline.
    pub gasoline: Option<Consumption>,
    /// On ethanol.
    pub ethanol: Option<Consumption>,
    /// On diesel.
    pub diesel: Option<Consumption>,
    /// On electricity.
    pub kwh_100km: Option<f64>,
    /// Latin NCAP stars, 0 to 5.
    pub stars: Option<u8>,
    /// Year of that crash test.
    pub stars_year: Option<u16>,
    /// Airbags of the base version.
    pub airbags: Option<u8>,
    /// ISOFIX anchors.
    pub isofix: Option<bool>,
    /// Electronic stability control on every version and year.
    pub stability_control: Option<bool>,
    /// The best class that a ride app accepts it for.
    pub app_class: Option<AppClass>,
    /// Cost of maintenance, 1 cheap to 5 dear.
    pub maintenance_class: Option<u8>,
    /// Insurance, % of value a year.
    pub insurance_percent: Option<f64>,
    /// Depreciation, % a year.
    pub depreciation_percent: Option<f64>,
    /// Reliability, 1 to 5, estimated.
    pub reliability: Option<f64>,
    /// Kerb mass, kg.
    pub mass_kg: Option<u16>,
    /// Engine displacement, cc; 0 without a combustion engine.
    pub displacement_cc: u16,
    /// Depreciation segment.
    pub segment: String,
    /// A pickup with one row of seats.
    pub single_cab: bool,
    /// Comfort items of a usual version, 0 to 10.
    pub comfort_items: Option<u8>,
    /// The engine is turbocharged.
    pub turbo: bool,
    /// Displacements in tenths of a litre by which the engine is advertised.
    engine_sizes: Vec<u16>,
    /// Its place in the file, by which its texts are found.
    pub(crate) place: usize,
}

impl ModelFacts {
    /// A pickup, whose load space is a bed.
    #[must_use]
    pub fn is_pickup(&self) -> bool {
        self.category == Category::Pickup
    }
}

/// Every known model, found by what a seller wrote.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    rows: Vec<Arc<ModelFacts>>,
    /// Folded brand, folded way of writing the model, row; longer spellings first, then the order of the file.
    spellings: Vec<(String, String, usize)>,
}

impl Models {
    pub(super) fn read(text: &str, names: &str) -> Result<(Self, Provenance, Provenance), TableError> {
        let sheet = Sheet::read(FILE, text)?;
        let names = Sheet::read(NAMES_FILE, names)?;
        let mut rows = Vec::with_capacity(sheet.rows.len());
        let mut spellings = Vec::new();
        for (index, row) in sheet.rows.iter().enumerate() {
            let (brand, model) = (row.text("brand")?, row.text("model")?);
            if rows
                .iter()
                .any(|known: &Arc<ModelFacts>| known.brand == brand && known.name == model)
            {
                return Err(row.error("model", format!("{brand} {model} stands twice in the file")));
            }
            let mut written = Vec::new();
            for name in &names.rows {
                if name.text("brand")? == brand && name.text("model")? == model {
                    written.push(name);
                }
            }
            let [name] = written[..] else {
                let message = format!(
                    "{brand} {model} has {} rows in {NAMES_FILE}, not one",
                    written.len()
                );
                return Err(row.error("model", message));
            };
            let folded_brand = fold(brand);
            let aliases = name
                .cell("aliases")?
                .split(';')
                .map(fold)
                .filter(|alias| !alias.is_empty());
            for spelling in aliases.chain([fold(name.text("family")?), fold(model)]) {
                spellings.push((folded_brand.clone(), spelling, index));
            }
            rows.push(Arc::new(read_model(row, name, index)?));
        }
        if let Some(stray) = names.rows.iter().find(|name| {
            let key = (
                name.cell("brand").unwrap_or_default(),
                name.cell("model").unwrap_or_default(),
            );
            !rows
                .iter()
                .any(|known| (known.brand.as_str(), known.name.as_str()) == key)
        }) {
            return Err(stray.error("model", format!("no such model in {FILE}")));
        }
        spellings.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.cmp(b)));
        Ok((Self { rows, spellings }, sheet.provenance, names.provenance))
    }

    pub(crate) fn all(&self) -> &[Arc<ModelFacts>] {
        &self.rows
    }

    /// The row that an advertised car belongs to; `None` rather than a guess when brand, model, year, fuel or
    /// engine size contradict every row. `folded_brand` has its aliases resolved.
    ///
    /// The longest spelling that begins the advertised model decides the family (`Onix Plus` before `Onix`);
    /// within it body, gearbox and turbo choose, and of equals the first in the file, its plainest version.
    pub(crate) fn find(&self, car: &Car, folded_brand: &str) -> Option<&Arc<ModelFacts>> {
        let written = fold(&car.model);
        let begins = |spelling: &str| {
            written
                .strip_prefix(spelling)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let longest = self
            .spellings
            .iter()
            .find(|(brand, spelling, _)| brand == folded_brand && begins(spelling))
            .map(|(_, spelling, _)| spelling.as_str())?;
        let advertised = Advertised::read(car);
        self.spellings
            .iter()
            .filter(|(brand, spelling, _)| brand == folded_brand && spelling == longest)
            .filter_map(|(_, _, index)| {
                let model = &self.rows[*index];
                advertised
                    .agreement(car, model)
                    .map(|points| (points, std::cmp::Reverse(*index), model))
            })
            .max_by_key(|(points, order, _)| (*points, *order))
            .map(|(_, _, model)| model)
    }
}

/// What model and version text say about the engine.
struct Advertised {
    engine_size: Option<u16>,
    turbo: bool,
}

impl Advertised {
    fn read(car: &Car) -> Self {
        let text = format!("{} {}", car.model, car.version.as_deref().unwrap_or_default()).to_lowercase();
        let turbo_words = ["turbo", "tsi", "tgdi", "tb", "t200", "t270", "td350", "thp"];
        let turbo = fold(&text).split(' ').any(|word| turbo_words.contains(&word))
            || text.split_whitespace().any(|word| {
                word.strip_suffix('t')
                    .is_some_and(|size| engine_sizes(size).len() == 1 && size.len() == 3)
            });
        Self {
            engine_size: engine_sizes(&text).first().copied(),
            turbo,
        }
    }

    /// `None` when the car cannot be this model, else how well it agrees.
    fn agreement(&self, car: &Car, model: &ModelFacts) -> Option<u32> {
        let last_year = if model.years.1 >= TABLE_YEAR {
            model.years.1 + 1
        } else {
            model.years.1
        };
        let in_years = (model.years.0..=last_year).contains(&car.year);
        let same_engine = self
            .engine_size
            .is_none_or(|size| model.engine_sizes.is_empty() || model.engine_sizes.contains(&size));
        if !in_years || !same_engine || !burns(model.fuel, car.fuel) {
            return None;
        }
        let manual = |gearbox| gearbox == Gearbox::Manual;
        Some(
            u32::from(model.category == car.category) * 8
                + u32::from(self.turbo == model.turbo) * 4
                + u32::from(manual(model.gearbox) == manual(car.gearbox)) * 2
                + u32::from(model.fuel == car.fuel),
        )
    }
}

/// Whether a car advertised with `advertised` can be a model whose engine takes `model`.
fn burns(model: Fuel, advertised: Fuel) -> bool {
    match advertised {
        Fuel::Gasoline | Fuel::NaturalGas => matches!(model, Fuel::Flex | Fuel::Gasoline),
        Fuel::Ethanol => model == Fuel::Flex,
        other => model == other,
    }
}

/// Every `d.d` in a text, in tenths of a litre; digits beside it (`10.25`, `2.0.1`) make it something else.
fn engine_sizes(text: &str) -> Vec<u16> {
    let bytes = text.as_bytes();
    let digit = |index: usize| {
        bytes
            .get(index)
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| byte - b'0')
    };
    (0..bytes.len())
        .filter(|&start| start == 0 || !(bytes[start - 1].is_ascii_digit() || bytes[start - 1] == b'.'))
        .filter(|&start| bytes.get(start + 1) == Some(&b'.') && digit(start + 3).is_none())
        .filter_map(|start| Some(u16::from(digit(start)?) * 10 + u16::from(digit(start + 2)?)))
        .collect()
}

fn read_model(row: &Row, name: &Row, place: usize) -> Result<ModelFacts, TableError> {
    let word = row.text("category")?;
    let category =
        Category::from_word(word).ok_or_else(|| row.error("category", format!("{word:?} is no category")))?;
    let years = (
        row.number("year_from", 1950, TABLE_YEAR)?,
        row.number("year_to", 1950, TABLE_YEAR)?,
    );
    if years.0 > years.1 {
        return Err(row.error("year_to", "lies before year_from"));
    }
    let fuel = match row.text("fuel")? {
        "flex" => Fuel::Flex,
        "gasoline" => Fuel::Gasoline,
        "diesel" => Fuel::Diesel,
        "hybrid" | "hybrid_flex" => Fuel::Hybrid,
        "phev" => Fuel::PluginHybrid,
        "ev" => Fuel::Electric,
        other => return Err(row.error("fuel", format!("{other:?} is no fuel"))),
    };
    let gearbox = match row.text("transmission")? {
        "CVT" | "e-CVT" => Gearbox::Cvt,
        text if text.starts_with("MT") => Gearbox::Manual,
        text if text.starts_with("AT") || text.starts_with("DCT") || text == "DHT" => Gearbox::Automatic,
        other => return Err(row.error("transmission", format!("{other:?} is no gearbox"))),
    };
    let app_class = match row.cell("app_class_best")? {
        "" => None,
        "none" => Some(AppClass::None),
        "X" => Some(AppClass::X),
        "Comfort" => Some(AppClass::Comfort),
        "Black" => Some(AppClass::Black),
        other => return Err(row.error("app_class_best", format!("{other:?} is no class"))),
    };
    let model = ModelFacts {
        brand: row.text("brand")?.to_owned(),
        name: row.text("model")?.to_owned(),
        family: name.text("family")?.to_owned(),
        version: name.text("version")?.to_owned(),
        category,
        years,
        fuel,
        gearbox,
        power_cv: row.number("power_cv", 30, 1500)?,
        seats: row.number("seats", 1, 20)?,
        boot_l: row.number("boot_l", 0, 10_000)?,
        gasoline: consumption(row, "gasoline")?,
        ethanol: consumption(row, "ethanol")?,
        diesel: consumption(row, "diesel")?,
        kwh_100km: row.optional("kwh_100km", 5.0, 60.0)?,
        stars: row.optional("latin_ncap_stars", 0, 5)?,
        stars_year: row.optional("latin_ncap_test_year", 2010, TABLE_YEAR)?,
        airbags: row.optional("airbags_base", 0, 20)?,
        isofix: row.optional_flag("isofix")?,
        stability_control: row.optional_flag("esc")?,
        app_class,
        maintenance_class: row.optional("maint_class_1cheap_5dear", 1, 5)?,
        insurance_percent: row.optional("insurance_pct_ref", 0.5, 30.0)?,
        depreciation_percent: row.optional("depreciation_pct_year_ref", 0.0, 40.0)?,
        reliability: row.optional("reliability_1_5_est", 1.0, 5.0)?,
        mass_kg: row.optional("mass_kg", 400, 8_000)?,
        displacement_cc: row.number("displacement_cc", 0, 10_000)?,
        segment: row.text("segment")?.to_owned(),
        single_cab: row.flag("single_cab")?,
        comfort_items: row.optional("comfort_items", 0, 10)?,
        turbo: row.flag("turbo")?,
        engine_sizes: engine_sizes(row.text("engine")?),
        place,
    };
    if model.stars.is_some() != model.stars_year.is_some() {
        return Err(row.error(
            "latin_ncap_test_year",
            "stars and the year of the test come together",
        ));
    }
    Ok(model)
}

fn consumption(row: &Row, fuel: &str) -> Result<Option<Consumption>, TableError> {
    let (city_field, highway_field) = (format!("kml_city_{fuel}"), format!("kml_hwy_{fuel}"));
    let city = row.optional(&city_field, 2.0, 40.0)?;
    let highway = row.optional(&highway_field, 2.0, 40.0)?;
    match (city, highway) {
        (Some(city), Some(highway)) => Ok(Some(Consumption { city, highway })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(row.error(&highway_field, "is missing beside the figure for town")),
        (None, Some(_)) => Err(row.error(&city_field, "is missing beside the figure for the road")),
    }
}
