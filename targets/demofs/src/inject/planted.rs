//! The planted faults themselves. Each is a function with a span, named so that any
//! profiler that can see it shows the same name.

use std::future::poll_fn;
use std::hint::black_box;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Mutex as StdMutex;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId as CpuClock, clock_gettime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, watch};
use tracing::instrument;

const OBJECT_BYTES: u64 = 4096;

/// What [`plant_heap`] keeps until the process is gone, final heap dump included.
static HEAP: StdMutex<Vec<Box<[u8]>>> = StdMutex::new(Vec::new());

/// Burns CPU in place of a costly copy.
#[inline]
#[instrument(level = "trace")]
pub async fn burn_copy(cpu: Duration) {
    burn(cpu);
}

/// Burns CPU in place of a costly checksum.
#[inline]
#[instrument(level = "trace")]
pub async fn burn_checksum(cpu: Duration) {
    burn(cpu);
}

/// Burns CPU to make a write longer.
#[inline]
#[instrument(level = "trace")]
pub async fn slow_down(cpu: Duration) {
    burn(cpu);
}

/// Puts the worker thread to sleep, as a blocking call in async code does.
#[inline]
#[instrument(level = "trace")]
pub async fn block_thread(time: Duration) {
    // The kernel may let a thread oversleep by 50 us, to save wake-ups; not here.
    let _ = nix::sys::prctl::set_timerslack(1);
    thread::sleep(time);
}

/// Waits for its turn at a lock that all writes share.
#[inline]
#[instrument(level = "trace", skip(lock))]
pub async fn contend_lock(lock: &Mutex<()>, time: Duration) {
    let _held = lock.lock().await;
    hold_lock(time).await;
}

/// Keeps the lock for a while, suspended.
#[inline]
#[instrument(level = "trace")]
async fn hold_lock(time: Duration) {
    sleep_precisely(time).await;
}

/// Suspends the task. tokio's own timer counts in milliseconds and rounds up, which makes a
/// wait of 4 ms one of 5; a kernel timer keeps to what was planted.
#[inline]
pub async fn sleep_precisely(time: Duration) {
    let wait = async {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        timer.set(Expiration::OneShot(time.into()), TimerSetTimeFlags::empty())?;
        // SAFETY: the descriptor is the timer's own and stays open as long as it is registered.
        let timer = unsafe { AsyncFd::register_with_interest(OwnedFd::from(timer), Interest::READABLE) };
        timer?.readable().await.map(drop)
    };
    if wait.await.is_err() {
        tokio::time::sleep(time).await;
    }
}

/// Keeps `bytes` bytes in objects of 4 KiB.
#[inline(never)]
#[instrument(level = "trace")]
pub fn plant_heap(bytes: u64) {
    let objects = (0..bytes / OBJECT_BYTES).map(|_| vec![1; OBJECT_BYTES as usize].into_boxed_slice());
    HEAP.lock().expect("no thread panics while it plants").extend(objects);
}

/// A task that waits until the filesystem is gone.
pub async fn planted_task(mut running: watch::Receiver<()>) {
    while running.changed().await.is_ok() {}
}

/// A task that is woken `times` times, each time by itself.
pub async fn wake_itself(times: u64) {
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Writes to standard error at a steady rate until nobody reads it.
pub fn spam_log(bytes_per_s: u64) {
    const LINE: &[u8] =
        b"demofs: this line is here because of --inject log, to be as long as lines of a log are\n";
    let (started, mut written) = (Instant::now(), 0);
    loop {
        let due = (started.elapsed().as_secs_f64() * bytes_per_s as f64) as u64;
        while written < due {
            if std::io::stderr().write_all(LINE).is_err() {
                return;
            }
            written += LINE.len() as u64;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Burns CPU time of this thread: time in which it was preempted does not count. Between
/// two looks at the clock, which is a system call, it stays in the caller for about 0.5 us.
#[inline]
fn burn(cpu: Duration) {
    let end = thread_cpu() + cpu;
    while thread_cpu() < end {
        for step in 0..1000_u64 {
            black_box(step);
        }
    }
}

fn thread_cpu() -> Duration {
    let clock = clock_gettime(CpuClock::CLOCK_THREAD_CPUTIME_ID);
    clock.expect("every thread has a CPU clock").into()
}
