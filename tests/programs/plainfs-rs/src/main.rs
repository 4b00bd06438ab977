//! A filesystem on `fuser` that keeps names and sizes, throws data away, and does on request what others do.
//!
//! Usage: plainfs-rs MOUNTPOINT [--NAME=VALUE ...]
//! Nothing here knows of fuselab. Each cost is one function that nothing inlines:
//!
//!   threads=N   so many threads serve requests, 1 by itself
//!   cpu-us=N    every write uses N us of CPU, by the thread's own clock, in use_cpu
//!   sleep-us=N  every write waits N us in wait_asleep
//!   lock-us=N   every write waits for one lock in wait_for_lock, and keeps it for N us, asleep in keep_lock
//!   later-us=N  every write is handed to one thread for all, which answers it N us later
//!
//! When it ends it says on standard error what its own clocks counted.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use fuser::*;

const TTL: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Planted {
    asleep_ns: AtomicU64,
    lock_ns: AtomicU64,
    cpu_ns: AtomicU64,
    later_ns: AtomicU64,
}

struct Waiting {
    begun: Instant,
    size: u32,
    reply: ReplyWrite,
}

struct PlainFs {
    knobs: HashMap<String, u64>,
    files: Mutex<Vec<(OsString, u64)>>,
    lock: Mutex<()>,
    later: Sender<Waiting>,
    planted: Arc<Planted>,
}

fn took(sum: &AtomicU64, begun: Instant) {
    sum.fetch_add(begun.elapsed().as_nanos() as u64, Relaxed);
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[inline(never)]
fn use_cpu(time: Duration, sum: &AtomicU64) {
    let begun = thread_cpu();
    while thread_cpu() - begun < time {}
    sum.fetch_add((thread_cpu() - begun).as_nanos() as u64, Relaxed);
}

#[inline(never)]
fn wait_asleep(time: Duration, sum: &AtomicU64) {
    let begun = Instant::now();
    thread::sleep(time);
    took(sum, begun);
}

#[inline(never)]
fn wait_for_lock<'a>(lock: &'a Mutex<()>, sum: &AtomicU64) -> MutexGuard<'a, ()> {
    let begun = Instant::now();
    let kept = lock.lock().unwrap();
    took(sum, begun);
    kept
}

#[inline(never)]
fn keep_lock(kept: MutexGuard<()>, time: Duration, sum: &AtomicU64) {
    wait_asleep(time, sum);
    drop(kept);
}

fn answer_later(waiting: Receiver<Waiting>, time: Duration, planted: Arc<Planted>) {
    for each in waiting {
        thread::sleep((each.begun + time).saturating_duration_since(Instant::now()));
        took(&planted.later_ns, each.begun);
        each.reply.written(each.size);
    }
}

impl PlainFs {
    fn knob(&self, name: &str) -> Option<Duration> {
        self.knobs.get(name).map(|us| Duration::from_micros(*us))
    }

    fn attr(&self, ino: u64) -> FileAttr {
        let root = ino == INodeNo::ROOT.0;
        FileAttr {
            ino: INodeNo(ino),
            size: if root { 0 } else { self.files.lock().unwrap()[ino as usize - 2].1 },
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if root { FileType::Directory } else { FileType::RegularFile },
            perm: 0o777,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for PlainFs {
    fn lookup(&self, _req: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.files.lock().unwrap().iter().position(|(known, _)| known == name);
        match found {
            Some(at) => reply.entry(&TTL, &self.attr(at as u64 + 2), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attr(ino.0));
    }

    fn setattr(
        &self, _req: &Request, ino: INodeNo, _mode: Option<u32>, _uid: Option<u32>, _gid: Option<u32>,
        size: Option<u64>, _atime: Option<TimeOrNow>, _mtime: Option<TimeOrNow>,
        _ctime: Option<std::time::SystemTime>, _fh: Option<FileHandle>,
        _crtime: Option<std::time::SystemTime>, _chgtime: Option<std::time::SystemTime>,
        _bkuptime: Option<std::time::SystemTime>, _flags: Option<BsdFileFlags>, reply: ReplyAttr,
    ) {
        if let (Some(size), true) = (size, ino != INodeNo::ROOT) {
            self.files.lock().unwrap()[ino.0 as usize - 2].1 = size;
        }
        reply.attr(&TTL, &self.attr(ino.0));
    }

    fn create(
        &self, _req: &Request, _parent: INodeNo, name: &OsStr, _mode: u32, _umask: u32, _flags: i32,
        reply: ReplyCreate,
    ) {
        let mut files = self.files.lock().unwrap();
        files.push((name.to_owned(), 0));
        let ino = files.len() as u64 + 1;
        drop(files);
        reply.created(&TTL, &self.attr(ino), Generation(0), FileHandle(0), FopenFlags::empty());
    }

    fn write(
        &self, _req: &Request, ino: INodeNo, _fh: FileHandle, offset: u64, data: &[u8], _write: WriteFlags,
        _flags: OpenFlags, _owner: Option<LockOwner>, reply: ReplyWrite,
    ) {
        let size = data.len() as u32;
        {
            let mut files = self.files.lock().unwrap();
            let file = &mut files[ino.0 as usize - 2];
            file.1 = file.1.max(offset + u64::from(size));
        }
        if let Some(time) = self.knob("cpu-us") {
            use_cpu(time, &self.planted.cpu_ns);
        }
        if let Some(time) = self.knob("sleep-us") {
            wait_asleep(time, &self.planted.asleep_ns);
        }
        if let Some(time) = self.knob("lock-us") {
            keep_lock(wait_for_lock(&self.lock, &self.planted.lock_ns), time, &self.planted.asleep_ns);
        }
        if self.knob("later-us").is_some() {
            self.later.send(Waiting { begun: Instant::now(), size, reply }).unwrap();
        } else {
            reply.written(size);
        }
    }

    fn flush(&self, _req: &Request, _ino: INodeNo, _fh: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let knobs: HashMap<String, u64> = words
        .iter()
        .filter_map(|word| word.strip_prefix("--")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect();
    let planted = Arc::new(Planted::default());
    let (later, waiting) = channel();
    let time = Duration::from_micros(knobs.get("later-us").copied().unwrap_or(0));
    let threads = knobs.get("threads").copied().unwrap_or(1);
    let answering = Arc::clone(&planted);
    thread::Builder::new().name("later".into()).spawn(move || answer_later(waiting, time, answering))?;
    let served = Arc::clone(&planted);
    let fs = PlainFs { knobs, files: Mutex::default(), lock: Mutex::default(), later, planted: served };
    let mut config = Config::default();
    config.n_threads = Some(threads as usize);
    config.mount_options = vec![MountOption::Subtype("plainfs-rs".into())];
    mount(fs, &words[0], &config)?;
    let of = |sum: &AtomicU64| sum.load(Relaxed);
    eprintln!(
        "planted: asleep_ns={} lock_ns={} cpu_ns={} later_ns={}",
        of(&planted.asleep_ns), of(&planted.lock_ns), of(&planted.cpu_ns), of(&planted.later_ns)
    );
    Ok(())
}
