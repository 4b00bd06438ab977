//! A build with profilers: one registry with a layer for each that is asked for, and over all
//! of them the filter in `RUST_LOG`. It is global, as it is in most programs, so a filter
//! that leaves out `tokio` and `runtime` leaves nothing for tokio-console to show.

use std::env;
use std::fs::File;
use std::io::BufWriter;
use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use tracing_chrome::{ChromeLayerBuilder, TraceStyle};
use tracing_flame::FlameLayer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use super::{BENCH_CHROME, TOKIO_CONSOLE, TRACE_CHROME, TRACE_FLAME};

/// Where the console's recording goes, if anywhere; console-subscriber reads it itself.
const RECORD_PATH: &str = "TOKIO_CONSOLE_RECORD_PATH";
const BIND: &str = "TOKIO_CONSOLE_BIND";

/// Completes the files of spans when it is dropped: the last thing to do before the end. The console's recorder writes on
/// a thread of its own that nobody can join, and what it has not written by then is lost, as it is in any program.
#[must_use]
pub struct Guard {
    _chrome: Option<tracing_chrome::FlushGuard>,
    _flame: Option<tracing_flame::FlushGuard<BufWriter<File>>>,
}

/// Sets up the log and every profiler that the environment asks for.
pub fn init() -> anyhow::Result<Guard> {
    start(TRACE_CHROME, path_of(TRACE_FLAME), console_wanted())
}

/// The same for the benches, whose Chrome trace has a variable of its own.
pub fn init_bench() -> anyhow::Result<Guard> {
    start(BENCH_CHROME, path_of(TRACE_FLAME), console_wanted())
}

fn start(chrome: &str, flame: Option<PathBuf>, console_wanted: bool) -> anyhow::Result<Guard> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env()?;
    let chrome = path_of(chrome).map(|path| chrome_layer(chrome, path));
    let (chrome, chrome_guard) = chrome.transpose()?.unzip();
    let (flame, flame_guard) = flame.map(flame_layer).transpose()?.unzip();
    let console = if console_wanted { Some(console_layer()?) } else { None };
    tracing_subscriber::registry()
        .with(filter)
        .with(console)
        .with(chrome)
        .with(flame)
        .with(fmt::layer().with_ansi(false).with_writer(std::io::stderr))
        .try_init()?;
    Ok(Guard { _chrome: chrome_guard, _flame: flame_guard })
}

fn path_of(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn console_wanted() -> bool {
    env::var_os(TOKIO_CONSOLE).is_some_and(|value| !value.is_empty() && value != "0")
}

fn create(variable: &str, path: &PathBuf) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("{variable}: cannot create {}", path.display()))
}

fn chrome_layer<S>(
    variable: &str,
    path: PathBuf,
) -> anyhow::Result<(tracing_chrome::ChromeLayer<S>, tracing_chrome::FlushGuard)>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span> + Send + Sync,
{
    Ok(ChromeLayerBuilder::new()
        .writer(create(variable, &path)?)
        .include_args(true)
        .trace_style(TraceStyle::Async)
        .build())
}

type Flame<S> = (FlameLayer<S, BufWriter<File>>, tracing_flame::FlushGuard<BufWriter<File>>);

fn flame_layer<S>(path: PathBuf) -> anyhow::Result<Flame<S>>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let layer = FlameLayer::new(BufWriter::new(create(TRACE_FLAME, &path)?));
    let guard = layer.flush_on_drop();
    Ok((layer, guard))
}

fn console_layer<S>() -> anyhow::Result<impl tracing_subscriber::Layer<S>>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    if !cfg!(tokio_unstable) {
        bail!(
            "{TOKIO_CONSOLE} is set, but this build cannot show tasks: build with \
             RUSTFLAGS=\"--cfg tokio_unstable\""
        );
    }
    // console-subscriber panics at what follows, so find it out before.
    path_of(RECORD_PATH).map(|path| create(RECORD_PATH, &path)).transpose()?;
    let address = env::var(BIND).unwrap_or_else(|_| "127.0.0.1:6669".into());
    let free = TcpListener::bind(&address);
    ensure!(free.is_ok(), "{BIND}: cannot listen on {address}: {}", free.err().unwrap());
    drop(free);
    Ok(console_subscriber::ConsoleLayer::builder().with_default_env().spawn())
}
