//! Metadata: what an inode is, and the one trait that every store implements.
//!
//! A store keeps inodes and directory entries and changes them in atomic batches. What a
//! rename or an unlink means is decided once, in [`crate::tree`], for all stores.

mod etcd;
mod memory;
mod redis;
mod sqlite;
mod value;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

pub use etcd::Etcd;
pub use memory::Memory;
pub use redis::Redis;
pub use sqlite::Sqlite;

/// The inode number of the root directory.
pub const ROOT: u64 = 1;

/// Everything known about a file but its data. Times are nanoseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inode {
    pub ino: u64,
    /// File type and permissions, as in `st_mode`.
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    pub size: u64,
    pub atime_ns: i64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    /// The directory that holds a directory; 0 for everything else.
    pub parent: u64,
    /// Where a symbolic link points to; empty for everything else.
    pub target: OsString,
}

impl Inode {
    /// The file type bits of the mode, such as [`libc::S_IFDIR`].
    pub fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }

    pub fn is_dir(&self) -> bool {
        self.kind() == libc::S_IFDIR
    }
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: OsString,
    pub ino: u64,
    /// The file type bits of the inode's mode.
    pub kind: u32,
}

/// One step of an atomic batch.
#[derive(Clone, Debug)]
pub enum Change {
    PutInode(Inode),
    DropInode(u64),
    PutEntry { parent: u64, entry: Entry },
    DropEntry { parent: u64, name: OsString },
}

/// A metadata store. One demofs at a time owns it, and [`crate::tree::Tree`] keeps changes to
/// the same inode apart, so a store only has to make each batch atomic.
#[async_trait]
pub trait Store: Send + Sync {
    /// The inode, if there is one.
    async fn stat(&self, ino: u64) -> io::Result<Option<Inode>>;

    /// The inode number that a name in a directory stands for.
    async fn find(&self, parent: u64, name: &OsStr) -> io::Result<Option<u64>>;

    /// All names in a directory, in an order that stays the same while nothing changes.
    async fn list(&self, parent: u64) -> io::Result<Vec<Entry>>;

    /// Whether a directory holds no names.
    async fn is_empty(&self, parent: u64) -> io::Result<bool> {
        Ok(self.list(parent).await?.is_empty())
    }

    /// Makes all changes or none.
    async fn commit(&self, changes: Vec<Change>) -> io::Result<()>;

    /// Inodes without a name, left by a crash while they were still open.
    async fn orphans(&self) -> io::Result<Vec<u64>>;

    /// The highest inode number in use, 0 in an empty store.
    async fn last_ino(&self) -> io::Result<u64>;

    /// Returns when everything committed so far is on stable storage.
    async fn sync(&self) -> io::Result<()>;
}

/// Which store to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// In memory: forgotten at unmount.
    Memory,
    /// In `<state>/meta.db`.
    Sqlite,
    /// In etcd, under `/demofs/`.
    Etcd,
    /// In redis, under `demofs:`.
    Redis,
}

/// Where servers of metadata are; by default nowhere, as for stores that need none.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Servers {
    /// Addresses of etcd, separated by commas; the first that answers is used.
    #[arg(long, value_name = "URLS", value_delimiter = ',', default_value = "http://127.0.0.1:2379")]
    pub meta_etcd_urls: Vec<String>,

    /// Address of redis.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6379")]
    pub meta_redis: String,
}

/// Opens the store of the given kind.
pub async fn open(backend: Backend, state: &Path, servers: &Servers) -> io::Result<Arc<dyn Store>> {
    Ok(match backend {
        Backend::Memory => Arc::new(Memory::default()),
        Backend::Sqlite => Arc::new(Sqlite::open(&state.join("meta.db"))?),
        Backend::Etcd => Arc::new(Etcd::connect(&servers.meta_etcd_urls).await?),
        Backend::Redis => Arc::new(Redis::connect(&servers.meta_redis).await?),
    })
}

/// Now, in nanoseconds since 1970.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |elapsed| elapsed.as_nanos() as i64)
}
