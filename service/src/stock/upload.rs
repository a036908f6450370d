//! Cars as they are sent or written down: a JSON array, or one JSON row a line. Rows are read one by one, so
//! that memory holds the cars and never the document beside them.
//!
//! Every mistake says where it is: `/16/preco`, "linha 17: …" (blank lines count), or "carro 17: …" in an array.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    fmt, mem,
};

use faciliauto_engine::{
    catalogue::{Catalogue, StockProblemKind},
    stock::{Car, Cars, Dealership, Stock},
};
use jiff::civil::Date;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::json;

use super::rows;
use crate::{
    document::Value,
    fields::{Fields, Findings, Shape},
};

/// The largest stock of one dealer, and so the bound of what an upload takes in memory.
pub const MOST_CARS: usize = 100_000;

/// A row with every field and dozens of pictures is under 8 KiB.
pub(super) const LONGEST_ROW: usize = 64 << 10;

/// Why an upload cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// More cars than [`MOST_CARS`].
    #[error("there are more than {MOST_CARS} cars of one dealership")]
    TooManyCars,
    /// A line longer than any row.
    #[error("line {0} is longer than {LONGEST_ROW} bytes: each line is one car")]
    LongLine(usize),
    /// A row of a document that is longer than any, or what stands between two.
    #[error("row {0} of a list is longer than {LONGEST_ROW} bytes: each row is one car or dealership")]
    LongRow(usize),
    /// It is no JSON.
    #[error("it is no JSON from line {line}, column {column} on")]
    Broken {
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
    },
}

/// Whose cars rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This dealership's: a row may say so, as rows that we answer with do, and may not say another.
    One(String),
    /// That of the dealership which the row names.
    Named,
}

/// The cars of an upload, with all that was found wrong so far.
#[derive(Debug)]
pub struct Upload {
    pub(super) owner: Owner,
    /// Handing a car in confirms it on this day.
    today: Date,
    /// What a row is called: `linha` or `carro`.
    noun: &'static str,
    /// Where the rows are in the document: nothing, or the pointer of their list.
    list: &'static str,
    /// Rows without mistakes.
    pub cars: Cars,
    /// The number of each of them, from 1.
    pub(super) numbers: Vec<usize>,
    /// How many each dealership has, where rows name theirs.
    of_each: HashMap<String, usize>,
    /// Mistakes, and what was not used.
    pub findings: Findings,
}

impl Upload {
    pub(super) fn new(owner: Owner, today: Date, noun: &'static str, list: &'static str) -> Self {
        Self {
            owner,
            today,
            noun,
            list,
            cars: Cars::new(),
            numbers: Vec::new(),
            of_each: HashMap::new(),
            findings: Findings::default(),
        }
    }

    /// Reads a JSON array.
    ///
    /// # Errors
    /// Text that is no JSON, or too many cars. A document that is no array is a finding.
    pub fn from_array(bytes: &[u8], dealership: &str, today: Date) -> Result<Self, Unreadable> {
        let mut upload = Self::new(Owner::One(dealership.to_owned()), today, "carro", "");
        let mut document = serde_json::Deserializer::from_slice(bytes);
        let mut refused = None;
        let read = upload.array(&mut document, &mut refused, &Ration::default());
        match (read.and_then(|()| document.end()), refused) {
            (Ok(()), _) => Ok(upload),
            (Err(_), Some(refused)) => Err(refused),
            (Err(error), None) if error.is_data() => {
                upload.findings.error("", "type", "deve ser uma lista de carros");
                Ok(upload)
            }
            (Err(error), None) => Err(Unreadable::Broken {
                line: error.line(),
                column: error.column(),
            }),
        }
    }

    /// Reads an array of rows; `refused` says why when it is given up though it is JSON.
    pub(super) fn array<'de, Document: Deserializer<'de>>(
        &mut self,
        document: Document,
        refused: &mut Option<Unreadable>,
        ration: &Ration,
    ) -> Result<(), Document::Error> {
        document.deserialize_seq(Rows {
            upload: self,
            refused,
            ration,
        })
    }

    /// Reads a row into the stock or into the findings.
    fn row(&mut self, mut value: Value<'_>, number: usize) -> Result<(), Unreadable> {
        let dealership = match &self.owner {
            Owner::One(_) if self.numbers.len() == MOST_CARS => return Err(Unreadable::TooManyCars),
            Owner::One(id) => Some(id.as_str()),
            Owner::Named => None,
        };
        let (errors, warnings) = (self.findings.errors.len(), self.findings.warnings.len());
        let pointer = self.pointer(number);
        let said = dealership.and_then(|_| value.as_object_mut()?.remove("dealership_id"));
        if said.is_some_and(|said| !said.is_null() && said.as_str() != dealership) {
            self.findings.error(
                format!("{pointer}/dealership_id"),
                "other_dealership",
                "deve ser a concessionária deste estoque",
            );
        } else if let Some(mut car) = rows::car(value, pointer.clone(), dealership, &mut self.findings) {
            car.confirmed_on = (!car.sample).then_some(self.today);
            if rows::text_bytes(&car) > LONGEST_ROW {
                let message = format!("os textos somam mais de {LONGEST_ROW} bytes");
                self.findings.error(pointer, "too_large", message);
            } else if self.has_room(&car, &pointer) {
                self.cars.push(car);
                self.numbers.push(number);
            }
        }
        let place = format!("{} {number}: ", self.noun);
        for error in &mut self.findings.errors[errors..] {
            error.message.insert_str(0, &place);
        }
        for warning in &mut self.findings.warnings[warnings..] {
            warning.message.insert_str(0, &place);
        }
        Ok(())
    }

    /// Whether its dealership may have a car more, as many as can be read back; the first beyond is a mistake.
    fn has_room(&mut self, car: &Car, pointer: &str) -> bool {
        if self.owner != Owner::Named {
            return true;
        }
        let count = match self.of_each.get_mut(&car.dealership_id) {
            Some(count) => count,
            None => self.of_each.entry(car.dealership_id.clone()).or_default(),
        };
        *count += 1;
        if *count == MOST_CARS + 1 {
            let message = format!("a concessionária tem mais de {MOST_CARS} carros");
            self.findings
                .error(format!("{pointer}/dealership_id"), "too_many", message);
        }
        *count <= MOST_CARS
    }

    fn pointer(&self, number: usize) -> String {
        format!("{}/{}", self.list, number - 1)
    }

    pub(super) fn mistake(&mut self, row: usize, field: &str, code: &'static str, message: &str) {
        let number = self.numbers.get(row).copied().unwrap_or(1);
        let pointer = format!("{}/{field}", self.pointer(number));
        let message = format!("{} {number}: {message}", self.noun);
        self.findings.error(pointer, code, message);
    }

    /// Checks what rows say of each other, as the catalogue will. `dealerships`: those that cars may be of.
    pub fn check(&mut self, dealerships: &[Dealership]) {
        self.check_with(dealerships, &[]);
    }

    /// The same for dealerships of a file, with the place of each in it.
    pub(super) fn check_with(&mut self, dealerships: &[Dealership], places: &[usize]) {
        // Lent and not copied: a large stock would take its memory twice.
        let stock = Stock {
            dealerships: dealerships.to_vec(),
            cars: mem::take(&mut self.cars),
        };
        let checked = Catalogue::check(&stock, self.today);
        self.cars = stock.cars;
        let Err(refused) = checked else {
            return;
        };
        let unlisted = refused.total - refused.problems.len();
        for problem in refused.problems {
            let (code, message) = in_portuguese(problem.field, self.today);
            match problem.kind {
                StockProblemKind::Car => self.mistake(problem.row, problem.field, code, &message),
                StockProblemKind::Dealership => {
                    let place = places.get(problem.row).copied().unwrap_or(problem.row);
                    let pointer = format!("/dealerships/{place}/{}", problem.field);
                    self.findings.error(pointer, code, message);
                }
            }
        }
        self.findings.error_count += unlisted;
    }

    /// Notes every car whose id is another dealership's.
    pub fn refuse(&mut self, taken: &HashSet<String>) {
        for row in 0..self.cars.len() {
            if taken.contains(&self.cars[row].id) {
                self.mistake(
                    row,
                    "id",
                    "id_taken",
                    "já é o id de um carro de outra concessionária",
                );
            }
        }
    }
}

/// What a problem of the catalogue is called on the wire: its code and a sentence.
#[must_use]
pub fn in_portuguese(field: &str, today: Date) -> (&'static str, String) {
    match field {
        "id" => ("id_repeated", "repete o id de outra linha".to_owned()),
        "ano" => ("range", format!("deve ficar entre 1900 e {}", today.year() + 1)),
        "preco" | "preco_fipe" => (
            "range",
            "deve ser maior que 0 e no máximo R$ 100.000.000".to_owned(),
        ),
        "latitude" | "longitude" => ("missing", "latitude e longitude vêm juntas".to_owned()),
        "dealership_id" => (
            "unknown_dealership",
            "não é o id de nenhuma concessionária conhecida".to_owned(),
        ),
        _ => ("invalid", "não é um valor que o catálogo aceite".to_owned()),
    }
}

/// Reads NDJSON as it arrives.
#[derive(Debug)]
pub struct LineReader {
    upload: Upload,
    /// The beginning of a line whose end has not arrived.
    begun: Vec<u8>,
    /// Lines read.
    lines: usize,
    /// Those that are not blank.
    rows: usize,
}

impl LineReader {
    /// Has read nothing yet.
    #[must_use]
    pub fn new(dealership: &str, today: Date) -> Self {
        Self::of(Owner::One(dealership.to_owned()), today)
    }

    pub(super) fn of(owner: Owner, today: Date) -> Self {
        Self {
            upload: Upload::new(owner, today, "linha", ""),
            begun: Vec::new(),
            lines: 0,
            rows: 0,
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// Too many cars, or a line longer than any row.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.len() + part.len() > LONGEST_ROW {
                return Err(Unreadable::LongLine(self.lines + 1));
            }
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.line()?;
            }
        }
        Ok(())
    }

    /// Reads the last line, which need not be ended.
    ///
    /// # Errors
    /// As for [`Self::push`].
    pub fn finish(mut self) -> Result<Upload, Unreadable> {
        if !self.begun.is_empty() {
            self.line()?;
        }
        // A file that could not be read is sent as nothing: that must not sell every car.
        if self.rows == 0 {
            let message = "não há linhas; para esvaziar o estoque, envie a lista JSON []";
            self.upload.findings.error("", "empty", message);
        }
        Ok(self.upload)
    }

    fn line(&mut self) -> Result<(), Unreadable> {
        self.lines += 1;
        let number = self.lines;
        let blank = self.begun.iter().all(u8::is_ascii_whitespace);
        self.rows += usize::from(!blank);
        let read = (!blank).then(|| serde_json::from_slice(&self.begun));
        let outcome = match read {
            None => Ok(()),
            Some(Ok(value)) => self.upload.row(value, number),
            Some(Err(error)) => {
                let message = format!("linha {number}: não é JSON válido, coluna {}", error.column());
                self.upload
                    .findings
                    .error(format!("/{}", number - 1), "json", message);
                Ok(())
            }
        };
        self.begun.clear();
        outcome
    }
}

/// How many bytes a reader may give out before the next row: what is between two rows of a document is held in memory.
#[derive(Debug)]
pub(super) struct Ration {
    /// What is left of it.
    left: Cell<usize>,
    /// Rows read to their end.
    rows: Cell<usize>,
}

impl Default for Ration {
    fn default() -> Self {
        Self {
            left: Cell::new(LONGEST_ROW),
            rows: Cell::new(0),
        }
    }
}

impl Ration {
    /// Takes of it, at most this much.
    pub(super) fn take(&self, most: usize) -> usize {
        let taken = self.left.get().min(most);
        self.left.set(self.left.get() - taken);
        taken
    }

    /// Begins a list.
    pub(super) fn begin(&self) {
        self.left.set(LONGEST_ROW);
        self.rows.set(0);
    }

    /// A row ended.
    pub(super) fn row(&self) {
        self.left.set(LONGEST_ROW);
        self.rows.set(self.rows.get() + 1);
    }

    /// The number of the row that was longer; `None` while there is something left.
    pub(super) fn exceeded_by(&self) -> Option<usize> {
        (self.left.get() == 0).then(|| self.rows.get() + 1)
    }
}

/// Takes the items of an array one by one.
struct Rows<'upload> {
    upload: &'upload mut Upload,
    refused: &'upload mut Option<Unreadable>,
    ration: &'upload Ration,
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of cars")
    }

    fn visit_seq<Items: SeqAccess<'de>>(self, mut items: Items) -> Result<(), Items::Error> {
        let mut number = 0;
        self.ration.begin();
        while let Some(value) = items.next_element::<Value<'_>>()? {
            number += 1;
            self.ration.row();
            if let Err(refused) = self.upload.row(value, number) {
                *self.refused = Some(refused);
                return Err(Items::Error::custom(refused));
            }
        }
        Ok(())
    }
}

/// What `PATCH` may change of a car.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarPatch {
    /// Whether it is on sale.
    pub available: Option<bool>,
    /// What it costs.
    pub price: Option<faciliauto_engine::stock::Centavos>,
}

impl CarPatch {
    /// What it may say.
    #[must_use]
    pub fn shape() -> Shape {
        Fields::describe(|fields| {
            fields.narrow("preco", || json!({"minimum": 0.01, "maximum": 100_000_000}));
            fields.rule(|| {
                json!({"anyOf": [
                    {"required": ["disponivel"], "properties": {"disponivel": {"type": "boolean"}}},
                    {"required": ["preco"], "properties": {"preco": {"type": "number"}}},
                ]})
            });
            Self::of(fields);
        })
    }

    fn of(fields: &mut Fields<'_>) -> Self {
        Self {
            available: fields.flag("disponivel"),
            price: fields.money("preco"),
        }
    }

    /// Reads `{disponivel?, preco?}`; an object with neither is a mistake.
    #[must_use]
    pub fn read(value: Value<'_>, today: Date) -> (Self, Findings) {
        let mut findings = Findings::default();
        let mut patch = Self::default();
        if let Some(mut fields) = Fields::new(value, "", &mut findings) {
            let sent = fields.has("disponivel") || fields.has("preco");
            patch = Self::of(&mut fields);
            let within = |price: &faciliauto_engine::stock::Centavos| (1..=10_000_000_000).contains(&price.0);
            if patch.price.is_some_and(|price| !within(&price)) {
                let (code, message) = in_portuguese("preco", today);
                fields.error("preco", code, message);
            }
            fields.finish();
            if !sent {
                findings.error("", "missing", "deve trazer disponivel, preco ou ambos");
            }
        }
        (patch, findings)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    const TODAY: Date = date(2026, 11, 25);

    fn row(id: &str) -> serde_json::Value {
        json!({"id": id, "marca": "Fiat", "modelo": "Argo", "ano": 2020, "preco": 62_990.5, "quilometragem": 41_000,
            "combustivel": "flex", "cambio": "manual", "categoria": "Hatch"})
    }

    fn places(upload: &Upload) -> Vec<(&str, &str)> {
        upload
            .findings
            .errors
            .iter()
            .map(|error| (error.pointer.as_str(), error.code))
            .collect()
    }

    /// Prevents a row from being lost or cut where two pieces of a body meet.
    #[test]
    fn lines_are_read_however_they_are_cut() {
        let text = format!("{}\n\n{}\r\n{}", row("é-1"), row("c-2"), row("c-3"));
        for size in [1, 7, 100, 10_000] {
            let mut reader = LineReader::new("d", TODAY);
            for piece in text.as_bytes().chunks(size) {
                reader.push(piece).unwrap();
            }
            let upload = reader.finish().unwrap();
            // The first id is no id; the place of the others counts the blank line.
            assert_eq!(places(&upload), [("/0/id", "format")], "{size}");
            let ids: Vec<&str> = upload.cars.iter().map(|car| car.id.as_str()).collect();
            assert_eq!(
                (ids, &upload.numbers),
                (vec!["c-2", "c-3"], &vec![3, 4]),
                "{size}"
            );
        }
    }

    /// Prevents a dealer from having to upload once for each mistake, in either form.
    #[test]
    fn every_mistake_of_every_row_is_named() {
        let mut ill = row("c-2");
        ill["ano"] = json!("dois mil");
        let mut other = row("c-3");
        other["dealership_id"] = json!("e");
        let mut future = row("c-1");
        future["ano"] = json!(2028);
        let rows = [row("c-1"), ill, other, future, row("c-5")];
        let expected = [
            ("/1/ano", "type"),
            ("/2/dealership_id", "other_dealership"),
            ("/3/id", "id_repeated"),
            ("/3/ano", "range"),
            ("/4/id", "id_taken"),
        ];
        let lines = rows.iter().map(|row| format!("{row}\n")).collect::<String>();
        let mut reader = LineReader::new("d", TODAY);
        reader.push(lines.as_bytes()).unwrap();
        let array = serde_json::to_vec(&rows).unwrap();
        for (mut upload, noun) in [
            (reader.finish().unwrap(), "linha"),
            (Upload::from_array(&array, "d", TODAY).unwrap(), "carro"),
        ] {
            let record = json!({"id": "d", "name": "n", "city": "Recife", "state": "PE"});
            let dealership =
                rows::dealership(record.into(), String::new(), &mut Findings::default()).unwrap();
            upload.check(&[dealership]);
            upload.refuse(&HashSet::from(["c-5".to_owned()]));
            assert_eq!(places(&upload), expected);
            for (error, number) in upload.findings.errors.iter().zip([2, 3, 4, 4, 5]) {
                assert!(
                    error.message.starts_with(&format!("{noun} {number}: ")),
                    "{error:?}"
                );
            }
        }
    }

    /// Prevents a broken document from being taken for a stock, or a broken line from hiding the rest.
    #[test]
    fn what_is_no_json_is_placed() {
        let broken = Upload::from_array(b"[1,\n 2", "d", TODAY).expect_err("broken");
        assert_eq!(broken, Unreadable::Broken { line: 2, column: 2 });
        let object = Upload::from_array(b"{\"cars\": []}", "d", TODAY).unwrap();
        assert_eq!(places(&object), [("", "type")]);
        let mut reader = LineReader::new("d", TODAY);
        reader.push(b"{\n7\n").unwrap();
        assert_eq!(
            places(&reader.finish().unwrap()),
            [("/0", "json"), ("/1", "type")]
        );
        let mut reader = LineReader::new("d", TODAY);
        assert_eq!(
            reader.push(&vec![b' '; LONGEST_ROW + 1]),
            Err(Unreadable::LongLine(1))
        );
    }
}
