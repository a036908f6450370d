use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::*;

fn resource(name: &str, spec: Value) -> FaciliAutoDeployment {
    serde_json::from_value(json!({
        "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
        "metadata": {"name": name, "namespace": "lojas", "uid": "u-1"}, "spec": spec,
    }))
    .expect("a resource")
}

fn release() -> ReleaseDefaults {
    ReleaseDefaults {
        service_repository: "registry/service".to_owned(),
        service_tag: "7.7.7".to_owned(),
        redis_image: "registry/redis:8".to_owned(),
        operator_namespace: "operators".to_owned(),
    }
}

fn valid(spec: Value) -> Validated {
    validate(&resource("producao", spec), &Referenced::default(), &release()).expect("it is valid")
}

fn url_secret(key: &str, url: &str) -> Referenced {
    let data = [(key.to_owned(), ByteString(url.as_bytes().to_vec()))].into();
    Referenced {
        url_secret: Some(Secret {
            data: Some(data),
            ..Secret::default()
        }),
        ..Referenced::default()
    }
}

/// Prevents: a release whose images old resources never move to, and a pinned digest that is ignored.
#[test]
fn image_is_the_most_precise_that_is_named() {
    let digest = format!("sha256:{}", "a".repeat(64));
    for (image, expected) in [
        (json!({}), "registry/service:7.7.7".to_owned()),
        (json!({"tag": "1.2.3"}), "registry/service:1.2.3".to_owned()),
        (json!({"repository": "other/api"}), "other/api:7.7.7".to_owned()),
        (
            json!({"tag": "1.2.3", "digest": digest}),
            format!("registry/service@{digest}"),
        ),
    ] {
        assert_eq!(valid(json!({"image": image})).image.reference, expected);
    }
    for (managed, expected) in [
        (json!({}), "registry/redis:8"),
        (json!({"image": "valkey:9"}), "valkey:9"),
    ] {
        let RedisSettings::Managed(settings) = valid(json!({"redis": {"managed": managed}})).redis else {
            panic!("a managed Redis");
        };
        assert_eq!(settings.image, expected);
    }
}

/// Prevents: defaults that are off by one field: each value here differs from every other.
#[test]
fn every_field_reaches_its_place() {
    let validated = valid(json!({
        "replicas": 3,
        "autoscaling": {"minReplicas": 4, "maxReplicas": 5, "targetCPUUtilization": 61, "targetMemoryUtilization": 62},
        "disruptionBudget": {"maxUnavailable": 6},
        "deletionPolicy": "Delete",
        "api": {"logLevel": "trace"},
        "image": {"pullPolicy": "Always", "pullSecrets": [{"name": "login"}]},
        "redis": {"managed": {"storage": {"size": "7Gi", "storageClassName": "fast"},
            "resources": {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}}}},
    }));
    let Scaling::Automatic {
        min: 4,
        max: 5,
        cpu: 61,
        memory: Some(62),
        behavior: None,
    } = validated.scaling
    else {
        panic!("{:?}", validated.scaling);
    };
    assert_eq!(validated.disruption_budget, Some(6));
    assert!(validated.delete_volumes);
    assert_eq!(validated.api.log_level, "trace");
    assert_eq!(
        (validated.image.pull_policy, validated.image.pull_secrets),
        ("Always", vec!["login".to_owned()])
    );
    assert_eq!(validated.key_prefix, "lojas:producao");
    let RedisSettings::Managed(redis) = validated.redis else {
        panic!("a managed Redis")
    };
    assert_eq!(
        (redis.storage.0.as_str(), redis.storage_class.as_deref()),
        ("7Gi", Some("fast"))
    );
    assert_eq!(redis.max_memory_bytes, 64 * 1024 * 1024, "half of the limit");
}

/// Prevents: a switch that is off and still has an effect.
#[test]
fn what_is_off_is_absent() {
    let validated = valid(json!({
        "replicas": 3, "autoscaling": {"enabled": false}, "disruptionBudget": {"enabled": false},
        "stock": {"seed": "None"},
    }));
    assert!(matches!(validated.scaling, Scaling::Fixed { replicas: 3 }));
    assert_eq!(validated.disruption_budget, None);
    assert_eq!(validated.seed, SeedSource::Nothing);
    let validated = valid(json!({"autoscaling": {"targetMemoryUtilization": 0}}));
    assert!(matches!(
        validated.scaling,
        Scaling::Automatic { memory: None, .. }
    ));
}

/// Prevents: a mistake that the API server cannot see ending in children that it refuses one by one.
#[test]
fn mistakes_are_told_all_at_once() {
    let long = "a".repeat(41);
    for (name, spec, expected) in [
        (long.as_str(), json!({}), vec!["metadata.name"]),
        ("Loja", json!({}), vec!["metadata.name"]),
        ("a-", json!({}), vec!["metadata.name"]),
        (
            "a",
            json!({"redis": {"managed": {"resources": {"requests": {}, "limits": {"memory": "16Mi"}}}}}),
            vec!["at least 32Mi"],
        ),
        (
            "a",
            json!({"redis": {"managed": {"storage": {"size": "huge"}, "resources": {"limits": {"memory": "1Gi"},
                "requests": {"memory": "2Gi"}}}}}),
            vec!["storage.size huge", "request 2Gi must not exceed the limit 1Gi"],
        ),
        (
            "a",
            json!({"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}),
            vec!["minReplicas 3"],
        ),
        (
            "a",
            json!({"redis": {"mode": "External"}}),
            vec!["redis.external.urlSecret.name"],
        ),
        (
            "a",
            json!({"api": {"resources": {"requests": {"cpu": "much"}}}}),
            vec!["much is no amount"],
        ),
    ] {
        let error =
            validate(&resource(name, spec.clone()), &Referenced::default(), &release()).expect_err(name);
        let Error::Invalid { problems } = error else {
            panic!("{error}")
        };
        assert_eq!(problems.len(), expected.len(), "{spec}: {problems:?}");
        for part in expected {
            assert!(
                problems.iter().any(|problem| problem.contains(part)),
                "{problems:?}"
            );
        }
    }
}

/// Prevents: a Secret without the key being mounted as an empty folder, and a key prefix that two
/// systems share by accident.
#[test]
fn external_redis_needs_its_url() {
    let external = |prefix: &str| json!({"redis": {"mode": "External", "external": {"urlSecret": {"name": "r", "key": "k"}, "keyPrefix": prefix}}});
    let check = |spec: Value, referenced: &Referenced| validate(&resource("a", spec), referenced, &release());
    let missing = check(external(""), &Referenced::default()).expect_err("no Secret");
    assert!(
        matches!(&missing, Error::MissingReference { of: Reference::RedisUrl, message } if message.contains("Secret r")),
        "{missing}"
    );
    let missing = check(external(""), &url_secret("other", "x")).expect_err("no key");
    assert!(
        matches!(&missing, Error::MissingReference { of: Reference::RedisUrl, message } if message.contains("no key k")),
        "{missing}"
    );

    let validated = check(external(""), &url_secret("k", "redis://x")).expect("valid");
    assert_eq!(validated.key_prefix, "lojas:a");
    assert_eq!(
        check(external("p:q"), &url_secret("k", "redis://x"))
            .expect("valid")
            .key_prefix,
        "p:q"
    );
    let fingerprint = |url: &str| match check(external(""), &url_secret("k", url)).expect("valid").redis {
        RedisSettings::External(external) => external.fingerprint,
        RedisSettings::Managed(_) => panic!("an external Redis"),
    };
    assert_ne!(fingerprint("redis://x"), fingerprint("redis://y"));
    assert_eq!(
        fingerprint("redis://x").len(),
        4,
        "too short to test guesses of a password with"
    );
}

/// Prevents: settings of the API that are lost, or that keep its pods from starting.
#[test]
fn settings_of_the_api_reach_their_place() {
    let defaults = valid(json!({})).api;
    assert_eq!(defaults.allowed_origins, Vec::<String>::new());
    assert!(defaults.limits_requests);
    assert_eq!(
        defaults.trusted_hops, 0,
        "nobody in front: the header could be anybody's"
    );
    assert_eq!(defaults.admin_tokens_secret, "producao-admin-tokens");

    let ingress = json!({"enabled": true, "hosts": ["a.example"]});
    for (api, exposure, hops) in [
        (json!({}), json!({"ingress": ingress}), 1),
        (
            json!({}),
            json!({"gateway": {"enabled": true, "parentRefs": [{"name": "edge"}]}}),
            1,
        ),
        (
            json!({"rateLimits": {"trustedProxyHops": 2}}),
            json!({"ingress": ingress}),
            2,
        ),
        (
            json!({"rateLimits": {"trustedProxyHops": 0}}),
            json!({"ingress": ingress}),
            0,
        ),
        (json!({"rateLimits": {"trustedProxyHops": 3}}), json!({}), 3),
    ] {
        let spec = json!({"api": api, "exposure": exposure});
        assert_eq!(valid(spec.clone()).api.trusted_hops, hops, "{spec}");
    }

    let api = valid(
        json!({"api": {"cors": {"allowedOrigins": ["https://a.example"]}, "rateLimits": {"enabled": false}}}),
    )
    .api;
    assert_eq!(api.allowed_origins, ["https://a.example"]);
    assert!(!api.limits_requests);
    let refused = json!({"api": {"cors": {"allowedOrigins": ["https://a.example:65536"]}}});
    let error = validate(&resource("a", refused), &Referenced::default(), &release());
    assert!(
        matches!(&error, Err(Error::Invalid { problems }) if problems[0].contains("65535")),
        "{error:?}"
    );
}

/// Prevents: pods that cannot start because the Secret that they mount is not there.
#[test]
fn users_tokens_are_waited_for() {
    let spec = json!({"api": {"adminTokensSecret": "ours"}});
    let with = |key: Option<&str>| {
        let secret = key.map(|key| Secret {
            data: Some([(key.to_owned(), ByteString(b"a".to_vec()))].into()),
            ..Secret::default()
        });
        let referenced = Referenced {
            admin_tokens: secret,
            ..Referenced::default()
        };
        validate(&resource("a", spec.clone()), &referenced, &release())
    };
    assert_eq!(
        with(Some("admin")).expect("it is valid").api.admin_tokens_secret,
        "ours"
    );
    for (key, expected) in [(None, "The Secret ours that"), (Some("token"), "no key admin")] {
        let error = with(key);
        assert!(
            matches!(&error, Err(Error::MissingReference { of: Reference::AdminTokens, message }) if message.contains(expected)),
            "{error:?}"
        );
    }
}

/// Prevents: a certificate that nobody makes, or one that is made and not used.
#[test]
fn ingress_settings_are_resolved() {
    let with = |mut ingress: Value| {
        ingress["enabled"] = json!(true);
        ingress["hosts"] = json!(["a.example"]);
        valid(json!({"exposure": {"ingress": ingress}}))
            .exposure
            .ingress
            .expect("an ingress")
    };
    let plain = with(json!({"className": ""}));
    assert_eq!(
        (plain.class, plain.tls_secret, plain.cluster_issuer),
        (None, None, None)
    );
    let issued = with(json!({"tls": {"clusterIssuer": "issuer"}}));
    assert_eq!(issued.tls_secret.as_deref(), Some("producao-tls"));
    assert_eq!(issued.cluster_issuer.as_deref(), Some("issuer"));
    let own = with(json!({"tls": {"secretName": "own"}}));
    assert_eq!(
        (own.tls_secret.as_deref(), own.cluster_issuer),
        (Some("own"), None)
    );
    assert_eq!(
        valid(json!({"exposure": {"ingress": {"hosts": ["a.example"]}}})).exposure,
        ExposureSettings::default()
    );
}

/// Prevents: settings with which Prometheus refuses all of its settings, and an alert above the limit
/// at which the node has ended the pod already.
#[test]
fn monitoring_settings_are_resolved() {
    let with = |spec: Value| valid(spec).monitoring;
    let scrape = |interval: &str| {
        let monitoring = with(json!({"monitoring": {"serviceMonitor": {"interval": interval}}}));
        let scrape = monitoring.service_monitor.expect("it is on");
        (scrape.interval, scrape.timeout)
    };
    assert_eq!(scrape("30s"), ("30s".to_owned(), "10s".to_owned()));
    assert_eq!(scrape("5s"), ("5s".to_owned(), "5s".to_owned()));
    assert_eq!(scrape("1m"), ("1m".to_owned(), "10s".to_owned()));
    let memory = |limits: Value| {
        let monitoring = with(json!({"api": {"resources": {"limits": limits}}}));
        monitoring.alerts.expect("they are on").memory_bytes
    };
    assert_eq!(memory(json!({"memory": "1000Mi"})), 1000 * 1024 * 1024 * 9 / 10);
    assert_eq!(memory(json!({"memory": "4Gi"})), 1_500_000_000);
    assert_eq!(memory(json!({})), 1_500_000_000);
    let off = with(
        json!({"monitoring": {"serviceMonitor": {"mode": "Never"}, "alerts": {"mode": "Never"},
        "dashboards": {"enabled": false}}}),
    );
    assert_eq!(
        (off.service_monitor, off.alerts, off.dashboards),
        (None, None, None)
    );
}

/// Prevents: a policy that shuts the API off from the Redis that its URL names.
#[test]
fn port_of_the_url_is_read() {
    for (url, port) in [
        ("redis://redis.example", 6379),
        ("redis://redis.example:6380", 6380),
        ("rediss://user:pa:ss@redis.example:6381/2", 6381),
        ("redis://user:p%40ss@redis.example/0", 6379),
        ("redis://[2001:db8::1]:6382", 6382),
        ("redis://[2001:db8::1]", 6379),
        ("redis://redis.example:6383?protocol=resp3\n", 6383),
        ("nonsense", 6379),
    ] {
        assert_eq!(url_port(url.as_bytes()), port, "{url}");
    }
}
