//! The buyers' page, as a browser fetches it. What the page does in a browser is tried by `make test-page`.

use serde_json::json;

use crate::harness::application::{Answer, TestApplication};

/// What a browser sends with every address that a person types.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

async fn get_as(application: &TestApplication, path: &str, accept: &str) -> Answer {
    let request = application.client.get(format!("{}{path}", application.api));
    application.send(request.header("accept", accept)).await
}

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before:?} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("{after:?}")).0
}

/// Prevents existing programs from being given a page, and caches from giving one kind of client what another asked
/// for.
#[tokio::test(flavor = "multi_thread")]
async fn programs_get_json_and_browsers_the_page() {
    let application = TestApplication::embedded().await;
    let online =
        json!({"status": "online", "service": "FacilIAuto API", "version": env!("CARGO_PKG_VERSION")});
    for path in ["/", "/api", "/api/"] {
        let bare = application.get(path).await;
        assert!(bare.header("vary").contains("accept"), "{path}");
        assert_eq!(bare.ok(), online, "{path}");
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/plain, */*",
            "text/html;q=0.1, application/json",
        ] {
            let answer = get_as(&application, path, accept).await;
            assert_eq!(
                answer.header("content-type"),
                "application/json",
                "{path} {accept}"
            );
            assert_eq!(answer.ok(), online, "{path} {accept}");
        }
        let page = get_as(&application, path, BROWSER).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("vary").contains("accept"), "{path}");
        assert!(page.text.starts_with("<!doctype html>"), "{path}");
    }
}

/// Prevents the page from loading or running anything that is not ours, and data from being allowed what it may.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_a_strict_policy() {
    let application = TestApplication::embedded().await;
    let page = get_as(&application, "/", BROWSER).await;
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' https: data:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(page.header(name), value);
    }
    for forbidden in [
        "<style",
        " style=",
        "onclick",
        "onload",
        "src=\"http",
        "href=\"http",
    ] {
        assert!(!page.text.contains(forbidden), "{forbidden}");
    }
    assert_eq!(
        application.get("/").await.header("content-security-policy"),
        "default-src 'none'; frame-ancestors 'none'"
    );
}

/// Prevents a page whose files are not there, are not kept by a browser, or are kept beyond their version.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_the_page_can_be_kept_for_ever() {
    let application = TestApplication::embedded().await;
    let page = get_as(&application, "/", BROWSER).await.text;
    let style = between(&page, "<link rel=\"stylesheet\" href=\"", "\"").to_owned();
    let script = between(&page, "<script src=\"", "\"").to_owned();
    for (name, kind) in [
        (&style, "text/css; charset=utf-8"),
        (&script, "text/javascript; charset=utf-8"),
    ] {
        for prefix in ["/", "/api/"] {
            let asset = application.get(&format!("{prefix}{name}")).await;
            assert_eq!(asset.status, 200, "{name}");
            assert_eq!(asset.header("content-type"), kind);
            assert_eq!(
                asset.header("cache-control"),
                "public, max-age=31536000, immutable"
            );
        }
    }
    let of_another_version = application.get("/assets/page-0123456789abcdef.css").await;
    assert_eq!(of_another_version.status, 200);
    assert_eq!(of_another_version.header("cache-control"), "no-store");
    for absent in [
        "/assets/page.css",
        "/assets/page.html",
        "/assets/..%2FCargo.toml",
        "/assets/",
    ] {
        application.get(absent).await.problem(404);
    }
}

/// Prevents a browser from loading an unchanged page again, or from keeping one that changed.
#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_page_is_not_sent_again() {
    let application = TestApplication::embedded().await;
    let page = get_as(&application, "/", BROWSER).await;
    assert_eq!(page.header("cache-control"), "no-cache");
    let ask = |tag: String| {
        application
            .client
            .get(format!("{}/", application.api))
            .header("accept", BROWSER)
            .header("if-none-match", tag)
    };
    let same = application.send(ask(page.header("etag").to_owned())).await;
    assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""));
    assert_eq!(same.header("etag"), page.header("etag"));
    let other = application.send(ask("W/\"another\"".to_owned())).await;
    assert_eq!(other.status, 200);
}

/// Prevents invented cars from being taken for real ones.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_when_the_stock_is_a_sample() {
    let application = TestApplication::embedded().await;
    assert_eq!(application.get("/health").await.ok()["sample"], true);
    let page = get_as(&application, "/", BROWSER).await.text;
    assert!(page.contains("id=\"sample\""), "{page}");
}

/// Prevents a box on the page that the API does not understand.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_knows_every_choice_of_the_page() {
    let application = TestApplication::embedded().await;
    let page = get_as(&application, "/", BROWSER).await.text;
    for field in [
        "tipos_preferidos",
        "combustivel_preferido",
        "cambio_preferido",
        "must_haves",
    ] {
        let before = format!("name=\"{field}\" value=\"");
        let words: Vec<&str> = page
            .split(&before)
            .skip(1)
            .map(|rest| rest.split_once('"').expect("an end").0)
            .collect();
        assert!(words.len() >= 4, "{field}: {words:?}");
        let answer = application.recommend(json!({field: words})).await.ok();
        assert_eq!(answer["warnings"], json!([]), "{field}");
    }
}
