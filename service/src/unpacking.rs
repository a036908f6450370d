//! Bounds what a body unpacks to at once.
//!
//! The HTTP server unpacks each piece of a body that arrives as a whole, and limits count afterwards: 60 KiB that were
//! made for it become gigabytes of memory before anybody counts. Cut small beforehand, no piece becomes much.

use std::pin::Pin;

use actix_web::{
    HttpMessage,
    dev::{Payload, ServiceRequest},
    http::header::{CONTENT_ENCODING, ContentEncoding, HeaderMap},
    web::Bytes,
};
use futures::{StreamExt, stream};

/// How much of a body is unpacked at once.
///
/// | encoding | a byte becomes at most | a piece at most |
/// | --- | --- | --- |
/// | gzip, deflate | 1 KiB: 258 bytes in 2 bits | 1 MiB |
/// | zstd | 32 KiB: a block of one byte repeated 128 Ki times is 4 bytes | 1 MiB |
/// | br | 4 MiB: a copy of 16 MiB names its length in 24 bits and itself in some more | 16 MiB |
fn piece(encoding: ContentEncoding) -> Option<usize> {
    match encoding {
        ContentEncoding::Gzip | ContentEncoding::Deflate => Some(1024),
        ContentEncoding::Zstd => Some(32),
        ContentEncoding::Brotli => Some(4),
        _ => None,
    }
}

/// Whether a body comes as it is or in one encoding that the server unpacks. It would hand on any other as it came, and what
/// is wrong with it would be told as broken JSON.
pub(crate) fn is_known(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_ENCODING);
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(only), None) => only
            .to_str()
            .is_ok_and(|text| text.parse::<ContentEncoding>().is_ok()),
        (Some(_), Some(_)) => false,
    }
}

/// Cuts a packed body into pieces that can be unpacked one by one.
pub(crate) fn cut(request: &mut ServiceRequest) {
    let encoding = request
        .headers()
        .get(CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let Some(size) = encoding.and_then(piece) else {
        return;
    };
    let pieces = request.take_payload().flat_map(move |arrived| {
        let (mut rest, mut failed) = match arrived {
            Ok(bytes) => (bytes, None),
            Err(error) => (Bytes::new(), Some(error)),
        };
        stream::iter(std::iter::from_fn(move || {
            if let Some(error) = failed.take() {
                return Some(Err(error));
            }
            (!rest.is_empty()).then(|| Ok(rest.split_to(size.min(rest.len()))))
        }))
    });
    request.set_payload(Payload::Stream {
        payload: Box::pin(pieces) as Pin<Box<_>>,
    });
}
