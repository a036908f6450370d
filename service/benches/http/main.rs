//! `make bench-http`: how much of what HTTP costs anyway a recommendation costs, one core for the server, the load from
//! the other, in one run.
//!
//! The floor is a bare actix handler that answers with the same bytes. Lines on standard output read
//! `BENCH <name> <value> <unit>`; what goes on is said on standard error. Each phase comes round several times, in turns,
//! and the median counts. `distinct` and `cached` count no limits; with `_redis_limits` a Redis beside the load decides
//! on every request. Memory is looked at early and after a million requests; FACILIAUTO_BENCH_QUICK=1 ends before that.
//! It fails when a figure is past its target.

// Printing is what a benchmark is for, and a broken set-up may end it.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod connections;
mod load;
#[path = "../shared/memory.rs"]
mod memory;
mod server;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use actix_web::{App, HttpResponse, HttpServer, web};

use load::{CONNECTIONS, Phase, TURN, ask, ask_until, connect};
use server::Server;

const ROUNDS: usize = 5;
/// After how many requests memory is looked at for the first and for the last time.
const EARLY: usize = 100_000;
const LATE: usize = 1_000_000;

/// What a phase must answer of what the floor does, at least.
const SHARES: [(&str, f64); 2] = [("distinct", 0.30), ("cached", 0.70)];
/// What the service may hold in the end, in MiB as resident.
const MOST_MEBIBYTES: f64 = 24.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|word| word == "--floor") {
        floor(&arguments[place + 1], &arguments[place + 2]);
        return ExitCode::SUCCESS;
    }
    let service = Server::service(&["--limits=off"]);
    let answer = ask(&mut connect(service.address), &request(0));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer");
    std::fs::write(&file, &answer).unwrap();
    let floor = Server::floor(file.to_str().unwrap());
    let (_redis, url) = Server::redis(folder.path());
    let limited = Server::service(&[&format!("--redis-url={url}"), "--trusted-hops=1"]);
    server::pin_the_load();
    eprintln!(
        "an answer has {} bytes; {CONNECTIONS} connections, {ROUNDS} rounds of {TURN:?} each",
        answer.len()
    );

    let fresh = AtomicUsize::new(1);
    let distinct = || request(fresh.fetch_add(1, Ordering::Relaxed));
    let same = || request(0);

    let soak = |requests: usize| {
        let asked = AtomicUsize::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) >= requests;
        ask_until(service.address, &distinct, &stop);
    };
    soak(EARLY);
    let early = service.resident_mebibytes();

    let mut phases = [
        Phase::new("floor", &floor, &same),
        Phase::new("distinct", &service, &distinct),
        Phase::new("cached", &service, &same),
        Phase::new("distinct_redis_limits", &limited, &distinct),
        Phase::new("cached_redis_limits", &limited, &same),
    ];
    for _ in 0..ROUNDS {
        for phase in &mut phases {
            phase.run();
        }
    }
    let mut missed = Vec::new();
    let (floor, floor_of_processor) = phases[0].report(None);
    for phase in &mut phases[1..] {
        let name = phase.name;
        let (throughput, of_processor) = phase.report(Some(floor));
        let share = throughput / floor;
        println!("BENCH http.{name}.share_of_floor {share:.3} x");
        let least = SHARES.iter().find(|(phase, _)| *phase == name);
        if let Some((_, least)) = least.filter(|(_, least)| share < *least) {
            missed.push(format!("{name}: {share:.3} of the floor, of {least} at least"));
        }
        let share = of_processor / floor_of_processor;
        println!("BENCH http.{name}.processor_share_of_floor {share:.3} x");
    }
    let asked = EARLY + phases[1].requests() + phases[2].requests();
    if std::env::var_os("FACILIAUTO_BENCH_QUICK").is_none() {
        soak(LATE.saturating_sub(asked));
    }
    println!("BENCH http.rss_early.mib {early:.1} MiB");
    let resident = service.resident_mebibytes();
    println!("BENCH http.rss.mib {resident:.1} MiB");
    if resident > MOST_MEBIBYTES {
        missed.push(format!("memory: {resident:.1} MiB, of {MOST_MEBIBYTES} at most"));
    }
    // Last, since the buffers of a thousand connections leave some MiB behind.
    connections::measure(service.address, &distinct);
    for missed in &missed {
        eprintln!("not met: {missed}");
    }
    if missed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A questionnaire, another for each number. Each comes from an address of its own, which counts only behind a proxy.
fn request(number: usize) -> Vec<u8> {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let [_, high, middle, low] = (SENT.fetch_add(1, Ordering::Relaxed) as u32).to_be_bytes();
    let body = format!(
        "{{\"orcamento_min\":40000,\"orcamento_max\":{},\"uso_principal\":\"familia\",\"tamanho_familia\":4,\
         \"state\":\"SP\",\"prioridades\":{{\"seguranca\":5,\"espaco\":4}},\"km_maxima\":{}}}",
        90_000 + number % 50_000,
        120_000 + number / 50_000
    );
    format!(
        "POST /recommend HTTP/1.1\r\nhost: bench\r\nx-forwarded-for: 10.{high}.{middle}.{low}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
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
