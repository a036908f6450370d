//! Where the operator looks: everywhere, or in namespaces that were named.
//!
//! Rights follow: everywhere takes a ClusterRole, named namespaces a Role in each (see `rbac`).

use std::{collections::BTreeSet, fmt, str::FromStr};

use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject},
};

/// Namespaces that can be named at most: each has a connection for each kind.
const MOST_NAMESPACES: usize = 20;

/// Where one watch looks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// In the whole cluster.
    Everywhere,
    /// In one namespace.
    Namespace(String),
}

impl Area {
    /// The area of a request: of a namespace, or of none.
    pub fn of(namespace: Option<&str>) -> Self {
        namespace.map_or(Self::Everywhere, |namespace| {
            Self::Namespace(namespace.to_owned())
        })
    }

    /// Where objects of a namespaced kind are asked for.
    pub fn api<K>(&self, client: Client) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match self {
            Self::Everywhere => Api::all(client),
            Self::Namespace(namespace) => Api::namespaced(client, namespace),
        }
    }

    /// The same for a kind that is known by its address alone.
    pub fn objects(&self, client: Client, resource: &ApiResource) -> Api<DynamicObject> {
        match self {
            Self::Everywhere => Api::all_with(client, resource),
            Self::Namespace(namespace) => Api::namespaced_with(client, namespace, resource),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => formatter.write_str("all namespaces"),
            Self::Namespace(namespace) => formatter.write_str(namespace),
        }
    }
}

/// Namespaces as they are named on a command line; none means everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchedNamespaces(BTreeSet<String>);

impl WatchedNamespaces {
    /// The namespaces, in order; none means everywhere.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Where each kind is watched, one watch each.
    pub fn areas(&self) -> Vec<Area> {
        if self.0.is_empty() {
            return vec![Area::Everywhere];
        }
        self.0.iter().cloned().map(Area::Namespace).collect()
    }
}

impl FromStr for WatchedNamespaces {
    type Err = String;

    /// Reads names that are separated by commas; what is empty between them does not count, nor does a
    /// name that comes twice.
    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        let is_name = |name: &String| {
            let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            name.len() <= 63
                && name.starts_with(inner)
                && name.ends_with(inner)
                && name.chars().all(|c| inner(c) || c == '-')
        };
        if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
            return Err(format!(
                "{wrong:?} is no name of a namespace: at most 63 lower-case letters, digits and '-'"
            ));
        }
        if names.len() > MOST_NAMESPACES {
            return Err(format!(
                "{} namespaces are more than {MOST_NAMESPACES}: name none, and the operator watches all of them",
                names.len()
            ));
        }
        Ok(Self(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: a comma too many that makes the operator watch a namespace without a name, or the whole
    /// cluster; and a hundred namespaces that open two thousand connections.
    #[test]
    fn namespaces_are_read_as_they_were_meant() {
        let read = |text: &str| text.parse::<WatchedNamespaces>();
        assert_eq!(read("").expect("none").areas(), [Area::Everywhere]);
        let named = |name: &str| Area::Namespace(name.to_owned());
        assert_eq!(
            read(" vitrine,lojas,, vitrine,").expect("two").areas(),
            [named("lojas"), named("vitrine")]
        );
        for (text, part) in [
            ("Lojas", "\"Lojas\" is no name"),
            ("lojas;vitrine", "is no name"),
            ("-lojas", "is no name"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
        let many: Vec<String> = (0..=MOST_NAMESPACES)
            .map(|number| format!("loja-{number}"))
            .collect();
        assert!(
            read(&many.join(","))
                .expect_err("too many")
                .contains("21 namespaces")
        );
        assert!(read(&many[1..].join(",")).is_ok());
    }
}
