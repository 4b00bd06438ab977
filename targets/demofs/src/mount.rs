//! The life of a mount: open the stores, mount, serve, stop.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use fuse3::MountOptions;
use fuse3::raw::{MountHandle, Session};
use nix::mount::{MntFlags, umount2};
use nix::unistd::geteuid;
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};

use crate::bucket::Bucket;
use crate::chunks::Chunks;
use crate::cli;
use crate::file::Files;
use crate::fs::DemoFs;
use crate::inject::Faults;
use crate::meta;
use crate::telemetry;
use crate::tree::Tree;

/// How long files may stay open after a stop was asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Mounts and serves until the filesystem is unmounted or a signal asks to stop, with the
/// profilers on that the environment asks for.
pub fn run(arguments: &cli::Mount) -> anyhow::Result<()> {
    let _profilers = telemetry::init()?;
    // Dropped before the profilers are, so that they see the last task end.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &cli::Mount) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let faults = Faults::new(arguments.plan());
    faults.start();
    if !get_ready(&faults, &mut stop).await {
        return Ok(());
    }
    let state = State::open(arguments.state.as_deref())?;
    let store = meta::open(arguments.meta_backend, &state.folder, &arguments.meta_servers)
        .await
        .with_context(|| format!("cannot open the {:?} metadata store", arguments.meta_backend))?;
    let tree = Arc::new(Tree::open(store).await?);
    let chunks = match &arguments.data_s3 {
        Some(url) => {
            let bucket = Bucket::open(url, &state.folder.join("s3"))
                .with_context(|| format!("cannot use the bucket {url}"))?;
            Chunks::cached(&state.folder.join("cache"), Some(bucket))?
        }
        None => Chunks::open(&state.folder.join("chunks"))?,
    };
    let files = Arc::new(Files::new(Arc::clone(&tree), chunks, Arc::clone(&faults)));
    files.purge_orphans().await?;

    let mut session = mount(DemoFs::new(tree, Arc::clone(&files)), arguments).await?;
    eprintln!("demofs: serving {} from {}", arguments.dir.display(), state.folder.display());
    tokio::select! {
        ended = &mut session => ended?,
        () = stop.asked(), if !faults.plan().ignore_stop => unmount(session, &arguments.dir).await,
    }
    files.shut_down().await?;
    Ok(())
}

async fn mount(filesystem: DemoFs, arguments: &cli::Mount) -> anyhow::Result<MountHandle> {
    let mut options = MountOptions::default();
    options
        .fs_name("demofs")
        .custom_options("subtype=demofs")
        .default_permissions(true)
        // As root nobody has to permit it, and others have the rights that modes give them.
        .allow_other(arguments.allow_other || geteuid().is_root());
    let dir = &arguments.dir;
    ensure!(dir.is_dir(), "{} is not a directory", dir.display());
    // fusermount3 hands over a descriptor that tokio can poll; a plain mount(2), which only
    // root may call, would cost a hop to a blocking thread for every request.
    let session = Session::new(options).mount_with_unprivileged(filesystem, dir).await;
    session.with_context(|| format!("cannot mount on {}", dir.display()))
}

/// Takes the mount away first, so that nothing new comes in, then waits for what is open.
async fn unmount(mut session: MountHandle, dir: &Path) {
    if let Err(error) = detach(dir.to_path_buf()).await {
        eprintln!("demofs: cannot unmount {}: {error}", dir.display());
    }
    if timeout(PATIENCE, &mut session).await.is_err() {
        eprintln!("demofs: files are still open after {PATIENCE:?}: cutting them off");
        // The mount is gone already, so only the end of the session is of interest.
        let _ = session.unmount().await;
    }
}

async fn detach(dir: PathBuf) -> io::Result<()> {
    let path = dir.clone();
    match tokio::task::spawn_blocking(move || umount2(&path, MntFlags::MNT_DETACH)).await? {
        Err(nix::Error::EPERM) => {
            let status = Command::new("fusermount3").args(["-u", "-z"]).arg(&dir).status().await?;
            match status.success() {
                true => Ok(()),
                false => Err(io::Error::other("fusermount3 -u -z failed")),
            }
        }
        result => Ok(result?),
    }
}

/// Waits as long as the plan says. False if there is nothing to mount any more.
async fn get_ready(faults: &Faults, stop: &mut Stop) -> bool {
    let plan = faults.plan();
    let delay = match plan.never_ready {
        true => Duration::MAX,
        false => plan.start_delay.unwrap_or_default(),
    };
    tokio::select! {
        () = sleep(delay) => true,
        () = stop.asked() => false,
    }
}

/// The two signals that ask for an end. Listening replaces whatever the process inherited,
/// a SIGINT ignored by whoever started it in the background included.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

/// The state folder, removed at the end if nobody named one.
struct State {
    folder: PathBuf,
    temporary: bool,
}

impl State {
    fn open(named: Option<&Path>) -> anyhow::Result<Self> {
        let temporary = named.is_none();
        let folder = named.map_or_else(
            || std::env::temp_dir().join(format!("demofs-{}", std::process::id())),
            Path::to_path_buf,
        );
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the state folder {}", folder.display()))?;
        Ok(Self { folder, temporary })
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            eprintln!("demofs: cannot remove {}: {error}", self.folder.display());
        }
    }
}
