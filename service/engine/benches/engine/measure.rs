//! Times of one piece of work, many times over, and what is said of them.

use std::time::{Duration, Instant};

/// Times of one piece of work in seconds, in order of size.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    fn of(times: Vec<Duration>) -> Self {
        let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    /// In seconds.
    pub(crate) fn median(&self) -> f64 {
        self.at(2)
    }

    /// In microseconds.
    pub(crate) fn micros(&self) -> f64 {
        self.median() * 1e6
    }

    /// The time that so many quarters of all are not above.
    fn at(&self, quarters: usize) -> f64 {
        self.0[(self.0.len() - 1) * quarters / 4]
    }

    /// Median and middle half, for people.
    pub(crate) fn spread(&self) -> String {
        let [low, middle, high] = [1, 2, 3].map(|quarters| shown(self.at(quarters)));
        format!("{middle} (middle half {low} to {high}, {} times)", self.0.len())
    }
}

fn shown(seconds: f64) -> String {
    match seconds {
        ..1e-3 => format!("{:.1} us", seconds * 1e6),
        ..1.0 => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

/// One piece of work with its name.
pub(crate) type Work<'work> = (String, Box<dyn FnMut() -> Duration + 'work>);

/// Work of microseconds: many calls between two looks at the clock, which then costs nothing; giving up what was made
/// is part of it.
pub(crate) fn timed_often<'work, Made>(
    name: impl Into<String>,
    calls: u32,
    mut work: impl FnMut() -> Made + 'work,
) -> Work<'work> {
    let timed = move || {
        let begun = Instant::now();
        for _ in 0..calls {
            drop(std::hint::black_box(work()));
        }
        begun.elapsed() / calls
    };
    (name.into(), Box::new(timed))
}

/// Work that is timed whole.
pub(crate) fn timed<'work, Made>(
    name: impl Into<String>,
    mut work: impl FnMut() -> Made + 'work,
) -> Work<'work> {
    let timed = move || {
        let begun = Instant::now();
        let made = std::hint::black_box(work());
        let taken = begun.elapsed();
        drop(made);
        taken
    };
    (name.into(), Box::new(timed))
}

/// Does each piece of work once to warm up, then all of them in turns, and says on standard error what it saw.
pub(crate) fn in_turns(turns: usize, mut works: Vec<Work<'_>>) -> Vec<Samples> {
    for (_, work) in &mut works {
        work();
    }
    let mut times = vec![Vec::with_capacity(turns); works.len()];
    for _ in 0..turns {
        for ((_, work), times) in works.iter_mut().zip(&mut times) {
            times.push(work());
        }
    }
    let samples: Vec<Samples> = times.into_iter().map(Samples::of).collect();
    for ((name, _), samples) in works.iter().zip(&samples) {
        eprintln!("  {name}: {}", samples.spread());
    }
    samples
}
