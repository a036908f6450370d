//! As many requests as one server answers.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// Connections that ask at the same time.
pub(crate) const CONNECTIONS: usize = 16;
/// How long one phase asks before the next has its turn.
pub(crate) const TURN: Duration = Duration::from_secs(2);

/// Makes the next request.
pub(crate) type NextRequest<'a> = &'a (dyn Fn() -> Vec<u8> + Sync);

/// Requests of one kind to one server.
pub(crate) struct Phase<'a> {
    pub(crate) name: &'static str,
    address: SocketAddr,
    request: NextRequest<'a>,
    throughputs: Vec<f64>,
    micros: Vec<u32>,
}

impl<'a> Phase<'a> {
    pub(crate) fn new(name: &'static str, address: SocketAddr, request: NextRequest<'a>) -> Self {
        Self {
            name,
            address,
            request,
            throughputs: Vec::new(),
            micros: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self) {
        let begun = Instant::now();
        let micros = ask_until(self.address, self.request, &|| begun.elapsed() >= TURN);
        self.throughputs
            .push(micros.len() as f64 / begun.elapsed().as_secs_f64());
        self.micros.extend(micros);
    }

    pub(crate) fn requests(&self) -> usize {
        self.micros.len()
    }

    /// Prints what was seen and gives back requests a second.
    pub(crate) fn report(&mut self, floor: Option<f64>) -> f64 {
        self.throughputs.sort_by(f64::total_cmp);
        self.micros.sort_unstable();
        let throughput = self.throughputs[self.throughputs.len() / 2];
        let (p50, p99) = (quantile(&self.micros, 0.5), quantile(&self.micros, 0.99));
        let share = floor.map_or(String::new(), |floor| {
            format!(", {:.0} % of the floor", throughput / floor * 100.0)
        });
        eprintln!(
            "{:22} {throughput:8.0} requests/s, p50 {p50} us, p99 {p99} us{share}",
            self.name
        );
        println!("BENCH http.{}.per_second {throughput:.0} 1/s", self.name);
        println!("BENCH http.{}.p50_us {p50} us", self.name);
        println!("BENCH http.{}.p99_us {p99} us", self.name);
        throughput
    }
}

/// A quantile of what is sorted.
pub(crate) fn quantile(micros: &[u32], share: f64) -> u32 {
    micros[((micros.len() - 1) as f64 * share) as usize]
}

/// Asks over all connections until told to stop; gives back how long each answer took, in microseconds.
pub(crate) fn ask_until(
    address: SocketAddr,
    request: NextRequest<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Vec<u32> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(move || {
                    let mut connection = connect(address);
                    let mut micros = Vec::new();
                    while !stop() {
                        let request = request();
                        let asked = Instant::now();
                        ask(&mut connection, &request);
                        micros.push(asked.elapsed().as_micros() as u32);
                    }
                    micros
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    })
}

pub(crate) fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::with_capacity(64 << 10, stream)
}

/// Sends a request and reads the whole answer, of which it gives back the body.
pub(crate) fn ask(connection: &mut BufReader<TcpStream>, request: &[u8]) -> Vec<u8> {
    connection.get_mut().write_all(request).unwrap();
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        connection.read_line(&mut line).unwrap();
        if line == "\r\n" {
            break;
        }
        assert!(!line.starts_with("HTTP/1.1") || line.contains(" 200 "), "{line}");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    body
}
