//! An application within the test's process, on free ports, with a method for each question.

use faciliauto_service::{clock::Clock, configuration::Settings, startup::Application};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::tls::MountedPair;

/// An application that serves until it is dropped.
pub(crate) struct TestApplication {
    pub(crate) api: String,
    pub(crate) metrics: String,
    pub(crate) client: Client,
    server: JoinHandle<()>,
}

impl Drop for TestApplication {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self {
            status,
            headers,
            text: response.text().await.expect("a body"),
        }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A header, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a text"))
    }

    /// The body of an answer that must be 200.
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    /// The body of an answer that must be a problem of a status, with what every problem has.
    pub(crate) fn problem(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(
            problem["type"]
                .as_str()
                .expect("a type")
                .starts_with("urn:problem-type:faciliauto:")
        );
        assert!(!problem["title"].as_str().expect("a title").is_empty());
        assert!(!problem["detail"].as_str().expect("a detail").is_empty());
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        problem
    }
}

impl TestApplication {
    /// With the sample stock and state in memory.
    pub(crate) async fn embedded() -> Self {
        Self::start(&[]).await
    }

    /// One replica on a shared store.
    pub(crate) async fn on(redis_url: &str) -> Self {
        Self::start(&[("FACILIAUTO_REDIS_URL", redis_url)]).await
    }

    /// With the sample stock, over TLS.
    pub(crate) async fn over_tls(mounted: &MountedPair) -> Self {
        let variables = mounted.variables();
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Self::start(&variables).await
    }

    /// With variables of one's own.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let free = [
            ("FACILIAUTO_LISTEN", "127.0.0.1:0"),
            ("FACILIAUTO_METRICS_LISTEN", "127.0.0.1:0"),
            ("FACILIAUTO_WORKERS", "2"),
            // Tests ask faster than a person; those of the limits switch them on.
            ("FACILIAUTO_LIMITS", "off"),
        ];
        let environment = free
            .iter()
            .chain(variables)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::parse(["faciliauto-service"], environment).expect("good settings");
        let application = Application::build(settings, Clock::system())
            .await
            .expect("an application");
        let scheme = if application.serves_tls() { "https" } else { "http" };
        let api = format!("{scheme}://{}", application.address().expect("an address"));
        let metrics = format!("http://{}", application.metrics_address().expect("an address"));
        let server = tokio::spawn(async move {
            application.run(std::future::pending()).await.expect("serving");
        });
        Self {
            api,
            metrics,
            client: Client::new(),
            server,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.api);
        Answer::of(self.client.get(url).send().await.expect("an answer")).await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.expect("an answer")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.client.post(format!("{}{path}", self.api)).json(body))
            .await
    }

    /// Asks for cars with a small questionnaire and the fields given.
    pub(crate) async fn recommend(&self, fields: Value) -> Answer {
        let mut questionnaire =
            json!({"orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia"});
        let whole = questionnaire.as_object_mut().expect("an object");
        for (name, value) in fields.as_object().expect("an object") {
            whole.insert(name.clone(), value.clone());
        }
        self.post("/recommend", &questionnaire).await
    }

    /// The value of a series, by the beginning of its line.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let url = format!("{}/metrics", self.metrics);
        let text = self
            .client
            .get(url)
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("a body");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(line.parse().expect("a number"))
    }
}
