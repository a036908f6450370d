//! What `kubectl describe` shows a person: few events, each worth reading.

use std::time::Duration;

use faciliauto_api::FaciliAutoDeployment;
use kube::{Client, Resource};
use kube_runtime::events::{Event, EventType, Recorder, Reporter};

use crate::names;

/// Events are a courtesy: no reconcile waits long for one, or fails by one.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Publishes events about resources. Repeated ones are aggregated by the API.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

/// Something that a person would want to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether it asks for attention.
    pub warning: bool,
    /// One word.
    pub reason: &'static str,
    /// A sentence.
    pub note: String,
}

impl Notice {
    /// Something that went as it should.
    pub fn normal(reason: &'static str, note: impl Into<String>) -> Self {
        Self {
            warning: false,
            reason,
            note: note.into(),
        }
    }

    /// Something that asks for attention.
    pub fn warning(reason: &'static str, note: impl Into<String>) -> Self {
        Self {
            warning: true,
            reason,
            note: note.into(),
        }
    }
}

impl Events {
    /// Events by the operator process named `instance`, usually the pod.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        let reporter = Reporter {
            controller: names::FIELD_MANAGER.to_owned(),
            instance,
        };
        Self {
            recorder: Recorder::new(client, reporter),
        }
    }

    /// Publishes one event about `resource`.
    pub async fn publish<K: Resource<DynamicType = ()>>(&self, resource: &K, notice: &Notice) {
        let Notice {
            warning,
            reason,
            note,
        } = notice;
        let event = Event {
            type_: if *warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: (*reason).to_owned(),
            note: Some(shorten(note)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let reference = resource.object_ref(&());
        let published = tokio::time::timeout(PATIENCE, self.recorder.publish(&event, &reference)).await;
        match published {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(reason, %error, "an event could not be published"),
            Err(_) => tracing::warn!(reason, "an event could not be published in time"),
        }
    }

    /// Publishes several, in order.
    pub async fn publish_all(&self, resource: &FaciliAutoDeployment, notices: &[Notice]) {
        for notice in notices {
            self.publish(resource, notice).await;
        }
    }
}

fn shorten(note: &str) -> String {
    let mut end = note.len().min(LONGEST_NOTE);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}
