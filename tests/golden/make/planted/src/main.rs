//! Costs planted where we know them: CPU time in inlined async functions, blocked threads, retained memory.
//!
//! `planted burn|block|copy|sync|hold N` prints `ready`, waits for a line on stdin, does its work, prints `done`, waits for
//! the end of stdin, and leaves through `main`.

use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

#[cfg(feature = "jemalloc-profiling")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// One unit of CPU time; never a function of its own in the binary.
#[inline(always)]
fn spin(units: u64) {
    let mut x = units;
    for _ in 0..units * 7_000 {
        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
    black_box(x);
}

/// 6 of 10 units.
async fn heavy<T: Default>() -> T {
    spin(6);
    T::default()
}

/// 3 of 10 units.
async fn middle() -> u8 {
    spin(3);
    heavy::<[u8; 4]>().await[0]
}

/// 1 of 10 units.
async fn light() -> u8 {
    spin(1);
    middle().await
}

async fn burn(seconds: f64) {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn(async move {
                while Instant::now() < end {
                    black_box(light().await);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("burning does not panic");
    }
}

/// A fault: a blocking sleep on a worker thread, 10 ms a call.
async fn blocks_worker() {
    std::thread::sleep(Duration::from_millis(10));
}

async fn block(calls: f64) {
    tokio::spawn(async move {
        for _ in 0..calls as u64 {
            blocks_worker().await;
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("sleeping does not panic");
}

/// All of its time is in libc's memcpy, which keeps no frame pointer.
async fn copies(from: &[u8], to: &mut [u8]) {
    to.copy_from_slice(black_box(from));
    black_box(to);
}

async fn copy(seconds: f64) {
    tokio::spawn(async move {
        let (from, mut to) = (vec![1_u8; 1 << 20], vec![0_u8; 1 << 20]);
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            copies(&from, &mut to).await;
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("copying does not panic");
}

/// A fault: waits for the disk on a worker thread, in libc's fdatasync.
async fn syncs(file: &std::fs::File) {
    file.write_all_at(&[1; 4096], 0).expect("writable");
    file.sync_data().expect("a disk that syncs");
}

async fn sync(calls: f64) {
    let path = std::env::temp_dir().join(format!("planted-{}", std::process::id()));
    let file = std::fs::File::create(&path).expect("a writable temporary folder");
    tokio::spawn(async move {
        for _ in 0..calls as u64 {
            syncs(&file).await;
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("syncing does not panic");
    std::fs::remove_file(path).expect("our own file");
}

/// Retained: `MiB` in blocks of 4 KiB.
#[inline(never)]
fn retain(mib: usize) -> Vec<Box<[u8; 4096]>> {
    (0..mib * 256).map(|i| Box::new([i as u8; 4096])).collect()
}

/// Allocated and freed again: seen by nobody who looks at live bytes.
#[inline(never)]
fn churn(mib: usize) {
    for i in 0..mib * 16 {
        black_box(vec![i as u8; 65536]);
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (mode, amount) = (
        args.next().unwrap_or_default(),
        args.next().and_then(|v| v.parse::<f64>().ok()),
    );
    let amount = amount.expect("usage: planted burn|block|copy|sync|hold N");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("tokio");
    println!("ready");
    std::io::stdout().flush().expect("stdout");
    std::io::stdin()
        .read_line(&mut String::new())
        .expect("stdin");
    let mut held = Vec::new();
    match mode.as_str() {
        "burn" => runtime.block_on(burn(amount)),
        "block" => runtime.block_on(block(amount)),
        "copy" => runtime.block_on(copy(amount)),
        "sync" => runtime.block_on(sync(amount)),
        "hold" => {
            for _ in 0..4 {
                held.extend(retain(amount as usize / 4));
                churn(amount as usize);
            }
        }
        _ => panic!("usage: planted burn|block|copy|sync|hold N"),
    }
    println!("done");
    std::io::stdout().flush().expect("stdout");
    std::io::stdin()
        .read_to_string(&mut String::new())
        .expect("stdin");
    // Kept until the end by being leaked: what is freed before the final dump is not in it.
    std::mem::forget(held);
}
