//! What the process remembers about each resource between two looks. Nothing here is needed to be
//! right: a restart forgets it all and reaches the same end; it only saves writes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use faciliauto_api::{FaciliAutoDeployment, FaciliAutoDeploymentStatus};
use kube_runtime::reflector::ObjectRef;

use crate::reconcile::refusals::Missing;

/// What is remembered about one resource.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// UID of the resource this is about; a namesake made later starts afresh.
    pub uid: String,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// The status we wrote last, and the resourceVersion of the resource it was computed from: as
    /// long as the store still shows that version, it has not seen our write.
    pub status: Option<(Option<String>, FaciliAutoDeploymentStatus)>,
    /// When that was.
    pub status_written: Option<Instant>,
    /// `spec.replicas` at the last look, to notice a scale that autoscaling ignores.
    pub replicas: Option<i32>,
    /// Redis's StatefulSet while it lacks its pod.
    pub redis_missing: Option<Missing>,
    /// Until when the resource is left alone, because its namespace is going away.
    pub left_alone_until: Option<Instant>,
}

/// Memory about all resources.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<ObjectRef<FaciliAutoDeployment>, Remembered>>);

impl Memory {
    /// Reads or changes what is remembered about a resource.
    pub fn with<T>(
        &self,
        resource: &ObjectRef<FaciliAutoDeployment>,
        uid: &str,
        change: impl FnOnce(&mut Remembered) -> T,
    ) -> T {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = memory.entry(resource.clone()).or_default();
        if remembered.uid != uid {
            *remembered = Remembered {
                uid: uid.to_owned(),
                ..Remembered::default()
            };
        }
        change(remembered)
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, resource: &ObjectRef<FaciliAutoDeployment>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(resource);
    }
}
