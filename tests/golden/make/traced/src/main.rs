//! A program whose waits, CPU use, tasks and wakes are known, so that what is read from its
//! captures can be checked. `traced spans|tasks|empty` writes what the environment asks for.

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tracing::Instrument;
use tracing_subscriber::prelude::*;

fn burn(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

mod fs {
    use super::*;

    /// Wall 4 ms extend + 2 ms copy + 3 ms (the longer of two concurrent stores) + 1 ms stage.
    #[tracing::instrument(level = "trace", skip(data), fields(len = data.len(), stored))]
    pub async fn write(offset: u64, data: &[u8]) {
        extend_file_size(offset + data.len() as u64).await;
        copy(data);
        tokio::join!(store(0, 2), store(1, 3));
        async { tokio::time::sleep(Duration::from_millis(1)).await }
            .instrument(tracing::trace_span!("stage; one"))
            .await;
        tracing::Span::current().record("stored", data.len());
    }

    #[tracing::instrument(level = "trace")]
    async fn extend_file_size(size: u64) {
        tokio::time::sleep(Duration::from_millis(4)).await;
    }

    #[tracing::instrument(level = "trace", skip_all)]
    fn copy(_data: &[u8]) {
        burn(Duration::from_millis(2));
    }

    #[tracing::instrument(level = "trace")]
    async fn store(shard: u32, millis: u64) {
        put(millis).await;
    }

    /// Its field `etag` is recorded late, so that only the end of the span carries it.
    #[tracing::instrument(level = "trace", fields(etag))]
    async fn put(millis: u64) {
        tracing::trace!(bytes = 7, "putting");
        tokio::time::sleep(Duration::from_millis(millis)).await;
        tracing::Span::current().record("etag", 10 * millis);
    }

    /// Two concurrent stores of which the first always outlives the second.
    #[tracing::instrument(level = "trace")]
    pub async fn mirror() {
        tokio::join!(store(2, 9), store(3, 2));
    }

    /// Calls itself `depth` times.
    #[tracing::instrument(level = "trace")]
    pub async fn walk(depth: u32) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if depth > 0 {
            Box::pin(walk(depth - 1)).await;
        }
    }

    #[tracing::instrument(level = "trace", target = "disk")]
    pub fn sync() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn spans(writes: usize) {
    for i in 0..writes {
        tokio::spawn(async move { fs::write(i as u64 * 4096, &[0u8; 4096]).await })
            .await
            .unwrap();
    }
    // Two requests at once, and a blocking wait on a worker.
    let both: Vec<_> = (0..2)
        .map(|i| tokio::spawn(async move { fs::write(i << 20, &[0u8; 512]).await }))
        .collect();
    for one in both {
        one.await.unwrap();
    }
    tokio::spawn(async { fs::sync() }).await.unwrap();
    tokio::spawn(fs::mirror()).await.unwrap();
    tokio::spawn(fs::walk(3)).await.unwrap();
    if std::env::var_os("TRACED_OPEN").is_some() {
        std::mem::forget(tracing::trace_span!("never_closed", why = "forgotten").entered());
    }
}

/// Wakes itself `n` times, then is done.
async fn self_waker(mut n: u32) {
    std::future::poll_fn(move |cx| {
        if n == 0 {
            return Poll::Ready(());
        }
        n -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

async fn tasks() {
    let name = |n: &'static str| tokio::task::Builder::new().name(n);
    let mut all = Vec::new();
    for _ in 0..7 {
        all.push(
            name("sleeper")
                .spawn(async { tokio::time::sleep(Duration::from_millis(20)).await })
                .unwrap(),
        );
    }
    all.push(name("self-waker").spawn(self_waker(100)).unwrap());
    all.push(
        name("busy")
            .spawn(async { burn(Duration::from_millis(50)) })
            .unwrap(),
    );
    // Keeps its own waker, and gives it up without waking: nothing can wake it again.
    let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
    let kept_by_task = kept.clone();
    let lost = name("lost-waker")
        .spawn(std::future::poll_fn(move |cx| {
            *kept_by_task.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }))
        .unwrap();
    let lock = Arc::new(tokio::sync::Mutex::new(()));
    for _ in 0..2 {
        let lock = lock.clone();
        all.push(
            name("contender")
                .spawn(async move {
                    let _held = lock.lock().await;
                    tokio::time::sleep(Duration::from_millis(30)).await;
                })
                .unwrap(),
        );
    }
    all.push(tokio::task::spawn_blocking(|| {
        std::thread::sleep(Duration::from_millis(10))
    }));
    for one in all {
        one.await.unwrap();
    }
    drop(kept.lock().unwrap().take());
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(lost);
}

fn main() {
    let what = std::env::args().nth(1).expect("spans or tasks");
    let var = |name: &str| std::env::var(name).ok();
    let mut guards: Vec<Box<dyn std::any::Any>> = Vec::new();
    let chrome = var("TRACED_CHROME").map(|path| {
        let style = if var("TRACED_STYLE").as_deref() == Some("threaded") {
            tracing_chrome::TraceStyle::Threaded
        } else {
            tracing_chrome::TraceStyle::Async
        };
        let (layer, guard) = tracing_chrome::ChromeLayerBuilder::new()
            .file(path)
            .include_args(true)
            .trace_style(style)
            .build();
        guards.push(Box::new(guard));
        layer
    });
    let flame = var("TRACED_FLAME").map(|path| {
        let (layer, guard) = tracing_flame::FlameLayer::with_file(path).unwrap();
        guards.push(Box::new(guard));
        layer
    });
    let console = (what == "tasks").then(|| {
        console_subscriber::ConsoleLayer::builder()
            .with_default_env()
            .spawn()
    });
    tracing_subscriber::registry()
        .with(tracing_subscriber::EnvFilter::from_default_env())
        .with(console)
        .with(chrome)
        .with(flame)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match what.as_str() {
        "spans" => runtime.block_on(spans(
            var("TRACED_WRITES").map_or(3, |n| n.parse().unwrap()),
        )),
        "tasks" => runtime.block_on(tasks()),
        _ => {}
    }
    drop(runtime);
    if var("TRACED_EXIT").is_some() {
        std::process::exit(0);
    }
    std::thread::sleep(Duration::from_millis(200));
    drop(guards);
}
