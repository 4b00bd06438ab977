//! A fresh store of each kind.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use demofs::meta::{self, Backend, Store};
use tempfile::TempDir;

/// A store that can be closed and opened again, and what it needs to live.
pub struct Home {
    backend: Backend,
    folder: TempDir,
    etcd: Option<EtcdServer>,
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
        let folder = tempfile::tempdir().unwrap();
        let server = EtcdServer::start(folder);
        if server.is_none() {
            eprintln!("skipped: no etcd on this machine");
        }
        server.map(|server| Self::with(Backend::Etcd, Some(server)))
    }

    fn with(backend: Backend, etcd: Option<EtcdServer>) -> Self {
        Self { backend, folder: tempfile::tempdir().unwrap(), etcd }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn lasts(&self) -> bool {
        self.backend != Backend::Memory
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        let urls: Vec<_> = self.etcd.iter().map(|server| server.url.clone()).collect();
        meta::open(self.backend, self.folder(), &urls).await.unwrap()
    }
}

struct EtcdServer {
    url: String,
    process: Child,
    _data: TempDir,
}

impl EtcdServer {
    fn start(data: TempDir) -> Option<Self> {
        let (client, peer) = (free_port(), free_port());
        let (url, peer_url) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let process = Command::new("etcd")
            .arg("--data-dir")
            .arg(data.path())
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
            .args(["--initial-cluster", &format!("default={peer_url}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let server = Self { url, process, _data: data };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !healthy(client) {
            assert!(Instant::now() < deadline, "etcd did not become healthy");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn healthy(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut reply = String::new();
    let asked = stream.write_all(b"GET /health HTTP/1.0\r\n\r\n");
    asked.is_ok() && stream.read_to_string(&mut reply).is_ok() && reply.contains("\"health\":\"true\"")
}

/// Makes one test of each of the given functions for each kind of store.
#[macro_export]
macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        on_every_store!(@ memory, $($test),+);
        on_every_store!(@ sqlite, $($test),+);
        on_every_store!(@ etcd, $($test),+);
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
