//! What dealerships have for sale, as the engine takes it in: plain values, not yet joined or checked.

use jiff::civil::Date;

pub use self::cars::Cars;

pub mod cars;

/// An amount of Brazilian money in centavos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Centavos(pub u64);

/// What moves a car.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fuel {
    /// Gasoline and ethanol in any mix.
    Flex,
    /// Gasoline alone.
    Gasoline,
    /// Ethanol alone.
    Ethanol,
    /// Diesel.
    Diesel,
    /// Compressed natural gas, with or without another fuel beside it.
    NaturalGas,
    /// A combustion engine with an electric motor; never plugged in.
    Hybrid,
    /// A hybrid that charges from the mains.
    PluginHybrid,
    /// Batteries alone.
    Electric,
}

/// How the gears are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gearbox {
    /// By hand, with a clutch pedal.
    Manual,
    /// Torque converter, dual clutch or a single gear.
    Automatic,
    /// Continuously variable.
    Cvt,
    /// A manual gearbox with an automatic clutch.
    AutomatedManual,
}

/// The body as buyers search for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// City car.
    Compact,
    /// Hatchback.
    Hatch,
    /// Saloon.
    Sedan,
    /// Sport utility vehicle.
    Suv,
    /// People carrier or van.
    Van,
    /// Pickup.
    Pickup,
}

/// A used car on offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Car {
    /// Unique across all dealerships.
    pub id: String,
    /// The dealership that offers it; must be in the same [`Stock`].
    pub dealership_id: String,
    /// As advertised; made of brand, model and version when absent.
    pub name: Option<String>,
    /// Manufacturer, as in the model table; other spellings are folded.
    pub brand: String,
    /// Model without the brand.
    pub model: String,
    /// Trim or engine, as advertised.
    pub version: Option<String>,
    /// Model year.
    pub year: u16,
    /// Asking price.
    pub price: Centavos,
    /// Odometer in km.
    pub odometer_km: u32,
    /// What moves it.
    pub fuel: Fuel,
    /// How gears are changed.
    pub gearbox: Gearbox,
    /// Body.
    pub category: Category,
    /// Colour, as advertised.
    pub colour: Option<String>,
    /// Number of doors.
    pub doors: Option<u8>,
    /// Addresses of pictures.
    pub images: Vec<String>,
    /// False once sold or withdrawn.
    pub available: bool,
    /// Paid or chosen highlight; never moves a car.
    pub featured: bool,
    /// Invented, for trying the product.
    pub sample: bool,
    /// Equipment by the words of the published vocabulary ([`crate::equipment`]); `None` = not said.
    pub equipment: Option<Vec<String>>,
    /// Bought at an auction, when said.
    pub auction: Option<bool>,
    /// Had an accident with a recorded loss, when said.
    pub accident: Option<bool>,
    /// Has had one owner, when said.
    pub single_owner: Option<bool>,
    /// Armoured, when said.
    pub armoured: Option<bool>,
    /// This year's vehicle tax is paid, when said.
    pub ipva_paid: Option<bool>,
    /// Price in the FIPE table, when said.
    pub fipe_price: Option<Centavos>,
    /// The day of the last import or confirmation; `None` for sample stock.
    pub confirmed_on: Option<Date>,
}

/// A seller.
#[derive(Clone, Debug, PartialEq)]
pub struct Dealership {
    /// Unique.
    pub id: String,
    /// As on its sign.
    pub name: String,
    /// City, as written by the dealership.
    pub city: String,
    /// Two letters, capital.
    pub state: String,
    /// Telephone, as printed.
    pub phone: Option<String>,
    /// WhatsApp number in E.164, `+5511…`.
    pub whatsapp: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Address of its own site.
    pub website: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// An inactive dealership's cars are not on offer.
    pub active: bool,
    /// Its papers were checked.
    pub verified: bool,
    /// Pays for more; never moves a car.
    pub premium: bool,
}

/// All that is for sale.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stock {
    /// Sellers.
    pub dealerships: Vec<Dealership>,
    /// Cars of all of them, in any order.
    pub cars: Cars,
}
