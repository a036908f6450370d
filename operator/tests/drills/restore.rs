//! A large stock that is lost and restored, and restored while it is in use.
