//! Writes the cars, the formula and the answer for other programs to compute the same.
//!
//! ```text
//! DIR/<column>.bin   one value for each car, little-endian, in the order of ids
//! DIR/export.json    the columns with their types, the formula, the filters, and the best cars as this engine finds them
//! ```

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use faciliauto_engine::{
    Catalogue, Category, Criterion, InstructionSet, MustHave, Questionnaire,
    reference::{self, Formula, Row},
};
use serde_json::{Value, json};

use crate::buyers;

/// Cars in the list that other programs compute.
pub(crate) const TOP: usize = 20;

/// Writes everything into a folder, which is made when it is not there.
pub(crate) fn write(catalogue: &Catalogue, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let buyer = buyers::compared(TOP);
    let formula = reference::formula(catalogue, &buyer);
    let mut files = columns(&formula)
        .into_iter()
        .map(|column| {
            Ok((
                BufWriter::new(File::create(folder.join(format!("{}.bin", column.name)))?),
                column,
            ))
        })
        .collect::<io::Result<Vec<_>>>()?;
    for row in reference::rows(catalogue, &buyer) {
        for (file, column) in &mut files {
            file.write_all(&(column.bytes)(&row))?;
        }
    }
    let mut described = Vec::new();
    for (mut file, column) in files {
        file.flush()?;
        described.push(json!({ "name": column.name, "dtype": column.dtype }));
    }
    let document = document(catalogue, &buyer, &formula, &described);
    fs::write(folder.join("export.json"), format!("{document:#}\n"))
}

/// What a column holds of one car, little-endian.
type BytesOf = Box<dyn Fn(&Row) -> Vec<u8>>;

/// One file: a name, a type as NumPy writes it, and its bytes for a car.
struct Column {
    name: String,
    dtype: &'static str,
    bytes: BytesOf,
}

fn columns(formula: &Formula) -> Vec<Column> {
    let column = |name: &str, dtype, bytes: BytesOf| Column {
        name: name.to_owned(),
        dtype,
        bytes,
    };
    let mut columns = vec![
        column("on_offer", "|u1", Box::new(|row| vec![u8::from(row.on_offer)])),
        column(
            "category",
            "|u1",
            Box::new(|row| vec![category_number(row.category)]),
        ),
        column("price", "<u8", Box::new(|row| row.price.to_le_bytes().into())),
        column(
            "odometer_km",
            "<u4",
            Box::new(|row| row.odometer_km.to_le_bytes().into()),
        ),
        column("year", "<u2", Box::new(|row| row.year.to_le_bytes().into())),
    ];
    for (index, (criterion, _)) in formula.weights.iter().enumerate() {
        if *criterion == Criterion::Price {
            continue;
        }
        columns.push(column(
            criterion.word(),
            "|u1",
            Box::new(move |row| vec![row.utilities[index]]),
        ));
        if formula.guarded.contains(criterion) {
            columns.push(column(
                &format!("{}_known", criterion.word()),
                "|u1",
                Box::new(move |row| vec![u8::from(row.known[index])]),
            ));
        }
    }
    columns
}

/// A category as the column holds it: its place in [`Category::ALL`].
fn category_number(category: Category) -> u8 {
    category as u8
}

fn document(catalogue: &Catalogue, buyer: &Questionnaire, formula: &Formula, columns: &[Value]) -> Value {
    let Formula {
        weights,
        guarded,
        threshold,
        guarded_gap,
        price_minimum,
        price_maximum,
        price_range,
        price_step,
    } = formula;
    let of_criteria = weights
        .iter()
        .filter(|(criterion, _)| *criterion != Criterion::Price);
    let price_weight = weights
        .iter()
        .find(|(criterion, _)| *criterion == Criterion::Price);
    // What this buyer requires is one category; anything else would have to be written down for the peers too.
    let categories: Vec<u8> = buyer
        .must_haves
        .iter()
        .map(|must_have| match must_have {
            MustHave::Category(category) => category_number(*category),
            other => panic!("the peers know no filter {}", other.word()),
        })
        .collect();
    let best = reference::rank(catalogue, buyer, TOP, InstructionSet::widest());
    json!({
        "cars": catalogue.len(),
        "columns": columns,
        "k": TOP,
        "weights": of_criteria
            .map(|(criterion, weight)| (criterion.word().to_owned(), json!(weight)))
            .collect::<serde_json::Map<_, _>>(),
        "guard": {
            "criteria": guarded.iter().map(|criterion| criterion.word()).collect::<Vec<_>>(),
            "threshold": threshold,
            "gap": guarded_gap,
        },
        "price": {
            "weight": price_weight.map_or(0, |(_, weight)| *weight),
            "minimum": price_minimum,
            "maximum": price_maximum,
            "range": price_range,
            "step": price_step,
        },
        "filters": { "price_at_most": buyer.budget_maximum.0, "category": categories },
        "expected": best.iter().map(|(ordinal, score)| json!([ordinal, score])).collect::<Vec<_>>(),
    })
}
