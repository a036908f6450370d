//! What a backup is made of: families of records, one a line, and a manifest that vouches for them.

pub mod families;
pub mod manifest;
pub mod name;
pub mod records;
