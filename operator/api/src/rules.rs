//! The API server's rules, run offline: `render` and tests refuse what a cluster would refuse.

use serde_json::Value;

use crate::{FaciliAutoDeployment, crd::schema};

/// Runs every CEL rule of the schema over `resource`; with `old`, the rules about changes too.
/// Each item is one message, as the API server would word it.
///
/// Bounds, patterns and enumerations are not CEL and are not looked at here.
pub fn broken_rules(resource: &FaciliAutoDeployment, old: Option<&FaciliAutoDeployment>) -> Vec<String> {
    let as_value = |resource: &FaciliAutoDeployment| serde_json::to_value(resource).unwrap_or(Value::Null);
    let result = kube::core::cel::Validator::new().validate(
        &schema(),
        &as_value(resource),
        old.map(as_value).as_ref(),
    );
    match result {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| error.to_string()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::LazyLock};

    use serde_json::json;

    use super::*;

    fn resource(name: &str, spec: Value) -> FaciliAutoDeployment {
        serde_json::from_value(json!({
            "apiVersion": "faciliauto.com/v1alpha1",
            "kind": "FaciliAutoDeployment",
            "metadata": {"name": name, "namespace": "lojas"},
            "spec": spec,
        }))
        .expect("a resource")
    }

    /// Prevents: an empty spec, the very first thing a person tries, being refused.
    #[test]
    fn empty_spec_breaks_no_rule() {
        assert_eq!(
            broken_rules(&resource("producao", json!({})), None),
            Vec::<String>::new()
        );
    }

    /// A name, a spec with one mistake, and how the refusal begins.
    fn mistakes() -> Vec<(&'static str, Value, &'static str)> {
        let digest = "sha256:ABC";
        let external = json!({"urlSecret": {"name": "redis"}});
        vec![
            ("Producao", json!({}), "metadata.name must be"),
            ("1producao", json!({}), "metadata.name must be"),
            ("producao-", json!({}), "metadata.name must be"),
            (
                "a-name-that-is-a-little-longer-than-forty",
                json!({}),
                "metadata.name must be",
            ),
            (
                "a",
                json!({"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}),
                "autoscaling.minReplicas must not",
            ),
            (
                "a",
                json!({"api": {"resources": {"requests": {"memory": "1Mi"}}}}),
                "set api.resources.requests.cpu",
            ),
            (
                "a",
                json!({"api": {"resources": {"requests": {"cpu": 1}}}}),
                "set api.resources.requests.memory",
            ),
            (
                "a",
                json!({"api": {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}}),
                "api.resources.requests.memory must not exceed",
            ),
            (
                "a",
                json!({"api": {"resources": {"requests": {"cpu": 2, "memory": "1Mi"}, "limits": {"cpu": "1500m"}}}}),
                "api.resources.requests.cpu must not exceed",
            ),
            (
                "a",
                json!({"api": {"env": [{"name": "FACILIAUTO_LISTEN"}]}}),
                "api.env must not set",
            ),
            (
                "a",
                json!({"api": {"pod": {"labels": {"app.kubernetes.io/name": "x"}}}}),
                "pod.labels must not",
            ),
            (
                "a",
                json!({"api": {"pod": {"annotations": {"faciliauto.com/x": "y"}}}}),
                "pod.annotations must not",
            ),
            (
                "a",
                json!({"redis": {"managed": {"pod": {"labels": {"faciliauto.com/x": "y"}}}}}),
                "pod.labels must not",
            ),
            ("a", json!({"image": {"digest": digest}}), "image.digest must be"),
            (
                "a",
                json!({"stock": {"seed": "ConfigMap"}}),
                "stock.seed ConfigMap needs",
            ),
            (
                "a",
                json!({"redis": {"mode": "External"}}),
                "redis.mode External needs",
            ),
            (
                "a",
                json!({"redis": {"mode": "External", "external": external, "managed": {"passwordSecret": "p"}}}),
                "redis.managed.passwordSecret has no effect",
            ),
            (
                "a",
                json!({"redis": {"external": external}}),
                "has no effect with redis.mode Managed",
            ),
            (
                "a",
                json!({"redis": {"mode": "External", "external": {"urlSecret": {"name": "r"}, "keyPrefix": "a*"}}}),
                "redis.external.keyPrefix may hold",
            ),
            (
                "a",
                json!({"api": {"cache": {"maxBytes": "512Mi"}}}),
                "api.cache.maxBytes must be less than",
            ),
            (
                "a",
                json!({"serviceAccount": {"annotations": {"faciliauto.com/x": "y"}}}),
                "serviceAccount.annotations must not",
            ),
            (
                "a",
                json!({"serviceAccount": {"name": "nosso", "annotations": {"a": "b"}}}),
                "serviceAccount.annotations have no effect",
            ),
            (
                "a",
                json!({"commonLabels": {"app.kubernetes.io/name": "y"}}),
                "commonLabels must not",
            ),
            (
                "a",
                json!({"commonAnnotations": {"faciliauto.com/applied": "y"}}),
                "commonAnnotations must not",
            ),
            (
                "a",
                json!({"exposure": {"ingress": {"enabled": true}}}),
                "needs exposure.ingress.hosts",
            ),
            (
                "a",
                json!({"exposure": {"gateway": {"enabled": true}}}),
                "needs exposure.gateway.parentRefs",
            ),
            (
                "a",
                json!({"exposure": {"ingress": {"annotations": {"faciliauto.com/x": "y"}}}}),
                "exposure.ingress.annotations must not",
            ),
            (
                "a",
                json!({"exposure": {"gateway": {"annotations": {"app.kubernetes.io/x": "y"}}}}),
                "exposure.gateway.annotations must not",
            ),
            (
                "a",
                json!({"networkPolicy": {"ingressFrom": [{}]}}),
                "networkPolicy.ingressFrom: give each peer",
            ),
            (
                "a",
                json!({"networkPolicy": {"metricsFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}}),
                "networkPolicy.metricsFrom: give each peer",
            ),
            (
                "a",
                json!({"monitoring": {"serviceMonitor": {"interval": "4s"}}}),
                "interval must be from 5s to 1m",
            ),
            (
                "a",
                json!({"monitoring": {"serviceMonitor": {"interval": "2m"}}}),
                "interval must be from 5s to 1m",
            ),
            (
                "a",
                json!({"monitoring": {"serviceMonitor": {"labels": {"faciliauto.com/x": "y"}}}}),
                "monitoring.serviceMonitor.labels must not",
            ),
            (
                "a",
                json!({"monitoring": {"alerts": {"labels": {"faciliauto.com/x": "y"}}}}),
                "monitoring.alerts.labels must not",
            ),
            (
                "a",
                json!({"monitoring": {"dashboards": {"labels": {"app.kubernetes.io/name": "y"}}}}),
                "monitoring.dashboards.labels must not",
            ),
            (
                "a",
                json!({"redis": {"managed": {"storage": {"size": "0"}}}}),
                "storage.size must be more than 0",
            ),
            (
                "a",
                json!({"redis": {"managed": {"resources": {"limits": {}}}}}),
                "limits.memory is needed",
            ),
            (
                "a",
                json!({"redis": {"managed": {"resources": {"limits": {"memory": "64Mi"}}}}}),
                "redis.managed.resources.requests.memory must not exceed",
            ),
            (
                "a",
                json!({"redis": {"managed": {"resources": {
                    "requests": {"cpu": 2, "memory": "128Mi"}, "limits": {"cpu": "1500m", "memory": "256Mi"},
                }}}}),
                "redis.managed.resources.requests.cpu must not exceed",
            ),
            (
                "a",
                json!({"redis": {"managed": {"resources": {
                    "requests": {"cpu": 1, "memory": "16Mi"}, "limits": {"memory": "31Mi"},
                }}}}),
                "redis.managed.resources.limits.memory must be at least",
            ),
            (
                "a",
                json!({"backup": {"schedule": "0 2 * *"}}),
                "backup.schedule must be five fields",
            ),
            (
                "a",
                json!({"backup": {"schedule": "TZ=UTC 0 2 * * *"}}),
                "backup.schedule must be five fields",
            ),
            (
                "a",
                json!({"backup": {"timeZone": "America/São_Paulo"}}),
                "backup.timeZone must be a name",
            ),
            (
                "a",
                json!({"backup": {"storage": {"size": "0"}}}),
                "backup.storage.size must be more than 0",
            ),
            (
                "a",
                json!({"backup": {"objectStore": {"url": "https://bucket.example"}}}),
                "objectStore.url must be s3://",
            ),
            (
                "a",
                json!({"backup": {"objectStore": {"url": "s3://bucket/prefix", "endpoint": "s3.example"}}}),
                "objectStore.endpoint must be https://",
            ),
            (
                "a",
                json!({"backup": {"encryption": {"recipient": "AGE-SECRET-KEY-1"}}}),
                "backup.encryption.recipient must be a public key",
            ),
            (
                "a",
                json!({"backup": {"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "512Mi"}}}}),
                "backup.resources.requests.memory must not exceed",
            ),
            (
                "a",
                json!({"backup": {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}}}),
                "backup.resources.requests.cpu must not exceed",
            ),
            (
                "a",
                json!({"restore": {"id": "../a"}}),
                "restore.id must be 1 to 63",
            ),
            (
                "a",
                json!({"restore": {"id": "a", "from": "../a"}}),
                "restore.from must be 'latest'",
            ),
            (
                "a",
                json!({"restore": {"id": "a", "source": {
                    "claimName": "outro-backup", "objectStore": {"url": "s3://bucket"},
                }}}),
                "restore.source takes claimName or objectStore.url",
            ),
            (
                "a",
                json!({"backup": {"enabled": false}, "restore": {"id": "a"}}),
                "restore.id needs backup.enabled",
            ),
        ]
    }

    /// What each mistake is refused with; found out once, for the schema is compiled anew each time.
    static REFUSALS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
        mistakes()
            .into_iter()
            .map(|(name, spec, _)| broken_rules(&resource(name, spec), None))
            .collect()
    });

    /// Prevents: a rule that lets through the very mistake it was written for.
    #[test]
    fn each_mistake_is_refused_with_its_message() {
        for ((name, spec, expected), messages) in mistakes().into_iter().zip(REFUSALS.iter()) {
            assert!(
                messages.iter().any(|message| message.contains(expected)),
                "{name} {spec}: expected {expected:?}, got {messages:?}"
            );
        }
    }

    /// Prevents: a rule that refuses what it should let through.
    #[test]
    fn what_is_right_is_let_through() {
        for spec in [
            json!({"exposure": {"ingress": {"enabled": true, "hosts": ["a.example"]}}}),
            json!({"exposure": {"gateway": {"enabled": true, "parentRefs": [{"name": "edge"}]}}}),
            json!({"networkPolicy": {"ingressFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"namespaceSelector": {}},
                {"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {"matchLabels": {"c": "d"}}}]}}),
            json!({"monitoring": {"serviceMonitor": {"interval": "5s"}}}),
            json!({"api": {"cache": {"maxBytes": "0"}}}),
            json!({"api": {"cache": {"maxBytes": 8_000_000}, "rateLimits": {"stats": {"requestsPerSecond": 1, "burst": 2}}}}),
            json!({"serviceAccount": {"name": "nosso"}, "commonLabels": {"team": "vitrine"}}),
            json!({"securityContext": {"runAsUser": "Platform", "fsGroup": 1000}}),
            json!({"monitoring": {"serviceMonitor": {"interval": "1m", "labels": {"release": "x"}}}}),
            json!({"backup": {"schedule": "*/15 1-5,22 1,15 JAN-mar Mon", "timeZone": "America/Argentina/Buenos_Aires"}}),
            json!({"backup": {"enabled": false}, "restore": {"id": "", "from": "latest"}}),
            json!({"backup": {
                "objectStore": {"url": "s3://backups/lojas/producao", "endpoint": "http://storage.example:7070"},
                "encryption": {"recipient": "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"},
            }}),
            json!({"restore": {"id": "depois-do-incidente.1", "from": "20260131T050000Z-ab12cd34",
                "source": {"claimName": "outro-backup"}}}),
        ] {
            assert_eq!(
                broken_rules(&resource("a", spec.clone()), None),
                Vec::<String>::new(),
                "{spec}"
            );
        }
    }

    /// Prevents: a rule that is skipped offline, or that fails to run and only seems to refuse: each
    /// message that the schema holds is the very one that some mistake is refused with, and nothing else
    /// is said.
    #[test]
    fn every_rule_of_the_schema_is_evaluated_here() {
        let mut heard: BTreeSet<String> = REFUSALS.iter().flatten().cloned().collect();
        let before = resource("a", stored());
        for (after, _) in losses() {
            heard.extend(broken_rules(&resource("a", after), Some(&before)));
        }
        let mut rules = Vec::new();
        collect_rules(&schema(), &mut rules);
        assert!(rules.len() >= 20, "{rules:#?}");
        let unheard: Vec<_> = rules
            .iter()
            .filter(|message| !heard.iter().any(|heard| heard.ends_with(message.as_str())))
            .collect();
        assert!(unheard.is_empty(), "no mistake above breaks {unheard:#?}");
        let unknown: Vec<_> = heard
            .iter()
            .filter(|heard| !rules.iter().any(|message| heard.ends_with(message.as_str())))
            .collect();
        assert!(unknown.is_empty(), "these are no refusals: {unknown:#?}");
    }

    /// The messages of every rule, wherever it stands.
    fn collect_rules(schema: &Value, messages: &mut Vec<String>) {
        match schema {
            Value::Object(fields) => {
                for rule in fields
                    .get("x-kubernetes-validations")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    messages.push(rule["message"].as_str().expect("a message").to_owned());
                }
                fields.values().for_each(|inner| collect_rules(inner, messages));
            }
            Value::Array(items) => items.iter().for_each(|inner| collect_rules(inner, messages)),
            _ => {}
        }
    }

    fn storage(storage: Value) -> Value {
        let backups = json!({"storage": {"size": "4Gi", "storageClassName": "slow"}});
        json!({"redis": {"managed": {"storage": storage}}, "backup": backups})
    }

    fn backup_storage(storage: Value) -> Value {
        let mut spec = stored();
        spec["backup"]["storage"] = storage;
        spec
    }

    /// What the changes are made to.
    fn stored() -> Value {
        storage(json!({"size": "2Gi", "storageClassName": "fast"}))
    }

    /// A spec that `stored` must not become, and part of the refusal.
    fn losses() -> Vec<(Value, &'static str)> {
        vec![
            (
                storage(json!({"size": "2047Mi", "storageClassName": "fast"})),
                "may grow but never shrink",
            ),
            (
                storage(json!({"size": "2Gi", "storageClassName": "slow"})),
                "storageClassName cannot change",
            ),
            (storage(json!({"size": "2Gi"})), "storageClassName cannot change"),
            (
                json!({"redis": {"mode": "External", "external": {"urlSecret": {"name": "r"}},
                    "managed": {"storage": {"size": "2Gi", "storageClassName": "fast"}}}}),
                "redis.mode cannot change",
            ),
            (
                backup_storage(json!({"size": "3Gi", "storageClassName": "slow"})),
                "backup.storage.size may grow",
            ),
            (
                backup_storage(json!({"size": "4Gi", "storageClassName": "fast"})),
                "backup.storage.storageClassName cannot change",
            ),
        ]
    }

    /// Prevents: an edit that strands a volume or leaves data behind.
    #[test]
    fn changes_that_would_lose_data_are_refused() {
        for (after, expected) in losses() {
            let messages = broken_rules(&resource("a", after.clone()), Some(&resource("a", stored())));
            assert!(
                messages.iter().any(|message| message.contains(expected)),
                "{after}: {messages:?}"
            );
        }
        let grown = resource("a", storage(json!({"size": "2.5Gi", "storageClassName": "fast"})));
        assert_eq!(
            broken_rules(&grown, Some(&resource("a", stored()))),
            Vec::<String>::new()
        );
    }
}
