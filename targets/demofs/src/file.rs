//! File data: the way of a read and of a write, through its stages.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tracing::instrument;

use crate::chunks::{Chunks, pieces};
use crate::handles::OpenFiles;
use crate::inject::Faults;
use crate::meta::{Inode, now_ns};
use crate::tree::Tree;

/// Reads, writes and lifetimes of files.
pub struct Files {
    tree: Arc<Tree>,
    chunks: Chunks,
    open: OpenFiles,
    faults: Arc<Faults>,
}

impl Files {
    pub fn new(tree: Arc<Tree>, chunks: Chunks, faults: Arc<Faults>) -> Self {
        Self { tree, chunks, open: OpenFiles::default(), faults }
    }

    /// Where file data is kept.
    pub fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    /// Writes all of `data`.
    #[instrument(level = "trace", skip(self, data), fields(len = data.len()))]
    pub async fn write_at(&self, ino: u64, offset: u64, data: &[u8]) -> io::Result<()> {
        let started = Instant::now();
        self.faults.count_write()?;
        let data = self.copy_data(data).await;
        self.faults.before_write().await;
        self.write_chunks(ino, offset, &data).await?;
        self.extend_file_size(ino, offset + data.len() as u64).await?;
        self.faults.slow_down(started.elapsed()).await;
        Ok(())
    }

    /// Copies the request's bytes into a buffer that the write owns: the session takes its
    /// own back with the reply.
    #[instrument(level = "trace", skip_all, fields(len = data.len()))]
    async fn copy_data(&self, data: &[u8]) -> Vec<u8> {
        self.faults.burn_copy().await;
        owned(data)
    }

    #[instrument(level = "trace", skip(self, data), fields(len = data.len()))]
    async fn write_chunks(&self, ino: u64, offset: u64, data: &[u8]) -> io::Result<()> {
        for piece in pieces(offset, data.len()) {
            let data = &data[piece.buffer];
            self.chunks.write_chunk(ino, piece.index, piece.offset, data).await?;
        }
        Ok(())
    }

    /// Tells the metadata store of a write that ended at `end`, on every write: it is asked
    /// for the size, and told the new one if the file has grown. Otherwise the time of the
    /// write is noted and stored when the file is flushed.
    #[instrument(level = "trace", skip(self))]
    async fn extend_file_size(&self, ino: u64, end: u64) -> io::Result<()> {
        self.faults.extend_wait().await;
        let now = now_ns();
        if self.tree.stat(ino).await?.size >= end {
            self.open.note_mtime(ino, now);
            return Ok(());
        }
        self.open.take_mtime(ino);
        let grow = |inode: &mut Inode| {
            inode.size = inode.size.max(end);
            (inode.mtime_ns, inode.ctime_ns) = (now, now);
        };
        self.tree.update(ino, grow).await.map(drop)
    }

    /// Reads up to `len` bytes, fewer at the end of the file.
    #[instrument(level = "trace", skip(self))]
    pub async fn read_at(&self, ino: u64, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let size = self.tree.stat(ino).await?.size;
        let len = len.min(size.saturating_sub(offset) as usize);
        let mut data = self.read_chunks(ino, offset, len).await?;
        self.faults.corrupt(&mut data);
        Ok(data)
    }

    #[instrument(level = "trace", skip(self))]
    async fn read_chunks(&self, ino: u64, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut data = vec![0; len];
        for piece in pieces(offset, len) {
            let buffer = &mut data[piece.buffer];
            self.chunks.read_chunk(ino, piece.index, piece.offset, buffer).await?;
        }
        Ok(data)
    }

    /// Sets the size: what is cut off is gone, what is added is a hole.
    #[instrument(level = "trace", skip(self))]
    pub async fn truncate(&self, ino: u64, size: u64) -> io::Result<()> {
        let now = now_ns();
        self.open.take_mtime(ino);
        let mut before = 0;
        let resize = |inode: &mut Inode| {
            before = inode.size;
            inode.size = size;
            (inode.mtime_ns, inode.ctime_ns) = (now, now);
        };
        self.tree.update(ino, resize).await?;
        self.chunks.truncate(ino, size.min(before), before).await
    }

    /// The attributes, with the time of a write that the store does not know yet.
    pub async fn stat(&self, ino: u64) -> io::Result<Inode> {
        self.tree.stat(ino).await.map(|inode| self.with_noted_mtime(inode))
    }

    /// Adds the time of a write that the store does not know yet.
    pub fn with_noted_mtime(&self, mut inode: Inode) -> Inode {
        if let Some(mtime_ns) = self.open.noted_mtime(inode.ino) {
            (inode.mtime_ns, inode.ctime_ns) = (mtime_ns, mtime_ns);
        }
        inode
    }

    /// Counts a handle to a file that must exist.
    pub async fn open(&self, ino: u64, truncate: bool) -> io::Result<()> {
        self.open.open(ino);
        let opened = match truncate {
            true => self.truncate(ino, 0).await,
            false => self.tree.stat(ino).await.map(drop),
        };
        if opened.is_err() {
            self.open.close(ino);
        }
        opened
    }

    /// Stores what is noted in memory only, and what belongs into a bucket.
    #[instrument(level = "trace", skip(self))]
    pub async fn flush(&self, ino: u64) -> io::Result<()> {
        self.chunks.upload(ino, self.faults.plan().more_puts.unwrap_or(0)).await?;
        let Some(mtime_ns) = self.open.take_mtime(ino) else { return Ok(()) };
        let touch = |inode: &mut Inode| (inode.mtime_ns, inode.ctime_ns) = (mtime_ns, mtime_ns);
        self.tree.update(ino, touch).await.map(drop)
    }

    /// Makes data and metadata durable.
    #[instrument(level = "trace", skip(self))]
    pub async fn sync(&self, ino: u64) -> io::Result<()> {
        self.flush(ino).await?;
        self.chunks.sync(ino).await?;
        self.tree.sync().await
    }

    /// Gives back a handle; with the last one, a file without a name is gone for good.
    pub async fn release(&self, ino: u64) -> io::Result<()> {
        self.flush(ino).await?;
        if self.open.close(ino) {
            let inode = self.tree.stat(ino).await?;
            if inode.nlink == 0 {
                self.purge(&inode).await?;
            }
        }
        Ok(())
    }

    /// To be called when a file has lost a name.
    pub async fn unlinked(&self, inode: &Inode) -> io::Result<()> {
        if inode.nlink == 0 && !self.open.is_open(inode.ino) {
            self.purge(inode).await?;
        }
        Ok(())
    }

    /// Drops what a crash has left open and without a name.
    pub async fn purge_orphans(&self) -> io::Result<()> {
        for ino in self.tree.orphans().await? {
            self.purge(&self.tree.stat(ino).await?).await?;
        }
        Ok(())
    }

    /// Stores everything before the process ends.
    pub async fn shut_down(&self) -> io::Result<()> {
        for ino in self.open.all().into_iter().chain(self.chunks.unsaved()) {
            self.flush(ino).await?;
        }
        self.tree.sync().await
    }

    async fn purge(&self, inode: &Inode) -> io::Result<()> {
        self.chunks.remove(inode.ino, inode.size).await?;
        self.tree.forget(inode.ino).await
    }
}

/// Never inlined: a stack walked by frame pointers misses the caller of libc's memcpy, which
/// should be this function and not `copy_data`.
#[inline(never)]
fn owned(data: &[u8]) -> Vec<u8> {
    data.to_vec()
}
