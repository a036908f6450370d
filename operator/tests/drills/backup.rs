//! A backup of a large stock while buyers and dealers use it.
