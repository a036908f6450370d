//! Whose the number of API pods is. Pure.
//!
//! With autoscaling on it is the autoscaler's. Server-side apply takes a field that its only owner
//! stops sending for a wish to remove it, and a Deployment without `replicas` has 1: so we go on
//! sending what is there, at the version at which we read it, until somebody else owns the field,
//! and leave it out from then on.

use kube::{ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use crate::children::REPLICAS_OWNED_BY_OTHER;

/// Puts the number of replicas into `desired`, a Deployment under an autoscaler with at least `min`
/// pods, as the live Deployment asks for. Returns whether it was taken from the live one, so that a
/// change in between must be noticed.
pub fn carry(desired: &mut Value, live: Option<&DynamicObject>, min: i32) -> bool {
    let Some(spec) = desired["spec"].as_object_mut() else {
        return false;
    };
    let Some(live) = live else {
        spec.insert("replicas".to_owned(), json!(min));
        return false;
    };
    let replicas = live.data["spec"]["replicas"].as_i64().unwrap_or(0);
    let owned_by_other = live.data[REPLICAS_OWNED_BY_OTHER] == json!(true);
    if replicas == 0 {
        // An autoscaler leaves a Deployment of 0 pods alone, whoever asked for it.
        spec.insert("replicas".to_owned(), json!(min));
        false
    } else if owned_by_other {
        spec.remove("replicas");
        false
    } else {
        spec.insert("replicas".to_owned(), json!(replicas));
        desired["metadata"]["resourceVersion"] = json!(live.resource_version());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired() -> Value {
        json!({"metadata": {"name": "a"}, "spec": {"replicas": 2}})
    }

    fn live(replicas: i32, owned_by_other: bool) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "resourceVersion": "7"},
            "spec": {"replicas": replicas}, "replicasOwnedByOther": owned_by_other,
        }))
        .expect("a Deployment")
    }

    /// Prevents: a dip to 1 pod when autoscaling is switched on, or when the operator applies again
    /// before the autoscaler has ever scaled.
    #[test]
    fn live_number_is_carried_until_somebody_else_owns_it() {
        for (live, expected, version) in [
            (None, json!(2), Value::Null),
            (Some(live(5, false)), json!(5), json!("7")),
            (Some(live(5, true)), Value::Null, Value::Null),
            (Some(live(0, true)), json!(2), Value::Null),
            (Some(live(0, false)), json!(2), Value::Null),
        ] {
            let mut desired = desired();
            let carried = carry(&mut desired, live.as_ref(), 2);
            assert_eq!(desired["spec"]["replicas"], expected, "{live:?}");
            assert_eq!(desired["metadata"]["resourceVersion"], version, "{live:?}");
            assert_eq!(carried, !version.is_null());
        }
    }
}
