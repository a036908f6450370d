//! What feedback says about its giver, counted anew from the events whenever it is asked for.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    routes::seen_car::SeenCar,
    state::events::{Deed, Event, FeedbackAction},
    stock::rows::reais,
};

/// Feedbacks that a history shows one by one.
const RECENT: usize = 10;

/// The feedback of one user.
pub(super) struct History<'a> {
    /// Oldest first.
    feedbacks: Vec<(FeedbackAction, &'a Event)>,
}

/// As the answer to a feedback has it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FeedbackCounts")]
pub(super) struct InAnswer<'a> {
    total_interactions: usize,
    liked_count: usize,
    disliked_count: usize,
    clicked_whatsapp: usize,
    preferred_brands: Vec<&'a str>,
    preferred_categories: Vec<&'a str>,
}

/// As it is shown to whom it belongs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FeedbackHistory")]
pub(super) struct Whole<'a> {
    user_id: &'a str,
    total_interactions: usize,
    liked_count: usize,
    disliked_count: usize,
    clicked_whatsapp_count: usize,
    preferred_brands: Vec<&'a str>,
    preferred_categories: Vec<&'a str>,
    avg_price_liked: Option<f64>,
    avg_year_liked: Option<f64>,
    recent_feedbacks: Vec<Recent<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RecentFeedback")]
struct Recent<'a> {
    car_id: &'a str,
    action: &'static str,
    timestamp: String,
    car_marca: Option<&'a str>,
    car_categoria: Option<&'a str>,
}

impl<'a> History<'a> {
    /// Picks the feedback of a user out of all events in which their id stands.
    pub(super) fn of(user: &str, events: &'a [Event]) -> Self {
        let feedbacks = events.iter().filter_map(|event| match event.deed {
            Deed::Feedback { action, .. } if event.user.as_deref() == Some(user) => Some((action, event)),
            _ => None,
        });
        Self {
            feedbacks: feedbacks.collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.feedbacks.is_empty()
    }

    /// Whoever may not read the history is told nothing of it that they did not say themselves: brand and category of
    /// the car that they like now. The counts tell them no more than that the id is in use.
    pub(super) fn in_answer(&self, may_read: bool, own_car: Option<&'a SeenCar>) -> InAnswer<'a> {
        let (preferred_brands, preferred_categories) = if may_read {
            (self.brands(), self.categories())
        } else {
            let brand = own_car.and_then(|car| car.brand.as_deref());
            let category = own_car.and_then(|car| car.category.as_deref());
            (brand.into_iter().collect(), category.into_iter().collect())
        };
        InAnswer {
            total_interactions: self.feedbacks.len(),
            liked_count: self.count(FeedbackAction::Liked),
            disliked_count: self.count(FeedbackAction::Disliked),
            clicked_whatsapp: self.count(FeedbackAction::ClickedWhatsapp),
            preferred_brands,
            preferred_categories,
        }
    }

    pub(super) fn whole(&self, user_id: &'a str) -> Whole<'a> {
        let recent = &self.feedbacks[self.feedbacks.len().saturating_sub(RECENT)..];
        Whole {
            user_id,
            total_interactions: self.feedbacks.len(),
            liked_count: self.count(FeedbackAction::Liked),
            disliked_count: self.count(FeedbackAction::Disliked),
            clicked_whatsapp_count: self.count(FeedbackAction::ClickedWhatsapp),
            preferred_brands: self.brands(),
            preferred_categories: self.categories(),
            avg_price_liked: mean(self.liked().filter_map(|event| event.facts.price).map(reais))
                .map(|price| (price * 100.0).round() / 100.0),
            avg_year_liked: mean(self.liked().filter_map(|event| event.facts.year).map(f64::from))
                .map(|year| (year * 10.0).round() / 10.0),
            recent_feedbacks: recent
                .iter()
                .map(|(action, event)| Recent {
                    car_id: &event.car,
                    action: action.word(),
                    timestamp: event.at.to_string(),
                    car_marca: event.facts.brand.as_deref(),
                    car_categoria: event.facts.category.as_deref(),
                })
                .collect(),
        }
    }

    fn count(&self, wanted: FeedbackAction) -> usize {
        self.feedbacks
            .iter()
            .filter(|(action, _)| *action == wanted)
            .count()
    }

    fn liked(&self) -> impl Iterator<Item = &'a Event> {
        self.feedbacks
            .iter()
            .filter(|(action, _)| *action == FeedbackAction::Liked)
            .map(|(_, event)| *event)
    }

    fn brands(&self) -> Vec<&'a str> {
        most_frequent(self.liked().filter_map(|event| event.facts.brand.as_deref()))
    }

    fn categories(&self) -> Vec<&'a str> {
        most_frequent(self.liked().filter_map(|event| event.facts.category.as_deref()))
    }
}

/// Each word once, the most frequent first, ties by the alphabet.
fn most_frequent<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    // Stable, over words in alphabetical order.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().map(|(word, _)| word).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}
