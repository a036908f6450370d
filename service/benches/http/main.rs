//! `make bench-http`: how much of what HTTP costs anyway a recommendation costs, one core for the server, the load from
//! the other, in one run.
//!
//! The floor is a bare actix handler that answers with the same bytes. Lines on standard output read
//! `BENCH <name> <value> <unit>`; what goes on is said on standard error. Each phase comes round several times, in turns,
//! and the median counts.

// Printing is what a benchmark is for, and a broken set-up may end it.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, web};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const PHASE: Duration = Duration::from_secs(2);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|word| word == "--floor") {
        floor(&arguments[place + 1], &arguments[place + 2]);
        return;
    }
    let service = Server::start(env!("CARGO_BIN_EXE_faciliauto-service"), |listen, metrics| {
        vec![
            format!("--listen={listen}"),
            format!("--metrics-listen={metrics}"),
            "--workers=1".to_owned(),
        ]
    });
    let request = |number: usize| {
        let body = format!(
            "{{\"orcamento_min\":40000,\"orcamento_max\":{},\"uso_principal\":\"familia\",\"tamanho_familia\":4,\
             \"state\":\"SP\",\"prioridades\":{{\"seguranca\":5,\"espaco\":4}},\"km_maxima\":{}}}",
            90_000 + number % 50_000,
            120_000 + number / 50_000
        );
        format!(
            "POST /recommend HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let answer = ask(
        &mut BufReader::new(TcpStream::connect(service.address).unwrap()),
        &request(0),
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer");
    std::fs::write(&file, &answer).unwrap();
    let this = std::env::current_exe().unwrap();
    let floor = Server::start(&this, |listen, _| {
        vec![
            "--floor".to_owned(),
            listen.to_string(),
            file.display().to_string(),
        ]
    });
    eprintln!(
        "an answer has {} bytes; {CONNECTIONS} connections, {ROUNDS} rounds of {PHASE:?} each",
        answer.len()
    );

    let fresh = AtomicUsize::new(1);
    let distinct = || request(fresh.fetch_add(1, Ordering::Relaxed));
    let same = || request(0);
    let mut phases = [
        Phase::new("floor", floor.address, &same),
        Phase::new("distinct", service.address, &distinct),
        Phase::new("cached", service.address, &same),
    ];
    for _ in 0..ROUNDS {
        for phase in &mut phases {
            phase.run();
        }
    }
    let floor = phases[0].report(None);
    for phase in &mut phases[1..] {
        let name = phase.name;
        let throughput = phase.report(Some(floor));
        println!("BENCH http.{name}.share_of_floor {:.3} x", throughput / floor);
    }
    println!("BENCH http.rss.mib {:.1} MiB", service.resident_mebibytes());
}

/// Requests of one kind to one server.
struct Phase<'a> {
    name: &'static str,
    address: SocketAddr,
    request: &'a (dyn Fn() -> Vec<u8> + Sync),
    throughputs: Vec<f64>,
    micros: Vec<u32>,
}

impl<'a> Phase<'a> {
    fn new(name: &'static str, address: SocketAddr, request: &'a (dyn Fn() -> Vec<u8> + Sync)) -> Self {
        Self {
            name,
            address,
            request,
            throughputs: Vec::new(),
            micros: Vec::new(),
        }
    }

    fn run(&mut self) {
        let (address, request) = (self.address, self.request);
        let begun = Instant::now();
        let micros: Vec<u32> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CONNECTIONS)
                .map(|_| {
                    scope.spawn(move || {
                        let stream = TcpStream::connect(address).unwrap();
                        stream.set_nodelay(true).unwrap();
                        let mut connection = BufReader::with_capacity(64 << 10, stream);
                        let mut micros = Vec::new();
                        while begun.elapsed() < PHASE {
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
        });
        self.throughputs
            .push(micros.len() as f64 / begun.elapsed().as_secs_f64());
        self.micros.extend(micros);
    }

    /// Prints what was seen and gives back requests a second.
    fn report(&mut self, floor: Option<f64>) -> f64 {
        self.throughputs.sort_by(f64::total_cmp);
        self.micros.sort_unstable();
        let throughput = self.throughputs[self.throughputs.len() / 2];
        let quantile = |share: f64| self.micros[((self.micros.len() - 1) as f64 * share) as usize];
        let (p50, p99) = (quantile(0.5), quantile(0.99));
        let share = floor.map_or(String::new(), |floor| {
            format!(", {:.0} % of the floor", throughput / floor * 100.0)
        });
        eprintln!(
            "{:10} {throughput:8.0} requests/s, p50 {p50} us, p99 {p99} us{share}",
            self.name
        );
        println!("BENCH http.{}.per_second {throughput:.0} 1/s", self.name);
        println!("BENCH http.{}.p50_us {p50} us", self.name);
        println!("BENCH http.{}.p99_us {p99} us", self.name);
        throughput
    }
}

/// Sends a request and reads the whole answer, of which it gives back the body.
fn ask(connection: &mut BufReader<TcpStream>, request: &[u8]) -> Vec<u8> {
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

/// A server on the first core; everything else is on the second.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(
        program: &(impl AsRef<std::ffi::OsStr> + ?Sized),
        arguments: impl FnOnce(SocketAddr, SocketAddr) -> Vec<String>,
    ) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (address, metrics) = (free(), free());
        let process = Command::new("taskset")
            .args(["--cpu-list", "0"])
            .arg(program)
            .args(arguments(address, metrics))
            .env("FACILIAUTO_LOG_LEVEL", "warn")
            // All requests come from one address.
            .env("FACILIAUTO_LIMITS", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("taskset, of util-linux");
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "the server does not come up"
            );
            thread::sleep(Duration::from_millis(20));
        }
        let own = Command::new("taskset")
            .args([
                "--all-tasks",
                "--cpu-list",
                "--pid",
                "1",
                &std::process::id().to_string(),
            ])
            .stdout(Stdio::null())
            .status();
        if !own.is_ok_and(|status| status.success()) {
            eprintln!("load and server share the core: there is but one");
        }
        Self { process, address }
    }

    fn resident_mebibytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers everything with the content of a file.
fn floor(listen: &str, file: &str) {
    let body = web::Bytes::from(std::fs::read(file).unwrap());
    actix_web::rt::System::new()
        .block_on(async {
            HttpServer::new(move || {
                let body = body.clone();
                App::new().default_service(web::to(move |_: web::Bytes| {
                    let body = body.clone();
                    async move { HttpResponse::Ok().content_type("application/json").body(body) }
                }))
            })
            .workers(1)
            .bind(listen)
            .unwrap()
            .run()
            .await
        })
        .unwrap();
}
