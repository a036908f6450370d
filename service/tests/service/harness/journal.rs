//! Buyers and a dealer who use two replicas at a steady rate, and write down what was acknowledged.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::dealers::ADMIN;

pub(crate) use load::statuses;

#[path = "../../load/journal.rs"]
mod load;

/// The dealership whose prices change, and the cars that it has.
pub(crate) const DEALERSHIP: &str = "loja-do-diario";
pub(crate) const CARS: usize = 8;

/// The load while it runs.
pub(crate) type Load = load::Load<Deed>;

/// What became of one request.
pub(crate) type Entry = load::Entry<Deed>;

/// One thing that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A list of cars.
    Recommend,
    /// A like of a user who does nothing else.
    Feedback { user: String },
    /// A click in a session in which nothing else happens.
    Interaction { session: String },
    /// A new price for a car.
    Price { car: usize, reais: u64 },
}

impl load::Deed for Deed {
    fn kind(&self) -> &'static str {
        match self {
            Self::Recommend => "recommend",
            Self::Feedback { .. } => "feedback",
            Self::Interaction { .. } => "interaction",
            Self::Price { .. } => "price",
        }
    }

    fn is_sent_again(&self) -> bool {
        *self != Self::Recommend
    }
}

/// Buyers and the dealer.
struct Customers {
    /// Of which car a change of price is still under way: one at a time, so that their order is known.
    busy: Vec<AtomicBool>,
    price: AtomicU64,
}

/// Begins to send `rate` requests a second to the replicas in turns.
pub(crate) fn start(replicas: &[String], rate: u32) -> Load {
    let customers = Customers {
        busy: (0..CARS).map(|_| AtomicBool::new(false)).collect(),
        price: AtomicU64::new(60_000),
    };
    Load::start(replicas, rate, customers)
}

impl load::Script for Customers {
    type Deed = Deed;

    fn next(&self, number: u64) -> Option<Deed> {
        Some(match number % 20 {
            0 | 10 => Deed::Feedback {
                user: format!("buyer-{number}"),
            },
            5 => Deed::Interaction {
                session: format!("visit-{number}"),
            },
            15 => {
                let car = (number / 20) as usize % CARS;
                if self.busy[car].swap(true, Ordering::Relaxed) {
                    return None;
                }
                let reais = self.price.fetch_add(1, Ordering::Relaxed);
                Deed::Price { car, reais }
            }
            _ => Deed::Recommend,
        })
    }

    fn request(&self, client: &Client, replica: &str, number: u64, deed: &Deed) -> RequestBuilder {
        let (method, path, body) = match deed {
            Deed::Recommend => (Method::POST, "/recommend".to_owned(), questionnaire(number)),
            Deed::Feedback { user } => (
                Method::POST,
                "/feedback".to_owned(),
                json!({"user_id": user, "car_id": car_id(number as usize % CARS), "action": "liked"}),
            ),
            Deed::Interaction { session } => (
                Method::POST,
                "/api/interactions/track".to_owned(),
                json!({"session_id": session, "car_id": car_id(0), "interaction_type": "click"}),
            ),
            Deed::Price { car, reais } => (
                Method::PATCH,
                format!("/api/dealerships/{DEALERSHIP}/cars/{}", car_id(*car)),
                json!({"preco": reais}),
            ),
        };
        let mut request = client.request(method, format!("{replica}{path}")).json(&body);
        if *deed != Deed::Recommend {
            request = request.header("idempotency-key", format!("request-{number}"));
        }
        if matches!(deed, Deed::Price { .. }) {
            request = request.bearer_auth(ADMIN);
        }
        request
    }

    fn settled(&self, deed: &Deed) {
        if let Deed::Price { car, .. } = deed {
            self.busy[*car].store(false, Ordering::Relaxed);
        }
    }
}

/// Id of a car of the dealership.
pub(crate) fn car_id(index: usize) -> String {
    format!("{DEALERSHIP}-{index}")
}

fn questionnaire(number: u64) -> Value {
    json!({"orcamento_min": 30_000, "orcamento_max": 60_000 + number % 40_000, "uso_principal": "familia"})
}

/// How long 99 of 100 lists took at most, of those whose turn was within a span.
pub(crate) fn recommendation_p99(journal: &[Entry], from: Instant, until: Instant) -> Duration {
    load::p99(journal, |entry| {
        entry.deed == Deed::Recommend && (from..until).contains(&entry.at)
    })
}
