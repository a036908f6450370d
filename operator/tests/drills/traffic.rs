//! Buyers, visitors and dealers who use a system at a steady rate.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    load,
    stock::{CARS_OF_EACH, DEALERS, car_id, dealer_id, mixed},
};

/// Requests a second, all told: half of them are questionnaires that nobody asked before.
const RATE: u32 = 100;

/// Cars that are never sold, the last ones of each dealer: buyers say something about them.
const UNSOLD: usize = 100;

/// The load while it runs.
pub(crate) type Load = load::Load<Deed>;

/// What became of one request.
pub(crate) type Entry = load::Entry<Deed>;

/// One thing that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A list of cars.
    Recommend,
    /// A page, a car, or figures.
    Read { path: String },
    /// A like of a user who does nothing else.
    Feedback { user: String },
    /// A click in a session in which nothing else happens.
    Interaction { session: String },
    /// A car is sold: each once.
    Sale { dealer: usize, car: usize },
}

impl load::Deed for Deed {
    fn kind(&self) -> &'static str {
        match self {
            Self::Recommend => "recommend",
            Self::Read { .. } => "read",
            Self::Feedback { .. } => "feedback",
            Self::Interaction { .. } => "interaction",
            Self::Sale { .. } => "sale",
        }
    }

    fn is_sent_again(&self) -> bool {
        self.is_write()
    }
}

impl Deed {
    /// Whether it changes something.
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self, Self::Recommend | Self::Read { .. })
    }
}

/// Everybody, for as long as a system is drilled: nobody's id comes twice, and no car is sold twice.
#[derive(Clone)]
pub(crate) struct Traffic {
    /// By dealer.
    tokens: Arc<Vec<String>>,
    sales: Arc<AtomicU64>,
    loads: Arc<AtomicU64>,
}

impl Traffic {
    /// Of dealers with these tokens.
    pub(crate) fn new(tokens: Vec<String>) -> Self {
        Self {
            tokens: Arc::new(tokens),
            sales: Arc::default(),
            loads: Arc::default(),
        }
    }

    /// Begins to load these replicas.
    pub(crate) fn start(&self, replicas: &[String]) -> Load {
        let customers = Customers {
            traffic: self.clone(),
            load: self.loads.fetch_add(1, Ordering::Relaxed),
        };
        Load::start(replicas, RATE, customers)
    }
}

/// Those of one load.
struct Customers {
    traffic: Traffic,
    load: u64,
}

impl load::Script for Customers {
    type Deed = Deed;

    fn next(&self, number: u64) -> Option<Deed> {
        let load = self.load;
        Some(match number % 20 {
            0 | 10 => Deed::Feedback {
                user: format!("buyer-{load}-{number}"),
            },
            5 | 15 => Deed::Interaction {
                session: format!("visit-{load}-{number}"),
            },
            3 | 13 => {
                let sale = self.traffic.sales.fetch_add(1, Ordering::Relaxed) as usize;
                let (dealer, car) = (sale % DEALERS, sale / DEALERS);
                if car >= CARS_OF_EACH - UNSOLD {
                    return None;
                }
                Deed::Sale { dealer, car }
            }
            1 | 11 => Deed::Read {
                path: format!("/cars/{}", unsold(number)),
            },
            6 => Deed::Read {
                path: format!(
                    "/cars?dealership_id={}&limit=50",
                    dealer_id(number as usize % DEALERS)
                ),
            },
            16 => Deed::Read {
                path: "/stats".to_owned(),
            },
            _ => Deed::Recommend,
        })
    }

    fn request(&self, client: &Client, replica: &str, number: u64, deed: &Deed) -> RequestBuilder {
        let to = |method, path: &str| client.request(method, format!("{replica}{path}"));
        let request = match deed {
            Deed::Recommend => to(Method::POST, "/recommend").json(&questionnaire(self.load, number)),
            Deed::Read { path } => to(Method::GET, path),
            Deed::Feedback { user } => to(Method::POST, "/feedback")
                .json(&json!({"user_id": user, "car_id": unsold(number), "action": "liked"})),
            Deed::Interaction { session } => to(Method::POST, "/api/interactions/track")
                .json(&json!({"session_id": session, "car_id": unsold(number), "interaction_type": "click"})),
            Deed::Sale { dealer, car } => {
                let (dealership, car) = (dealer_id(*dealer), car_id(*dealer, *car));
                to(
                    Method::PATCH,
                    &format!("/api/dealerships/{dealership}/cars/{car}"),
                )
                .bearer_auth(&self.traffic.tokens[*dealer])
                .json(&json!({"disponivel": false}))
            }
        };
        if !deed.is_write() {
            return request;
        }
        request.header("idempotency-key", format!("request-{}-{number}", self.load))
    }

    fn settled(&self, _deed: &Deed) {}
}

fn unsold(number: u64) -> String {
    let chance = mixed(number) as usize;
    car_id(chance % DEALERS, CARS_OF_EACH - 1 - chance / DEALERS % UNSOLD)
}

/// One that no other buyer of any load sends.
fn questionnaire(load: u64, number: u64) -> Value {
    let chance = mixed(load << 32 | number);
    let uses = ["familia", "trabalho", "lazer", "primeiro_carro"];
    let priority = |place: u32| chance >> (8 * place) & 0xff;
    json!({
        "orcamento_min": 25_000 + chance % 10_007, "orcamento_max": 60_000 + (chance >> 14) % 90_001,
        "uso_principal": uses[(chance >> 40) as usize % uses.len()],
        "prioridades": {
            "economia": priority(0) % 5 + 1, "espaco": priority(1) % 5 + 1, "performance": priority(2) % 5 + 1,
            "conforto": priority(3) % 5 + 1, "seguranca": priority(4) % 5 + 1,
        },
    })
}
