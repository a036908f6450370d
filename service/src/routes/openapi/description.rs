//! What a route says of itself for `/openapi.json`. Each file of a route describes its own beside its handler, from
//! the types and readers that the handler uses.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::{
    error::ApiError,
    fields::{Fields, Shape},
};

/// Whom a route is for: how a reader finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Whoever looks for a car.
    Buyers,
    /// Whoever looks around.
    Stock,
    /// Dealers and administrators.
    Dealers,
    /// Whoever runs the service.
    Operation,
    /// Browsers.
    Pages,
}

impl Group {
    /// Each, in the order of the document.
    pub(super) const ALL: [Self; 5] = [
        Self::Buyers,
        Self::Stock,
        Self::Dealers,
        Self::Operation,
        Self::Pages,
    ];

    /// As readers see it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Buyers => "Para quem compra",
            Self::Stock => "Estoque",
            Self::Dealers => "Para concessionárias",
            Self::Operation => "Operação",
            Self::Pages => "Páginas",
        }
    }
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Everybody,
    /// Administrators.
    Administrators,
    /// The dealer of the address, and administrators.
    Dealers,
    /// Whoever shows the key of the id in the address, and administrators.
    Person,
    /// Everybody; whoever shows the key of the id is told more.
    KeyTellsMore,
}

/// The schema of an answer, by the type that is serialised.
pub(super) type TypeSchema = fn(&mut SchemaGenerator) -> Schema;

/// A form of a body that is sent.
pub(super) struct Sent {
    pub(super) media_type: &'static str,
    pub(super) schema: Value,
    pub(super) example: Value,
}

/// An answer that is no refusal.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) text: &'static str,
    /// Media types, with a schema where the body is JSON.
    pub(super) contents: Vec<(&'static str, Option<TypeSchema>)>,
    /// Name, what it says, and whether it is always there.
    pub(super) headers: Vec<(&'static str, &'static str, bool)>,
}

/// One route, described.
pub(crate) struct Description {
    pub(super) group: Group,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    pub(super) access: Access,
    pub(super) query: Option<Shape>,
    /// Headers that it reads: name and what they do.
    pub(super) headers: Vec<(&'static str, &'static str, Value)>,
    /// What a part of the path must look like where it is more than a name to look up.
    pub(super) path: BTreeMap<&'static str, Value>,
    pub(super) sent: Vec<Sent>,
    pub(super) answers: Vec<Answer>,
    pub(super) errors: Vec<ApiError>,
    /// Whether an address may ask as often as it likes.
    pub(super) unlimited: bool,
}

impl Description {
    /// Begins with what a list of routes shows of it.
    pub(crate) fn new(group: Group, summary: &'static str) -> Self {
        Self {
            group,
            summary,
            details: "",
            access: Access::Everybody,
            query: None,
            headers: Vec::new(),
            path: BTreeMap::new(),
            sent: Vec::new(),
            answers: Vec::new(),
            errors: Vec::new(),
            unlimited: false,
        }
    }

    /// What one has to know beyond the fields.
    pub(crate) fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// Who may ask.
    pub(crate) fn only(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Limits of requests do not count it.
    pub(crate) fn unlimited(mut self) -> Self {
        self.unlimited = true;
        self
    }

    /// The parameters of the query, by what reads them.
    pub(crate) fn query(mut self, read: impl FnOnce(&mut Fields<'_>)) -> Self {
        self.query = Some(Fields::describe(read));
        self
    }

    /// A header that may be sent.
    pub(crate) fn header(self, name: &'static str, text: &'static str) -> Self {
        self.header_like(name, text, json!({"type": "string"}))
    }

    /// A header that may be sent, and what it must look like.
    pub(crate) fn header_like(mut self, name: &'static str, text: &'static str, schema: Value) -> Self {
        self.headers.push((name, text, schema));
        self
    }

    /// A part of the path that is checked by itself.
    pub(crate) fn path(mut self, name: &'static str, schema: Value) -> Self {
        self.path.insert(name, schema);
        self
    }

    /// A JSON object that must be sent.
    pub(crate) fn sent(self, shape: &Shape, example: Value) -> Self {
        self.sent_as("application/json", shape.schema(), example)
    }

    /// A form in which the body may be sent.
    pub(crate) fn sent_as(mut self, media_type: &'static str, schema: Value, example: Value) -> Self {
        self.sent.push(Sent {
            media_type,
            schema,
            example,
        });
        self
    }

    /// An answer of JSON.
    pub(crate) fn answers<Body: JsonSchema>(self, status: StatusCode, text: &'static str) -> Self {
        self.answers_as(
            status,
            text,
            &[("application/json", Some(SchemaGenerator::subschema_for::<Body>))],
        )
    }

    /// An answer of any kind.
    pub(crate) fn answers_as(
        mut self,
        status: StatusCode,
        text: &'static str,
        contents: &[(&'static str, Option<TypeSchema>)],
    ) -> Self {
        self.answers.push(Answer {
            status,
            text,
            contents: contents.to_vec(),
            headers: Vec::new(),
        });
        self
    }

    /// A header of the answer described last, which is always there.
    pub(crate) fn with_header(mut self, name: &'static str, text: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, text, true));
        }
        self
    }

    /// A header of the answer described last, which is not always there.
    pub(crate) fn with_optional_header(mut self, name: &'static str, text: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, text, false));
        }
        self
    }

    /// Why it may refuse, beyond what every route of its kind may.
    pub(crate) fn refuses(mut self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        self.errors.extend(errors);
        self
    }

    /// All reasons to refuse, each once: those of its own, and those that follow from what it reads and who may ask.
    pub(super) fn all_errors(&self, has_path: bool) -> Vec<ApiError> {
        let mut errors = self.errors.clone();
        errors.extend([
            ApiError::BadRequest,
            ApiError::NotAcceptable,
            ApiError::TooSlow,
            ApiError::HeadTooLarge,
            ApiError::Internal,
        ]);
        if has_path {
            errors.push(ApiError::RouteNotFound);
        }
        if !self.unlimited {
            errors.push(ApiError::TooManyRequests {
                retry_after_seconds: 1,
            });
        }
        if self.query.is_some() {
            errors.push(ApiError::InvalidFields(Vec::new()));
        }
        if !self.sent.is_empty() {
            errors.extend([
                ApiError::BrokenJson { line: 1, column: 1 },
                ApiError::BrokenBody,
                ApiError::BodyTooLarge,
                ApiError::UnsupportedMediaType,
                ApiError::InvalidFields(Vec::new()),
            ]);
        }
        if self.access != Access::Everybody {
            errors.extend([ApiError::StoreUnavailable, ApiError::StoreNotOpen]);
        }
        match self.access {
            Access::Everybody => {}
            // Keys are made of a secret, which whoever asks first makes in the store.
            Access::KeyTellsMore => errors.extend([ApiError::WritesHeldBack, ApiError::StoreFull]),
            Access::Administrators | Access::Dealers => {
                errors.extend([
                    ApiError::Unauthorized,
                    ApiError::Forbidden,
                    ApiError::RouteNotFound,
                ]);
            }
            Access::Person => {
                errors.extend([
                    ApiError::Unauthorized,
                    ApiError::KeyNeeded,
                    ApiError::Forbidden,
                    ApiError::WritesHeldBack,
                    ApiError::StoreFull,
                ]);
            }
        }
        let rank = |error: &ApiError| {
            ApiError::all()
                .iter()
                .position(|other| other.kind() == error.kind())
        };
        errors.sort_by_key(rank);
        errors.dedup_by_key(|error| error.kind());
        errors
    }
}
