//! Between demofs's own types and those of the FUSE session.

use std::time::Duration;

use fuse3::raw::prelude::*;
use fuse3::{FileType, SetAttr, Timestamp};
use nix::sys::statvfs::Statvfs;

use crate::meta::{Entry, Inode, now_ns};

const BLOCK_BYTES: u32 = 4096;
const NS: i64 = 1_000_000_000;

pub fn entry(inode: &Inode, ttl: Duration) -> ReplyEntry {
    ReplyEntry { ttl, attr: file_attr(inode), generation: 0 }
}

pub fn attr(inode: &Inode, ttl: Duration) -> ReplyAttr {
    ReplyAttr { ttl, attr: file_attr(inode) }
}

pub fn file_attr(inode: &Inode) -> FileAttr {
    FileAttr {
        ino: inode.ino,
        size: inode.size,
        blocks: inode.size.div_ceil(512),
        atime: timestamp(inode.atime_ns),
        mtime: timestamp(inode.mtime_ns),
        ctime: timestamp(inode.ctime_ns),
        kind: file_type(inode.kind()),
        perm: (inode.mode & 0o7777) as u16,
        nlink: inode.nlink,
        uid: inode.uid,
        gid: inode.gid,
        rdev: inode.rdev,
        blksize: BLOCK_BYTES,
    }
}

pub fn directory_entry(entry: Entry, next: i64) -> DirectoryEntry {
    DirectoryEntry { inode: entry.ino, kind: file_type(entry.kind), name: entry.name, offset: next }
}

pub fn directory_entry_plus(entry: Entry, next: i64, inode: &Inode, ttl: Duration) -> DirectoryEntryPlus {
    DirectoryEntryPlus {
        inode: entry.ino,
        generation: 0,
        kind: file_type(entry.kind),
        name: entry.name,
        offset: next,
        attr: file_attr(inode),
        entry_ttl: ttl,
        attr_ttl: ttl,
    }
}

pub fn statfs(below: &Statvfs) -> ReplyStatFs {
    ReplyStatFs {
        blocks: below.blocks(),
        bfree: below.blocks_free(),
        bavail: below.blocks_available(),
        files: below.files(),
        ffree: below.files_free(),
        bsize: below.block_size() as u32,
        namelen: below.name_max() as u32,
        frsize: below.fragment_size() as u32,
    }
}

/// An inode to be created for the one who asks.
pub fn new_inode(request: &Request, mode: u32) -> Inode {
    Inode { mode, uid: request.uid, gid: request.gid, ..Inode::default() }
}

/// Changes everything that `set` names but the size.
pub fn apply(set: &SetAttr, inode: &mut Inode) {
    if let Some(mode) = set.mode {
        inode.mode = inode.kind() | (mode & 0o7777);
    }
    inode.uid = set.uid.unwrap_or(inode.uid);
    inode.gid = set.gid.unwrap_or(inode.gid);
    inode.atime_ns = set.atime.map_or(inode.atime_ns, nanoseconds);
    inode.mtime_ns = set.mtime.map_or(inode.mtime_ns, nanoseconds);
    inode.ctime_ns = set.ctime.map_or_else(now_ns, nanoseconds);
}

fn timestamp(ns: i64) -> Timestamp {
    Timestamp::new(ns.div_euclid(NS), ns.rem_euclid(NS) as u32)
}

fn nanoseconds(timestamp: Timestamp) -> i64 {
    timestamp.sec.saturating_mul(NS).saturating_add(timestamp.nsec.into())
}

fn file_type(kind: u32) -> FileType {
    match kind {
        libc::S_IFDIR => FileType::Directory,
        libc::S_IFLNK => FileType::Symlink,
        libc::S_IFIFO => FileType::NamedPipe,
        libc::S_IFSOCK => FileType::Socket,
        libc::S_IFCHR => FileType::CharDevice,
        libc::S_IFBLK => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_both_ways_even_before_1970() {
        for ns in [0, 1, -1, -1_500_000_000, 1_700_000_000_123_456_789] {
            assert_eq!(nanoseconds(timestamp(ns)), ns);
        }
    }

    #[test]
    fn chmod_changes_permissions_only() {
        let mut inode = Inode { mode: libc::S_IFREG | 0o644, uid: 3, size: 9, ..Inode::default() };
        apply(&SetAttr { mode: Some(libc::S_IFDIR | 0o700), ..SetAttr::default() }, &mut inode);
        assert_eq!((inode.mode, inode.uid, inode.size), (libc::S_IFREG | 0o700, 3, 9));
        assert!(inode.ctime_ns > 0);
    }
}
