//! Stock as an operator's file has it, packed with gzip or not:
//!
//! | it begins with | it is | cars are of |
//! | --- | --- | --- |
//! | an object with `dealerships` or `cars`, or one that does not end in its first line | one document `{"dealerships": […], "cars": […]}` | its dealerships |
//! | `[` | an array of cars | dealerships that are there already: the one that was named, or each row's own |
//! | anything else | one car a line | the same |
//!
//! It is read row by row: memory holds the cars, and of the text beside them one row.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::{self, BufReader, Cursor, Read},
    mem,
};

use faciliauto_engine::stock::{Cars, Dealership, Stock};
use flate2::bufread::MultiGzDecoder;
use jiff::civil::Date;

use self::{document::Records, form::Form};
use super::upload::{LONGEST_ROW, Owner, Unreadable, Upload};
use crate::fields::{Findings, Warning};

mod document;
mod form;
mod rationed;

/// How much is looked at to tell what a file is: blanks, and as much as one row.
const HEAD: usize = LONGEST_ROW;

/// Why a stock cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// It cannot be read to its end: the system's error, or what is packed is damaged.
    #[error("failed to read the stock")]
    Read(#[from] io::Error),
    /// It cannot be read as stock.
    #[error("failed to read the stock")]
    Unreadable(#[from] Unreadable),
    /// It is one document, and a dealership was named beside it.
    #[error("the file names its dealerships itself: leave the one that was named beside it out")]
    NamedTwice,
    /// It is a list without cars, and names no dealership whose stock would be empty now.
    #[error("the file is an empty list: name the dealership whose stock is to be emptied")]
    OfNobody,
    /// Rows have mistakes: the first hundred are listed, all are counted.
    #[error("failed to validate the stock: {}", list(listed, *total))]
    Validate {
        /// Pointer of row and field, and the mistake, which names its row too.
        listed: Vec<String>,
        /// How many there are.
        total: usize,
    },
}

/// One a line: an editor's search finds a pointer, and a person the row.
fn list(listed: &[String], total: usize) -> String {
    let noun = if total == 1 { "mistake" } else { "mistakes" };
    let unlisted = match total - listed.len() {
        0 => String::new(),
        unlisted => format!("\n  and {unlisted} more"),
    };
    format!("{total} {noun}:\n  {}{unlisted}", listed.join("\n  "))
}

/// A file that was read to its end.
#[derive(Debug)]
pub struct StockFile {
    /// Its own dealerships; `None` = its cars are of dealerships that are there already.
    dealerships: Option<Records>,
    rows: Upload,
}

/// The cars that a file has of one dealership, taken out of it.
#[derive(Debug)]
pub struct Part {
    /// Whose.
    pub dealership: String,
    /// In the order of the file.
    pub cars: Cars,
    /// Where each stands in the file.
    numbers: Vec<usize>,
}

impl StockFile {
    /// Reads a file. `dealership`: whose cars a list has whose rows need not say so.
    ///
    /// A car that is no sample counts as confirmed on `today`: handing it in is the confirmation.
    ///
    /// # Errors
    /// What cannot be read to its end. Mistakes in rows are kept until [`Self::good`] is asked.
    pub fn read(source: impl Read, dealership: Option<&str>, today: Date) -> Result<Self, StockError> {
        let (packed, source) = beginning(source, 2)?;
        if packed == [0x1f, 0x8b] {
            Self::read_plain(MultiGzDecoder::new(BufReader::new(source)), dealership, today)
        } else {
            Self::read_plain(source, dealership, today)
        }
    }

    fn read_plain(source: impl Read, dealership: Option<&str>, today: Date) -> Result<Self, StockError> {
        let (head, source) = beginning(source, HEAD)?;
        // Some editors mark a text as UTF-8.
        let mark = "\u{feff}".as_bytes();
        let marked = head.starts_with(mark);
        let form = Form::of(if marked { &head[mark.len()..] } else { &head });
        let mut source = BufReader::new(source);
        if marked {
            source.read_exact(&mut vec![0; mark.len()])?;
        }
        let owner = dealership.map_or(Owner::Named, |id| Owner::One(id.to_owned()));
        let file = match form {
            Form::Document if dealership.is_some() => return Err(StockError::NamedTwice),
            Form::Document => {
                let (records, rows) = document::read(source, today)?;
                Self {
                    dealerships: Some(records),
                    rows,
                }
            }
            Form::Array => Self {
                dealerships: None,
                rows: form::read_array(source, owner, today)?,
            },
            Form::Lines => Self {
                dealerships: None,
                rows: form::read_lines(source, owner, today)?,
            },
        };
        if file.dealerships.is_none() && file.named().is_empty() && file.rows.findings.error_count == 0 {
            return Err(StockError::OfNobody);
        }
        Ok(file)
    }

    /// The stock of a document that stands by itself.
    ///
    /// # Errors
    /// As for [`Self::read`] and [`Self::good`].
    pub fn whole(text: &str, today: Date) -> Result<Stock, StockError> {
        let mut file = Self::read(text.as_bytes(), None, today)?;
        file.check(&[]);
        file.good()?;
        Ok(Stock {
            dealerships: file.dealerships.unwrap_or_default().dealerships,
            cars: file.rows.cars,
        })
    }

    /// Its own dealerships; `None` for a list of cars.
    #[must_use]
    pub fn dealerships(&self) -> Option<&[Dealership]> {
        self.dealerships
            .as_ref()
            .map(|records| records.dealerships.as_slice())
    }

    /// Its cars, as far as they have no mistakes.
    #[must_use]
    pub fn cars(&self) -> &Cars {
        &self.rows.cars
    }

    /// What it says that is not used.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.rows.findings.warnings
    }

    /// The dealership that was named beside a list.
    #[must_use]
    pub fn named_beside(&self) -> Option<&str> {
        match &self.rows.owner {
            Owner::One(id) => Some(id),
            Owner::Named => None,
        }
    }

    /// Ids of the dealerships whose stock it is.
    #[must_use]
    pub fn named(&self) -> BTreeSet<String> {
        if let Some(dealerships) = self.dealerships() {
            return dealerships
                .iter()
                .map(|dealership| dealership.id.clone())
                .collect();
        }
        match &self.rows.owner {
            Owner::One(id) => BTreeSet::from([id.clone()]),
            Owner::Named => {
                let ids: HashSet<&str> = self
                    .rows
                    .cars
                    .iter()
                    .map(|car| car.dealership_id.as_str())
                    .collect();
                ids.into_iter().map(str::to_owned).collect()
            }
        }
    }

    /// Checks what rows say of each other, as a catalogue would. `known`: the dealerships that are there, for a list of cars.
    pub fn check(&mut self, known: &[Dealership]) {
        match &self.dealerships {
            Some(Records { dealerships, places }) => self.rows.check_with(dealerships, places),
            None => self.rows.check(known),
        }
    }

    /// Notes every car whose id is another dealership's.
    pub fn refuse(&mut self, taken: &HashSet<String>) {
        self.rows.refuse(taken);
    }

    /// Whether no mistake was noted so far.
    ///
    /// # Errors
    /// [`StockError::Validate`] with all that were.
    pub fn good(&self) -> Result<(), StockError> {
        let Findings {
            errors, error_count, ..
        } = &self.rows.findings;
        if *error_count == 0 {
            return Ok(());
        }
        let listed = errors
            .iter()
            .map(|error| format!("{} {}", error.pointer, error.message))
            .collect();
        Err(StockError::Validate {
            listed,
            total: *error_count,
        })
    }

    /// Takes the cars out, parted by dealership.
    pub fn part(&mut self) -> Vec<Part> {
        let named = self.named();
        let cars = mem::take(&mut self.rows.cars);
        let numbers = mem::take(&mut self.rows.numbers);
        let empty = |dealership: String| {
            let part = Part {
                dealership: dealership.clone(),
                cars: Cars::new(),
                numbers: Vec::new(),
            };
            (dealership, part)
        };
        let mut parts: BTreeMap<String, Part> = named.into_iter().map(empty).collect();
        for (car, number) in cars.into_iter().zip(numbers) {
            if let Some(part) = parts.get_mut(&car.dealership_id) {
                part.cars.push(car);
                part.numbers.push(number);
            }
        }
        parts.into_values().collect()
    }

    /// Puts cars back that were taken out, in whatever order: each still knows its place in the file.
    pub fn join(&mut self, parts: Vec<Part>) {
        for Part { cars, numbers, .. } in parts {
            self.rows.numbers.extend(numbers);
            self.rows.cars.extend(cars);
        }
    }
}

/// The first bytes, as many as there are of `most`, and the whole with them.
fn beginning(mut source: impl Read, most: usize) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::with_capacity(most);
    source.by_ref().take(most as u64).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(source)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use jiff::civil::date;
    use serde_json::{Value, json};

    use super::{
        super::{SAMPLE, rows, upload::MOST_CARS},
        *,
    };

    const TODAY: Date = date(2026, 11, 25);

    fn dealership(id: &str) -> Value {
        json!({"id": id, "name": "Um", "city": "Recife", "state": "PE"})
    }

    fn car(id: &str, dealership: &str) -> Value {
        json!({"id": id, "dealership_id": dealership, "marca": "Fiat", "modelo": "Argo", "ano": 2020, "preco": 62_990.5,
            "quilometragem": 41_000, "combustivel": "flex", "cambio": "manual", "categoria": "Hatch"})
    }

    fn lines(rows: &[Value]) -> String {
        rows.iter().map(|row| format!("{row}\n")).collect()
    }

    fn known(id: &str) -> Dealership {
        rows::dealership(dealership(id).into(), String::new(), &mut Findings::default()).unwrap()
    }

    /// The mistakes of a file whose cars are of dealerships that are there, as pointers and the words behind.
    fn mistakes(file: Result<StockFile, StockError>) -> Vec<String> {
        let mut file = file.unwrap();
        file.check(&[known("d1"), known("d2")]);
        match file.good() {
            Err(StockError::Validate { listed, total }) => {
                assert!(listed.len() == total.min(100), "{listed:?} {total}");
                listed
            }
            other => panic!("{other:?}"),
        }
    }

    fn read(text: &str) -> Result<StockFile, StockError> {
        StockFile::read(text.as_bytes(), None, TODAY)
    }

    /// Prevents the program from shipping a sample stock that it would refuse itself.
    #[test]
    fn the_sample_stock_is_good_and_marked() {
        let stock = StockFile::whole(SAMPLE, TODAY).unwrap();
        assert!(
            stock
                .cars
                .iter()
                .all(|car| car.sample && car.confirmed_on.is_none())
        );
        assert_eq!(read(SAMPLE).unwrap().warnings(), []);
    }

    /// Prevents one way of writing a stock down from meaning another stock than the rest, packed or marked by an editor.
    #[test]
    fn every_form_is_the_same_stock() {
        let cars = [car("c1", "d1"), car("c2", "d2"), car("c3", "d1")];
        let document =
            json!({"cars": cars, "dealerships": [dealership("d1"), dealership("d2")], "version": 3});
        let array = json!(cars);
        let texts = [
            document.to_string(),
            serde_json::to_string_pretty(&document).unwrap(),
            array.to_string(),
            serde_json::to_string_pretty(&array).unwrap(),
            lines(&cars),
            format!("\n \r\n{}", lines(&cars)),
        ];
        for text in texts {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            // Tools that join packed files leave several packed parts.
            let (one, other) = text.as_bytes().split_at(text.len() / 2);
            packed.write_all(one).unwrap();
            let mut joined = packed.finish().unwrap();
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(other).unwrap();
            joined.extend(packed.finish().unwrap());
            for bytes in [
                text.clone().into_bytes(),
                format!("\u{feff}{text}").into_bytes(),
                joined,
            ] {
                let mut file = StockFile::read(bytes.as_slice(), None, TODAY).unwrap();
                file.check(&[known("d1"), known("d2")]);
                file.good().unwrap();
                assert_eq!(file.named(), BTreeSet::from(["d1".to_owned(), "d2".to_owned()]));
                let parts = file.part();
                let ids = |part: &Part| part.cars.iter().map(|car| car.id.clone()).collect::<Vec<_>>();
                assert_eq!(
                    parts.iter().map(ids).collect::<Vec<_>>(),
                    [vec!["c1", "c3"], vec!["c2"]],
                    "{text}"
                );
                assert!(
                    parts
                        .iter()
                        .flat_map(|part| &part.cars)
                        .all(|car| car.confirmed_on == Some(TODAY))
                );
            }
        }
    }

    /// Prevents an operator from having to find a bad row among thousands, or one mistake at a time.
    #[test]
    fn every_bad_row_is_named_with_its_field() {
        let mut ill = car("c2", "d1");
        ill["preco"] = json!("62 mil");
        ill["combustivel"] = json!("querosene");
        let mut short = car("c3", "d1");
        short.as_object_mut().unwrap().remove("ano");
        let orphan = car("c4", "d3");
        let again = car("c1", "d2");
        let cars = [car("c1", "d1"), ill, short, orphan, again];
        let of_cars = [
            "/1/preco",
            "/1/combustivel",
            "/2/ano",
            "/3/dealership_id",
            "/4/id",
        ];
        let places = |listed: &[String]| -> Vec<String> {
            let pointers = listed.iter().filter_map(|mistake| mistake.split(' ').next());
            pointers.map(str::to_owned).collect()
        };
        let named = mistakes(read(&lines(&cars)));
        assert_eq!(places(&named), of_cars);
        assert!(named[2].starts_with("/2/ano linha 3: "), "{named:?}");
        assert_eq!(places(&mistakes(read(&json!(cars).to_string()))), of_cars);

        let bad = json!({"id": "a b", "name": "", "city": "X", "state": "XX"});
        let document = json!({"dealerships": [dealership("d1"), bad, dealership("d2")], "cars": cars});
        let of_dealerships = ["/dealerships/1/id", "/dealerships/1/name", "/dealerships/1/state"];
        let mut expected: Vec<String> = of_cars.iter().map(|place| format!("/cars{place}")).collect();
        // In the order of the file; what rows say of each other comes last.
        expected.splice(3..3, of_dealerships.map(str::to_owned));
        let named = mistakes(read(&document.to_string()));
        assert_eq!(places(&named), expected);
        assert!(named[0].starts_with("/cars/1/preco carro 2: "), "{named:?}");
    }

    /// Prevents a mistake after a lost race from being told of another row.
    #[test]
    fn cars_that_were_put_back_know_their_places() {
        let mut file = read(&lines(&[car("c1", "d2"), car("c2", "d1"), car("c3", "d2")])).unwrap();
        let parts = file.part();
        file.join(parts);
        file.check(&[known("d1"), known("d2")]);
        file.refuse(&HashSet::from(["c3".to_owned(), "c2".to_owned()]));
        let mut listed = mistakes(Ok(file));
        listed.sort();
        assert!(
            listed[0].starts_with("/1/id linha 2: ") && listed[1].starts_with("/2/id linha 3: "),
            "{listed:?}"
        );
    }

    /// Prevents cars from going to a dealership that they do not name, and a list of one from having to name it in each row.
    #[test]
    fn a_dealership_that_is_named_beside_the_file_has_all_its_cars() {
        let mut bare = car("c1", "d1");
        bare.as_object_mut().unwrap().remove("dealership_id");
        let of_d1 = |text: &str| StockFile::read(text.as_bytes(), Some("d1"), TODAY);
        let mut file = of_d1(&json!([bare, car("c2", "d1")]).to_string()).unwrap();
        file.check(&[known("d1")]);
        file.good().unwrap();
        assert_eq!(file.part()[0].cars.len(), 2);
        let named = mistakes(of_d1(&lines(&[bare.clone(), car("c2", "d2")])));
        assert!(named[0].starts_with("/1/dealership_id linha 2: "), "{named:?}");
        let named = mistakes(read(&lines(&[bare])));
        assert!(named[0].starts_with("/0/dealership_id linha 1: "), "{named:?}");
        let document = json!({"dealerships": [dealership("d1")], "cars": []}).to_string();
        assert!(matches!(of_d1(&document), Err(StockError::NamedTwice)));
        // Emptied on purpose, and only so.
        let mut emptied = of_d1("[]").unwrap();
        assert_eq!((emptied.good().is_ok(), emptied.part().len()), (true, 1));
        assert!(matches!(read("[]"), Err(StockError::OfNobody)));
        for nothing in ["", "\n\n"] {
            assert!(mistakes(of_d1(nothing))[0].contains("não há linhas"));
        }
    }

    /// Prevents a file that was cut off or damaged on its way from being taken for a stock.
    #[test]
    fn what_is_no_stock_is_refused_with_its_place() {
        let document = json!({"dealerships": [dealership("d1")], "cars": [car("c1", "d1")]}).to_string();
        let array = json!([car("c1", "d1")]).to_string();
        for text in [&document, &array] {
            for end in 1..text.len() {
                let cut = StockFile::read(&text.as_bytes()[..end], None, TODAY);
                let refused = cut.is_err() || cut.is_ok_and(|file| file.good().is_err());
                assert!(refused, "{}", &text[..end]);
            }
            let further = StockFile::read(format!("{text} 1").as_bytes(), None, TODAY);
            assert!(matches!(further, Err(StockError::Unreadable(_))), "{further:?}");
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            let packed = packed.finish().unwrap();
            for end in 2..packed.len() {
                let cut = StockFile::read(&packed[..end], None, TODAY);
                assert!(matches!(cut, Err(StockError::Read(_))), "{end}: {cut:?}");
            }
        }
        for (text, place) in [
            (r#"{"dealerships": []}"#, "/cars "),
            (r#"{"cars": []}"#, "/dealerships "),
            (r#"{"cars": {}}"#, "/cars "),
            (r#"{"dealerships": 3, "cars": []}"#, "/dealerships "),
            (r#"{"cars": [], "dealerships": [], "cars": []}"#, "/cars "),
            (r#"{"cars": [7], "dealerships": [null]}"#, "/cars/0 "),
            ("{}", "/dealerships "),
            ("7", "/0 "),
            ("{ill", "/0 "),
        ] {
            let named = mistakes(read(text));
            assert!(named[0].starts_with(place), "{text}: {named:?}");
        }
        let long = format!("{}\n{}", car("c1", "d1"), "x".repeat(70_000));
        let error = format!("{:#}", anyhow::Error::from(read(&long).expect_err("refused")));
        assert!(
            error.contains("line 2 ") && error.matches("line").count() == 2,
            "{error}"
        );
    }

    /// Prevents a dealership from having more cars than the store gives back.
    #[test]
    fn no_dealership_has_more_cars_than_one_may_have() {
        let mut text = String::new();
        for number in 0..=MOST_CARS {
            text.push_str(&format!("{}\n", car(&format!("c{number}"), "d1")));
        }
        text.push_str(&format!("{}\n", car("other", "d2")));
        let named = mistakes(read(&text));
        assert_eq!(named.len(), 1);
        assert!(
            named[0].starts_with("/100000/dealership_id linha 100001: "),
            "{named:?}"
        );
        let of_one = StockFile::read(text.as_bytes(), Some("d1"), TODAY);
        assert!(matches!(
            of_one,
            Err(StockError::Unreadable(Unreadable::TooManyCars))
        ));
    }

    /// Prevents a record with a mistake from making its cars look wrong, or a mistake from being told of another record.
    #[test]
    fn a_bad_record_is_one_mistake_of_its_own_row() {
        let mut ill = dealership("d1");
        ill["state"] = json!("XX");
        let records = [json!({"name": "no id"}), ill, dealership("d2"), dealership("d2")];
        let document =
            json!({"dealerships": records, "cars": [car("c1", "d1"), car("c2", "d2")]}).to_string();
        let named = mistakes(read(&document));
        let pointers: Vec<&str> = named
            .iter()
            .filter_map(|mistake| mistake.split(' ').next())
            .collect();
        let expected = [
            "/dealerships/0/id",
            "/dealerships/0/city",
            "/dealerships/0/state",
            "/dealerships/1/state",
            "/dealerships/3/id",
        ];
        assert_eq!(pointers, expected, "{named:?}");
        assert!(read(&document).unwrap().named().contains("d1"));
    }

    /// Prevents a document from being read as lines, or lines as a document, for the name of its first field.
    #[test]
    fn a_document_is_known_by_its_lists() {
        let document =
            json!({"a_new_field": 1, "dealerships": [dealership("d1")], "cars": [car("c1", "d1")]});
        for text in [
            document.to_string(),
            serde_json::to_string_pretty(&document).unwrap(),
        ] {
            let mut file = read(&format!("{}{text}", " \n".repeat(5_000))).unwrap();
            file.check(&[]);
            file.good().unwrap();
            assert_eq!(file.warnings()[0].pointer, "/a_new_field");
        }
        let mut row = car("c1", "d1");
        row["version"] = json!("1.0");
        let mut file = read(&lines(&[row, car("c2", "d1")])).unwrap();
        file.check(&[known("d1")]);
        file.good().unwrap();
        assert_eq!((file.cars().len(), file.warnings().len()), (2, 1));
    }

    /// Prevents what is no row from filling the memory, and a row from entering that no backup could hold.
    #[test]
    fn a_row_is_bounded_in_every_form() {
        let mut fat = car("c2", "d1");
        fat["imagens"] = json!(["x".repeat(LONGEST_ROW)]);
        let rows = [car("c1", "d1"), fat];
        let document = json!({"dealerships": [dealership("d1")], "cars": rows}).to_string();
        for (text, place) in [
            (lines(&rows), "line 2 is longer"),
            (json!(rows).to_string(), "row 2 of a list is longer"),
            (document, "row 2 of a list is longer"),
        ] {
            let error = format!("{:#}", anyhow::Error::from(read(&text).expect_err("refused")));
            assert!(error.contains(place), "{error}");
        }
        // Without end: a text, a list and a name.
        for begun in [
            "[{\"nome\": \"",
            "{\"cars\": [{\"imagens\": [",
            "{\"cars\": [], \"",
            "{",
        ] {
            let filling: &[u8] = if begun.ends_with('[') { b"0," } else { b"a" };
            let endless = std::iter::repeat_with(|| filling).flatten().copied();
            let source = begun.bytes().chain(endless).take(1 << 20).collect::<Vec<u8>>();
            let read = StockFile::read(source.as_slice(), None, TODAY);
            assert!(
                read.is_err() || read.is_ok_and(|file| file.good().is_err()),
                "{begun}"
            );
        }
        // A large array as an upload, which is bounded as a whole.
        let array = serde_json::to_vec(&rows).unwrap();
        let upload = Upload::from_array(&array, "d1", TODAY).unwrap();
        assert_eq!(
            (upload.cars.len(), upload.findings.errors[0].code),
            (1, "too_large")
        );
    }
}
