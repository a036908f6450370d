//! The resources that a file declares.

use std::{io::Read, path::Path};

use anyhow::{Context as _, bail};
use faciliauto_api::{FaciliAutoDeployment, rules};
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::Value;

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// When it cannot be read.
pub fn read(file: &Path) -> anyhow::Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .context("failed to read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))
}

/// The resources among the YAML documents in `text`; other kinds are left out.
///
/// # Errors
/// When it is no YAML, a resource in it does not read as one, or there is none.
pub fn resources(text: &str) -> anyhow::Result<Vec<FaciliAutoDeployment>> {
    let documents: Vec<Value> =
        serde_yaml::from_multiple(text).map_err(|error| anyhow::anyhow!("failed to read YAML: {error}"))?;
    let resources: Vec<_> = documents
        .into_iter()
        .filter(|document| document["kind"] == "FaciliAutoDeployment")
        .map(|document| {
            FaciliAutoDeployment::deserialize(document).context("failed to read a FaciliAutoDeployment")
        })
        .collect::<Result<_, _>>()?;
    if resources.is_empty() {
        bail!("there is no FaciliAutoDeployment in the file");
    }
    Ok(resources)
}

/// Refuses a resource that breaks a rule which the API server enforces, with the server's words.
///
/// # Errors
/// When it breaks one, or one cannot be evaluated here.
pub fn check_rules(resource: &FaciliAutoDeployment) -> anyhow::Result<()> {
    let broken = rules::broken_rules(resource, None);
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}: {}", resource.name_any(), broken.join("; "))
}
