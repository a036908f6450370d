//! `render`: print every object that a resource becomes, without a cluster.
//!
//! What only a cluster knows is shown by fixed stand-ins: the UID of the resource, the generated
//! password, the URL of an external Redis. A resource that breaks a rule of the API server is refused
//! with the server's words; so is one from which no children can be built.

use anyhow::Context as _;
use faciliauto_api::{FaciliAutoDeployment, RedisMode};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    args::RenderSettings,
    cli::declared,
    reconcile::{
        apply::credentials,
        dereference::Referenced,
        validate::{ReleaseDefaults, validate},
    },
    resources::{Inputs, build},
};

/// Stands in for the UID that the API server gives.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Stands in for the password that is generated once, on the cluster.
pub(crate) const NO_PASSWORD: &str = "generated-once-on-the-cluster";

/// Prints every object that the resources in a file become.
///
/// # Errors
/// When the file cannot be read, is no resource, or holds one that is refused.
pub fn print(settings: &RenderSettings) -> anyhow::Result<()> {
    let text = declared::read(&settings.file)?;
    super::print(&render(&text, &settings.images.clone().into())?)
}

/// Every object that the resources in `text` become, as YAML documents.
///
/// # Errors
/// As [`print`].
pub fn render(text: &str, defaults: &ReleaseDefaults) -> anyhow::Result<String> {
    let mut rendered = String::new();
    for resource in declared::resources(text)? {
        declared::check_rules(&resource)?;
        for object in objects(resource, defaults)? {
            let yaml = serde_yaml::to_string(&object).context("failed to write an object as YAML")?;
            rendered.push_str("---\n");
            rendered.push_str(yaml.trim_end());
            rendered.push('\n');
        }
    }
    Ok(rendered)
}

fn objects(mut resource: FaciliAutoDeployment, defaults: &ReleaseDefaults) -> anyhow::Result<Vec<Value>> {
    resource
        .metadata
        .namespace
        .get_or_insert_with(|| "default".to_owned());
    resource.metadata.uid.get_or_insert_with(|| NO_UID.to_owned());
    let name = resource.name_any();
    let referenced = referenced(&resource);
    let validated = validate(&resource, &referenced, defaults).with_context(|| name.clone())?;
    let managed = resource.spec.redis.mode == RedisMode::Managed;
    let inputs = Inputs {
        password: managed.then(|| NO_PASSWORD.to_owned()),
        seed_is_due: true,
    };
    let mut objects = Vec::new();
    if managed {
        let secret = credentials::secret(&validated, NO_PASSWORD);
        objects.push(serde_json::to_value(secret).context("failed to write the credentials")?);
    }
    let children = build(&validated, &inputs)
        .into_children()
        .context("failed to write the children")?;
    objects.extend(children.into_iter().map(|child| child.object));
    Ok(objects)
}

/// What the resource refers to, as if it were there.
fn referenced(resource: &FaciliAutoDeployment) -> Referenced {
    let key = resource
        .spec
        .redis
        .external
        .as_ref()
        .map(|external| external.url_secret.key.clone());
    let url = ByteString(b"redis://the-url-in-the-secret".to_vec());
    Referenced {
        url_secret: key.map(|key| Secret {
            data: Some([(key, url)].into()),
            ..Secret::default()
        }),
        seed_config_map_exists: true,
        ..Referenced::default()
    }
}
