//! HTTP to etcd's JSON gateway.

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HOST;
use serde_json::{Value, json};
use tracing::error;

use crate::http::{Server, refused};

/// How long one call may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Client {
    server: Server,
}

impl Client {
    /// Finds the first address that answers.
    pub async fn connect(urls: &[String]) -> io::Result<Self> {
        let mut reasons = Vec::new();
        for url in urls {
            let client = Self { server: Server::at(url, PATIENCE)?.0 };
            match client.call("/v3/maintenance/status", &json!({})).await {
                Ok(_) => return Ok(client),
                Err(reason) => reasons.push(format!("{url}: {reason}")),
            }
        }
        Err(io::Error::other(format!("no etcd answers: {}", reasons.join("; "))))
    }

    /// One request and its reply.
    pub async fn call(&self, path: &str, body: &Value) -> io::Result<Value> {
        self.exchange(path, body).await.inspect_err(|cause| error!(%cause, path, "etcd"))
    }

    async fn exchange(&self, path: &str, body: &Value) -> io::Result<Value> {
        let request = Request::post(path)
            .header(HOST, &self.server.authority)
            .body(Full::from(body.to_string()))
            .map_err(io::Error::other)?;
        match self.server.send(request).await? {
            (status, body) if !status.is_success() => Err(refused(status, &body)),
            (_, body) => serde_json::from_slice(&body).map_err(io::Error::other),
        }
    }
}

pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64; nothing from a field that is not there, as etcd leaves out empty ones.
pub fn decode(value: &Value) -> io::Result<Vec<u8>> {
    STANDARD.decode(value.as_str().unwrap_or_default()).map_err(io::Error::other)
}
