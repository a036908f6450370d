//! Waits for the definition of a kind that the cluster lacks, so that nobody has to ask again and again.
//!
//! Of one definition by its name, and only its metadata: no right to read others is needed.

use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use kube_runtime::watcher::{self, Event, metadata_watcher};

use crate::resources::Kind;

/// What was seen of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It was made or changed while it was watched: the kind is about to be served.
    Changed,
    /// It was there from the start, and yet the kind is not served: not yet, or not in our version.
    There,
    /// It may not be watched, or the watch failed.
    Unseen,
}

/// Waits until there is something to say of the definition of `kind`; while there is none, that is the
/// time until somebody makes one.
pub(super) async fn sight(client: &Client, kind: Kind) -> Sight {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let this_one = watcher::Config::default().fields(&format!("metadata.name={}", kind.definition()));
    let mut events = pin!(metadata_watcher(definitions, this_one));
    loop {
        match events.next().await {
            Some(Ok(Event::Apply(_))) => return Sight::Changed,
            Some(Ok(Event::InitApply(_))) => return Sight::There,
            Some(Ok(Event::Init | Event::InitDone | Event::Delete(_))) => {}
            Some(Err(error)) => {
                tracing::debug!(kind = kind.word(), %error, "its definition cannot be watched");
                return Sight::Unseen;
            }
            None => return Sight::Unseen,
        }
    }
}
