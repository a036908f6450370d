use std::collections::BTreeMap;

use faciliauto_api::ParentRef;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::*;

fn declared(exposure: Value) -> Exposure {
    serde_json::from_value(exposure).expect("an exposure")
}

fn ingress(made: i64) -> Ingress {
    let mut ingress = Ingress::default();
    ingress.metadata.creation_timestamp = Some(Time(Timestamp::from_second(made).expect("a time")));
    ingress
}

fn classes(names: &[(&str, bool)]) -> IngressClasses {
    let classes: BTreeMap<_, _> = names
        .iter()
        .map(|(name, is_default)| ((*name).to_owned(), *is_default))
        .collect();
    IngressClasses::Known(classes)
}

/// A route of generation 3 with these answers of the Gateway `edge`.
fn route(parent: Value, accepted: (&str, i64), resolved: (&str, i64)) -> HttpRoute {
    let condition = |kind: &str, (status, generation): (&str, i64)| {
        json!({"type": kind, "status": status, "reason": format!("{kind}{status}"), "message": "so it is",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    serde_json::from_value(json!({
        "metadata": {"name": "producao", "namespace": "lojas", "generation": 3, "creationTimestamp": "1970-01-01T00:01:40Z"},
        "status": {"parents": [{"parentRef": parent, "controllerName": "example.com/edge",
            "conditions": [condition("Accepted", accepted), condition("ResolvedRefs", resolved)]}]},
    }))
    .expect("a route")
}

/// Prevents: Ready for a system that nobody reaches, because no controller serves its Ingress.
#[test]
fn ingress_works_when_its_class_exists() {
    let with = |declared: Value, ingress: Option<&Ingress>, classes: &IngressClasses| {
        let declared: IngressExposure = serde_json::from_value(declared).expect("an ingress");
        ingress_standing(&declared, ingress, classes).map(|standing| (standing.status, standing.reason))
    };
    let is = |status: &'static str, reason: &str| Some((status, reason.to_owned()));
    let live = ingress(0);
    let known = classes(&[("traefik", false), ("internal", true)]);
    let traefik = json!({"enabled": true, "className": "traefik"});
    assert_eq!(with(json!({"enabled": false}), Some(&live), &known), None);
    assert_eq!(with(traefik.clone(), None, &known), is("False", "IngressMissing"));
    assert_eq!(
        with(traefik.clone(), Some(&live), &known),
        is("True", "IngressApplied")
    );
    let nginx = json!({"enabled": true, "className": "nginx"});
    assert_eq!(
        with(nginx, Some(&live), &known),
        is("False", "IngressClassMissing")
    );
    let any = json!({"enabled": true});
    assert_eq!(
        with(any.clone(), Some(&live), &known),
        is("True", "IngressApplied")
    );
    let none = classes(&[("traefik", false)]);
    assert_eq!(with(any, Some(&live), &none), is("False", "IngressClassMissing"));
    let unknown = IngressClasses::Unknown;
    assert_eq!(
        with(traefik, Some(&live), &unknown),
        is("Unknown", "NotPermitted")
    );
}

/// Prevents: an answer of a Gateway about an older route, or of another Gateway, being taken for ours.
#[test]
fn route_works_when_each_gateway_has_accepted_it_as_it_is() {
    let edge = json!({"name": "edge"});
    let with = |parents: Value, route: Option<&HttpRoute>, availability: &Availability| {
        let parent_refs: Vec<ParentRef> = serde_json::from_value(parents).expect("parents");
        let declared = GatewayExposure {
            enabled: true,
            parent_refs,
            ..GatewayExposure::default()
        };
        let standing = gateway_standing(&declared, route, availability).expect("it is declared");
        (standing.status, standing.reason)
    };
    let of = |parents: Value, route: &HttpRoute| with(parents, Some(route), &Availability::Present);
    let is = |status: &'static str, reason: &str| (status, reason.to_owned());
    let good = route(edge.clone(), ("True", 3), ("True", 3));
    let only = json!([{"name": "edge"}]);
    assert_eq!(of(only.clone(), &good), is("True", "HttpRouteAccepted"));
    let same = json!([{"name": "edge", "namespace": "lojas"}]);
    assert_eq!(
        of(same, &good),
        is("True", "HttpRouteAccepted"),
        "its own namespace, written out"
    );
    for other in [
        json!([{"name": "edge"}, {"name": "inner"}]),
        json!([{"name": "edge", "namespace": "infra"}]),
        json!([{"name": "edge", "sectionName": "https"}]),
        json!([{"name": "edge", "port": 443}]),
    ] {
        assert_eq!(
            of(other.clone(), &good),
            is("False", "WaitingForGateway"),
            "{other}"
        );
    }
    for (accepted, resolved, reason) in [
        (("True", 2), ("True", 3), "WaitingForGateway"),
        (("True", 3), ("Unknown", 3), "WaitingForGateway"),
        (("False", 3), ("True", 3), "AcceptedFalse"),
        (("True", 3), ("False", 3), "ResolvedRefsFalse"),
    ] {
        let route = route(edge.clone(), accepted, resolved);
        assert_eq!(
            of(only.clone(), &route),
            is("False", reason),
            "{accepted:?} {resolved:?}"
        );
    }
    let missing = with(only.clone(), None, &Availability::Absent);
    assert_eq!(missing, is("False", "GatewayApiMissing"));
    assert_eq!(
        with(only.clone(), None, &Availability::Present),
        is("False", "HttpRouteMissing")
    );
    let unknown = Availability::Unknown {
        reason: Availability::NOT_PERMITTED,
    };
    assert_eq!(with(only, Some(&good), &unknown), is("Unknown", "NotPermitted"));
}

/// Prevents: minutes without any way in when exposure moves to a Gateway that does not work yet, and an
/// old way that stays for ever.
#[test]
fn old_way_stays_until_the_new_one_works() {
    let to_gateway = declared(json!({"gateway": {"enabled": true, "parentRefs": [{"name": "edge"}]}}));
    let mut present = Capabilities::default();
    present.set(Kind::HttpRoute, Availability::Present);
    present.ingress_classes = classes(&[("traefik", false)]);
    let at = |second: i64| Timestamp::from_second(second).expect("a time");
    let edge = json!({"name": "edge"});
    let with = |route: Option<HttpRoute>, capabilities: &Capabilities, now: i64| {
        let observed = Observed {
            ingress: Some(ingress(0)),
            http_route: route,
            ..Observed::default()
        };
        kept_until_the_other_works(&to_gateway, &observed, capabilities, at(now))
    };
    let waiting = || route(edge.clone(), ("Unknown", 3), ("Unknown", 3));
    assert_eq!(
        with(None, &present, 100),
        Some((Kind::Ingress, None)),
        "not made yet"
    );
    assert_eq!(
        with(Some(waiting()), &present, 110),
        Some((Kind::Ingress, Some(Duration::from_secs(290))))
    );
    assert_eq!(
        with(Some(waiting()), &present, 400),
        None,
        "five minutes are enough"
    );
    let good = route(edge.clone(), ("True", 3), ("True", 3));
    assert_eq!(with(Some(good), &present, 101), None, "it works");
    let absent = Capabilities::default();
    assert_eq!(
        with(None, &absent, 9_999),
        Some((Kind::Ingress, None)),
        "it cannot even be made"
    );

    let back = |class: &str| {
        let exposure =
            declared(json!({"ingress": {"enabled": true, "className": class, "hosts": ["a.example"]}}));
        let observed = Observed {
            ingress: Some(ingress(100)),
            http_route: Some(waiting()),
            ..Observed::default()
        };
        kept_until_the_other_works(&exposure, &observed, &present, at(160))
    };
    assert_eq!(back("traefik"), None);
    assert_eq!(
        back("nginx"),
        Some((Kind::HttpRoute, Some(Duration::from_secs(240))))
    );

    let neither = Observed {
        ingress: Some(ingress(0)),
        ..Observed::default()
    };
    let off = declared(json!({}));
    assert_eq!(
        kept_until_the_other_works(&off, &neither, &present, at(1)),
        None,
        "off is off"
    );
}

/// Prevents: an address in the status that leads nowhere.
#[test]
fn url_is_the_first_host_name() {
    for (exposure, expected) in [
        (json!({}), "http://producao.lojas.svc"),
        (
            json!({"ingress": {"hosts": ["a.example"]}}),
            "http://producao.lojas.svc",
        ),
        (
            json!({"ingress": {"enabled": true, "hosts": ["*.a.example", "b.example"]}}),
            "http://b.example",
        ),
        (
            json!({"ingress": {"enabled": true, "hosts": ["b.example"], "tls": {"clusterIssuer": "x"}}}),
            "https://b.example",
        ),
        (
            json!({"gateway": {"enabled": true, "hostnames": ["c.example"]}}),
            "https://c.example",
        ),
    ] {
        assert_eq!(
            url(&declared(exposure.clone()), "lojas", "producao"),
            expected,
            "{exposure}"
        );
    }
}
