//! `render`: print every object that a resource becomes, without a cluster.
//!
//! What only a cluster knows is shown by fixed stand-ins: the UID of the resource, the generated
//! secrets, the URL of an external Redis, every optional kind of object. A resource that breaks a rule of
//! the API server is refused with the server's words; so is one from which no children can be built.

use anyhow::Context as _;
use faciliauto_api::FaciliAutoDeployment;
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    args::RenderSettings,
    cli::declared,
    names,
    reconcile::{
        apply::credentials::{self, Generated},
        dereference::{Referenced, backup_references},
        passwords::{Password, Passwords},
        validate::{RedisSettings, ReleaseDefaults, validate},
    },
    resources::{BackupInputs, Inputs, Kind, build, redis_login},
};

/// Stands in for the UID that the API server gives.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Stands in for the token that is generated once, on the cluster.
pub(crate) const NO_TOKEN: &str = "token-generated-once-on-the-cluster";

/// Stands in for the password that is generated once, on the cluster.
pub(crate) const NO_PASSWORD: &str = "generated-once-on-the-cluster";

/// Stands in for the password in a Secret of the user's.
const USERS_PASSWORD: &str = "the-password-in-the-secret";

/// Stands in for the password of who tells Redis of its users.
const NO_ADMIN: &str = "administrator-generated-once-on-the-cluster";

/// Prints every object that the resources in a file become.
///
/// # Errors
/// When the file cannot be read, is no resource, or holds one that is refused.
pub fn print(settings: &RenderSettings) -> anyhow::Result<()> {
    let text = declared::read(&settings.file)?;
    let defaults = settings
        .images
        .clone()
        .defaults(settings.operator.operator_namespace.clone());
    let rendered = render(&text, &defaults)?;
    for resource in declared::resources(&text)?
        .iter()
        .filter(|resource| resource.spec.paused)
    {
        super::note(&format!(
            "{} is paused: the operator makes none of its objects until spec.paused is false.",
            resource.name_any()
        ));
    }
    super::print(&rendered)
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
    let password = match &validated.redis {
        RedisSettings::Managed(managed) => Some(managed.password.clone()),
        RedisSettings::External(_) => None,
    };
    let is_generated = password.as_ref().is_some_and(Option::is_none);
    let passwords =
        password.map(|users| first_passwords(&users.unwrap_or_else(|| Password::new(NO_PASSWORD))));
    let inputs = Inputs {
        passwords: passwords.clone(),
        tell: None,
        // Where a restore is to bring the stock, none is imported.
        seed_is_due: validated.restore.is_none(),
        backups: BackupInputs {
            is_held: validated.restore.is_some(),
            restore_is_due: validated.restore.is_some(),
        },
        optional_kinds: Kind::OPTIONAL.into(),
    };
    let mut secrets = Vec::new();
    if is_generated {
        secrets.push((Generated::RedisPassword, NO_PASSWORD));
    }
    if validated.api.admin_tokens_secret == Generated::AdminToken.name(&validated.owner.name) {
        secrets.push((Generated::AdminToken, NO_TOKEN));
    }
    let mut objects = Vec::new();
    for (what, value) in secrets {
        let secret = credentials::secret(&validated, what, value);
        objects.push(serde_json::to_value(secret).context("failed to write the generated secrets")?);
    }
    if let Some(passwords) = &passwords {
        let secret = redis_login::secret(&validated, passwords);
        let secret = secret.and_then(serde_json::to_value);
        objects.push(secret.context("failed to write the Secret with the Redis passwords")?);
    }
    let children = build(&validated, &inputs)
        .into_children()
        .context("failed to write the children")?;
    objects.extend(children.into_iter().map(|child| child.object));
    Ok(objects)
}

/// The passwords of a Redis that is made with this one.
pub(crate) fn first_passwords(password: &Password) -> Passwords {
    Passwords::first(Password::new(NO_ADMIN), password.clone(), 1)
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
    let tokens = ByteString(NO_TOKEN.as_bytes().to_vec());
    let password = ByteString(USERS_PASSWORD.as_bytes().to_vec());
    Referenced {
        password_secret: Some(Secret {
            data: Some([(names::PASSWORD_KEY.to_owned(), password)].into()),
            ..Secret::default()
        }),
        admin_tokens: Some(Secret {
            data: Some([(names::ADMIN_TOKENS_KEY.to_owned(), tokens)].into()),
            ..Secret::default()
        }),
        url_secret: key.map(|key| Secret {
            data: Some([(key, url)].into()),
            ..Secret::default()
        }),
        trusted_authorities: Some(authorities()),
        backup_secrets: backup_references(resource)
            .secrets
            .into_iter()
            .map(|name| (name.to_owned(), backup_secret()))
            .collect(),
        backup_config_maps: backup_references(resource)
            .config_maps
            .into_iter()
            .map(|name| (name.to_owned(), authorities()))
            .collect(),
        seed_config_map_exists: true,
        ..Referenced::default()
    }
}

/// Stands in for a ConfigMap with certificate authorities.
fn authorities() -> ConfigMap {
    ConfigMap {
        data: Some([(names::TRUST_KEY.to_owned(), String::new())].into()),
        ..ConfigMap::default()
    }
}

/// Stands in for a Secret that backups or a restore need: it has every key that one may need.
fn backup_secret() -> Secret {
    let keys = names::S3_KEYS.into_iter().chain([names::IDENTITY_KEY]);
    Secret {
        data: Some(keys.map(|key| (key.to_owned(), ByteString::default())).collect()),
        ..Secret::default()
    }
}
