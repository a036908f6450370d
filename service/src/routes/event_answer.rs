//! An event as people and administrators read it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    state::events::{Deed, Event, Facts},
    stock::rows::reais,
};

/// Every field that is kept.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(super) struct EventAnswer<'a> {
    id: String,
    timestamp: String,
    kind: &'static str,
    #[serde(rename = "type")]
    word: &'static str,
    user_id: Option<&'a str>,
    session_id: Option<&'a str>,
    car_id: &'a str,
    dealership_id: Option<&'a str>,
    rating: Option<u8>,
    comment: Option<&'a str>,
    duration_seconds: Option<u32>,
    car_marca: Option<&'a str>,
    car_categoria: Option<&'a str>,
    car_preco: Option<f64>,
    car_ano: Option<u16>,
    recommendation_position: Option<u16>,
    score: Option<f64>,
}

impl<'a> From<&'a Event> for EventAnswer<'a> {
    fn from(event: &'a Event) -> Self {
        let Event {
            id,
            at,
            user,
            session,
            car,
            dealership,
            deed,
            facts,
        } = event;
        let Facts {
            brand,
            category,
            price,
            year,
            position,
            match_tenths,
        } = facts;
        let (kind, rating, comment) = match deed {
            Deed::Feedback {
                action: _,
                rating,
                comment,
            } => ("feedback", *rating, comment.as_deref()),
            Deed::Interaction { .. } => ("interaction", None, None),
        };
        Self {
            id: id.to_string(),
            timestamp: at.to_string(),
            kind,
            word: deed.word(),
            user_id: user.as_deref(),
            session_id: session.as_deref(),
            car_id: car,
            dealership_id: dealership.as_deref(),
            rating,
            comment,
            duration_seconds: deed.duration_seconds(),
            car_marca: brand.as_deref(),
            car_categoria: category.as_deref(),
            car_preco: price.map(reais),
            car_ano: *year,
            recommendation_position: *position,
            score: match_tenths.map(|tenths| f64::from(tenths) / 1000.0),
        }
    }
}
