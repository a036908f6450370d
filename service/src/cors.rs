//! Which pages of other sites may call the API from a browser: those of the configured origins, and no other.
//!
//! The API has no cookies, so no credentials are allowed along. Of our own rather than actix-cors, because the
//! headers must also be on problems, which [`crate::edge`] makes outside every other layer.

use std::str::FromStr;

use actix_web::http::{
    Method,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
        HeaderName, HeaderValue, ORIGIN, VARY,
    },
};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// What a page may send beyond what browsers always allow.
const REQUEST_HEADERS: &str =
    "authorization, content-type, idempotency-key, if-match, if-none-match, x-request-id, x-user-key";

/// What a page may read beyond what browsers always show.
const ANSWER_HEADERS: &str =
    "ETag, Idempotency-Replayed, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id";

/// Two hours, the most that Chromium remembers a preflight.
const REMEMBERED_SECONDS: &str = "7200";

/// Origins whose pages may call the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<String>);

impl FromStr for AllowedOrigins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(origin)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// One origin as a browser writes it: scheme and host in small letters, a port only when it is not the usual.
fn origin(text: &str) -> Result<String, String> {
    let refused =
        || format!("{text:?} is no origin: write https://HOST or https://HOST:PORT, without a path");
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://").ok_or_else(refused)?;
    let usual_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(refused()),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty()
        || !host.bytes().all(fits)
        || host.contains(['[', ']', ':']) && !is_bracketed
        || port.is_some_and(|port| port.parse::<u16>().is_err())
    {
        return Err(refused());
    }
    Ok(format!(
        "{scheme}://{}",
        authority.strip_suffix(usual_port).unwrap_or(authority)
    ))
}

impl AllowedOrigins {
    /// The origin that a request names, when it is one of ours.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let named = headers.get(ORIGIN)?;
        let allowed = self.0.iter().any(|origin| origin.as_bytes() == named.as_bytes());
        allowed.then(|| named.clone())
    }

    /// Lets a browser show an answer to a page of `origin`. Where origins are configured, every answer says
    /// that it depends on them: a cache in between must not give one page the answer for another.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        if self.0.is_empty() {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(ANSWER_HEADERS),
            );
        }
    }
}

/// Whether a browser asks before it sends the request itself.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight of an allowed origin, beside what every answer carries.
pub(crate) const PREFLIGHT: [(HeaderName, &str); 4] = [
    (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
    (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
    (ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS),
    (
        VARY,
        "access-control-request-method, access-control-request-headers",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents an origin that no browser would ever send from being taken in and matching nothing.
    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let read = |text: &str| text.parse::<AllowedOrigins>().map(|origins| origins.0);
        assert_eq!(
            read("https://Loja.example, http://localhost:5173,https://a.example:443,http://[::1]:80")
                .unwrap(),
            [
                "https://loja.example",
                "http://localhost:5173",
                "https://a.example",
                "http://[::1]"
            ]
        );
        assert_eq!(read("").unwrap(), Vec::<String>::new());
        for bad in [
            "*",
            "null",
            "loja.example",
            "ftp://a.example",
            "https://",
            "https://a.example/",
            "https://a.example/path",
            "https://*.example",
            "https://a.example:99999",
            "https://a:b:1",
            "https://user@a.example",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
