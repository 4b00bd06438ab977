//! What names mean, over every metadata store.

mod common;

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use common::Home;
use demofs::meta::{Inode, ROOT};
use demofs::tree::Tree;

on_every_store!(
    directories_count_their_links,
    a_name_is_given_once,
    only_empty_directories_go,
    links_share_one_inode,
    rename_replaces_what_may_be_replaced,
    rename_moves_directories,
    numbers_are_not_given_twice,
);

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

fn of_kind(kind: u32) -> Inode {
    Inode { mode: kind | 0o755, ..Inode::default() }
}

async fn tree(home: &Home) -> Tree {
    Tree::open(home.open().await).await.unwrap()
}

async fn file(tree: &Tree, parent: u64, text: &str) -> u64 {
    tree.create(parent, name(text), of_kind(libc::S_IFREG)).await.unwrap().ino
}

async fn dir(tree: &Tree, parent: u64, text: &str) -> u64 {
    tree.create(parent, name(text), of_kind(libc::S_IFDIR)).await.unwrap().ino
}

async fn nlink(tree: &Tree, ino: u64) -> u32 {
    tree.stat(ino).await.unwrap().nlink
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: io::Result<T>, number: i32) {
    assert_eq!(result.unwrap_err().raw_os_error(), Some(number));
}

async fn directories_count_their_links(home: &Home) {
    let tree = tree(home).await;
    assert_eq!(nlink(&tree, ROOT).await, 2);
    let below = dir(&tree, ROOT, "d").await;
    file(&tree, below, "f").await;
    assert_eq!((nlink(&tree, ROOT).await, nlink(&tree, below).await), (3, 2));
    tree.unlink(below, name("f")).await.unwrap();
    tree.rmdir(ROOT, name("d")).await.unwrap();
    assert_eq!(nlink(&tree, ROOT).await, 2);
    refused(tree.stat(below).await, libc::ESTALE);
}

async fn a_name_is_given_once(home: &Home) {
    let tree = tree(home).await;
    let ino = file(&tree, ROOT, "f").await;
    refused(tree.create(ROOT, name("f"), of_kind(libc::S_IFDIR)).await, libc::EEXIST);
    refused(tree.link(ino, ROOT, name("f")).await, libc::EEXIST);
    let long = "n".repeat(256);
    refused(tree.create(ROOT, name(&long), of_kind(libc::S_IFREG)).await, libc::ENAMETOOLONG);
    refused(tree.rename((ROOT, name("f")), (ROOT, name(&long)), true).await, libc::ENAMETOOLONG);
    refused(tree.lookup(ROOT, name(&long)).await, libc::ENAMETOOLONG);
}

async fn only_empty_directories_go(home: &Home) {
    let tree = tree(home).await;
    let below = dir(&tree, ROOT, "d").await;
    file(&tree, below, "f").await;
    refused(tree.rmdir(ROOT, name("d")).await, libc::ENOTEMPTY);
    refused(tree.rmdir(below, name("f")).await, libc::ENOTDIR);
    refused(tree.unlink(ROOT, name("d")).await, libc::EISDIR);
    refused(tree.rmdir(ROOT, name("none")).await, libc::ENOENT);
}

async fn links_share_one_inode(home: &Home) {
    let tree = tree(home).await;
    let ino = file(&tree, ROOT, "a").await;
    assert_eq!(tree.link(ino, ROOT, name("b")).await.unwrap().nlink, 2);
    assert_eq!(tree.unlink(ROOT, name("a")).await.unwrap().nlink, 1);
    assert_eq!(tree.lookup(ROOT, name("b")).await.unwrap().ino, ino);
    assert_eq!(tree.unlink(ROOT, name("b")).await.unwrap().nlink, 0);
    assert_eq!(tree.orphans().await.unwrap(), [ino]);
    tree.forget(ino).await.unwrap();
    refused(tree.stat(ino).await, libc::ESTALE);
}

async fn rename_replaces_what_may_be_replaced(home: &Home) {
    let tree = tree(home).await;
    let (a, b) = (file(&tree, ROOT, "a").await, file(&tree, ROOT, "b").await);
    let d = dir(&tree, ROOT, "d").await;
    refused(tree.rename((ROOT, name("a")), (ROOT, name("b")), false).await, libc::EEXIST);
    refused(tree.rename((ROOT, name("a")), (ROOT, name("d")), true).await, libc::EISDIR);
    refused(tree.rename((ROOT, name("d")), (ROOT, name("a")), true).await, libc::ENOTDIR);
    let replaced = tree.rename((ROOT, name("a")), (ROOT, name("b")), true).await.unwrap().unwrap();
    assert_eq!((replaced.ino, replaced.nlink), (b, 0));
    assert_eq!(tree.lookup(ROOT, name("b")).await.unwrap().ino, a);
    refused(tree.lookup(ROOT, name("a")).await, libc::ENOENT);

    tree.link(a, ROOT, name("c")).await.unwrap();
    assert_eq!(tree.rename((ROOT, name("b")), (ROOT, name("c")), true).await.unwrap(), None);
    assert_eq!(tree.lookup(ROOT, name("b")).await.unwrap().nlink, 2);

    file(&tree, d, "full").await;
    dir(&tree, ROOT, "e").await;
    refused(tree.rename((ROOT, name("e")), (ROOT, name("d")), true).await, libc::ENOTEMPTY);
}

async fn rename_moves_directories(home: &Home) {
    let tree = tree(home).await;
    let (from, to) = (dir(&tree, ROOT, "from").await, dir(&tree, ROOT, "to").await);
    let moved = dir(&tree, from, "d").await;
    dir(&tree, to, "empty").await;
    tree.rename((from, name("d")), (to, name("empty")), true).await.unwrap();
    assert_eq!((nlink(&tree, from).await, nlink(&tree, to).await), (2, 3));
    assert_eq!(tree.lookup(to, name("empty")).await.unwrap().parent, to);
    assert_eq!(tree.lookup(to, name("empty")).await.unwrap().ino, moved);
    tree.rename((to, name("empty")), (to, name("other")), true).await.unwrap();
    assert_eq!(nlink(&tree, to).await, 3);
    assert_eq!(tree.list(to).await.unwrap().len(), 1);
}

async fn numbers_are_not_given_twice(home: &Home) {
    let first = tree(home).await;
    let before = file(&first, ROOT, "a").await;
    drop(first);
    if home.lasts() {
        let again = Arc::new(tree(home).await);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let tree = Arc::clone(&again);
            tasks.spawn(async move { file(&tree, ROOT, &format!("f{number}")).await });
        }
        let mut given = tasks.join_all().await;
        given.push(before);
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 21);
        assert_eq!(again.list(ROOT).await.unwrap().len(), 21);
    }
}
