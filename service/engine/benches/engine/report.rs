//! The lines that are printed, and the table at the end.

/// One figure, and what it should not be above.
struct Line {
    name: String,
    value: f64,
    unit: &'static str,
    at_most: Option<f64>,
}

/// All figures of a run, printed as they come.
#[derive(Default)]
pub(crate) struct Report(Vec<Line>);

impl Report {
    /// A figure without a target.
    pub(crate) fn line(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.print(Line {
            name: name.into(),
            value,
            unit,
            at_most: None,
        });
    }

    /// A figure that should not be above its target.
    pub(crate) fn at_most(&mut self, target: f64, name: impl Into<String>, value: f64, unit: &'static str) {
        self.print(Line {
            name: name.into(),
            value,
            unit,
            at_most: Some(target),
        });
    }

    fn print(&mut self, line: Line) {
        println!("BENCH {} {} {}", line.name, figure(line.value), line.unit);
        self.0.push(line);
    }

    /// Name, value, target and whether it is met, on standard error. A benchmark fails nobody: it says.
    pub(crate) fn print_table(&self) {
        eprintln!();
        for Line {
            name,
            value,
            unit,
            at_most,
        } in &self.0
        {
            let judged = match at_most {
                Some(target) if value <= target => format!("target <= {}: met", figure(*target)),
                Some(target) => format!("target <= {}: NOT met", figure(*target)),
                None => String::new(),
            };
            eprintln!("{name:<36} {:>10} {unit:<8} {judged}", figure(*value));
        }
    }
}

/// As many digits as can be trusted.
fn figure(value: f64) -> String {
    match value {
        ..100.0 => format!("{value:.2}"),
        ..10_000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
