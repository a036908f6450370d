//! `GET /docs`: a page to read and to try the API with. It is written in the browser from `/openapi.json`; nothing
//! else is loaded.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EntityTag},
    },
};

use super::{
    assets::{DOCS_SCRIPT, DOCS_STYLE, PAGE_STYLE, digest, is_known},
    openapi::{Description, Group},
};

/// Only what comes from this service is loaded or asked.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The page as it is sent.
struct Page {
    html: String,
    tag: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let html = include_str!("../../assets/docs.html")
        .replace("{{style}}", &PAGE_STYLE.name)
        .replace("{{own_style}}", &DOCS_STYLE.name)
        .replace("{{script}}", &DOCS_SCRIPT.name);
    let tag = digest(&html);
    Page { html, tag }
});

pub(super) fn describe() -> Description {
    Description::new(Group::Pages, "A página para ler e experimentar a API")
        .header("If-None-Match", "ETag que já se tem.")
        .answers_as(StatusCode::OK, "A página.", &[("text/html", None)])
        .with_header("ETag", "Muda com a página.")
        .answers_as(StatusCode::NOT_MODIFIED, "É a que já se tem.", &[])
}

pub(super) async fn show(request: HttpRequest) -> HttpResponse {
    let tag = EntityTag::new_weak(PAGE.tag.clone());
    let known = is_known(&request, &tag);
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((ETAG, tag.to_string()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if known {
        return response.finish();
    }
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(PAGE.html.as_str())
}
