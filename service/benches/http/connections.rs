//! What connections that nobody uses cost those that are used.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use crate::load::{NextRequest, ask, connect, quantile};

const OPEN: usize = 1000;
const PER_SECOND: u32 = 100;
const ROUNDS: usize = 3;
const TURN: Duration = Duration::from_secs(5);

/// Asks a hundred times a second, in turns alone and beside a thousand open connections.
pub(crate) fn measure(address: SocketAddr, request: NextRequest<'_>) {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.extend(ask_at_ease(address, request));
        let open: Vec<_> = (0..OPEN)
            .map(|_| {
                let mut connection = connect(address);
                // One that never asked anything is ended after some seconds.
                ask(&mut connection, b"GET /livez HTTP/1.1\r\nhost: bench\r\n\r\n");
                connection
            })
            .collect();
        beside.extend(ask_at_ease(address, request));
        drop(open);
    }
    alone.sort_unstable();
    beside.sort_unstable();
    let (alone, beside) = (quantile(&alone, 0.95), quantile(&beside, 0.95));
    eprintln!("{PER_SECOND} requests/s: p95 {alone} us alone, {beside} us beside {OPEN} open connections");
    println!("BENCH http.connections_1000.p95_us {beside} us");
    println!(
        "BENCH http.connections_1000.p95_ratio {:.2} x",
        f64::from(beside) / f64::from(alone)
    );
}

fn ask_at_ease(address: SocketAddr, request: NextRequest<'_>) -> Vec<u32> {
    let mut connection = connect(address);
    let begun = Instant::now();
    let requests = TURN.as_secs() as u32 * PER_SECOND;
    (0..requests)
        .map(|number| {
            let due = begun + Duration::from_secs(1) * number / PER_SECOND;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let request = request();
            let asked = Instant::now();
            ask(&mut connection, &request);
            asked.elapsed().as_micros() as u32
        })
        .collect()
}
