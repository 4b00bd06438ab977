//! Metadata in two ordered maps: gone at unmount, and as fast as it gets.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Bound;
use std::sync::Mutex;

use async_trait::async_trait;
use tracing::instrument;

use super::{Change, Entry, Inode, Store};

#[derive(Default)]
struct Maps {
    inodes: BTreeMap<u64, Inode>,
    entries: BTreeMap<(u64, OsString), (u64, u32)>,
}

/// The store for tests, benches and filesystems that need not last.
#[derive(Default)]
pub struct Memory {
    maps: Mutex<Maps>,
}

impl Memory {
    fn maps(&self) -> std::sync::MutexGuard<'_, Maps> {
        self.maps.lock().expect("no thread panics while it holds the maps")
    }
}

#[async_trait]
impl Store for Memory {
    #[instrument(level = "trace", skip(self))]
    async fn stat(&self, ino: u64) -> io::Result<Option<Inode>> {
        Ok(self.maps().inodes.get(&ino).cloned())
    }

    #[instrument(level = "trace", skip(self))]
    async fn find(&self, parent: u64, name: &OsStr) -> io::Result<Option<u64>> {
        let key = (parent, name.to_os_string());
        Ok(self.maps().entries.get(&key).map(|(ino, _)| *ino))
    }

    #[instrument(level = "trace", skip(self))]
    async fn list(&self, parent: u64) -> io::Result<Vec<Entry>> {
        let first = Bound::Included((parent, OsString::new()));
        let beyond = Bound::Excluded((parent + 1, OsString::new()));
        let maps = self.maps();
        let entries = maps.entries.range((first, beyond));
        Ok(entries
            .map(|((_, name), (ino, kind))| Entry { name: name.clone(), ino: *ino, kind: *kind })
            .collect())
    }

    #[instrument(level = "trace", skip_all, fields(changes = changes.len()))]
    async fn commit(&self, changes: Vec<Change>) -> io::Result<()> {
        let mut maps = self.maps();
        for change in changes {
            match change {
                Change::PutInode(inode) => {
                    maps.inodes.insert(inode.ino, inode);
                }
                Change::DropInode(ino) => {
                    maps.inodes.remove(&ino);
                }
                Change::PutEntry { parent, entry } => {
                    maps.entries.insert((parent, entry.name), (entry.ino, entry.kind));
                }
                Change::DropEntry { parent, name } => {
                    maps.entries.remove(&(parent, name));
                }
            }
        }
        Ok(())
    }

    async fn orphans(&self) -> io::Result<Vec<u64>> {
        let maps = self.maps();
        Ok(maps.inodes.values().filter(|inode| inode.nlink == 0).map(|inode| inode.ino).collect())
    }

    async fn last_ino(&self) -> io::Result<u64> {
        Ok(self.maps().inodes.last_key_value().map_or(0, |(ino, _)| *ino))
    }

    async fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
