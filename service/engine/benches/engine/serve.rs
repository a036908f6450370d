//! Ranks on request, so that another program can take turns with the engine.

use std::{
    hint::black_box,
    io::{self, BufRead, Write},
    time::Instant,
};

use faciliauto_engine::{Catalogue, InstructionSet, reference};

use crate::{buyers, export::TOP};

/// Says `ready`, then for each line with a number ranks that often and answers with the microseconds of each time.
pub(crate) fn until_closed(catalogue: &Catalogue) -> io::Result<()> {
    let buyer = buyers::compared(TOP);
    let mut output = io::stdout().lock();
    writeln!(output, "ready")?;
    output.flush()?;
    for line in io::stdin().lock().lines() {
        let times: usize = line?.trim().parse().map_err(io::Error::other)?;
        let taken: Vec<String> = (0..times)
            .map(|_| {
                let begun = Instant::now();
                black_box(reference::rank(catalogue, &buyer, TOP, InstructionSet::widest()));
                format!("{:.3}", begun.elapsed().as_secs_f64() * 1e6)
            })
            .collect();
        writeln!(output, "{}", taken.join(" "))?;
        output.flush()?;
    }
    Ok(())
}
