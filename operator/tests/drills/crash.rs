//! Whatever takes part in a restore is killed at every step of it.
