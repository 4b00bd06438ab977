//! HTTP to etcd's JSON gateway, over connections that are kept for the next request.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::error;

/// How long one call may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

type Sender = SendRequest<Full<Bytes>>;

pub struct Client {
    authority: String,
    idle: Mutex<Vec<Sender>>,
}

impl Client {
    /// Finds the first address that answers.
    pub async fn connect(urls: &[String]) -> io::Result<Self> {
        let mut reasons = Vec::new();
        for url in urls {
            let client = Self { authority: authority(url)?, idle: Mutex::default() };
            match client.call("/v3/maintenance/status", &json!({})).await {
                Ok(_) => return Ok(client),
                Err(reason) => reasons.push(format!("{url}: {reason}")),
            }
        }
        Err(io::Error::other(format!("no etcd answers: {}", reasons.join("; "))))
    }

    /// One request and its reply.
    pub async fn call(&self, path: &str, body: &Value) -> io::Result<Value> {
        let reply = timeout(PATIENCE, self.exchange(path, body)).await;
        let reply = reply.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        reply.inspect_err(|cause| error!(%cause, path, "etcd"))
    }

    async fn exchange(&self, path: &str, body: &Value) -> io::Result<Value> {
        let mut sender = match self.take_idle() {
            Some(sender) => sender,
            None => self.dial().await?,
        };
        let request = Request::post(path)
            .header(HOST, &self.authority)
            .body(Full::from(body.to_string()))
            .map_err(io::Error::other)?;
        let reply = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = reply.status();
        let bytes = reply.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        if !status.is_success() {
            let text = String::from_utf8_lossy(&bytes);
            return Err(io::Error::other(format!("{status}: {}", text.trim())));
        }
        if sender.ready().await.is_ok() {
            self.idle().push(sender);
        }
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    }

    async fn dial(&self) -> io::Result<Sender> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // Ends with the sender; what goes wrong there, the request under way reports.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle();
        idle.retain(|sender| !sender.is_closed());
        idle.pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Sender>> {
        self.idle.lock().expect("no thread panics while it holds the idle connections")
    }
}

fn authority(url: &str) -> io::Result<String> {
    let uri: Uri = url.parse().map_err(|wrong| io::Error::other(format!("{url}: {wrong}")))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http"), Some(authority)) => Ok(authority.to_string()),
        _ => Err(io::Error::other(format!("{url:?} is not of the form http://HOST:PORT"))),
    }
}

pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64; nothing from a field that is not there, as etcd leaves out empty ones.
pub fn decode(value: &Value) -> io::Result<Vec<u8>> {
    STANDARD.decode(value.as_str().unwrap_or_default()).map_err(io::Error::other)
}
