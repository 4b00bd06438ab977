//! The protocol of redis (RESP2), over connections that are kept for the next request.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::error;

/// How long one call may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A command and its arguments.
pub type Command = Vec<Vec<u8>>;

/// What redis answers to one command.
#[derive(Debug, PartialEq)]
pub enum Reply {
    Number(i64),
    /// None for what is not there.
    Bytes(Option<Vec<u8>>),
    List(Vec<Vec<u8>>),
}

impl Reply {
    pub fn number(self) -> io::Result<i64> {
        match self {
            Self::Number(number) => Ok(number),
            other => Err(unexpected(&other)),
        }
    }

    pub fn bytes(self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected(&other)),
        }
    }

    pub fn list(self) -> io::Result<Vec<Vec<u8>>> {
        match self {
            Self::List(list) => Ok(list),
            other => Err(unexpected(&other)),
        }
    }
}

type Connection = BufReader<TcpStream>;

pub struct Client {
    address: String,
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    /// A redis that answers.
    pub async fn connect(address: &str) -> io::Result<Self> {
        let client = Self { address: address.to_string(), idle: Mutex::default() };
        client
            .call(&[vec![b"PING".to_vec()]])
            .await
            .map_err(|why| io::Error::new(why.kind(), format!("no redis answers at {address}: {why}")))?;
        Ok(client)
    }

    /// Commands, sent together, and the reply to each. The first that is refused is the error.
    pub async fn call(&self, commands: &[Command]) -> io::Result<Vec<Reply>> {
        let called = timeout(PATIENCE, self.exchange(commands)).await;
        let replies = called.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        replies.inspect_err(|cause| error!(%cause, "redis"))
    }

    async fn exchange(&self, commands: &[Command]) -> io::Result<Vec<Reply>> {
        let mut connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.dial().await?,
        };
        connection.write_all(&commands.iter().flat_map(encoded).collect::<Vec<_>>()).await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            // What is refused leaves replies unread: this connection serves nobody else then.
            replies.push(read(&mut connection).await?);
        }
        self.idle().push(connection);
        Ok(replies)
    }

    async fn dial(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().expect("no thread panics while it holds the idle connections")
    }
}

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for word in command {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// One reply. Lists are of strings, and those that `EXEC` gives of whatever its commands do.
async fn read(connection: &mut Connection) -> io::Result<Reply> {
    let (kind, rest) = head(connection).await?;
    match kind {
        b'*' => {
            let mut list = Vec::new();
            for _ in 0..count(&rest)?.ok_or_else(|| io::Error::other("redis dropped a transaction"))? {
                let (kind, rest) = head(connection).await?;
                list.push(simple(connection, kind, rest).await?.unwrap_or_default());
            }
            Ok(Reply::List(list))
        }
        b':' => Ok(Reply::Number(rest.parse().map_err(io::Error::other)?)),
        _ => Ok(Reply::Bytes(simple(connection, kind, rest).await?)),
    }
}

/// What stands behind a first line that begins with no `*`.
async fn simple(connection: &mut Connection, kind: u8, rest: String) -> io::Result<Option<Vec<u8>>> {
    match kind {
        b'+' | b':' => Ok(Some(rest.into_bytes())),
        b'-' => Err(io::Error::other(rest)),
        b'$' => {
            let Some(length) = count(&rest)? else { return Ok(None) };
            let mut bytes = vec![0; length + 2];
            connection.read_exact(&mut bytes).await?;
            bytes.truncate(length);
            Ok(Some(bytes))
        }
        _ => Err(io::Error::other(format!("redis answers {:?}", kind as char))),
    }
}

/// The kind of a reply, and what its first line says further.
async fn head(connection: &mut Connection) -> io::Result<(u8, String)> {
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    match line.strip_suffix("\r\n").map(str::as_bytes) {
        Some([kind, rest @ ..]) => Ok((*kind, String::from_utf8_lossy(rest).into_owned())),
        _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
    }
}

/// How many follow; None of what is not there, -1.
fn count(digits: &str) -> io::Result<Option<usize>> {
    let number: i64 = digits.parse().map_err(io::Error::other)?;
    Ok(usize::try_from(number).ok())
}

fn unexpected(reply: &Reply) -> io::Error {
    io::Error::other(format!("redis answers {reply:?}"))
}
