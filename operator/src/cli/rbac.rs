//! `rbac`: print what the operator may do.

use crate::{args::RbacSettings, rbac};

/// Prints what an operator needs that watches the whole cluster, or what takes the place of its ClusterRole
/// where it watches named namespaces.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(settings: &RbacSettings) -> anyhow::Result<()> {
    let RbacSettings { namespaces, operator } = settings;
    let operator_namespace = &operator.operator_namespace;
    let text = if namespaces.names().next().is_none() {
        rbac::everywhere(operator_namespace)
    } else {
        rbac::in_namespaces(namespaces, operator_namespace)
    };
    super::print(&text)
}
