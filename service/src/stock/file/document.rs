//! The lists of a document, `{"dealerships": […], "cars": […]}`, row by row in whatever order they stand.

use std::{fmt, io::BufRead, mem};

use faciliauto_engine::{stock::Dealership, tables::STATES};
use jiff::civil::Date;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{
    super::{
        rows,
        upload::{Owner, Ration, Upload},
    },
    StockError,
    rationed::{Rationed, broken},
};
use crate::{
    document::Value,
    fields::{Findings, pointer},
};

/// The fields of a document. Files may say what they are.
const DESCRIPTION: [&str; 3] = ["version", "description", "$schema"];
pub(super) const DEALERSHIPS: &str = "dealerships";
pub(super) const CARS: &str = "cars";

/// The dealerships of a document. One with mistakes is among them with nothing but its id: its cars are not of nobody.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) dealerships: Vec<Dealership>,
    /// The place of each in its list, from 0.
    pub(super) places: Vec<usize>,
}

/// Reads a document to its end; mistakes are among the findings of its cars.
pub(super) fn read(source: impl BufRead, today: Date) -> Result<(Records, Upload), StockError> {
    let mut rows = Upload::new(Owner::Named, today, "carro", "/cars");
    let ration = Ration::default();
    let mut reading = Reading {
        rows: &mut rows,
        dealerships: None,
        cars: false,
        list: "",
        ration: &ration,
    };
    let mut document = serde_json::Deserializer::from_reader(Rationed {
        source,
        ration: &ration,
    });
    let read = (&mut document).deserialize_map(&mut reading);
    let Reading {
        dealerships,
        cars,
        list,
        ..
    } = reading;
    match read.and_then(|()| document.end()) {
        Ok(()) => {
            for (list, is_there) in [(DEALERSHIPS, dealerships.is_some()), (CARS, cars)] {
                if !is_there {
                    rows.findings
                        .error(format!("/{list}"), "missing", "é obrigatório");
                }
            }
        }
        Err(error) if error.is_data() => {
            let message = "deve ser uma lista, uma só vez";
            rows.findings.error(format!("/{list}"), "type", message);
        }
        Err(error) => return Err(broken(error, &ration)),
    }
    Ok((dealerships.unwrap_or_default(), rows))
}

/// Takes the lists of a document row by row, in whatever order they stand.
struct Reading<'file> {
    rows: &'file mut Upload,
    dealerships: Option<Records>,
    /// Whether the cars were there.
    cars: bool,
    /// Which list is being read.
    list: &'static str,
    ration: &'file Ration,
}

impl<'de> Visitor<'de> for &mut Reading<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("dealerships and cars")
    }

    fn visit_map<Lists: MapAccess<'de>>(self, mut lists: Lists) -> Result<(), Lists::Error> {
        while let Some(name) = lists.next_key::<String>()? {
            match name.as_str() {
                DEALERSHIPS => {
                    self.list = DEALERSHIPS;
                    if self.dealerships.is_some() {
                        return Err(Lists::Error::custom("twice"));
                    }
                    let findings = &mut self.rows.findings;
                    let dealerships = lists.next_value_seed(DealershipList(findings, self.ration))?;
                    self.dealerships = Some(dealerships);
                }
                CARS => {
                    self.list = CARS;
                    if mem::replace(&mut self.cars, true) {
                        return Err(Lists::Error::custom("twice"));
                    }
                    lists.next_value_seed(CarList(self.rows, self.ration))?;
                }
                other => {
                    lists.next_value::<IgnoredAny>()?;
                    if !DESCRIPTION.contains(&other) {
                        let findings = &mut self.rows.findings;
                        findings.warn(pointer("", other), "campo desconhecido; não foi usado");
                    }
                }
            }
        }
        Ok(())
    }
}

struct CarList<'file>(&'file mut Upload, &'file Ration);

impl<'de> DeserializeSeed<'de> for CarList<'_> {
    type Value = ();

    fn deserialize<Source: Deserializer<'de>>(self, source: Source) -> Result<(), Source::Error> {
        // Cars of many dealerships are not bounded together.
        self.0.array(source, &mut None, self.1)
    }
}

/// Stands for a dealership with mistakes, which are noted; nothing is found wrong with it again.
fn nameless(id: String) -> Dealership {
    Dealership {
        id,
        name: "-".to_owned(),
        city: "-".to_owned(),
        state: STATES[0].to_owned(),
        phone: None,
        whatsapp: None,
        email: None,
        website: None,
        latitude: None,
        longitude: None,
        active: true,
        verified: false,
        premium: false,
    }
}

struct DealershipList<'file>(&'file mut Findings, &'file Ration);

impl<'de> DeserializeSeed<'de> for DealershipList<'_> {
    type Value = Records;

    fn deserialize<Source: Deserializer<'de>>(self, source: Source) -> Result<Self::Value, Source::Error> {
        source.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for DealershipList<'_> {
    type Value = Records;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of dealerships")
    }

    fn visit_seq<Items: SeqAccess<'de>>(self, mut items: Items) -> Result<Self::Value, Items::Error> {
        let mut records = Records::default();
        let mut place = 0;
        self.1.begin();
        while let Some(row) = items.next_element::<Value<'_>>()? {
            self.1.row();
            let id = row
                .as_object()
                .and_then(|fields| fields.get("id")?.as_str())
                .filter(|id| !id.trim().is_empty())
                .map(str::to_owned);
            let pointer = format!("/{DEALERSHIPS}/{place}");
            if let Some(dealership) = rows::dealership(row, pointer, self.0).or_else(|| Some(nameless(id?))) {
                records.dealerships.push(dealership);
                records.places.push(place);
            }
            place += 1;
        }
        Ok(records)
    }
}
