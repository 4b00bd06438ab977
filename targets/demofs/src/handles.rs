//! What is open: files by inode, directories by handle.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::meta::Entry;
use crate::tree::Tree;

#[derive(Clone, Copy, Default)]
struct OpenFile {
    handles: u32,
    /// Time of the last write, where the store does not know it yet.
    mtime_ns: Option<i64>,
}

/// Open files: how often each is open, and modification times not yet stored.
#[derive(Default)]
pub struct OpenFiles {
    files: Mutex<HashMap<u64, OpenFile>>,
}

impl OpenFiles {
    /// Counts one more handle.
    pub fn open(&self, ino: u64) {
        self.files().entry(ino).or_default().handles += 1;
    }

    /// Counts one handle less; true if it was the last.
    pub fn close(&self, ino: u64) -> bool {
        let mut files = self.files();
        let Some(file) = files.get_mut(&ino) else { return true };
        file.handles = file.handles.saturating_sub(1);
        let last = file.handles == 0;
        if last {
            files.remove(&ino);
        }
        last
    }

    pub fn is_open(&self, ino: u64) -> bool {
        self.files().contains_key(&ino)
    }

    /// Notes the time of a write without asking the store.
    pub fn note_mtime(&self, ino: u64, mtime_ns: i64) {
        if let Some(file) = self.files().get_mut(&ino) {
            file.mtime_ns = Some(mtime_ns);
        }
    }

    /// The noted time, if the store does not know it yet.
    pub fn noted_mtime(&self, ino: u64) -> Option<i64> {
        self.files().get(&ino).and_then(|file| file.mtime_ns)
    }

    /// Takes the noted time, to store it.
    pub fn take_mtime(&self, ino: u64) -> Option<i64> {
        self.files().get_mut(&ino).and_then(|file| file.mtime_ns.take())
    }

    /// All inodes that are open.
    pub fn all(&self) -> Vec<u64> {
        self.files().keys().copied().collect()
    }

    fn files(&self) -> MutexGuard<'_, HashMap<u64, OpenFile>> {
        self.files.lock().expect("no thread panics while it holds the open files")
    }
}

/// Open directories: each handle lists the names that were there when it was read from the
/// start, so that names removed meanwhile do not shift the others.
#[derive(Default)]
pub struct OpenDirs {
    last: AtomicU64,
    listings: Mutex<HashMap<u64, Arc<[Entry]>>>,
}

impl OpenDirs {
    /// A new handle.
    pub fn open(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The entries from `offset` on, each with the offset of the next.
    pub async fn read(
        &self,
        tree: &Tree,
        ino: u64,
        handle: u64,
        offset: usize,
    ) -> io::Result<impl Iterator<Item = (i64, Entry)> + Send + use<>> {
        let known = self.listings().get(&handle).filter(|_| offset > 0).cloned();
        let listing = match known {
            Some(listing) => listing,
            None => {
                let listing: Arc<[Entry]> = with_dots(tree, ino).await?.into();
                self.listings().insert(handle, Arc::clone(&listing));
                listing
            }
        };
        Ok((offset..listing.len()).map(move |index| (index as i64 + 1, listing[index].clone())))
    }

    /// Gives the handle back.
    pub fn close(&self, handle: u64) {
        self.listings().remove(&handle);
    }

    fn listings(&self) -> MutexGuard<'_, HashMap<u64, Arc<[Entry]>>> {
        self.listings.lock().expect("no thread panics while it holds the listings")
    }
}

async fn with_dots(tree: &Tree, ino: u64) -> io::Result<Vec<Entry>> {
    let parent = tree.stat(ino).await?.parent;
    let dot = |name: &str, ino| Entry { name: name.into(), ino, kind: libc::S_IFDIR };
    let mut entries = vec![dot(".", ino), dot("..", parent)];
    entries.extend(tree.list(ino).await?);
    Ok(entries)
}
