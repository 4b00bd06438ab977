//! Metadata in a SQLite database: the default.
//!
//! The journal is a write-ahead log and `synchronous` is NORMAL: a commit is an append to the
//! log in the page cache, so a crash of demofs loses nothing and a crash of the machine may
//! lose the commits since the last fsync, but never leaves half of one. `fsync` on a file
//! writes one commit with `synchronous` FULL, which makes everything before it durable too.
//!
//! Statements run on the worker thread that wants them. They touch the page cache only and
//! take tens of microseconds, less than a hop to another thread and back; the one that waits
//! for the disk, [`Store::sync`], does go to a thread of its own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tokio::sync::Mutex;
use tracing::{error, instrument};

use super::{Change, Entry, Inode, Store};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 8192;
    CREATE TABLE IF NOT EXISTS inode (
        ino INTEGER PRIMARY KEY, mode INTEGER NOT NULL, nlink INTEGER NOT NULL,
        uid INTEGER NOT NULL, gid INTEGER NOT NULL, rdev INTEGER NOT NULL, size INTEGER NOT NULL,
        atime_ns INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
        parent INTEGER NOT NULL, target BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS orphan ON inode (ino) WHERE nlink = 0;
    CREATE TABLE IF NOT EXISTS entry (
        parent INTEGER NOT NULL, name BLOB NOT NULL, ino INTEGER NOT NULL, kind INTEGER NOT NULL,
        PRIMARY KEY (parent, name)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS synced (id INTEGER PRIMARY KEY, times INTEGER NOT NULL);
    INSERT OR IGNORE INTO synced VALUES (0, 0);
";

/// The store in one database file.
pub struct Sqlite {
    connection: Arc<Mutex<Connection>>,
}

impl Sqlite {
    /// Opens the database, or makes it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let connection = Connection::open(path).map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }
}

#[async_trait]
impl Store for Sqlite {
    #[instrument(level = "trace", skip(self))]
    async fn stat(&self, ino: u64) -> io::Result<Option<Inode>> {
        let connection = self.connection.lock().await;
        let mut statement = connection.prepare_cached("SELECT * FROM inode WHERE ino = ?").map_err(failed)?;
        statement.query_row([ino], read_inode).optional().map_err(failed)
    }

    #[instrument(level = "trace", skip(self))]
    async fn find(&self, parent: u64, name: &OsStr) -> io::Result<Option<u64>> {
        let connection = self.connection.lock().await;
        let mut statement = connection
            .prepare_cached("SELECT ino FROM entry WHERE parent = ? AND name = ?")
            .map_err(failed)?;
        let found = statement.query_row(params![parent, name.as_bytes()], |row| row.get(0));
        found.optional().map_err(failed)
    }

    #[instrument(level = "trace", skip(self))]
    async fn list(&self, parent: u64) -> io::Result<Vec<Entry>> {
        let connection = self.connection.lock().await;
        let mut statement = connection
            .prepare_cached("SELECT name, ino, kind FROM entry WHERE parent = ? ORDER BY name")
            .map_err(failed)?;
        let entries = statement.query_map([parent], |row| {
            Ok(Entry { name: OsString::from_vec(row.get(0)?), ino: row.get(1)?, kind: row.get(2)? })
        });
        entries.and_then(Iterator::collect).map_err(failed)
    }

    #[instrument(level = "trace", skip_all, fields(changes = changes.len()))]
    async fn commit(&self, changes: Vec<Change>) -> io::Result<()> {
        let mut connection = self.connection.lock().await;
        let transaction = connection.transaction().map_err(failed)?;
        for change in changes {
            apply(&transaction, change).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    async fn orphans(&self) -> io::Result<Vec<u64>> {
        let connection = self.connection.lock().await;
        let mut statement = connection.prepare("SELECT ino FROM inode WHERE nlink = 0").map_err(failed)?;
        let orphans = statement.query_map([], |row| row.get(0));
        orphans.and_then(Iterator::collect).map_err(failed)
    }

    async fn last_ino(&self) -> io::Result<u64> {
        let connection = self.connection.lock().await;
        let last = connection.query_row("SELECT coalesce(max(ino), 0) FROM inode", [], |row| row.get(0));
        last.map_err(failed)
    }

    #[instrument(level = "trace", skip_all)]
    async fn sync(&self) -> io::Result<()> {
        let connection = Arc::clone(&self.connection).lock_owned().await;
        let synced = tokio::task::spawn_blocking(move || {
            connection.execute_batch(
                "PRAGMA synchronous = FULL;
                 UPDATE synced SET times = times + 1;
                 PRAGMA synchronous = NORMAL;",
            )
        });
        synced.await?.map_err(failed)
    }
}

fn apply(transaction: &Transaction<'_>, change: Change) -> rusqlite::Result<usize> {
    let run = |sql, values: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(values);
    match change {
        Change::PutInode(inode) => run(
            "INSERT OR REPLACE INTO inode VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                inode.ino,
                inode.mode,
                inode.nlink,
                inode.uid,
                inode.gid,
                inode.rdev,
                inode.size,
                inode.atime_ns,
                inode.mtime_ns,
                inode.ctime_ns,
                inode.parent,
                inode.target.as_bytes(),
            ],
        ),
        Change::DropInode(ino) => run("DELETE FROM inode WHERE ino = ?", params![ino]),
        Change::PutEntry { parent, entry } => run(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)",
            params![parent, entry.name.as_bytes(), entry.ino, entry.kind],
        ),
        Change::DropEntry { parent, name } => {
            run("DELETE FROM entry WHERE parent = ? AND name = ?", params![parent, name.as_bytes()])
        }
    }
}

fn read_inode(row: &Row<'_>) -> rusqlite::Result<Inode> {
    Ok(Inode {
        ino: row.get(0)?,
        mode: row.get(1)?,
        nlink: row.get(2)?,
        uid: row.get(3)?,
        gid: row.get(4)?,
        rdev: row.get(5)?,
        size: row.get(6)?,
        atime_ns: row.get(7)?,
        mtime_ns: row.get(8)?,
        ctime_ns: row.get(9)?,
        parent: row.get(10)?,
        target: OsString::from_vec(row.get(11)?),
    })
}

fn failed(cause: rusqlite::Error) -> io::Error {
    error!(%cause, "sqlite");
    io::Error::other(cause)
}
