//! What an administrator and dealers send, in memory and on a Redis.

use std::{fs, path::PathBuf};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    application::{Answer, TestApplication},
    redis_server::RedisServer,
};

/// The token in the file of administrators.
pub(crate) const ADMIN: &str = "an-administrator-of-the-tests";

/// A file of administrators' tokens in a folder of its own.
pub(crate) struct AdminFile {
    folder: TempDir,
}

impl AdminFile {
    pub(crate) fn new() -> Self {
        let file = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        file.write(&format!("\n{ADMIN}\nanother-administrator\n"));
        file
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("a file");
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }
}

/// An application that dealers write to.
pub(crate) struct Market {
    pub(crate) application: TestApplication,
    pub(crate) admins: AdminFile,
}

impl Market {
    /// State in memory, beginning with the sample stock.
    pub(crate) async fn in_memory() -> Self {
        Self::start(&[]).await
    }

    /// One replica on a Redis.
    pub(crate) async fn on(server: &RedisServer) -> Self {
        let url = server.url();
        Self::start(&[("FACILIAUTO_REDIS_URL", &url), ("FACILIAUTO_KEY_PREFIX", "test")]).await
    }

    /// With variables of one's own.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let admins = AdminFile::new();
        let path = admins.path();
        let mut all = vec![("FACILIAUTO_ADMIN_TOKEN_FILE", path.to_str().expect("a path"))];
        all.extend(variables);
        Self {
            application: TestApplication::start(&all).await,
            admins,
        }
    }

    /// A request with a token.
    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let application = &self.application;
        application
            .client
            .request(method, format!("{}{path}", application.api))
            .bearer_auth(token)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        self.application.send(request).await
    }

    /// Makes a dealership and gives back its token.
    pub(crate) async fn dealership(&self, id: &str) -> String {
        let record =
            json!({"name": format!("Loja {id}"), "city": "Recife", "state": "PE", "phone": "(81) 3333-4444"});
        let path = format!("/api/dealerships/{id}");
        let put = self
            .send(self.request(Method::PUT, &path, ADMIN).json(&record))
            .await;
        assert!(put.status.is_success(), "{}", put.text);
        self.token(id).await
    }

    /// Makes a new token.
    pub(crate) async fn token(&self, id: &str) -> String {
        let path = format!("/api/dealerships/{id}/token");
        let made = self.send(self.request(Method::POST, &path, ADMIN)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn put_stock(&self, id: &str, token: &str, rows: &Value) -> Answer {
        self.send(self.put(id, token).json(rows)).await
    }

    /// An upload that still lacks its body.
    pub(crate) fn put(&self, id: &str, token: &str) -> RequestBuilder {
        self.request(Method::PUT, &format!("/api/dealerships/{id}/stock"), token)
    }

    pub(crate) async fn stock(&self, id: &str, token: &str) -> Answer {
        let path = format!("/api/dealerships/{id}/stock");
        self.send(self.request(Method::GET, &path, token)).await
    }

    pub(crate) async fn patch(&self, id: &str, car: &str, token: &str, fields: Value) -> Answer {
        let path = format!("/api/dealerships/{id}/cars/{car}");
        self.send(self.request(Method::PATCH, &path, token).json(&fields))
            .await
    }
}

/// A row of a dealer's stock.
pub(crate) fn row(id: &str, price: u32) -> Value {
    json!({
        "id": id, "marca": "Fiat", "modelo": "Argo", "versao": "1.0 Drive", "ano": 2021, "preco": price,
        "quilometragem": 41_000, "combustivel": "flex", "cambio": "manual", "categoria": "Hatch",
    })
}
