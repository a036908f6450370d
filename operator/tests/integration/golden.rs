//! Generated and golden files are what the code makes. To write them anew:
//! `FACILIAUTO_UPDATE_GOLDEN=1 cargo test -p faciliauto-operator --test integration golden`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use faciliauto_api::{FaciliAutoDeployment, rules};
use faciliauto_operator::{cli, names, rbac, reconcile::validate::ReleaseDefaults, resources::dashboards};
use serde_json::Value;

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the repository")
        .to_owned()
}

/// The defaults of a release whose number no test depends on.
pub(crate) fn defaults() -> ReleaseDefaults {
    ReleaseDefaults {
        service_repository: "ghcr.io/faciliauto/service".to_owned(),
        service_tag: "9.8.7".to_owned(),
        redis_image: "docker.io/library/redis:8.2-alpine".to_owned(),
        operator_namespace: "faciliauto-system".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<PathBuf> {
    let folder = repository().join("manifests/samples");
    let mut samples: Vec<_> = fs::read_dir(folder)
        .expect("the samples")
        .map(|entry| entry.expect("a sample").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .filter(|path| path.file_name().is_some_and(|name| name != "kustomization.yaml"))
        .collect();
    samples.sort();
    samples
}

pub(crate) fn rendered(sample: &Path) -> String {
    let text = fs::read_to_string(sample).expect("a sample");
    cli::render::render(&text, &defaults()).unwrap_or_else(|error| panic!("{}: {error:#}", sample.display()))
}

fn assert_fresh(path: &Path, made: &str) {
    if env::var_os("FACILIAUTO_UPDATE_GOLDEN").is_some() {
        fs::write(path, made).expect("the file is written");
        return;
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    let differs = committed
        .lines()
        .zip(made.lines())
        .position(|(left, right)| left != right);
    assert!(
        committed == made,
        "{} is stale, first at line {}; see the head of golden.rs for how to write it anew",
        path.display(),
        differs.map_or_else(|| "its end".to_owned(), |line| (line + 1).to_string())
    );
}

/// Compares with a file under `tests/golden`.
pub(crate) fn assert_golden(name: &str, made: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    assert_fresh(&golden, made);
}

/// Prevents: a CRD in the repository that is not the one of the types, so that a field is refused or
/// dropped by every cluster that was installed from it.
#[test]
fn committed_crd_is_fresh() {
    let made = cli::crd::yaml().expect("a CRD");
    assert_eq!(made, cli::crd::yaml().expect("a CRD"), "the same bytes each time");
    assert_fresh(&repository().join("crds/faciliautodeployments.yaml"), &made);
}

/// Prevents: a page about the custom resource that tells of fields, bounds or reasons that are not there.
#[test]
fn reference_is_fresh() {
    assert_fresh(&repository().join("docs/custom-resource.md"), &cli::crd::page());
}

/// Prevents: manifests that grant other rights than the one table says.
#[test]
fn rights_are_fresh() {
    let install = repository().join("manifests/install/rbac.yaml");
    assert_fresh(&install, &rbac::everywhere("faciliauto-system"));
    let namespaces = "faciliauto".parse().expect("a namespace");
    let roles = repository().join("manifests/namespaced/roles.yaml");
    assert_fresh(&roles, &rbac::in_namespaces(&namespaces, "faciliauto-system"));
}

/// Prevents: a dashboard about the operator in the install that is not the one of the code.
#[test]
fn operator_dashboard_is_fresh() {
    let made = dashboards::operator_manifest("faciliauto-system").expect("YAML");
    assert_fresh(&repository().join("manifests/monitoring/dashboard.yaml"), &made);
}

/// Prevents: a change of any child that nobody meant, and samples that do not build.
#[test]
fn samples_render_as_recorded() {
    let samples = samples();
    assert!(samples.len() >= 9, "{samples:?}");
    for sample in samples {
        let name = sample.file_name().expect("a name");
        let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        assert_fresh(&golden, &without_dashboards(&rendered(&sample)));
    }
}

/// The rendered objects with a digest in place of each dashboard: they are the same for every sample
/// but for their names, and compared as a whole below.
fn without_dashboards(rendered: &str) -> String {
    let is_dashboard = |line: &str| line.trim_start().starts_with("faciliauto-") && line.contains(".json: ");
    let is_long = |line: &str| line.len() > 2_000;
    let lines = rendered.lines().map(|line| match line.split_once(": ") {
        Some((key, text)) if is_dashboard(line) || is_long(line) => {
            format!("{key}: {}\n", names::short_hash([text]))
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// Prevents: a dashboard that changes unseen.
#[test]
fn dashboards_are_as_recorded() {
    for (word, document) in dashboards::documents("lojas", "producao") {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/dashboards")
            .join(format!("{word}.json"));
        let text = serde_json::to_string_pretty::<Value>(&document).expect("JSON");
        assert_fresh(&golden, &format!("{text}\n"));
    }
}

/// Prevents: `render` showing children that were built from nonsense.
#[test]
fn render_refuses_what_cannot_be_built_from() {
    for (spec, expected) in [
        (
            "{autoscaling: {minReplicas: 9, maxReplicas: 3}}",
            "a: spec.autoscaling: autoscaling.minReplicas must not exceed",
        ),
        ("{redis: {mode: External}}", "redis.mode External needs"),
        ("{api: {resources: {requests: {cpu: fast, memory: 1Mi}}}}", "fast"),
    ] {
        let text = format!(
            "apiVersion: faciliauto.com/v1alpha1\nkind: FaciliAutoDeployment\nmetadata: {{name: a}}\nspec: {spec}\n"
        );
        let error = cli::render::render(&text, &defaults()).expect_err(spec);
        assert!(format!("{error:#}").contains(expected), "{spec}: {error:#}");
    }
    let nothing = cli::render::render("kind: ConfigMap\n", &defaults()).expect_err("nothing to render");
    assert!(
        nothing.to_string().contains("no FaciliAutoDeployment"),
        "{nothing}"
    );
}

/// Prevents: a sample that an API server refuses.
#[test]
fn samples_break_no_rule() {
    for sample in samples() {
        let text = fs::read_to_string(&sample).expect("a sample");
        for resource in serde_yaml::from_multiple::<FaciliAutoDeployment>(&text).expect("resources") {
            assert_eq!(
                rules::broken_rules(&resource, None),
                Vec::<String>::new(),
                "{}",
                sample.display()
            );
        }
    }
}
