//! Two benches of which one does three times the work of the other, and one that sleeps: a profiler of CPU time
//! has nothing to show of it.

use std::hint::black_box;
use std::time::Duration;

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use pprof::criterion::{Output, PProfProfiler};

#[inline(never)]
fn spin(units: u64) -> u64 {
    (0..units * 1000).fold(units, |x, i| black_box(x.wrapping_mul(31).wrapping_add(i)))
}

#[inline(never)]
fn heavy(units: u64) -> u64 {
    spin(3 * units)
}

#[inline(never)]
fn light(units: u64) -> u64 {
    spin(units)
}

fn burns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("burn/cpu");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    group.throughput(Throughput::Bytes(4096));
    for units in [1, 4] {
        group.bench_with_input(
            BenchmarkId::new("heavy and light", units),
            &units,
            |bencher, &units| bencher.iter(|| heavy(units) + light(units)),
        );
    }
    group.finish();
    let mut group = criterion.benchmark_group("wait");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200));
    group.bench_function("sleep", |bencher| {
        bencher.iter(|| std::thread::sleep(Duration::from_millis(2)))
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_profiler(PProfProfiler::new(999, Output::Flamegraph(None)));
    targets = burns
}
criterion_main!(benches);
