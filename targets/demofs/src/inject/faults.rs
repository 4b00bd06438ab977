//! When a planted fault happens.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use super::spread::Spread;
use super::{Plan, planted};
use crate::errno;

/// A plan at work. Its methods are called from the places they are named after and do
/// nothing unless the plan says so.
pub struct Faults {
    plan: Plan,
    copy_cpu: Spread,
    checksum_cpu: Spread,
    writes: AtomicU64,
    reads: AtomicU64,
    lock: Mutex<()>,
    /// Planted tasks end when this is dropped.
    running: watch::Sender<()>,
}

impl Faults {
    pub fn new(plan: Plan) -> Arc<Self> {
        Arc::new(Self {
            plan,
            copy_cpu: Spread::new(1),
            checksum_cpu: Spread::new(2),
            writes: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            lock: Mutex::default(),
            running: watch::Sender::new(()),
        })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Plants what is there from the start. To be called inside the runtime.
    pub fn start(&self) {
        if let Some(bytes) = self.plan.heap_bytes {
            planted::plant_heap(bytes);
        }
        for _ in 0..self.plan.tasks.unwrap_or(0) {
            spawn("planted_task", planted::planted_task(self.running.subscribe()));
        }
        if let Some(times) = self.plan.self_wakes {
            spawn("wake_itself", planted::wake_itself(times));
        }
        if let Some(bytes_per_s) = self.plan.log_bytes_per_s {
            std::thread::spawn(move || planted::spam_log(bytes_per_s));
        }
    }

    /// At the start of a write, which may be the one that fails.
    pub fn count_write(&self) -> io::Result<()> {
        let earlier = self.writes.fetch_add(1, Ordering::Relaxed);
        if self.plan.crash_after.is_some_and(|limit| earlier >= limit) {
            eprintln!("demofs: aborting after {earlier} writes, as injected");
            std::process::abort();
        }
        match self.plan.fail_after {
            Some(limit) if earlier >= limit => Err(errno(libc::EIO)),
            _ => Ok(()),
        }
    }

    pub async fn burn_copy(&self) {
        if let Some(mean) = self.plan.copy_cpu {
            planted::burn_copy(self.copy_cpu.next(mean)).await;
        }
    }

    pub async fn before_write(&self) {
        if let Some(mean) = self.plan.checksum_cpu {
            planted::burn_checksum(self.checksum_cpu.next(mean)).await;
        }
        if let Some(time) = self.plan.block {
            planted::block_thread(time).await;
        }
        if let Some(time) = self.plan.lock {
            planted::contend_lock(&self.lock, time).await;
        }
    }

    /// The wait has no span of its own: it belongs to `extend_file_size`, as in the story.
    pub async fn extend_wait(&self) {
        if let Some(time) = self.plan.extend_wait {
            planted::sleep_precisely(time).await;
        }
    }

    /// At the end of a write that took `own` until now.
    pub async fn slow_down(&self, own: Duration) {
        if let Some(share) = self.plan.slow {
            planted::slow_down(own.mul_f64(share)).await;
        }
    }

    /// Spoils the data that a read is about to return.
    pub fn corrupt(&self, data: &mut [u8]) {
        let Some(nth) = self.plan.corrupt else { return };
        let read = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(byte) = data.first_mut()
            && read.is_multiple_of(nth)
        {
            *byte = !*byte;
        }
    }
}

/// Spawns a task that has a name where the runtime can show one.
fn spawn(name: &str, task: impl Future<Output = ()> + Send + 'static) {
    #[cfg(all(tokio_unstable, feature = "profiling"))]
    tokio::task::Builder::new().name(name).spawn(task).expect("called inside the runtime");
    #[cfg(not(all(tokio_unstable, feature = "profiling")))]
    {
        let _ = name;
        tokio::spawn(task);
    }
}
