//! The `FaciliAutoDeployment` custom resource: what a platform team declares, what the operator
//! answers, and the rules that the API server itself enforces.
//!
//! This crate is pure: types, their schema and nothing that talks to a cluster. Field documentation
//! becomes the text of `kubectl explain`, so it speaks to the person who writes the manifest.
//!
//! Two kinds of defaults exist. Constants stand in the schema, because the API server's own rules
//! need them. Whatever depends on the operator's release (images, versions) is absent here and is
//! resolved by the operator, or resources made by an older release would never move on.

pub mod api;
pub mod autoscaling;
pub mod backup;
pub mod crd;
pub mod disruption_budget;
pub mod exposure;
pub mod image;
pub mod monitoring;
pub mod network_policy;
pub mod object_store;
pub mod pod;
pub mod quantity;
pub mod redis;
pub mod restore;
pub mod rollout;
#[cfg(any(test, feature = "rules"))]
pub mod rules;
pub mod security_context;
pub mod service_account;
pub mod spec;
pub mod status;
pub mod stock;
pub mod trust;

pub use api::{ApiResources, ApiSpec, Cache, Cors, LogLevel, Rate, RateLimits};
pub use autoscaling::Autoscaling;
pub use backup::{Backup, BackupEncryption, BackupResources, BackupStorage};
pub use crd::{crd, crd_yaml_value};
pub use disruption_budget::DisruptionBudget;
pub use exposure::{Exposure, GatewayExposure, IngressExposure, IngressTls, ParentRef};
pub use image::{Image, PullPolicy, PullSecret};
pub use monitoring::{AlertSettings, DashboardSettings, Monitoring, MonitoringMode, ServiceMonitorSettings};
pub use network_policy::NetworkPolicySettings;
pub use object_store::ObjectStore;
pub use pod::{ComputeQuantities, PodSettings};
pub use quantity::Quantity;
pub use redis::{ExternalRedis, ManagedRedis, Redis, RedisMode, RedisResources, RedisStorage, SecretKey};
pub use restore::{Restore, RestoreSource};
pub use rollout::{OnFailure, Rollout};
pub use security_context::{NumericId, SecurityContextSettings};
pub use service_account::ServiceAccountSettings;
pub use spec::{DeletionPolicy, FaciliAutoDeployment, FaciliAutoDeploymentSpec};
pub use status::{
    BackupFailure, BackupStatus, ChildStatus, FaciliAutoDeploymentStatus, RedisStatus, RestorePhase,
    RestoreStatus, RolloutStatus, StockStatus,
};
pub use stock::{Seed, Stock};
pub use trust::Trust;
