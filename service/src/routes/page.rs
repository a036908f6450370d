//! The buyers' page: what `GET /` is to a browser, and the two files that it loads.
//!
//! ```text
//!   page.html ─ {{choices}} from the engine's own words ─ {{style}}, {{script}}: names with a hash ▶ Page
//! ```
//!
//! Everything is compiled in and put together once. Nothing of a request or of the stock is written into the page,
//! so nothing has to be escaped; the script sets what it shows as text.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{
            Accept, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EntityTag, Header,
            HeaderValue, Quality as Wish, VARY,
        },
    },
    web,
};
use faciliauto_engine::{
    equipment,
    questionnaire::Quality,
    stock::{Category, Fuel, Gearbox},
    tables::STATES,
};
use schemars::SchemaGenerator;

use super::{
    assets::{PAGE_SCRIPT as SCRIPT, PAGE_STYLE as STYLE, digest, is_known},
    openapi::{Description, Group},
    root,
};
use crate::startup::Shared;

/// Whatever the page is made of comes from this service, and by itself it asks nobody else. Photos of cars are no part
/// of it: they are what dealers show, on sites of their own, and the service neither has them nor should fetch them for
/// others. Whoever sends one learns the buyer's address, so each is loaded, encrypted and without a referrer, only when
/// the buyer asks for it. `https:` is for those: dealers say which hosts they are on, so none can be named here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' https: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Stands in the template where the banner goes.
const BANNER_PLACE: &str = "{{banner}}";

const BANNER: &str = "<p class=\"banner\" role=\"note\" id=\"sample\"><strong>Amostra.</strong> Os carros, as lojas e os \
                      telefones desta página são inventados, para mostrar como ela funciona.</p>";

/// The page as it is sent.
struct Page {
    html: String,
    tag: String,
}

impl Page {
    fn new(banner: &str) -> Self {
        let html = include_str!("../../assets/page.html")
            .replace(BANNER_PLACE, banner)
            .replace("{{style}}", &STYLE.name)
            .replace("{{script}}", &SCRIPT.name)
            .replace("{{states}}", &states())
            .replace("{{priorities}}", &priorities())
            .replace(
                "{{categories}}",
                &choices(
                    "tipos_preferidos",
                    Category::ALL.map(|value| (value.word(), value.label())),
                ),
            )
            .replace(
                "{{fuels}}",
                &choices(
                    "combustivel_preferido",
                    Fuel::ALL.map(|value| (value.word(), value.label())),
                ),
            )
            .replace(
                "{{gearboxes}}",
                &choices(
                    "cambio_preferido",
                    Gearbox::ALL.map(|value| (value.word(), value.label())),
                ),
            )
            .replace("{{must_haves}}", &must_haves());
        let tag = digest(&html);
        Self { html, tag }
    }
}

static PAGE: LazyLock<Page> = LazyLock::new(|| Page::new(""));
static PAGE_OF_SAMPLE: LazyLock<Page> = LazyLock::new(|| Page::new(BANNER));

/// Check boxes, one for each word of the wire with its label.
fn choices<'a>(field: &str, words: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    words
        .into_iter()
        .map(|(word, label)| {
            format!(
                "<label class=\"choice\"><input type=\"checkbox\" name=\"{field}\" value=\"{word}\"> \
                 <span>{label}</span></label>\n"
            )
        })
        .collect()
}

fn must_haves() -> String {
    let equipment = equipment::VOCABULARY
        .iter()
        .map(|word| (*word, equipment::label(word)));
    choices(
        "must_haves",
        std::iter::once(("cambio_automatico", "câmbio automático")).chain(equipment),
    )
}

fn states() -> String {
    STATES
        .into_iter()
        .map(|state| format!("<option>{state}</option>"))
        .collect()
}

fn priorities() -> String {
    Quality::ALL
        .into_iter()
        .map(|quality| {
            let (word, label) = (quality.word(), quality.label());
            format!(
                "<div class=\"field slider\"><label for=\"prioridades.{word}\">{label}</label>\
                 <input type=\"range\" id=\"prioridades.{word}\" name=\"prioridades.{word}\" min=\"1\" max=\"5\" \
                 step=\"1\" value=\"3\" aria-valuetext=\"3 de 5\"><output aria-hidden=\"true\">3</output></div>\n"
            )
        })
        .collect()
}

/// Whether a client would rather have HTML than JSON. At equal quality the type that it names more exactly wins, and
/// JSON where both are named alike: programs were here first, and many send `*/*`.
fn prefers_html(accept: &Accept) -> bool {
    let wish = |kind: &str, subtype: &str| {
        accept
            .iter()
            .filter_map(|item| {
                let (type_, sub) = (item.item.type_().as_str(), item.item.subtype().as_str());
                let exactness = match (type_, sub) {
                    ("*", "*") => 0,
                    (given, "*") if given == kind => 1,
                    (given, sub) if given == kind && sub == subtype => 2,
                    _ => return None,
                };
                Some((exactness, item.quality))
            })
            // The most exact range decides, also when it says no.
            .max_by_key(|(exactness, quality)| (*exactness, *quality))
            .map(|(exactness, quality)| (quality, exactness))
            .filter(|(quality, _)| *quality > Wish::ZERO)
    };
    wish("text", "html") > wish("application", "json")
}

pub(super) fn describe() -> Description {
    Description::new(
        Group::Pages,
        "O que atende aqui; a um navegador, a página de quem compra",
    )
    .header("If-None-Match", "ETag que já se tem da página.")
    .answers_as(
        StatusCode::OK,
        "JSON a programas, HTML a navegadores.",
        &[
            (
                "application/json",
                Some(SchemaGenerator::subschema_for::<root::Service>),
            ),
            ("text/html", None),
        ],
    )
    .answers_as(StatusCode::NOT_MODIFIED, "É a página que já se tem.", &[])
}

pub(super) async fn show(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let html = Accept::parse(&request).is_ok_and(|accept| prefers_html(&accept));
    if !html {
        let mut response = root::show().await;
        response
            .headers_mut()
            .insert(VARY, HeaderValue::from_static("accept"));
        return response;
    }
    let sample = shared.showroom.served().is_some_and(|served| served.sample);
    let page = if sample { &PAGE_OF_SAMPLE } else { &PAGE };
    // Weak, since the same page also leaves compressed.
    let tag = EntityTag::new_weak(page.tag.clone());
    let known = is_known(&request, &tag);
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((VARY, "accept"))
        .insert_header((ETAG, tag.to_string()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if known {
        return response.finish();
    }
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(page.html.as_str())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use faciliauto_engine::{questionnaire::Usage, recommendation::Criterion};

    use super::*;

    /// Prevents a program from being given a page, and a browser from being given JSON.
    #[test]
    fn the_kind_is_negotiated() {
        for (accept, html) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("text/html", true),
            ("TEXT/HTML; charset=utf-8", true),
            ("text/*", true),
            ("text/html, */*", true),
            ("application/json;q=0.5, text/html;q=0.6", true),
            ("*/*", false),
            ("", false),
            ("application/json", false),
            ("application/json, text/plain, */*", false),
            ("application/json, text/html", false),
            ("text/html, application/json", false),
            ("text/html;q=0.5, application/json", false),
            ("text/html;q=0, */*", false),
            ("text/html;q=0", false),
            ("image/png", false),
            ("nonsense", false),
        ] {
            let request = TestRequest::default()
                .insert_header(("accept", accept))
                .to_http_request();
            let prefers = Accept::parse(&request).is_ok_and(|accept| prefers_html(&accept));
            assert_eq!(prefers, html, "{accept:?}");
        }
        let two_lines = TestRequest::default()
            .append_header(("accept", "application/json;q=0.1"))
            .append_header(("accept", "text/html"))
            .to_http_request();
        assert!(Accept::parse(&two_lines).is_ok_and(|accept| prefers_html(&accept)));
    }

    /// Prevents a place of the template from reaching a browser unfilled.
    #[test]
    fn every_place_of_the_template_is_filled() {
        for page in [&*PAGE, &*PAGE_OF_SAMPLE] {
            assert!(
                !page.html.contains("{{") && !page.html.contains("}}"),
                "{}",
                page.html
            );
        }
        assert_ne!(PAGE.tag, PAGE_OF_SAMPLE.tag);
    }

    /// Prevents a use or a criterion that the engine learns from having no name on the page.
    #[test]
    fn the_page_knows_the_words_of_the_engine() {
        for usage in Usage::ALL {
            let choice = format!("name=\"uso_principal\" value=\"{}\"", usage.word());
            assert!(PAGE.html.contains(&choice), "{choice}");
        }
        for criterion in Criterion::ALL {
            let label = format!("{}: \"{}\"", criterion.word(), criterion.label());
            assert!(SCRIPT.content.contains(&label), "{label}");
        }
    }
}
