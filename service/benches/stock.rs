//! `make bench-stock`: how long a large stock takes from its dealer to every replica, and what it takes in memory.
//!
//! Two replicas and a Redis that syncs once a second, all on this machine. Lines on standard output read
//! `BENCH stock.<name> <value> <unit>`; what goes on is said on standard error. A figure ends when the last of the
//! replicas shows the change. It fails when a figure is past its target.

// Printing is what a benchmark is for, and a broken set-up may end it.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "shared/memory.rs"]
mod memory;
#[path = "shared/redis_server.rs"]
mod redis_server;

use std::{
    cell::Cell,
    io::Write,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use redis_server::{Running, free_port, redis};

const CARS: usize = 100_000;
const CARS_OF_ANOTHER: usize = 1_000;
const PATCHES: usize = 20;

/// Within how many seconds every replica serves a stock of so many cars.
const SEEN_LARGE: f64 = 10.0;
const SEEN_SMALL: f64 = 1.0;

/// What the replica that takes a large stock may hold of it, in MiB as resident.
const MOST_MEBIBYTES: f64 = 200.0;

const ADMIN: &str = "an-administrator-of-the-benchmark";

/// How often a replica is asked whether it shows something: the error of every figure.
const POLL: Duration = Duration::from_millis(5);

/// How long after a stock shows its memory is looked at.
const SETTLED: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut targets = Targets::default();
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, ADMIN).unwrap();
    let redis_port = free_port();
    let _redis = redis(redis_port, folder.path());
    let redis_url = format!("redis://127.0.0.1:{redis_port}");
    let opened = program(&redis_url).args(["import", "--none"]).status().unwrap();
    assert!(opened.success(), "the store is opened");
    let replicas = [
        Replica::start(&redis_url, &tokens),
        Replica::start(&redis_url, &tokens),
    ];
    let bench = Bench {
        client: Client::new(),
        replicas,
    };
    bench.every_replica("is up", |_| true, "/livez").await;
    for id in ["grande", "pequena"] {
        let record = json!({"name": format!("Loja {id}"), "city": "Recife", "state": "PE"});
        bench
            .put(
                &format!("/api/dealerships/{id}"),
                "application/json",
                false,
                record.to_string().into(),
            )
            .await;
    }
    eprintln!("empty: {}", bench.memory());

    let packed = packed(&rows("g", CARS));
    eprintln!(
        "{CARS} cars, {:.1} MiB as gzip",
        packed.len() as f64 / f64::from(1 << 20)
    );
    for round in ["first", "again"] {
        let begun = Instant::now();
        let answered = bench.put_stock("grande", packed.clone()).await;
        let seen = bench.shown(&answered, begun).await;
        report(
            &format!("put_100k_{round}.answered"),
            answered.took.as_secs_f64(),
            "s",
        );
        targets.report(
            &format!("put_100k_{round}.seen"),
            seen.as_secs_f64(),
            "s",
            SEEN_LARGE,
        );
        // What was replaced goes back to the system a moment after its successor shows.
        tokio::time::sleep(SETTLED).await;
        eprintln!("{round}: {}", bench.memory());
        let [peak, resident] = ["VmHWM:", "VmRSS:"].map(|field| bench.replicas[0].mebibytes(field));
        targets.report(&format!("put_100k_{round}.peak"), peak, "MiB", MOST_MEBIBYTES);
        report(&format!("put_100k_{round}.resident"), resident, "MiB");
    }

    let mut answered = Vec::new();
    let mut seen = Vec::new();
    for number in 0..PATCHES {
        let car = format!("g-{}", number * CARS / PATCHES);
        let price = 30_000 + number;
        let begun = Instant::now();
        let answer = bench.patch("grande", &car, json!({"preco": price})).await;
        answered.push(answer.took);
        let shows = |answer: &Value| answer["preco"].as_f64() == Some(price as f64);
        bench
            .every_replica("shows the price", shows, &format!("/cars/{car}"))
            .await;
        seen.push(begun.elapsed());
    }
    for (name, mut times) in [("answered", answered), ("seen", seen)] {
        times.sort();
        let milliseconds = |time: &Duration| time.as_secs_f64() * 1000.0;
        report(
            &format!("patch_in_100k.{name}.p50"),
            milliseconds(&times[times.len() / 2]),
            "ms",
        );
        report(
            &format!("patch_in_100k.{name}.max"),
            milliseconds(times.last().unwrap()),
            "ms",
        );
    }

    let small = self::packed(&rows("p", CARS_OF_ANOTHER));
    let begun = Instant::now();
    let answered = bench.put_stock("pequena", small).await;
    let seen = bench.shown(&answered, begun).await;
    report("put_1k_beside_100k.answered", answered.took.as_secs_f64(), "s");
    targets.report("put_1k_beside_100k.seen", seen.as_secs_f64(), "s", SEEN_SMALL);

    // Sales of one dealer while another hands in a large stock, on the same replica.
    let done = Cell::new(false);
    let put = async {
        bench.put_stock("grande", packed.clone()).await;
        done.set(true);
    };
    let sales = async {
        let mut longest = Duration::ZERO;
        for number in 0.. {
            let answer = bench
                .patch(
                    "pequena",
                    &format!("p-{}", number % CARS_OF_ANOTHER),
                    json!({"preco": 40_000}),
                )
                .await;
            longest = longest.max(answer.took);
            if done.get() {
                eprintln!("{number} sales beside a put of {CARS} cars");
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        longest
    };
    let ((), longest) = tokio::join!(put, sales);
    report(
        "patch_beside_put_100k.answered.max",
        longest.as_secs_f64() * 1000.0,
        "ms",
    );

    // The same by an operator, over what is there: no replica takes part but as a reader.
    let list = folder.path().join("list.ndjson.gz");
    std::fs::write(&list, &packed).unwrap();
    let begun = Instant::now();
    let (said, peak) = import(&redis_url, folder.path(), &list);
    report("import_100k.done", begun.elapsed().as_secs_f64(), "s");
    let imported = Answered {
        body: said,
        took: begun.elapsed(),
    };
    let seen = bench.shown(&imported, begun).await;
    targets.report("import_100k.seen", seen.as_secs_f64(), "s", SEEN_LARGE);
    targets.report("import_100k.peak", peak, "MiB", MOST_MEBIBYTES);

    // Threads that worked aside end after ten idle seconds, and what they held goes back to the system with them.
    tokio::time::sleep(Duration::from_secs(20)).await;
    for (replica, name) in bench.replicas.iter().zip(["writer", "reader"]) {
        report(&format!("resident.{name}"), replica.mebibytes("VmRSS:"), "MiB");
        report(
            &format!("resident_peak.{name}"),
            replica.mebibytes("VmHWM:"),
            "MiB",
        );
    }
    targets.outcome()
}

/// Which figures are past what they may be at most.
#[derive(Default)]
struct Targets {
    missed: Vec<String>,
}

impl Targets {
    fn report(&mut self, name: &str, value: f64, unit: &str, most: f64) {
        report(name, value, unit);
        if value > most {
            self.missed
                .push(format!("{name}: {value:.3} {unit}, of {most} {unit} at most"));
        }
    }

    fn outcome(self) -> ExitCode {
        for missed in &self.missed {
            eprintln!("not met: {missed}");
        }
        if self.missed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn report(name: &str, value: f64, unit: &str) {
    println!("BENCH stock.{name} {value:.3} {unit}");
}

fn program(redis_url: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_faciliauto-service"));
    program
        .env_clear()
        .env("FACILIAUTO_REDIS_URL", redis_url)
        .env("FACILIAUTO_LOG_LEVEL", "warn")
        // All requests come from one address.
        .env("FACILIAUTO_LIMITS", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    program
}

/// Imports a list of one dealership; gives the report, and the most memory that the importer held, in MiB.
fn import(redis_url: &str, folder: &Path, list: &Path) -> (Value, f64) {
    let report = folder.join("report");
    let mut importer = program(redis_url)
        .arg("--report-file")
        .arg(&report)
        .args(["import", "--dealership", "grande"])
        .arg(list)
        .spawn()
        .unwrap();
    let mut peak = 0.0;
    let status = loop {
        if let Some(status) = importer.try_wait().unwrap() {
            break status;
        }
        // Gone once it has ended, and the peak only grows until then.
        peak = memory::mebibytes(importer.id(), "VmHWM:").unwrap_or(peak);
        std::thread::sleep(POLL);
    };
    assert!(status.success(), "the import ends well");
    (
        serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap(),
        peak,
    )
}

struct Replica {
    process: Running,
    url: String,
}

impl Replica {
    fn start(redis_url: &str, tokens: &Path) -> Self {
        let (port, metrics) = (free_port(), free_port());
        let process = program(redis_url)
            .args([
                format!("--listen=127.0.0.1:{port}"),
                format!("--metrics-listen=127.0.0.1:{metrics}"),
            ])
            .arg("--admin-token-file")
            .arg(tokens)
            .spawn()
            .unwrap();
        Self {
            process: Running(process),
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    /// A line of what Linux says of a process.
    fn mebibytes(&self, line: &str) -> f64 {
        memory::mebibytes(self.process.0.id(), line).unwrap()
    }
}

/// An answer to a write.
struct Answered {
    body: Value,
    took: Duration,
}

struct Bench {
    client: Client,
    replicas: [Replica; 2],
}

impl Bench {
    /// Waits until every replica answers a path with 200 and what is looked for.
    async fn every_replica(&self, what: &str, shows: impl Fn(&Value) -> bool, path: &str) {
        let begun = Instant::now();
        for replica in &self.replicas {
            loop {
                if let Ok(answer) = self.client.get(format!("{}{path}", replica.url)).send().await
                    && answer.status() == 200
                    && shows(&answer.json().await.unwrap_or_default())
                {
                    break;
                }
                assert!(
                    begun.elapsed() < Duration::from_secs(120),
                    "no replica that {what}"
                );
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// Waits until every replica serves what was written; how long since the writing began.
    async fn shown(&self, answered: &Answered, begun: Instant) -> Duration {
        let version = answered.body["catalog_version"].clone();
        self.every_replica(
            "serves it",
            |health| health["catalog_version"] == version,
            "/health",
        )
        .await;
        begun.elapsed()
    }

    async fn put_stock(&self, dealership: &str, packed: Vec<u8>) -> Answered {
        self.put(
            &format!("/api/dealerships/{dealership}/stock"),
            "application/x-ndjson",
            true,
            packed,
        )
        .await
    }

    async fn put(&self, path: &str, kind: &str, is_packed: bool, body: Vec<u8>) -> Answered {
        let mut request = self
            .client
            .put(format!("{}{path}", self.replicas[0].url))
            .bearer_auth(ADMIN)
            .header("content-type", kind)
            .body(body);
        if is_packed {
            request = request.header("content-encoding", "gzip");
        }
        let begun = Instant::now();
        answered(request.send().await.unwrap(), begun).await
    }

    async fn patch(&self, dealership: &str, car: &str, fields: Value) -> Answered {
        let url = format!("{}/api/dealerships/{dealership}/cars/{car}", self.replicas[0].url);
        let request = self
            .client
            .request(Method::PATCH, url)
            .bearer_auth(ADMIN)
            .json(&fields);
        let begun = Instant::now();
        answered(request.send().await.unwrap(), begun).await
    }

    fn memory(&self) -> String {
        let figures = self.replicas.iter().map(|replica| {
            format!(
                "{:.0} MiB, at most {:.0}",
                replica.mebibytes("VmRSS:"),
                replica.mebibytes("VmHWM:")
            )
        });
        figures.collect::<Vec<_>>().join("; ")
    }
}

async fn answered(response: Response, begun: Instant) -> Answered {
    let took = begun.elapsed();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    Answered {
        body: serde_json::from_str(&text).unwrap(),
        took,
    }
}

/// Rows as a dealer's system sends them, one a line.
fn rows(prefix: &str, cars: usize) -> String {
    let models = [
        ("Fiat", "Argo", "1.0 Drive", "Hatch"),
        ("Volkswagen", "Polo", "1.0 TSI Highline", "Hatch"),
        ("Toyota", "Corolla", "2.0 XEi", "Sedan"),
        ("Chevrolet", "Onix", "1.0 Turbo LTZ", "Hatch"),
        ("Jeep", "Compass", "1.3 T270 Longitude", "SUV"),
        ("Hyundai", "HB20", "1.0 Comfort", "Hatch"),
        ("Honda", "HR-V", "1.5 EXL", "SUV"),
    ];
    let mut lines = String::new();
    for number in 0..cars {
        let (brand, model, version, category) = models[number % models.len()];
        let mut row = json!({
            "id": format!("{prefix}-{number}"), "marca": brand, "modelo": model, "versao": version,
            "ano": 2010 + number % 16, "preco": 30_000 + number * 37 % 200_000, "quilometragem": number * 131 % 200_000,
            "combustivel": "flex", "cambio": if number % 3 == 0 { "manual" } else { "automatico" },
            "categoria": category, "cor": "prata", "portas": 4,
            "imagens": [format!("https://fotos.loja.example/estoque/{prefix}/{number}/frente.jpg")],
        });
        if number % 4 == 0 {
            row["equipamentos"] = json!(["isofix", "camera_re"]);
            row["unico_dono"] = json!(true);
        }
        lines.push_str(&row.to_string());
        lines.push('\n');
    }
    lines
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
