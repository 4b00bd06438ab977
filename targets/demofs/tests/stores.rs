//! What every metadata store promises.

mod common;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use common::Home;
use demofs::meta::{Change, Entry, Inode};

on_every_store!(
    an_empty_store_has_nothing,
    an_inode_comes_back_as_it_was_put,
    entries_of_a_directory_are_its_own,
    any_name_that_linux_allows_is_a_name,
    a_batch_does_all_its_changes,
    inodes_without_links_are_orphans_until_dropped,
    what_was_committed_is_there_after_reopening,
);

fn inode(ino: u64) -> Inode {
    Inode {
        ino,
        mode: libc::S_IFLNK | 0o4755,
        nlink: 3,
        uid: 1000,
        gid: u32::MAX - 1,
        rdev: 5,
        size: 1 << 40,
        atime_ns: -1,
        mtime_ns: 1_700_000_000_123_456_789,
        ctime_ns: 0,
        parent: 1,
        target: OsStr::from_bytes(b"../\xff\xfe").into(),
    }
}

fn link(parent: u64, name: impl Into<OsString>, ino: u64) -> Change {
    Change::PutEntry { parent, entry: Entry { name: name.into(), ino, kind: libc::S_IFREG } }
}

async fn an_empty_store_has_nothing(home: &Home) {
    let store = home.open().await;
    assert_eq!(store.stat(1).await.unwrap(), None);
    assert_eq!(store.find(1, OsStr::new("a")).await.unwrap(), None);
    assert!(store.list(1).await.unwrap().is_empty());
    assert!(store.is_empty(1).await.unwrap());
    assert_eq!(store.last_ino().await.unwrap(), 0);
    assert!(store.orphans().await.unwrap().is_empty());
}

async fn an_inode_comes_back_as_it_was_put(home: &Home) {
    let store = home.open().await;
    store.commit(vec![Change::PutInode(inode(7))]).await.unwrap();
    assert_eq!(store.stat(7).await.unwrap(), Some(inode(7)));
    let smaller = Inode { size: 2, ..inode(7) };
    store.commit(vec![Change::PutInode(smaller.clone())]).await.unwrap();
    assert_eq!(store.stat(7).await.unwrap(), Some(smaller));
    assert_eq!(store.last_ino().await.unwrap(), 7);
}

async fn entries_of_a_directory_are_its_own(home: &Home) {
    let store = home.open().await;
    store.commit(vec![link(2, "b", 8), link(2, "a", 7), link(3, "c", 9), link(1, "z", 2)]).await.unwrap();
    let names: Vec<_> =
        store.list(2).await.unwrap().into_iter().map(|entry| (entry.name, entry.ino)).collect();
    assert_eq!(names, [("a".into(), 7), ("b".into(), 8)]);
    assert_eq!(store.find(2, OsStr::new("b")).await.unwrap(), Some(8));
    assert_eq!(store.find(2, OsStr::new("c")).await.unwrap(), None);
    assert!(!store.is_empty(3).await.unwrap());
    assert!(store.is_empty(4).await.unwrap());
}

async fn any_name_that_linux_allows_is_a_name(home: &Home) {
    let store = home.open().await;
    let names: [&[u8]; 5] = [b"with space", b"\x01\xff", b"%_'\"", "\u{e4}".as_bytes(), &[b'n'; 255]];
    for (ino, name) in (10..).zip(names) {
        store.commit(vec![link(1, OsStr::from_bytes(name), ino)]).await.unwrap();
        assert_eq!(store.find(1, OsStr::from_bytes(name)).await.unwrap(), Some(ino));
    }
    assert_eq!(store.list(1).await.unwrap().len(), names.len());
}

async fn a_batch_does_all_its_changes(home: &Home) {
    let store = home.open().await;
    store.commit(vec![Change::PutInode(inode(7)), link(1, "old", 7)]).await.unwrap();
    let moved = vec![
        Change::DropEntry { parent: 1, name: "old".into() },
        link(1, "new", 7),
        Change::PutInode(Inode { nlink: 9, ..inode(7) }),
    ];
    store.commit(moved).await.unwrap();
    assert_eq!(store.find(1, OsStr::new("old")).await.unwrap(), None);
    assert_eq!(store.find(1, OsStr::new("new")).await.unwrap(), Some(7));
    assert_eq!(store.stat(7).await.unwrap().unwrap().nlink, 9);
}

async fn inodes_without_links_are_orphans_until_dropped(home: &Home) {
    let store = home.open().await;
    let orphan = Inode { nlink: 0, ..inode(8) };
    store.commit(vec![Change::PutInode(inode(7)), Change::PutInode(orphan)]).await.unwrap();
    assert_eq!(store.orphans().await.unwrap(), [8]);
    store.commit(vec![Change::DropInode(8)]).await.unwrap();
    assert!(store.orphans().await.unwrap().is_empty());
    assert_eq!(store.stat(8).await.unwrap(), None);
}

async fn what_was_committed_is_there_after_reopening(home: &Home) {
    let store = home.open().await;
    store.commit(vec![Change::PutInode(inode(7)), link(1, "a", 7)]).await.unwrap();
    store.sync().await.unwrap();
    drop(store);
    let store = home.open().await;
    let expected = home.lasts().then(|| inode(7));
    assert_eq!(store.stat(7).await.unwrap(), expected);
    assert_eq!(store.find(1, OsStr::new("a")).await.unwrap(), expected.map(|inode| inode.ino));
}
