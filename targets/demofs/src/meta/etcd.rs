//! Metadata in etcd, through its JSON gateway (etcd 3.4 and later): one HTTP connection for
//! each request under way, one transaction for each batch. etcd makes every commit durable
//! before it answers, so there is nothing left to sync.
//!
//! Keys: `/demofs/inode/<number>`, `/demofs/entry/<parent>/<name>`, `/demofs/orphan/<number>`,
//! with numbers as 16 hexadecimal digits so that their order is that of the keys.

mod client;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use async_trait::async_trait;
use serde_json::{Value, json};
use tracing::instrument;

use super::{Change, Entry, Inode, Store, value};
use client::{Client, decode, encode};

/// The store in an etcd that others may use too, for other keys.
pub struct Etcd {
    client: Client,
}

impl Etcd {
    /// Connects to the first address that answers.
    pub async fn connect(urls: &[String]) -> io::Result<Self> {
        Ok(Self { client: Client::connect(urls).await? })
    }

    /// Key-value pairs from `first` to before `end`; with no `end`, that one key only.
    async fn range(
        &self,
        first: &[u8],
        end: Option<&[u8]>,
        more: Value,
    ) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut request = more;
        request["key"] = encode(first).into();
        if let Some(end) = end {
            request["range_end"] = encode(end).into();
        }
        let reply = self.client.call("/v3/kv/range", &request).await?;
        let pairs = reply["kvs"].as_array().map_or(&[][..], Vec::as_slice);
        pairs.iter().map(|pair| Ok((decode(&pair["key"])?, decode(&pair["value"])?))).collect()
    }
}

#[async_trait]
impl Store for Etcd {
    #[instrument(level = "trace", skip(self))]
    async fn stat(&self, ino: u64) -> io::Result<Option<Inode>> {
        let found = self.range(&inode_key(ino), None, json!({})).await?;
        found.first().map(|(_, bytes)| value::read_inode(bytes)).transpose()
    }

    #[instrument(level = "trace", skip(self))]
    async fn find(&self, parent: u64, name: &OsStr) -> io::Result<Option<u64>> {
        let found = self.range(&entry_key(parent, name), None, json!({})).await?;
        found.first().map(|(_, bytes)| value::read_ino(bytes)).transpose()
    }

    #[instrument(level = "trace", skip(self))]
    async fn list(&self, parent: u64) -> io::Result<Vec<Entry>> {
        let (first, end) = entries_of(parent);
        let pairs = self.range(&first, Some(&end), json!({})).await?;
        pairs.iter().map(|(key, bytes)| value::read_entry(&key[first.len()..], bytes)).collect()
    }

    #[instrument(level = "trace", skip(self))]
    async fn is_empty(&self, parent: u64) -> io::Result<bool> {
        let (first, end) = entries_of(parent);
        Ok(self.range(&first, Some(&end), json!({"limit": 1, "keys_only": true})).await?.is_empty())
    }

    #[instrument(level = "trace", skip_all, fields(changes = changes.len()))]
    async fn commit(&self, changes: Vec<Change>) -> io::Result<()> {
        let steps: Vec<Value> = changes.into_iter().flat_map(steps).collect();
        let reply = self.client.call("/v3/kv/txn", &json!({"success": steps})).await?;
        match reply["succeeded"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(io::Error::other(format!("etcd refused a transaction: {reply}"))),
        }
    }

    async fn orphans(&self) -> io::Result<Vec<u64>> {
        let pairs = self.range(b"/demofs/orphan/", Some(b"/demofs/orphan0"), json!({})).await?;
        pairs.iter().map(|(key, _)| last_number(key)).collect()
    }

    async fn last_ino(&self) -> io::Result<u64> {
        let last = json!({"limit": 1, "keys_only": true, "sort_order": "DESCEND", "sort_target": "KEY"});
        let pairs = self.range(b"/demofs/inode/", Some(b"/demofs/inode0"), last).await?;
        pairs.first().map_or(Ok(0), |(key, _)| last_number(key))
    }

    async fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn steps(change: Change) -> Vec<Value> {
    match change {
        Change::PutInode(inode) if inode.nlink == 0 => {
            vec![put(&inode_key(inode.ino), &value::of_inode(&inode)), put(&orphan_key(inode.ino), b"{}")]
        }
        Change::PutInode(inode) => vec![put(&inode_key(inode.ino), &value::of_inode(&inode))],
        Change::DropInode(ino) => vec![delete(&inode_key(ino)), delete(&orphan_key(ino))],
        Change::PutEntry { parent, entry } => {
            vec![put(&entry_key(parent, &entry.name), &value::of_entry(&entry))]
        }
        Change::DropEntry { parent, name } => vec![delete(&entry_key(parent, &name))],
    }
}

fn put(key: &[u8], value: &[u8]) -> Value {
    json!({"request_put": {"key": encode(key), "value": encode(value)}})
}

fn delete(key: &[u8]) -> Value {
    json!({"request_delete_range": {"key": encode(key)}})
}

fn inode_key(ino: u64) -> Vec<u8> {
    format!("/demofs/inode/{ino:016x}").into_bytes()
}

fn orphan_key(ino: u64) -> Vec<u8> {
    format!("/demofs/orphan/{ino:016x}").into_bytes()
}

fn entry_key(parent: u64, name: &OsStr) -> Vec<u8> {
    let mut key = format!("/demofs/entry/{parent:016x}/").into_bytes();
    key.extend_from_slice(name.as_bytes());
    key
}

/// The first key that an entry of this directory can have, and the first one beyond.
fn entries_of(parent: u64) -> (Vec<u8>, Vec<u8>) {
    let beyond = format!("/demofs/entry/{parent:016x}0").into_bytes();
    (entry_key(parent, OsStr::new("")), beyond)
}

fn last_number(key: &[u8]) -> io::Result<u64> {
    let digits = std::str::from_utf8(&key[key.len().saturating_sub(16)..]).unwrap_or_default();
    u64::from_str_radix(digits, 16).map_err(io::Error::other)
}
