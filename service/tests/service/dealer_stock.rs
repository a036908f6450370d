//! A dealer's stock over HTTP.
