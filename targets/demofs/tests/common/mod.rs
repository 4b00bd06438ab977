//! A fresh store of each kind.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use demofs::meta::{self, Backend, Servers, Store};
use tempfile::TempDir;

/// A store that can be closed and opened again, and what it needs to live.
pub struct Home {
    backend: Backend,
    folder: TempDir,
    server: Option<Server>,
}

impl Home {
    pub fn memory() -> Option<Self> {
        Some(Self::with(Backend::Memory, None))
    }

    pub fn sqlite() -> Option<Self> {
        Some(Self::with(Backend::Sqlite, None))
    }

    /// None, with a word about it, on a machine without etcd.
    pub fn etcd() -> Option<Self> {
        Self::served(Backend::Etcd, Server::etcd())
    }

    /// None, with a word about it, on a machine without redis.
    pub fn redis() -> Option<Self> {
        Self::served(Backend::Redis, Server::redis())
    }

    fn served(backend: Backend, server: Option<Server>) -> Option<Self> {
        if server.is_none() {
            eprintln!("skipped: no {backend:?} on this machine");
        }
        server.map(|server| Self::with(backend, Some(server)))
    }

    fn with(backend: Backend, server: Option<Server>) -> Self {
        Self { backend, folder: tempfile::tempdir().unwrap(), server }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn lasts(&self) -> bool {
        self.backend != Backend::Memory
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        let port = self.server.as_ref().map_or(0, |server| server.port);
        let servers = Servers {
            meta_etcd_urls: vec![format!("http://127.0.0.1:{port}")],
            meta_redis: format!("127.0.0.1:{port}"),
        };
        meta::open(self.backend, self.folder(), &servers).await.unwrap()
    }
}

struct Server {
    port: u16,
    process: Child,
    _data: TempDir,
}

impl Server {
    fn etcd() -> Option<Self> {
        let (client, peer) = (free_port(), free_port());
        let (url, peer_url) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let data = tempfile::tempdir().unwrap();
        let mut etcd = Command::new("etcd");
        etcd.arg("--data-dir")
            .arg(data.path())
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
            .args(["--initial-cluster", &format!("default={peer_url}")]);
        Self::start(etcd, client, data, ("GET /health HTTP/1.0\r\n\r\n", "\"health\":\"true\""))
    }

    fn redis() -> Option<Self> {
        let port = free_port();
        let data = tempfile::tempdir().unwrap();
        let mut redis = Command::new("redis-server");
        redis.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(data.path());
        Self::start(redis, port, data, ("PING\r\nQUIT\r\n", "+PONG"))
    }

    /// A server that answers: what it is asked, and what must be in the reply. None if it is not installed.
    fn start(mut command: Command, port: u16, data: TempDir, health: (&str, &str)) -> Option<Self> {
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let server = Self { port, process, _data: data };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !healthy(port, health) {
            assert!(Instant::now() < deadline, "{command:?} did not become healthy");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn healthy(port: u16, (question, answer): (&str, &str)) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut reply = String::new();
    let asked = stream.write_all(question.as_bytes());
    asked.is_ok() && stream.read_to_string(&mut reply).is_ok() && reply.contains(answer)
}

/// Makes one test of each of the given functions for each kind of store.
#[macro_export]
macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        on_every_store!(@ memory, $($test),+);
        on_every_store!(@ sqlite, $($test),+);
        on_every_store!(@ etcd, $($test),+);
        on_every_store!(@ redis, $($test),+);
    };
    (@ $store:ident, $($test:ident),+) => {
        mod $store {
            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(home) = $crate::common::Home::$store() {
                        super::$test(&home).await;
                    }
                }
            )+
        }
    };
}
