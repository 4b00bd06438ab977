//! The filesystem without FUSE: data in a temporary folder, metadata in memory.
//!
//! `DEMOFS_BENCH_FLAMEGRAPH=1` gives Criterion a profiler: with `--profile-time SECONDS` each bench
//! then leaves `profile/flamegraph.svg` in its folder.
//! `DEMOFS_BENCH_CHROME=FILE` traces the spans, in a build with the `profiling` feature.
//! `DEMOFS_BENCH_INJECT=FAULTS` plants faults into `big_file`, as `demofs mount --inject` does.

use std::env;
use std::ffi::{OsStr, c_void};
use std::sync::Arc;

use anyhow::anyhow;
use criterion::{BatchSize, Criterion, Throughput};
use demofs::chunks::Chunks;
use demofs::file::Files;
use demofs::inject::{Faults, Plan, parse_setting};
use demofs::meta::{self, Backend, Inode, ROOT, Servers};
use demofs::telemetry;
use demofs::tree::Tree;
use pprof::criterion::{Output, PProfProfiler};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const FILE_BYTES: u64 = 16 << 20;
const REQUEST_BYTES: usize = 128 << 10;
const SAMPLES_PER_S: i32 = 1000;

fn main() -> anyhow::Result<()> {
    let _profilers = telemetry::init_bench()?;
    let plan = plan()?;
    let mut criterion = criterion();
    big_file(&mut criterion, &plan);
    small_files(&mut criterion);
    criterion.final_summary();
    Ok(())
}

fn criterion() -> Criterion {
    let criterion = Criterion::default();
    match env::var_os("DEMOFS_BENCH_FLAMEGRAPH") {
        Some(_) => criterion.with_profiler(PProfProfiler::new(SAMPLES_PER_S, Output::Flamegraph(None))),
        None => criterion,
    }
    .configure_from_args()
}

/// In the place of libgcc's. pprof takes samples for one whose addresses are in the same functions by this, and
/// names the first: where two functions are inlined into a third, all samples would be the one's or the other's.
#[unsafe(export_name = "_Unwind_FindEnclosingFunction")]
extern "C" fn keep_inlined_functions_apart(address: *mut c_void) -> *mut c_void {
    address
}

/// What is planted, in the words of `--inject`.
fn plan() -> anyhow::Result<Plan> {
    let text = env::var("DEMOFS_BENCH_INJECT").unwrap_or_default();
    let words = text.split(',').filter(|word| !word.is_empty());
    let settings: Result<Vec<_>, _> = words.map(parse_setting).collect();
    Ok(Plan::new(&settings.map_err(|error| anyhow!("DEMOFS_BENCH_INJECT: {error}"))?))
}

/// Writes and reads of a whole file, 128 KiB at a time.
fn big_file(criterion: &mut Criterion, plan: &Plan) {
    let runtime = Runtime::new().expect("a runtime");
    let bench = runtime.block_on(Bench::new(plan));
    let mut group = criterion.benchmark_group("big_file");
    group.throughput(Throughput::Bytes(FILE_BYTES)).sample_size(20);
    group.bench_function("write", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            bench.files.truncate(bench.ino, 0).await.expect("an empty file");
            bench.write_all().await;
        });
    });
    runtime.block_on(bench.write_all());
    group.bench_function("read", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            for offset in requests() {
                let data = bench.files.read_at(bench.ino, offset, REQUEST_BYTES).await.expect("data");
                assert_eq!(data.len(), REQUEST_BYTES);
            }
        });
    });
    group.finish();
}

/// What metadata costs.
fn small_files(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let bench = runtime.block_on(Bench::new(&Plan::default()));
    let mut group = criterion.benchmark_group("small_files");
    group.bench_function("stat", |bencher| {
        bencher.to_async(&runtime).iter(|| async { bench.files.stat(bench.ino).await.expect("an inode") });
    });
    group.bench_function("create_unlink", |bencher| {
        bencher.to_async(&runtime).iter_batched(
            || Inode { mode: libc::S_IFREG | 0o644, ..Inode::default() },
            |new| async {
                let name = OsStr::new("small");
                bench.tree.create(ROOT, name, new).await.expect("a new file");
                let gone = bench.tree.unlink(ROOT, name).await.expect("a file");
                bench.files.unlinked(&gone).await.expect("no file");
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

struct Bench {
    tree: Arc<Tree>,
    files: Files,
    ino: u64,
    data: Vec<u8>,
    _folder: TempDir,
}

impl Bench {
    /// A filesystem with one empty file, which is open.
    async fn new(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = meta::open(Backend::Memory, folder.path(), &Servers::default()).await.expect("a store");
        let tree = Arc::new(Tree::open(store).await.expect("a tree"));
        let chunks = Chunks::open(folder.path()).expect("a folder");
        let faults = Faults::new(plan.clone());
        faults.start();
        let files = Files::new(Arc::clone(&tree), chunks, faults);
        let new = Inode { mode: libc::S_IFREG | 0o644, ..Inode::default() };
        let ino = tree.create(ROOT, OsStr::new("big"), new).await.expect("a new file").ino;
        files.open(ino, false).await.expect("an open file");
        Self { tree, files, ino, data: vec![7; REQUEST_BYTES], _folder: folder }
    }

    async fn write_all(&self) {
        for offset in requests() {
            self.files.write_at(self.ino, offset, &self.data).await.expect("a write");
        }
    }
}

fn requests() -> impl Iterator<Item = u64> {
    (0..FILE_BYTES).step_by(REQUEST_BYTES)
}
