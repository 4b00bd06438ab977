//! The FUSE operations: each takes a request apart, asks [`crate::tree`] or [`crate::file`],
//! and puts the reply together. The kernel checks permissions.

use std::ffi::OsStr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fuse3::raw::prelude::*;
use fuse3::{Errno, Inode as Ino, Result, SetAttr};
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use tracing::instrument;

use crate::errno;
use crate::file::Files;
use crate::handles::OpenDirs;
use crate::meta::Inode;
use crate::reply;
use crate::tree::Tree;

/// How long the kernel may believe what it was told. Nobody else changes the files.
const TTL: Duration = Duration::from_secs(1);
const MAX_WRITE: NonZeroU32 = NonZeroU32::new(1 << 20).unwrap();

/// The filesystem as the FUSE session sees it.
pub struct DemoFs {
    tree: Arc<Tree>,
    files: Arc<Files>,
    dirs: OpenDirs,
}

impl DemoFs {
    pub fn new(tree: Arc<Tree>, files: Arc<Files>) -> Self {
        Self { tree, files, dirs: OpenDirs::default() }
    }

    async fn create_node(&self, parent: Ino, name: &OsStr, new: Inode) -> Result<ReplyEntry> {
        let inode = self.tree.create(parent, name, new).await?;
        Ok(reply::entry(&inode, TTL))
    }
}

impl Filesystem for DemoFs {
    async fn init(&self, _: Request) -> Result<ReplyInit> {
        Ok(ReplyInit::new(MAX_WRITE))
    }

    async fn destroy(&self, _: Request) {}

    #[instrument(level = "trace", skip(self, _req))]
    async fn lookup(&self, _req: Request, parent: Ino, name: &OsStr) -> Result<ReplyEntry> {
        let inode = self.tree.lookup(parent, name).await?;
        Ok(reply::entry(&self.files.with_noted_mtime(inode), TTL))
    }

    #[instrument(level = "trace", skip(self, _req, _fh, _flags))]
    async fn getattr(&self, _req: Request, ino: Ino, _fh: Option<u64>, _flags: u32) -> Result<ReplyAttr> {
        Ok(reply::attr(&self.files.stat(ino).await?, TTL))
    }

    #[instrument(level = "trace", skip(self, _req, _fh))]
    async fn setattr(&self, _req: Request, ino: Ino, _fh: Option<u64>, set: SetAttr) -> Result<ReplyAttr> {
        if let Some(size) = set.size {
            self.files.truncate(ino, size).await?;
        }
        self.files.flush(ino).await?;
        let inode = self.tree.update(ino, |inode| reply::apply(&set, inode)).await?;
        Ok(reply::attr(&inode, TTL))
    }

    #[instrument(level = "trace", skip(self, _req))]
    async fn readlink(&self, _req: Request, ino: Ino) -> Result<ReplyData> {
        use std::os::unix::ffi::OsStringExt;
        let target = self.tree.stat(ino).await?.target.into_vec();
        Ok(ReplyData { data: Bytes::from(target) })
    }

    #[instrument(level = "trace", skip(self, req))]
    async fn symlink(&self, req: Request, parent: Ino, name: &OsStr, target: &OsStr) -> Result<ReplyEntry> {
        let mut new = reply::new_inode(&req, libc::S_IFLNK | 0o777);
        (new.size, new.target) = (target.len() as u64, target.into());
        self.create_node(parent, name, new).await
    }

    #[instrument(level = "trace", skip(self, req))]
    async fn mknod(
        &self,
        req: Request,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        rdev: u32,
    ) -> Result<ReplyEntry> {
        let new = Inode { rdev, ..reply::new_inode(&req, mode) };
        self.create_node(parent, name, new).await
    }

    #[instrument(level = "trace", skip(self, req, _umask))]
    async fn mkdir(
        &self,
        req: Request,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        _umask: u32,
    ) -> Result<ReplyEntry> {
        let new = reply::new_inode(&req, libc::S_IFDIR | (mode & 0o7777));
        self.create_node(parent, name, new).await
    }

    #[instrument(level = "trace", skip(self, _req))]
    async fn unlink(&self, _req: Request, parent: Ino, name: &OsStr) -> Result<()> {
        let inode = self.tree.unlink(parent, name).await?;
        Ok(self.files.unlinked(&inode).await?)
    }

    #[instrument(level = "trace", skip(self, _req))]
    async fn rmdir(&self, _req: Request, parent: Ino, name: &OsStr) -> Result<()> {
        Ok(self.tree.rmdir(parent, name).await?)
    }

    async fn rename(&self, req: Request, parent: Ino, name: &OsStr, to: Ino, to_name: &OsStr) -> Result<()> {
        self.rename2(req, parent, name, to, to_name, 0).await
    }

    #[instrument(level = "trace", skip(self, _req))]
    async fn rename2(
        &self,
        _req: Request,
        parent: Ino,
        name: &OsStr,
        to: Ino,
        to_name: &OsStr,
        flags: u32,
    ) -> Result<()> {
        if flags & !libc::RENAME_NOREPLACE != 0 {
            return Err(errno(libc::EINVAL).into());
        }
        let replaced = self.tree.rename((parent, name), (to, to_name), flags == 0).await?;
        match replaced {
            Some(inode) => Ok(self.files.unlinked(&inode).await?),
            None => Ok(()),
        }
    }

    #[instrument(level = "trace", skip(self, _req))]
    async fn link(&self, _req: Request, ino: Ino, parent: Ino, name: &OsStr) -> Result<ReplyEntry> {
        let inode = self.tree.link(ino, parent, name).await?;
        Ok(reply::entry(&self.files.with_noted_mtime(inode), TTL))
    }

    #[instrument(level = "trace", skip(self, req, _flags))]
    async fn create(
        &self,
        req: Request,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        _flags: u32,
    ) -> Result<ReplyCreated> {
        let new = reply::new_inode(&req, libc::S_IFREG | (mode & 0o7777));
        let inode = self.tree.create(parent, name, new).await?;
        self.files.open(inode.ino, false).await?;
        // The reply's flags are FUSE's own (FOPEN_*), not those of open(2): O_EXCL would ask for a passthrough.
        Ok(ReplyCreated { ttl: TTL, attr: reply::file_attr(&inode), generation: 0, fh: inode.ino, flags: 0 })
    }

    #[instrument(level = "trace", skip(self, _req))]
    async fn open(&self, _req: Request, ino: Ino, flags: u32) -> Result<ReplyOpen> {
        self.files.open(ino, flags & libc::O_TRUNC as u32 != 0).await?;
        Ok(ReplyOpen { fh: ino, flags: 0 })
    }

    #[instrument(level = "trace", skip(self, _req, _fh))]
    async fn read(&self, _req: Request, ino: Ino, _fh: u64, offset: u64, size: u32) -> Result<ReplyData> {
        let data = self.files.read_at(ino, offset, size as usize).await?;
        Ok(ReplyData { data: data.into() })
    }

    #[instrument(level = "trace", skip_all, fields(ino, offset, len = data.len()))]
    async fn write(
        &self,
        _req: Request,
        ino: Ino,
        _fh: u64,
        offset: u64,
        data: &[u8],
        _write_flags: u32,
        _flags: u32,
    ) -> Result<ReplyWrite> {
        self.files.write_at(ino, offset, data).await?;
        Ok(ReplyWrite { written: data.len() as u32 })
    }

    #[instrument(level = "trace", skip(self, _req, _fh, _owner))]
    async fn flush(&self, _req: Request, ino: Ino, _fh: u64, _owner: u64) -> Result<()> {
        Ok(self.files.flush(ino).await?)
    }

    #[instrument(level = "trace", skip(self, _req, _fh))]
    async fn fsync(&self, _req: Request, ino: Ino, _fh: u64, _datasync: bool) -> Result<()> {
        Ok(self.files.sync(ino).await?)
    }

    #[instrument(level = "trace", skip_all, fields(ino))]
    async fn release(
        &self,
        _req: Request,
        ino: Ino,
        _fh: u64,
        _flags: u32,
        _owner: u64,
        _flush: bool,
    ) -> Result<()> {
        Ok(self.files.release(ino).await?)
    }

    async fn opendir(&self, _: Request, _ino: Ino, _flags: u32) -> Result<ReplyOpen> {
        Ok(ReplyOpen { fh: self.dirs.open(), flags: 0 })
    }

    #[instrument(level = "trace", skip(self, _req))]
    async fn readdir<'a>(
        &'a self,
        _req: Request,
        parent: Ino,
        fh: u64,
        offset: i64,
    ) -> Result<ReplyDirectory<impl Stream<Item = Result<DirectoryEntry>> + Send + 'a>> {
        let listing = self.dirs.read(&self.tree, parent, fh, offset as usize).await?;
        let entries = listing.map(|(next, entry)| Ok(reply::directory_entry(entry, next)));
        Ok(ReplyDirectory { entries: stream::iter(entries) })
    }

    #[instrument(level = "trace", skip(self, _req, _owner))]
    async fn readdirplus<'a>(
        &'a self,
        _req: Request,
        parent: Ino,
        fh: u64,
        offset: u64,
        _owner: u64,
    ) -> Result<ReplyDirectoryPlus<impl Stream<Item = Result<DirectoryEntryPlus>> + Send + 'a>> {
        let listing = self.dirs.read(&self.tree, parent, fh, offset as usize).await?;
        // One at a time, as the session takes them: it stops when its reply is full.
        let entries = stream::iter(listing).filter_map(move |(next, entry)| async move {
            match self.files.stat(entry.ino).await {
                Ok(inode) => Some(Ok(reply::directory_entry_plus(entry, next, &inode, TTL))),
                Err(gone) if gone.raw_os_error() == Some(libc::ESTALE) => None,
                Err(error) => Some(Err(Errno::from(error))),
            }
        });
        Ok(ReplyDirectoryPlus { entries })
    }

    async fn releasedir(&self, _: Request, _ino: Ino, fh: u64, _flags: u32) -> Result<()> {
        self.dirs.close(fh);
        Ok(())
    }

    #[instrument(level = "trace", skip_all)]
    async fn fsyncdir(&self, _req: Request, _ino: Ino, _fh: u64, _datasync: bool) -> Result<()> {
        Ok(self.tree.sync().await?)
    }

    #[instrument(level = "trace", skip_all)]
    async fn statfs(&self, _req: Request, _ino: Ino) -> Result<ReplyStatFs> {
        let below = nix::sys::statvfs::statvfs(self.files.chunks().folder()).map_err(std::io::Error::from)?;
        Ok(reply::statfs(&below))
    }
}
