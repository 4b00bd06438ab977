//! Metadata in redis: one connection for each request under way, one transaction for each batch. What redis is told is on
//! its disk as soon as its `appendfsync` says, within a second for most, and nothing here waits for that.
//!
//! Keys: `demofs:inode:<number>`; `demofs:inodes`, all numbers in order; `demofs:orphans`, a set of them;
//! `demofs:entries:<parent>`, a hash of the names in a directory.

mod client;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use async_trait::async_trait;
use tracing::instrument;

use super::{Change, Entry, Inode, Store, value};
use client::{Client, Command, Reply};

const INODES: &[u8] = b"demofs:inodes";
const ORPHANS: &[u8] = b"demofs:orphans";

/// The store in a redis that others may use too, for other keys.
pub struct Redis {
    client: Client,
}

impl Redis {
    /// The redis at `HOST:PORT`.
    pub async fn connect(address: &str) -> io::Result<Self> {
        Ok(Self { client: Client::connect(address).await? })
    }

    /// What one command gives.
    async fn ask(&self, words: &[&[u8]]) -> io::Result<Reply> {
        let mut replies = self.client.call(&[command(words)]).await?;
        replies.pop().ok_or_else(|| io::Error::other("redis gave no reply"))
    }
}

#[async_trait]
impl Store for Redis {
    #[instrument(level = "trace", skip(self))]
    async fn stat(&self, ino: u64) -> io::Result<Option<Inode>> {
        let found = self.ask(&[b"GET", &inode_key(ino)]).await?.bytes()?;
        found.map(|bytes| value::read_inode(&bytes)).transpose()
    }

    #[instrument(level = "trace", skip(self))]
    async fn find(&self, parent: u64, name: &OsStr) -> io::Result<Option<u64>> {
        let found = self.ask(&[b"HGET", &entries_key(parent), name.as_bytes()]).await?.bytes()?;
        found.map(|bytes| value::read_ino(&bytes)).transpose()
    }

    #[instrument(level = "trace", skip(self))]
    async fn list(&self, parent: u64) -> io::Result<Vec<Entry>> {
        let found = self.ask(&[b"HGETALL", &entries_key(parent)]).await?.list()?;
        let entries = found.chunks_exact(2).map(|pair| value::read_entry(&pair[0], &pair[1]));
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        // A hash may change its order while it grows or shrinks.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    #[instrument(level = "trace", skip(self))]
    async fn is_empty(&self, parent: u64) -> io::Result<bool> {
        Ok(self.ask(&[b"HLEN", &entries_key(parent)]).await?.number()? == 0)
    }

    #[instrument(level = "trace", skip_all, fields(changes = changes.len()))]
    async fn commit(&self, changes: Vec<Change>) -> io::Result<()> {
        let mut commands = vec![command(&[b"MULTI"])];
        commands.extend(changes.into_iter().flat_map(steps));
        commands.push(command(&[b"EXEC"]));
        self.client.call(&commands).await.map(drop)
    }

    async fn orphans(&self) -> io::Result<Vec<u64>> {
        self.ask(&[b"SMEMBERS", ORPHANS]).await?.list()?.iter().map(|digits| number(digits)).collect()
    }

    async fn last_ino(&self) -> io::Result<u64> {
        let last = self.ask(&[b"ZREVRANGE", INODES, b"0", b"0"]).await?.list()?;
        last.first().map_or(Ok(0), |digits| number(digits))
    }

    async fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn steps(change: Change) -> Vec<Command> {
    match change {
        Change::PutInode(inode) => {
            let ino = digits(inode.ino);
            let orphaned: &[u8] = if inode.nlink == 0 { b"SADD" } else { b"SREM" };
            vec![
                command(&[b"SET", &inode_key(inode.ino), &value::of_inode(&inode)]),
                command(&[b"ZADD", INODES, &ino, &ino]),
                command(&[orphaned, ORPHANS, &ino]),
            ]
        }
        Change::DropInode(ino) => {
            let (key, ino) = (inode_key(ino), digits(ino));
            vec![
                command(&[b"DEL", &key]),
                command(&[b"ZREM", INODES, &ino]),
                command(&[b"SREM", ORPHANS, &ino]),
            ]
        }
        Change::PutEntry { parent, entry } => {
            let (key, name) = (entries_key(parent), entry.name.as_bytes());
            vec![command(&[b"HSET", &key, name, &value::of_entry(&entry)])]
        }
        Change::DropEntry { parent, name } => {
            vec![command(&[b"HDEL", &entries_key(parent), name.as_bytes()])]
        }
    }
}

fn command(words: &[&[u8]]) -> Command {
    words.iter().map(|word| word.to_vec()).collect()
}

fn inode_key(ino: u64) -> Vec<u8> {
    format!("demofs:inode:{ino}").into_bytes()
}

fn entries_key(parent: u64) -> Vec<u8> {
    format!("demofs:entries:{parent}").into_bytes()
}

fn digits(ino: u64) -> Vec<u8> {
    ino.to_string().into_bytes()
}

fn number(digits: &[u8]) -> io::Result<u64> {
    String::from_utf8_lossy(digits).parse().map_err(io::Error::other)
}
