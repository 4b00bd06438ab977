//! What happens to file data, without FUSE and with planted faults.

mod common;

use std::ffi::OsStr;
use std::sync::Arc;

use common::Home;
use demofs::chunks::{CHUNK_BYTES, Chunks};
use demofs::file::Files;
use demofs::inject::{Faults, Plan, parse_setting};
use demofs::meta::{Inode, ROOT};
use demofs::tree::Tree;

struct Mounted {
    tree: Arc<Tree>,
    files: Files,
    ino: u64,
    home: Home,
}

/// A filesystem with one open file in it.
async fn mounted(faults: &[&str]) -> Mounted {
    let home = Home::sqlite().unwrap();
    let tree = Arc::new(Tree::open(home.open().await).await.unwrap());
    let settings: Vec<_> = faults.iter().map(|text| parse_setting(text).ok().unwrap()).collect();
    let chunks = Chunks::open(&home.folder().join("chunks")).unwrap();
    let files = Files::new(Arc::clone(&tree), chunks, Faults::new(Plan::new(&settings)));
    let new = Inode { mode: libc::S_IFREG | 0o644, ..Inode::default() };
    let ino = tree.create(ROOT, OsStr::new("f"), new).await.unwrap().ino;
    files.open(ino, false).await.unwrap();
    Mounted { tree, files, ino, home }
}

impl Mounted {
    async fn size(&self) -> u64 {
        self.files.stat(self.ino).await.unwrap().size
    }

    async fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        self.files.read_at(self.ino, offset, len).await.unwrap()
    }
}

#[tokio::test]
async fn data_comes_back_across_chunk_borders() {
    let it = mounted(&[]).await;
    let data: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
    let offset = CHUNK_BYTES - 300_000;
    it.files.write_at(it.ino, offset, &data).await.unwrap();
    assert_eq!(it.size().await, offset + 1_000_000);
    assert!(it.read(offset, 1_000_000).await == data);
    assert_eq!(it.read(offset - 3, 5).await, [0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn reads_end_at_the_end_of_the_file() {
    let it = mounted(&[]).await;
    it.files.write_at(it.ino, 0, b"abc").await.unwrap();
    assert_eq!(it.read(1, 100).await, b"bc");
    assert_eq!(it.read(3, 100).await, b"");
    assert_eq!(it.read(1 << 40, 100).await, b"");
}

#[tokio::test]
async fn what_was_cut_off_does_not_come_back() {
    let it = mounted(&[]).await;
    it.files.write_at(it.ino, 0, b"secret").await.unwrap();
    it.files.truncate(it.ino, 2).await.unwrap();
    it.files.truncate(it.ino, 6).await.unwrap();
    assert_eq!(it.read(0, 10).await, b"se\0\0\0\0");
}

#[tokio::test]
async fn an_overwrite_moves_the_time_but_not_the_size() {
    let it = mounted(&[]).await;
    it.files.write_at(it.ino, 0, b"abcdef").await.unwrap();
    let before = it.files.stat(it.ino).await.unwrap();
    it.files.write_at(it.ino, 2, b"xy").await.unwrap();
    let after = it.files.stat(it.ino).await.unwrap();
    assert_eq!(after.size, 6);
    assert!(after.mtime_ns > before.mtime_ns);
    assert_eq!(it.tree.stat(it.ino).await.unwrap().mtime_ns, before.mtime_ns, "noted, not yet stored");
    it.files.flush(it.ino).await.unwrap();
    assert_eq!(it.tree.stat(it.ino).await.unwrap().mtime_ns, after.mtime_ns);
}

#[tokio::test]
async fn a_file_without_a_name_lives_until_it_is_closed() {
    let it = mounted(&[]).await;
    it.files.write_at(it.ino, 0, b"still here").await.unwrap();
    let gone = it.tree.unlink(ROOT, OsStr::new("f")).await.unwrap();
    it.files.unlinked(&gone).await.unwrap();
    assert_eq!(it.read(0, 10).await, b"still here");
    let folder = it.home.folder().join(format!("chunks/{}", it.ino));
    assert!(folder.exists());
    it.files.release(it.ino).await.unwrap();
    assert!(it.files.stat(it.ino).await.is_err());
    assert!(!folder.exists());
}

#[tokio::test]
async fn what_a_crash_left_without_a_name_is_purged() {
    let it = mounted(&[]).await;
    it.files.write_at(it.ino, 0, b"orphan").await.unwrap();
    it.tree.unlink(ROOT, OsStr::new("f")).await.unwrap();
    it.files.purge_orphans().await.unwrap();
    assert!(it.tree.orphans().await.unwrap().is_empty());
    assert!(!it.home.folder().join(format!("chunks/{}", it.ino)).exists());
}

#[tokio::test]
async fn concurrent_writes_leave_the_largest_size() {
    let it = mounted(&[]).await;
    let writes = (0..32_u64).rev().map(|part| it.files.write_at(it.ino, part * 1000, &[1; 1000]));
    for result in futures_util::future::join_all(writes).await {
        result.unwrap();
    }
    assert_eq!(it.size().await, 32_000);
    assert!(it.read(0, 32_000).await.iter().all(|byte| *byte == 1));
}

#[tokio::test]
async fn planted_failures_begin_after_the_given_number_of_writes() {
    let it = mounted(&["fail-after=2"]).await;
    for _ in 0..2 {
        it.files.write_at(it.ino, 0, b"fine").await.unwrap();
    }
    let failed = it.files.write_at(it.ino, 4, b"lost").await.unwrap_err();
    assert_eq!(failed.raw_os_error(), Some(libc::EIO));
    assert_eq!(it.size().await, 4);
}

#[tokio::test]
async fn every_nth_read_is_corrupted() {
    let it = mounted(&["corrupt=2"]).await;
    it.files.write_at(it.ino, 0, b"abc").await.unwrap();
    assert_eq!(it.read(0, 3).await, b"abc");
    assert_ne!(it.read(0, 3).await, b"abc");
    assert_eq!(it.read(0, 3).await, b"abc");
}

#[tokio::test]
async fn planted_times_are_kept() {
    let it = mounted(&["extend-wait=4ms", "block=3ms", "lock=2ms", "copy-cpu=1ms", "checksum-cpu=1ms"]).await;
    let started = std::time::Instant::now();
    it.files.write_at(it.ino, 0, b"slow").await.unwrap();
    assert!(started.elapsed() >= std::time::Duration::from_millis(11));
}
