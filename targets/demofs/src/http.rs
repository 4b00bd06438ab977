//! HTTP to one server, over connections that are kept for the next request.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

type Sender = SendRequest<Full<Bytes>>;

/// One connection for each request under way.
pub struct Server {
    /// `HOST:PORT`, for the header of that name too.
    pub authority: String,
    patience: Duration,
    idle: Mutex<Vec<Sender>>,
}

impl Server {
    /// The server of an address, and the path in it. A request may take as long as `patience`.
    pub fn at(url: &str, patience: Duration) -> io::Result<(Self, String)> {
        let uri: Uri = url.parse().map_err(|wrong| io::Error::other(format!("{url}: {wrong}")))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) => {
                let server = Self { authority: authority.to_string(), patience, idle: Mutex::default() };
                Ok((server, uri.path().to_string()))
            }
            _ => Err(io::Error::other(format!("{url:?} is not of the form http://HOST:PORT"))),
        }
    }

    /// One request and its reply, whatever its status.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> io::Result<(StatusCode, Bytes)> {
        let reply = timeout(self.patience, self.exchange(request)).await;
        reply.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> io::Result<(StatusCode, Bytes)> {
        let mut sender = match self.take_idle() {
            Some(sender) => sender,
            None => self.dial().await?,
        };
        let reply = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = reply.status();
        let bytes = reply.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        if sender.ready().await.is_ok() {
            self.idle().push(sender);
        }
        Ok((status, bytes))
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

/// The error of a reply that is no success.
pub fn refused(status: StatusCode, body: &[u8]) -> io::Error {
    io::Error::other(format!("{status}: {}", String::from_utf8_lossy(body).trim()))
}
