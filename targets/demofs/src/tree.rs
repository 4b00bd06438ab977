//! The tree of names: what create, link, unlink and rename mean, for every metadata store.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;
use tracing::instrument;

use crate::errno;
use crate::locks::InodeLocks;
use crate::meta::{Change, Entry, Inode, ROOT, Store, now_ns};

const NAME_MAX: usize = 255;

/// Names and inodes over one store.
///
/// Changes to names run one at a time; changes to an inode's attributes only wait for
/// others to the same inode. Reads take no lock: a batch is seen whole or not at all.
pub struct Tree {
    store: Arc<dyn Store>,
    names: Mutex<()>,
    inodes: InodeLocks,
    next_ino: AtomicU64,
}

impl Tree {
    /// Takes over a store; an empty one gets its root directory, owned by the caller.
    pub async fn open(store: Arc<dyn Store>) -> io::Result<Self> {
        let last = store.last_ino().await?;
        if last < ROOT {
            let now = now_ns();
            let root = Inode {
                ino: ROOT,
                mode: libc::S_IFDIR | 0o755,
                nlink: 2,
                uid: nix::unistd::geteuid().as_raw(),
                gid: nix::unistd::getegid().as_raw(),
                atime_ns: now,
                mtime_ns: now,
                ctime_ns: now,
                parent: ROOT,
                ..Inode::default()
            };
            store.commit(vec![Change::PutInode(root)]).await?;
        }
        let next_ino = AtomicU64::new(last.max(ROOT) + 1);
        Ok(Self { store, names: Mutex::default(), inodes: InodeLocks::default(), next_ino })
    }

    /// The inode with this number. ESTALE if there is none (any more).
    pub async fn stat(&self, ino: u64) -> io::Result<Inode> {
        self.store.stat(ino).await?.ok_or_else(|| errno(libc::ESTALE))
    }

    /// The inode that a name stands for. ENAMETOOLONG if it cannot stand for any.
    pub async fn lookup(&self, parent: u64, name: &OsStr) -> io::Result<Inode> {
        must_fit(name)?;
        let ino = self.store.find(parent, name).await?;
        self.stat(ino.ok_or_else(|| errno(libc::ENOENT))?).await
    }

    /// All names in a directory.
    pub async fn list(&self, parent: u64) -> io::Result<Vec<Entry>> {
        self.store.list(parent).await
    }

    /// Changes an inode's attributes and returns what they are now.
    #[instrument(level = "trace", skip(self, change))]
    pub async fn update(&self, ino: u64, change: impl FnOnce(&mut Inode) + Send) -> io::Result<Inode> {
        let _held = self.inodes.lock(&[ino]).await;
        let mut inode = self.stat(ino).await?;
        change(&mut inode);
        self.store.commit(vec![Change::PutInode(inode.clone())]).await?;
        Ok(inode)
    }

    /// Gives a new inode a name. `new` says what it is; number, links and times are set here.
    #[instrument(level = "trace", skip(self, new))]
    pub async fn create(&self, parent: u64, name: &OsStr, mut new: Inode) -> io::Result<Inode> {
        let _names = self.names.lock().await;
        let _held = self.inodes.lock(&[parent]).await;
        self.must_be_free(parent, name).await?;
        let mut directory = self.stat(parent).await?;
        let now = now_ns();
        new.ino = self.next_ino.fetch_add(1, Ordering::Relaxed);
        (new.atime_ns, new.mtime_ns, new.ctime_ns) = (now, now, now);
        new.nlink = 1;
        if directory.mode & libc::S_ISGID != 0 {
            new.gid = directory.gid;
        }
        if new.is_dir() {
            new.nlink = 2;
            new.parent = parent;
            new.mode |= directory.mode & libc::S_ISGID;
            directory.nlink += 1;
        }
        touch(&mut directory, now);
        let entry = entry(name, &new);
        self.store
            .commit(vec![
                Change::PutInode(new.clone()),
                Change::PutEntry { parent, entry },
                Change::PutInode(directory),
            ])
            .await?;
        Ok(new)
    }

    /// Gives an inode one more name.
    #[instrument(level = "trace", skip(self))]
    pub async fn link(&self, ino: u64, parent: u64, name: &OsStr) -> io::Result<Inode> {
        let _names = self.names.lock().await;
        let _held = self.inodes.lock(&[ino, parent]).await;
        self.must_be_free(parent, name).await?;
        let (mut inode, mut directory) = (self.stat(ino).await?, self.stat(parent).await?);
        if inode.is_dir() {
            return Err(errno(libc::EPERM));
        }
        let now = now_ns();
        inode.nlink += 1;
        inode.ctime_ns = now;
        touch(&mut directory, now);
        let entry = entry(name, &inode);
        self.store
            .commit(vec![
                Change::PutInode(inode.clone()),
                Change::PutEntry { parent, entry },
                Change::PutInode(directory),
            ])
            .await?;
        Ok(inode)
    }

    /// Takes a name away from a file and returns its inode as it is now. With its last name
    /// gone it stays in the store, for those who have it open, until [`Tree::forget`].
    #[instrument(level = "trace", skip(self))]
    pub async fn unlink(&self, parent: u64, name: &OsStr) -> io::Result<Inode> {
        let _names = self.names.lock().await;
        let ino = self.lookup(parent, name).await?.ino;
        let _held = self.inodes.lock(&[ino, parent]).await;
        let (mut inode, mut directory) = (self.stat(ino).await?, self.stat(parent).await?);
        if inode.is_dir() {
            return Err(errno(libc::EISDIR));
        }
        let now = now_ns();
        inode.nlink -= 1;
        inode.ctime_ns = now;
        touch(&mut directory, now);
        self.store
            .commit(vec![
                Change::PutInode(inode.clone()),
                Change::DropEntry { parent, name: name.into() },
                Change::PutInode(directory),
            ])
            .await?;
        Ok(inode)
    }

    /// Removes an empty directory.
    #[instrument(level = "trace", skip(self))]
    pub async fn rmdir(&self, parent: u64, name: &OsStr) -> io::Result<()> {
        let _names = self.names.lock().await;
        let inode = self.lookup(parent, name).await?;
        let _held = self.inodes.lock(&[inode.ino, parent]).await;
        self.must_be_empty_dir(&inode).await?;
        let mut directory = self.stat(parent).await?;
        directory.nlink -= 1;
        touch(&mut directory, now_ns());
        self.store
            .commit(vec![
                Change::DropInode(inode.ino),
                Change::DropEntry { parent, name: name.into() },
                Change::PutInode(directory),
            ])
            .await
    }

    /// Moves a name and returns the file it replaced, as it is now. Inside one mount the
    /// kernel keeps a directory from being moved below itself.
    #[instrument(level = "trace", skip(self))]
    pub async fn rename(
        &self,
        from: (u64, &OsStr),
        to: (u64, &OsStr),
        may_replace: bool,
    ) -> io::Result<Option<Inode>> {
        let _names = self.names.lock().await;
        let ino = self.lookup(from.0, from.1).await?.ino;
        must_fit(to.1)?;
        let there = self.store.find(to.0, to.1).await?;
        match there {
            Some(_) if !may_replace => return Err(errno(libc::EEXIST)),
            Some(same) if same == ino => return Ok(None),
            _ => {}
        }
        let _held = self.inodes.lock(&[ino, from.0, to.0, there.unwrap_or(ino)]).await;
        let now = now_ns();
        let mut inode = self.stat(ino).await?;
        let mut source = self.stat(from.0).await?;
        source.nlink -= u32::from(inode.is_dir());
        touch(&mut source, now);
        let mut goal = if from.0 == to.0 { source.clone() } else { self.stat(to.0).await? };
        goal.nlink += u32::from(inode.is_dir());
        touch(&mut goal, now);

        let mut changes = Vec::new();
        let mut replaced = None;
        if let Some(there) = there {
            let mut old = self.stat(there).await?;
            if inode.is_dir() {
                self.must_be_empty_dir(&old).await?;
                goal.nlink -= 1;
                changes.push(Change::DropInode(there));
            } else if old.is_dir() {
                return Err(errno(libc::EISDIR));
            } else {
                old.nlink -= 1;
                old.ctime_ns = now;
                changes.push(Change::PutInode(old.clone()));
                replaced = Some(old);
            }
        }
        inode.ctime_ns = now;
        inode.parent = if inode.is_dir() { to.0 } else { 0 };
        changes.extend([
            Change::DropEntry { parent: from.0, name: from.1.into() },
            Change::PutEntry { parent: to.0, entry: entry(to.1, &inode) },
            Change::PutInode(inode),
            Change::PutInode(goal),
        ]);
        // A store may refuse a batch that changes one thing twice.
        if from.0 != to.0 {
            changes.push(Change::PutInode(source));
        }
        self.store.commit(changes).await?;
        Ok(replaced)
    }

    /// Drops an inode that has no name.
    pub async fn forget(&self, ino: u64) -> io::Result<()> {
        self.store.commit(vec![Change::DropInode(ino)]).await
    }

    /// Inodes without a name, left by a crash.
    pub async fn orphans(&self) -> io::Result<Vec<u64>> {
        self.store.orphans().await
    }

    /// Makes all changes so far durable.
    pub async fn sync(&self) -> io::Result<()> {
        self.store.sync().await
    }

    async fn must_be_free(&self, parent: u64, name: &OsStr) -> io::Result<()> {
        must_fit(name)?;
        match self.store.find(parent, name).await? {
            Some(_) => Err(errno(libc::EEXIST)),
            None => Ok(()),
        }
    }

    async fn must_be_empty_dir(&self, inode: &Inode) -> io::Result<()> {
        if !inode.is_dir() {
            return Err(errno(libc::ENOTDIR));
        }
        match self.store.is_empty(inode.ino).await? {
            true => Ok(()),
            false => Err(errno(libc::ENOTEMPTY)),
        }
    }
}

fn must_fit(name: &OsStr) -> io::Result<()> {
    match name.len() > NAME_MAX {
        true => Err(errno(libc::ENAMETOOLONG)),
        false => Ok(()),
    }
}

fn touch(inode: &mut Inode, now: i64) {
    (inode.mtime_ns, inode.ctime_ns) = (now, now);
}

fn entry(name: &OsStr, inode: &Inode) -> Entry {
    Entry { name: name.into(), ino: inode.ino, kind: inode.kind() }
}
