//! Inodes and entries as JSON, for stores that keep bytes under keys.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Entry, Inode};

/// An entry without its name, which is in its key.
pub fn of_entry(entry: &Entry) -> Vec<u8> {
    json!({"ino": entry.ino, "kind": entry.kind}).to_string().into_bytes()
}

/// The entry of this name.
pub fn read_entry(name: &[u8], bytes: &[u8]) -> io::Result<Entry> {
    let value = parse(bytes)?;
    let name = OsStr::from_bytes(name).to_os_string();
    Ok(Entry { name, ino: number(&value, "ino")?, kind: number(&value, "kind")? as u32 })
}

/// The inode number of an entry.
pub fn read_ino(bytes: &[u8]) -> io::Result<u64> {
    number(&parse(bytes)?, "ino")
}

pub fn of_inode(inode: &Inode) -> Vec<u8> {
    let value = json!({
        "ino": inode.ino, "mode": inode.mode, "nlink": inode.nlink, "uid": inode.uid,
        "gid": inode.gid, "rdev": inode.rdev, "size": inode.size, "atime_ns": inode.atime_ns,
        "mtime_ns": inode.mtime_ns, "ctime_ns": inode.ctime_ns, "parent": inode.parent,
        "target": STANDARD.encode(inode.target.as_bytes()),
    });
    value.to_string().into_bytes()
}

pub fn read_inode(bytes: &[u8]) -> io::Result<Inode> {
    let value = parse(bytes)?;
    let unsigned = |name| number(&value, name);
    let time = |name: &str| value[name].as_i64().ok_or_else(|| missing(name));
    let target = value["target"].as_str().ok_or_else(|| missing("target"))?;
    Ok(Inode {
        ino: unsigned("ino")?,
        mode: unsigned("mode")? as u32,
        nlink: unsigned("nlink")? as u32,
        uid: unsigned("uid")? as u32,
        gid: unsigned("gid")? as u32,
        rdev: unsigned("rdev")? as u32,
        size: unsigned("size")?,
        atime_ns: time("atime_ns")?,
        mtime_ns: time("mtime_ns")?,
        ctime_ns: time("ctime_ns")?,
        parent: unsigned("parent")?,
        target: OsString::from_vec(STANDARD.decode(target).map_err(io::Error::other)?),
    })
}

fn parse(bytes: &[u8]) -> io::Result<Value> {
    serde_json::from_slice(bytes).map_err(io::Error::other)
}

fn number(value: &Value, name: &str) -> io::Result<u64> {
    value[name].as_u64().ok_or_else(|| missing(name))
}

fn missing(name: &str) -> io::Error {
    io::Error::other(format!("the store holds a value without {name}"))
}
