//! What can go wrong with a request, and the one table that says how HTTP tells it.
//!
//! Every error leaves as RFC 9457 `application/problem+json`. Nothing internal is in a body: what a
//! person running the service needs stands in the log, under the same request id.

use std::fmt;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use schemars::JsonSchema;
use serde::Serialize;

use self::table::Row;
use crate::{fields::FieldError, state::StateError};

mod table;

/// Why a request was not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// The body is not JSON.
    BrokenJson {
        /// Where it broke.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// The body could not be read as it was sent.
    BrokenBody,
    /// Answers that exclude each other.
    Contradiction(Vec<FieldError>),
    /// A refinement with nothing to learn from.
    NoFeedback,
    /// Fields that are missing or ill-typed, or name something that does not exist.
    InvalidFields(Vec<FieldError>),
    /// There is no such car.
    CarNotFound,
    /// There is no such dealership.
    DealershipNotFound,
    /// There is no history of this id for whoever asks.
    HistoryNotFound,
    /// The key of an id is needed, or an administrator's token.
    KeyNeeded,
    /// Too many interactions wait for the store.
    BufferFull,
    /// There is nothing at this path.
    RouteNotFound,
    /// The path exists, but not for this method.
    MethodNotAllowed {
        /// What the path does answer, as the header says it.
        allow: String,
    },
    /// No encoding of the answer suits the client.
    NotAcceptable,
    /// The request did not arrive in time.
    TooSlow,
    /// The body is larger than the route takes.
    BodyTooLarge,
    /// The address and the headers are larger than any that are meant.
    HeadTooLarge,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// A refusal by the HTTP layer that no other error stands for. No request is known that gets one; a newer layer may
    /// refuse what this one takes, and whoever it refuses is at fault then, and not we.
    BadRequest,
    /// No catalogue is in memory yet.
    NoCatalogue,
    /// The process should get no traffic now.
    NotReady {
        /// Why, in Portuguese, for the person who looks at a pod.
        reason: &'static str,
    },
    /// All processors are taken.
    Busy,
    /// There is no token, or nobody's.
    Unauthorized,
    /// The token is known and not enough for this.
    Forbidden,
    /// Rows of a stock have mistakes: the first hundred are listed, all are counted.
    InvalidRows {
        /// Row, field and mistake.
        errors: Vec<FieldError>,
        /// How many there are.
        total: usize,
    },
    /// The stock is not the one that the writer saw.
    EtagMismatch,
    /// The key of the request was used for another one.
    IdempotencyMismatch,
    /// A token was made under the key of the request, and cannot be shown again.
    IdempotencyKeyUsed,
    /// Others changed the stock again and again meanwhile.
    StockMoved,
    /// The store does not answer, or cannot now.
    StoreUnavailable,
    /// The store has no generation to write into.
    StoreNotOpen,
    /// A restore holds all writes back.
    WritesHeldBack,
    /// The store has no room.
    StoreFull,
    /// The address has asked more often than it may.
    TooManyRequests {
        /// When it may ask again.
        retry_after_seconds: u64,
    },
    /// Our own mistake.
    Internal,
}

/// `type` of every problem begins so.
const TYPE_PREFIX: &str = "urn:problem-type:faciliauto:";

impl ApiError {
    /// One of each: what the table is written from where people read it.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![
            Self::BrokenJson { line: 1, column: 1 },
            Self::BrokenBody,
            Self::BadRequest,
            Self::Contradiction(Vec::new()),
            Self::NoFeedback,
            Self::Unauthorized,
            Self::KeyNeeded,
            Self::Forbidden,
            Self::CarNotFound,
            Self::DealershipNotFound,
            Self::HistoryNotFound,
            Self::RouteNotFound,
            Self::MethodNotAllowed { allow: String::new() },
            Self::NotAcceptable,
            Self::TooSlow,
            Self::StockMoved,
            Self::IdempotencyKeyUsed,
            Self::EtagMismatch,
            Self::BodyTooLarge,
            Self::UnsupportedMediaType,
            Self::InvalidFields(Vec::new()),
            Self::IdempotencyMismatch,
            Self::InvalidRows {
                errors: Vec::new(),
                total: 0,
            },
            Self::TooManyRequests {
                retry_after_seconds: 1,
            },
            Self::HeadTooLarge,
            Self::Internal,
            Self::NoCatalogue,
            Self::NotReady {
                reason: "está encerrando",
            },
            Self::Busy,
            Self::StoreUnavailable,
            Self::StoreNotOpen,
            Self::WritesHeldBack,
            Self::BufferFull,
            Self::StoreFull,
        ]
    }

    /// Its `type`: a stable URI.
    #[must_use]
    pub fn kind(&self) -> String {
        format!("{TYPE_PREFIX}{}", self.row().kind)
    }

    /// What it is called, in Portuguese.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.row().title
    }

    /// The error that a status means when the HTTP layer made it without saying more.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::RouteNotFound,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::REQUEST_TIMEOUT => Self::TooSlow,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadTooLarge,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    /// The error that an actix error means.
    #[must_use]
    pub fn of_error(error: &actix_web::Error) -> Self {
        if let Some(error) = error.as_error::<Self>() {
            return error.clone();
        }
        if error.as_error::<actix_web::error::PayloadError>().is_some()
            && error.as_response_error().status_code() == StatusCode::BAD_REQUEST
        {
            return Self::BrokenBody;
        }
        Self::of_status(error.as_response_error().status_code())
    }

    /// The answer, with the id under which the request stands in the log.
    #[must_use]
    pub fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let Row {
            status,
            kind,
            title,
            detail,
        } = self.row();
        let errors = match self {
            Self::Contradiction(errors) | Self::InvalidFields(errors) | Self::InvalidRows { errors, .. } => {
                errors.as_slice()
            }
            _ => &[],
        };
        let error_count = match self {
            Self::InvalidRows { total, .. } => Some(*total),
            _ => None,
        };
        let body = Problem {
            kind: format!("{TYPE_PREFIX}{kind}"),
            title,
            status: status.as_u16(),
            detail: &detail,
            errors,
            error_count,
            request_id,
        };
        let mut response = HttpResponseBuilder::new(status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        response.insert_header((CACHE_CONTROL, "no-store"));
        match self {
            Self::MethodNotAllowed { allow } => {
                response.insert_header((ALLOW, allow.as_str()));
            }
            // One second is longer than a recommendation or a reload takes, and short for a person.
            Self::NoCatalogue
            | Self::NotReady { .. }
            | Self::Busy
            | Self::StoreUnavailable
            | Self::StoreNotOpen
            | Self::BufferFull => {
                response.insert_header((RETRY_AFTER, "1"));
            }
            // A restore takes seconds to minutes.
            Self::WritesHeldBack => {
                response.insert_header((RETRY_AFTER, "10"));
            }
            Self::Unauthorized | Self::KeyNeeded => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"faciliauto\""));
            }
            Self::TooManyRequests { retry_after_seconds } => {
                response.insert_header((RETRY_AFTER, *retry_after_seconds));
            }
            _ => {}
        }
        // A struct of texts and numbers always serialises.
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

/// RFC 9457, with our members beside its own.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// Mistakes in all, where errors lists only the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// What a store did not do, as requests tell it. The reason is for the log.
impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        tracing::warn!(%error, "the store did not do as asked");
        match error {
            StateError::Moved | StateError::AlreadyOpen => Self::StockMoved,
            StateError::Fenced { .. } => Self::WritesHeldBack,
            StateError::Full(_) => Self::StoreFull,
            StateError::NotOpen => Self::StoreNotOpen,
            StateError::Reach(_)
            | StateError::Refused(_)
            | StateError::FenceLost
            | StateError::NoGeneration(_)
            | StateError::GenerationInUse(_)
            | StateError::NotReady { .. }
            | StateError::Commit { .. }
            | StateError::Damaged { .. } => Self::StoreUnavailable,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.row().kind)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.row().status
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, mem::discriminant};

    use super::*;

    /// Where an error stands in the list of all. An error that is new does not compile here until it has a place.
    fn place(error: &ApiError) -> usize {
        match error {
            ApiError::BrokenJson { .. } => 0,
            ApiError::BrokenBody => 1,
            ApiError::BadRequest => 2,
            ApiError::Contradiction(_) => 3,
            ApiError::NoFeedback => 4,
            ApiError::Unauthorized => 5,
            ApiError::KeyNeeded => 6,
            ApiError::Forbidden => 7,
            ApiError::CarNotFound => 8,
            ApiError::DealershipNotFound => 9,
            ApiError::HistoryNotFound => 10,
            ApiError::RouteNotFound => 11,
            ApiError::MethodNotAllowed { .. } => 12,
            ApiError::NotAcceptable => 13,
            ApiError::TooSlow => 14,
            ApiError::StockMoved => 15,
            ApiError::IdempotencyKeyUsed => 16,
            ApiError::EtagMismatch => 17,
            ApiError::BodyTooLarge => 18,
            ApiError::UnsupportedMediaType => 19,
            ApiError::InvalidFields(_) => 20,
            ApiError::IdempotencyMismatch => 21,
            ApiError::InvalidRows { .. } => 22,
            ApiError::TooManyRequests { .. } => 23,
            ApiError::HeadTooLarge => 24,
            ApiError::Internal => 25,
            ApiError::NoCatalogue => 26,
            ApiError::NotReady { .. } => 27,
            ApiError::Busy => 28,
            ApiError::StoreUnavailable => 29,
            ApiError::StoreNotOpen => 30,
            ApiError::WritesHeldBack => 31,
            ApiError::BufferFull => 32,
            ApiError::StoreFull => 33,
        }
    }

    /// Prevents a refusal by the HTTP layer that nobody thought of from being called our mistake, and a failure of it from
    /// being called the client's.
    #[test]
    fn whatever_the_http_layer_refuses_has_an_error() {
        for (status, kind) in [
            (400, "bad-request"),
            (404, "route-not-found"),
            (406, "not-acceptable"),
            (408, "too-slow"),
            (413, "body-too-large"),
            (415, "unsupported-media-type"),
            (417, "bad-request"),
            (431, "head-too-large"),
            (500, "internal"),
            (501, "internal"),
        ] {
            let error = ApiError::of_status(StatusCode::from_u16(status).unwrap());
            assert_eq!(error.kind(), format!("{TYPE_PREFIX}{kind}"), "{status}");
        }
        let error = actix_web::error::ErrorExpectationFailed("made by the layer");
        assert_eq!(ApiError::of_error(&error), ApiError::BadRequest);
        assert_eq!(
            ApiError::BadRequest.response(None).status(),
            StatusCode::BAD_REQUEST
        );
    }

    /// Prevents an error from missing in the documents, and two errors from having one type.
    #[test]
    fn every_error_is_listed_once() {
        let all = ApiError::all();
        let places: Vec<usize> = all.iter().map(place).collect();
        assert_eq!(places, (0..all.len()).collect::<Vec<_>>());
        assert_eq!(
            all.iter().map(ApiError::kind).collect::<BTreeSet<_>>().len(),
            all.len()
        );
        assert_eq!(
            all.iter()
                .map(discriminant)
                .collect::<std::collections::HashSet<_>>()
                .len(),
            all.len()
        );
    }
}
