//! The files that pages load. Each is compiled in and has a name with a hash of its content.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, EntityTag, Header, IfNoneMatch},
    },
    web,
};
use serde_json::json;

use super::openapi::{Description, Group};
use crate::error::ApiError;

/// A name with a hash never changes its content: browsers need not ask again for a year.
const NEVER_CHANGES: &str = "public, max-age=31536000, immutable";

/// Digits of a SHA-1 that tell versions of a file apart; nobody but us chooses the content.
const HASH_DIGITS: usize = 16;

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A file that a page loads.
pub(super) struct Asset {
    /// `page-0123456789abcdef.css`
    pub(super) name: String,
    stem: &'static str,
    extension: &'static str,
    kind: &'static str,
    pub(super) content: &'static str,
}

/// Of the buyers' page, and of the page for developers, which looks the same.
pub(super) static PAGE_STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "css", CSS, include_str!("../../assets/page.css")));
/// Of the buyers' page.
pub(super) static PAGE_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "js", JAVASCRIPT, include_str!("../../assets/page.js")));
/// Of the page for developers.
pub(super) static DOCS_STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("docs", "css", CSS, include_str!("../../assets/docs.css")));
/// Of the page for developers.
pub(super) static DOCS_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("docs", "js", JAVASCRIPT, include_str!("../../assets/docs.js")));

impl Asset {
    fn new(stem: &'static str, extension: &'static str, kind: &'static str, content: &'static str) -> Self {
        Self {
            name: format!("{stem}-{}.{extension}", digest(content)),
            stem,
            extension,
            kind,
            content,
        }
    }

    /// Whether a name is one that this file has, or had in another version of the program.
    fn is_named(&self, name: &str) -> bool {
        let hash = name
            .strip_prefix(self.stem)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(self.extension))
            .and_then(|rest| rest.strip_suffix('.'));
        hash.is_some_and(|hash| {
            hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }
}

/// What tells one content from another.
pub(super) fn digest(text: &str) -> String {
    let mut digits = sha1_smol::Sha1::from(text).digest().to_string();
    digits.truncate(HASH_DIGITS);
    digits
}

/// Whether a client has the content of this tag already.
pub(super) fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
        Ok(IfNoneMatch::Any) | Err(_) => false,
    }
}

pub(super) fn describe() -> Description {
    let name = json!({"type": "string", "examples": ["page-0123456789abcdef.css"]});
    Description::new(Group::Pages, "Um arquivo que uma página carrega")
        .path("name", name)
        .answers_as(
            StatusCode::OK,
            "O arquivo.",
            &[("text/css", None), ("text/javascript", None)],
        )
}

/// While a new version takes over, a page of one replica may ask another for its files: whoever has another
/// version gives that, and nobody keeps it.
pub(super) async fn show(name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let asset = [&PAGE_STYLE, &PAGE_SCRIPT, &DOCS_STYLE, &DOCS_SCRIPT]
        .into_iter()
        .find(|asset| asset.is_named(&name))
        .ok_or(ApiError::RouteNotFound)?;
    let caching = if asset.name == *name {
        NEVER_CHANGES
    } else {
        "no-store"
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.kind))
        .insert_header((CACHE_CONTROL, caching))
        .body(asset.content))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a path from being read as a name.
    #[test]
    fn only_our_own_names_are_assets() {
        assert!(PAGE_STYLE.is_named(&PAGE_STYLE.name));
        assert!(PAGE_STYLE.is_named("page-0123456789abcdef.css"));
        for name in [
            "page.css",
            "page-.css",
            "page-0123456789abcdeg.css",
            "page-0123456789abcdef.js",
            "docs-0123456789abcdef.css",
            "",
        ] {
            assert!(!PAGE_STYLE.is_named(name), "{name}");
        }
    }

    /// Prevents markup from being made of what a dealer, a buyer or a document says.
    #[test]
    fn scripts_set_text_and_no_markup() {
        for script in [&PAGE_SCRIPT, &DOCS_SCRIPT] {
            for risky in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
            ] {
                assert!(!script.content.contains(risky), "{}: {risky}", script.name);
            }
        }
    }
}
