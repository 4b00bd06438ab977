//! File data in chunk files of a fixed size: `<state>/chunks/<inode>/<index>`.
//!
//! A chunk that was never written has no file, and a chunk file may be shorter than a chunk:
//! what is missing reads as zeros, so holes cost nothing. Reads and writes go to the page
//! cache on the worker thread that wants them (a hop to another thread costs more than the
//! call); only [`Chunks::sync`] waits for the disk, on a thread of its own.
//!
//! With a [`Bucket`] the folder is a cache: a chunk that is not there is fetched first, and one that was written is an
//! object, `<inode>/<index>`, once it was uploaded. Its own lock keeps what is fetched, uploaded and removed of one inode
//! apart.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::instrument;

use crate::bucket::Bucket;
use crate::locks::InodeLocks;

/// Bytes in a whole chunk.
pub const CHUNK_BYTES: u64 = 4 << 20;

/// The part of a byte range of a file that lies in one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which chunk.
    pub index: u64,
    /// Where in that chunk the piece starts.
    pub offset: u64,
    /// Where in the caller's buffer the piece is.
    pub buffer: Range<usize>,
}

/// Splits `len` bytes at `offset` of a file into one piece per chunk, in order.
pub fn pieces(offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let room = (CHUNK_BYTES - at % CHUNK_BYTES) as usize;
        let buffer = done..len.min(done + room);
        done = buffer.end;
        Some(Piece { index: at / CHUNK_BYTES, offset: at % CHUNK_BYTES, buffer })
    })
}

/// The chunk files of all inodes.
pub struct Chunks {
    folder: PathBuf,
    /// Chunks written since they were last synced or uploaded, by inode.
    dirty: Mutex<HashMap<u64, BTreeSet<u64>>>,
    bucket: Option<Bucket>,
    moving: InodeLocks,
}

impl Chunks {
    /// Uses the folder, and makes it if need be.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::cached(folder, None)
    }

    /// Uses the folder as a cache of the bucket, if there is one.
    pub fn cached(folder: &Path, bucket: Option<Bucket>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.into(), dirty: Mutex::default(), bucket, moving: InodeLocks::default() })
    }

    /// Where the chunks are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one piece; `data` is the piece's own bytes.
    #[instrument(level = "trace", skip(self, data), fields(len = data.len()))]
    pub async fn write_chunk(&self, ino: u64, index: u64, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fetch(ino, index).await?;
        let path = self.path(ino, index);
        let options = || File::options().write(true).create(true).truncate(false).open(&path);
        let file = options().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                fs::create_dir_all(self.path_of(ino))?;
                options()
            }
            _ => Err(error),
        })?;
        file.write_all_at(data, offset)?;
        self.dirty().entry(ino).or_default().insert(index);
        Ok(())
    }

    /// Reads one piece into `buffer`; what was never written is zeros.
    #[instrument(level = "trace", skip(self, buffer), fields(len = buffer.len()))]
    pub async fn read_chunk(&self, ino: u64, index: u64, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.fetch(ino, index).await?;
        let mut filled = 0;
        match File::open(self.path(ino, index)) {
            Ok(file) => {
                while filled < buffer.len() {
                    match file.read_at(&mut buffer[filled..], offset + filled as u64)? {
                        0 => break,
                        read => filled += read,
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        buffer[filled..].fill(0);
        Ok(())
    }

    /// Drops everything from `size` on, of a file that was as long as `before`.
    #[instrument(level = "trace", skip(self))]
    pub async fn truncate(&self, ino: u64, size: u64, before: u64) -> io::Result<()> {
        let (last, kept) = (size / CHUNK_BYTES, size % CHUNK_BYTES);
        if kept > 0 && size < before {
            self.fetch(ino, last).await?;
        }
        for index in self.indexes(ino)? {
            if index > last || (index == last && kept == 0) {
                fs::remove_file(self.path(ino, index))?;
            } else if index == last {
                let file = File::options().write(true).open(self.path(ino, index))?;
                if file.metadata()?.len() > kept {
                    file.set_len(kept)?;
                    self.dirty().entry(ino).or_default().insert(index);
                }
            }
        }
        self.delete(ino, size, before).await
    }

    /// Drops all data of an inode of that size.
    #[instrument(level = "trace", skip(self))]
    pub async fn remove(&self, ino: u64, size: u64) -> io::Result<()> {
        self.dirty().remove(&ino);
        match fs::remove_dir_all(self.path_of(ino)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.delete(ino, 0, size).await
    }

    /// Puts into the bucket, if there is one, what was written to an inode since it was last put there: each chunk
    /// whole, and the last of them `more` times more.
    #[instrument(level = "trace", skip(self))]
    pub async fn upload(&self, ino: u64, more: u64) -> io::Result<()> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let Some(dirty) = self.dirty().remove(&ino) else { return Ok(()) };
        let _alone = self.moving.lock(&[ino]).await;
        let again = dirty.last().into_iter().cycle().take(more as usize);
        for index in dirty.iter().chain(again) {
            let put = match fs::read(self.path(ino, *index)) {
                Ok(data) => bucket.put(&format!("{ino}/{index}"), data).await,
                // Truncated away in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            if put.is_err() {
                self.dirty().entry(ino).or_default().extend(&dirty);
                return put;
            }
        }
        Ok(())
    }

    /// Inodes of which something was written and not yet synced or uploaded.
    pub fn unsaved(&self) -> Vec<u64> {
        self.dirty().keys().copied().collect()
    }

    /// Brings a chunk that is not here from the bucket, if that has it.
    async fn fetch(&self, ino: u64, index: u64) -> io::Result<()> {
        let (Some(bucket), path) = (&self.bucket, self.path(ino, index)) else { return Ok(()) };
        if path.exists() {
            return Ok(());
        }
        let _alone = self.moving.lock(&[ino]).await;
        if path.exists() {
            return Ok(());
        }
        if let Some(data) = bucket.get(&format!("{ino}/{index}")).await? {
            fs::create_dir_all(self.path_of(ino))?;
            let part = path.with_extension("part");
            fs::write(&part, data)?;
            fs::rename(&part, &path)?;
        }
        Ok(())
    }

    /// Removes the objects of an inode that hold nothing of its first `size` bytes, out of `before`.
    async fn delete(&self, ino: u64, size: u64, before: u64) -> io::Result<()> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let _alone = self.moving.lock(&[ino]).await;
        for index in size.div_ceil(CHUNK_BYTES)..before.div_ceil(CHUNK_BYTES) {
            bucket.delete(&format!("{ino}/{index}")).await?;
        }
        Ok(())
    }

    /// Returns when everything written to an inode so far is on stable storage, or in the bucket.
    #[instrument(level = "trace", skip(self))]
    pub async fn sync(&self, ino: u64) -> io::Result<()> {
        if self.bucket.is_some() {
            return self.upload(ino, 0).await;
        }
        let Some(dirty) = self.dirty().remove(&ino) else { return Ok(()) };
        let paths: Vec<PathBuf> = dirty.iter().map(|index| self.path(ino, *index)).collect();
        let folders = [self.path_of(ino), self.folder.clone()];
        let synced = tokio::task::spawn_blocking(move || sync_files(&paths, &folders)).await?;
        if synced.is_err() {
            self.dirty().entry(ino).or_default().extend(dirty);
        }
        synced
    }

    fn dirty(&self) -> std::sync::MutexGuard<'_, HashMap<u64, BTreeSet<u64>>> {
        self.dirty.lock().expect("no thread panics while it holds the set of dirty chunks")
    }

    fn path_of(&self, ino: u64) -> PathBuf {
        self.folder.join(ino.to_string())
    }

    fn path(&self, ino: u64, index: u64) -> PathBuf {
        self.folder.join(format!("{ino}/{index}"))
    }

    fn indexes(&self, ino: u64) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(self.path_of(ino)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut indexes = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            indexes.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        Ok(indexes)
    }
}

fn sync_files(files: &[PathBuf], folders: &[PathBuf]) -> io::Result<()> {
    for path in files {
        match File::open(path) {
            Ok(file) => file.sync_data()?,
            // Truncated away in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(index: u64, offset: u64, buffer: Range<usize>) -> Piece {
        Piece { index, offset, buffer }
    }

    #[test]
    fn a_range_inside_a_chunk_is_one_piece() {
        assert_eq!(pieces(10, 20).collect::<Vec<_>>(), [piece(0, 10, 0..20)]);
        let last_bytes = pieces(CHUNK_BYTES - 20, 20).collect::<Vec<_>>();
        assert_eq!(last_bytes, [piece(0, CHUNK_BYTES - 20, 0..20)]);
    }

    #[test]
    fn a_range_over_chunk_borders_is_split_there() {
        let whole = CHUNK_BYTES as usize;
        assert_eq!(
            pieces(CHUNK_BYTES - 5, whole + 10).collect::<Vec<_>>(),
            [piece(0, CHUNK_BYTES - 5, 0..5), piece(1, 0, 5..whole + 5), piece(2, 0, whole + 5..whole + 10)]
        );
    }

    #[test]
    fn an_empty_range_has_no_pieces() {
        assert_eq!(pieces(CHUNK_BYTES, 0).count(), 0);
    }

    #[tokio::test]
    async fn what_was_never_written_or_was_truncated_reads_as_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let chunks = Chunks::open(folder.path()).unwrap();
        chunks.write_chunk(7, 1, 100, b"abcdef").await.unwrap();
        let mut buffer = [1; 8];
        chunks.read_chunk(7, 1, 99, &mut buffer).await.unwrap();
        assert_eq!(&buffer, b"\0abcdef\0");
        chunks.read_chunk(7, 0, 0, &mut buffer).await.unwrap();
        assert_eq!(buffer, [0; 8]);

        chunks.truncate(7, CHUNK_BYTES + 103, 2 * CHUNK_BYTES).await.unwrap();
        chunks.read_chunk(7, 1, 99, &mut buffer).await.unwrap();
        assert_eq!(&buffer, b"\0abc\0\0\0\0");
        chunks.truncate(7, CHUNK_BYTES, CHUNK_BYTES + 103).await.unwrap();
        assert!(chunks.indexes(7).unwrap().is_empty());
    }

    #[tokio::test]
    async fn sync_settles_all_dirty_chunks_even_removed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let chunks = Chunks::open(folder.path()).unwrap();
        chunks.write_chunk(7, 0, 0, b"a").await.unwrap();
        chunks.write_chunk(7, 3, 0, b"b").await.unwrap();
        chunks.truncate(7, 10, 4 * CHUNK_BYTES).await.unwrap();
        chunks.sync(7).await.unwrap();
        assert!(chunks.dirty().is_empty());
    }
}
