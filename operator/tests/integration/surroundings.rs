//! What lies around a system: how it is reached, who may reach it, how it is watched, on clusters that
//! have what that needs, have it not, or get and lose it.

use faciliauto_operator::{capabilities::Availability, resources::Kind};
use serde_json::{Value, json};

use crate::{
    fake_api::Fault,
    harness::{Harness, NAME, path, run_controllers, writes},
};

fn with_ingress(class: &str) -> Value {
    json!({"exposure": {"ingress": {"enabled": true, "className": class, "hosts": ["a.example"]}}})
}

fn with_gateway() -> Value {
    json!({"exposure": {"gateway": {"enabled": true, "parentRefs": [{"name": "edge"}], "hostnames": ["b.example"]}}})
}

/// Prevents: Ready for a system that nobody reaches from outside, and one that never becomes Ready
/// because nobody asked for a way in.
#[tokio::test]
async fn ready_includes_the_way_in() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    assert_eq!(harness.condition("Exposed"), Value::Null);
    assert_eq!(harness.condition("Ready")["status"], "True");

    harness.change_spec(|spec| *spec = with_ingress("nginx"));
    harness.settle().await;
    assert_eq!(harness.condition("Exposed")["reason"], "IngressClassMissing");
    assert_eq!(harness.condition("Ready")["reason"], "IngressClassMissing");
    assert_eq!(harness.condition("Available")["status"], "True");

    harness.change_spec(|spec| *spec = with_ingress("traefik"));
    harness.settle().await;
    assert_eq!(harness.condition("Exposed")["status"], "True");
    assert_eq!(harness.condition("Ready")["status"], "True");
    assert_eq!(harness.status()["url"], "http://a.example");
    let deployment = harness.child(Kind::Deployment, NAME).expect("the Deployment");
    let config = deployment.pointer("/spec/template/spec/containers/0/envFrom/0/configMapRef/name");
    let config = config.and_then(Value::as_str).expect("a ConfigMap").to_owned();
    let config = harness.child(Kind::ConfigMap, &config).expect("the settings");
    assert_eq!(
        config["data"]["FACILIAUTO_TRUSTED_HOPS"], "1",
        "one proxy in front"
    );

    harness.change_spec(|spec| *spec = json!({}));
    harness.settle().await;
    assert_eq!(harness.child(Kind::Ingress, NAME), None, "off is gone");
    assert_eq!(harness.condition("Exposed"), Value::Null);
}

/// Prevents: an operator that has to be restarted after the Gateway API or the Prometheus Operator was
/// installed, one that fails without them, and one that writes when nothing is new.
#[tokio::test]
async fn optional_kinds_come_and_go_while_we_run() {
    let mut spec = with_gateway();
    spec["monitoring"] = json!({"alerts": {"mode": "Always"}});
    let mut harness = Harness::new(spec);
    harness.settle().await;
    for kind in Kind::OPTIONAL {
        assert_eq!(harness.names(kind), Vec::<String>::new());
    }
    assert_eq!(harness.condition("Exposed")["reason"], "GatewayApiMissing");
    assert_eq!(
        harness.condition("MonitoringReady")["reason"],
        "MonitoringApiMissing"
    );
    assert_eq!(
        harness.condition("Available")["status"],
        "True",
        "the rest goes on"
    );

    for kind in Kind::OPTIONAL {
        harness.set_capability(kind, Availability::Present);
    }
    harness.settle().await;
    for kind in Kind::OPTIONAL {
        assert_eq!(harness.names(kind), [NAME], "{kind:?}");
    }
    assert_eq!(harness.condition("Exposed")["status"], "True");
    assert_eq!(harness.condition("MonitoringReady")["status"], "True");
    assert_eq!(harness.status()["url"], "https://b.example");
    harness.api.take_calls();
    harness.look().await.expect("nothing is wrong");
    let calls = harness.api.take_calls();
    assert_eq!(writes(&calls), Vec::<String>::new());
    assert!(
        calls.iter().all(|call| call.path.contains("/secrets/")),
        "{calls:?}"
    );

    harness.api.remove(&path(Kind::HttpRoute, NAME));
    harness.set_capability(Kind::HttpRoute, Availability::Absent);
    harness.settle().await;
    assert_eq!(harness.condition("Exposed")["reason"], "GatewayApiMissing");
    harness.set_capability(
        Kind::ServiceMonitor,
        Availability::Unknown {
            reason: Availability::NOT_PERMITTED,
        },
    );
    harness.settle().await;
    assert_eq!(harness.condition("MonitoringReady")["status"], "Unknown");
    assert_eq!(harness.condition("MonitoringReady")["reason"], "NotPermitted");
}

/// Prevents: objects of a part that was switched off going on to work, or an object of somebody else's
/// going with them.
#[tokio::test]
async fn what_is_switched_off_goes() {
    let mut harness = Harness::new(with_gateway());
    for kind in Kind::OPTIONAL {
        harness.set_capability(kind, Availability::Present);
    }
    harness.settle().await;
    let foreign = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "deny-all", "namespace": "lojas"}, "spec": {"podSelector": {}},
    });
    harness.api.put(&path(Kind::NetworkPolicy, "deny-all"), foreign);
    let dashboards = |harness: &Harness| {
        let names = harness.names(Kind::ConfigMap).into_iter();
        names.filter(|name| name.contains("-dashboard-")).count()
    };
    assert_eq!(dashboards(&harness), 4);
    assert_eq!(harness.names(Kind::NetworkPolicy).len(), 4);
    harness.change_spec(|spec| {
        *spec = json!({
            "networkPolicy": {"enabled": false},
            "monitoring": {"serviceMonitor": {"mode": "Never"}, "alerts": {"mode": "Never"}, "dashboards": {"enabled": false}},
        });
    });
    harness.settle().await;
    assert_eq!(dashboards(&harness), 0);
    assert_eq!(harness.names(Kind::NetworkPolicy), ["deny-all"]);
    for kind in Kind::OPTIONAL {
        assert_eq!(harness.names(kind), Vec::<String>::new());
    }
    assert_eq!(harness.condition("MonitoringReady"), Value::Null);
}

/// Prevents: no way in at all while exposure moves to a Gateway that is not ready.
#[tokio::test]
async fn old_way_in_stays_until_the_new_one_works() {
    let mut harness = Harness::new(with_ingress("traefik"));
    harness.set_capability(Kind::HttpRoute, Availability::Present);
    harness.settle().await;
    harness.change_spec(|spec| *spec = with_gateway());
    for _ in 0..3 {
        let action = harness.look().await.expect("nothing is wrong");
        assert_eq!(harness.names(Kind::HttpRoute), [NAME]);
        assert_eq!(
            harness.names(Kind::Ingress),
            [NAME],
            "the Gateway has not answered: {action:?}"
        );
    }
    run_controllers(&harness.api);
    harness.settle().await;
    assert_eq!(harness.names(Kind::Ingress), Vec::<String>::new());
    assert_eq!(harness.condition("Exposed")["status"], "True");
}

/// Prevents: tampering with what surrounds a system, or a kind that goes at a bad moment, that stays.
#[tokio::test]
async fn drift_around_a_system_is_put_right() {
    let mut harness = Harness::new(with_ingress("traefik"));
    for kind in Kind::OPTIONAL {
        harness.set_capability(kind, Availability::Present);
    }
    harness.settle().await;
    let board = format!("{NAME}-dashboard-overview");
    let before: Vec<_> = [
        (Kind::NetworkPolicy, format!("{NAME}-redis")),
        (Kind::Ingress, NAME.to_owned()),
        (Kind::ServiceMonitor, NAME.to_owned()),
        (Kind::PrometheusRule, NAME.to_owned()),
        (Kind::ConfigMap, board),
    ]
    .into_iter()
    .map(|(kind, name)| (kind, harness.child(kind, &name).expect("a child"), name))
    .collect();
    for (kind, _, name) in &before {
        harness.api.edit(&path(*kind, name), |object| match kind {
            Kind::NetworkPolicy => object["spec"]["ingress"][0]["ports"][0]["port"] = json!(1),
            Kind::Ingress => object["spec"]["rules"][0]["host"] = json!("evil.example"),
            Kind::ServiceMonitor => object["spec"]["endpoints"][0]["port"] = json!("other"),
            Kind::PrometheusRule => object["spec"]["groups"][0]["rules"][0]["expr"] = json!("vector(0)"),
            _ => {
                let data = object["data"].as_object_mut().expect("data");
                data.values_mut().for_each(|value| *value = json!("{}"));
            }
        });
    }
    harness.settle().await;
    for (kind, object, name) in before {
        let now = harness.child(kind, &name).expect("a child");
        for field in ["spec", "data"] {
            assert_eq!(now[field], object[field], "{kind:?} {name}");
        }
    }
}

/// Prevents: a system that waits for ever, or says the wrong thing, when its tokens are missing; and a
/// token that changes by itself.
#[tokio::test]
async fn administrators_tokens_are_made_once_or_waited_for() {
    let mut harness = Harness::new(json!({}));
    harness.settle().await;
    let secret = format!("{NAME}-admin-tokens");
    let token = harness.child(Kind::Secret, &secret).expect("a token")["data"]["admin"].clone();
    assert!(token.as_str().is_some_and(|token| token.len() > 60), "{token}");
    harness.restart();
    harness.settle().await;
    assert_eq!(
        harness.child(Kind::Secret, &secret).expect("a token")["data"]["admin"],
        token
    );

    harness.api.remove(&path(Kind::Secret, &secret));
    harness.settle().await;
    assert_ne!(
        harness.child(Kind::Secret, &secret).expect("another")["data"]["admin"],
        token
    );
    assert!(
        harness.told().contains(&"SecretLost".to_owned()),
        "{:?}",
        harness.told()
    );

    harness.change_spec(|spec| spec["api"] = json!({"adminTokensSecret": "ours"}));
    let error = harness.look().await.expect_err("it is not there");
    assert_eq!(error.category(), "missing_reference");
    assert_eq!(harness.condition("Reconciling")["reason"], "WaitingForReference");
    assert_eq!(
        harness.condition("RedisReady")["status"],
        "True",
        "Redis has nothing to do with it"
    );
    let ours = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ours"}, "data": {"admin": "YQ=="}});
    harness.api.put(&path(Kind::Secret, "ours"), ours);
    harness.settle().await;
    let deployment = harness.child(Kind::Deployment, NAME).expect("the Deployment");
    let volumes = deployment["spec"]["template"]["spec"]["volumes"]
        .as_array()
        .expect("volumes")
        .clone();
    assert!(
        volumes
            .iter()
            .any(|volume| volume["secret"]["secretName"] == "ours"),
        "{volumes:?}"
    );
}

/// Prevents: a bring-up with everything around it that stays half-built after any call that fails.
#[tokio::test]
async fn failure_of_any_call_around_a_system_converges() {
    let start = || {
        let mut spec = with_ingress("traefik");
        spec["exposure"]["gateway"] = with_gateway()["exposure"]["gateway"].clone();
        let mut harness = Harness::new(spec);
        for kind in Kind::OPTIONAL {
            harness.set_capability(kind, Availability::Present);
        }
        harness
    };
    let mut calm = start();
    calm.settle().await;
    let paths = |harness: &Harness| -> Vec<String> {
        harness.api.with(|state| state.objects.keys().cloned().collect())
    };
    for struck in (0..).step_by(3) {
        let mut harness = start();
        harness.api.fail(struck, Fault::After);
        harness.settle().await;
        if harness.api.fault_is_pending() {
            assert!(struck > 40, "{struck}");
            break;
        }
        assert_eq!(paths(&harness), paths(&calm), "call {struck}");
        assert_eq!(harness.condition("Ready")["status"], "True", "call {struck}");
    }
}
