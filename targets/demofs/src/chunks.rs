//! File data in chunk files of a fixed size: `<state>/chunks/<inode>/<index>`.
//!
//! A chunk that was never written has no file, and a chunk file may be shorter than a chunk:
//! what is missing reads as zeros, so holes cost nothing. Reads and writes go to the page
//! cache on the worker thread that wants them (a hop to another thread costs more than the
//! call); only [`Chunks::sync`] waits for the disk, on a thread of its own.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::instrument;

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
    /// Chunks written since they were last synced, by inode.
    dirty: Mutex<HashMap<u64, BTreeSet<u64>>>,
}

impl Chunks {
    /// Uses the folder, and makes it if need be.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.into(), dirty: Mutex::default() })
    }

    /// Where the chunks are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one piece; `data` is the piece's own bytes.
    #[instrument(level = "trace", skip(self, data), fields(len = data.len()))]
    pub async fn write_chunk(&self, ino: u64, index: u64, offset: u64, data: &[u8]) -> io::Result<()> {
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

    /// Drops everything from `size` on.
    #[instrument(level = "trace", skip(self))]
    pub async fn truncate(&self, ino: u64, size: u64) -> io::Result<()> {
        let (last, kept) = (size / CHUNK_BYTES, size % CHUNK_BYTES);
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
        Ok(())
    }

    /// Drops all data of an inode.
    #[instrument(level = "trace", skip(self))]
    pub async fn remove(&self, ino: u64) -> io::Result<()> {
        self.dirty().remove(&ino);
        match fs::remove_dir_all(self.path_of(ino)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns when everything written to an inode so far is on stable storage.
    #[instrument(level = "trace", skip(self))]
    pub async fn sync(&self, ino: u64) -> io::Result<()> {
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

        chunks.truncate(7, CHUNK_BYTES + 103).await.unwrap();
        chunks.read_chunk(7, 1, 99, &mut buffer).await.unwrap();
        assert_eq!(&buffer, b"\0abc\0\0\0\0");
        chunks.truncate(7, CHUNK_BYTES).await.unwrap();
        assert!(chunks.indexes(7).unwrap().is_empty());
    }

    #[tokio::test]
    async fn sync_settles_all_dirty_chunks_even_removed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let chunks = Chunks::open(folder.path()).unwrap();
        chunks.write_chunk(7, 0, 0, b"a").await.unwrap();
        chunks.write_chunk(7, 3, 0, b"b").await.unwrap();
        chunks.truncate(7, 10).await.unwrap();
        chunks.sync(7).await.unwrap();
        assert!(chunks.dirty().is_empty());
    }
}
