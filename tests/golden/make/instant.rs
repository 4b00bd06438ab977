// The same as clock.c, as Rust reads the clock.
use std::hint::black_box;
use std::time::{Duration, Instant};

#[inline(never)]
fn reads_clock(until: Instant) -> u64 {
    let mut reads = 0;
    while Instant::now() < until {
        reads += 1;
    }
    reads
}

#[inline(never)]
fn counts(rounds: u64) -> u64 {
    (0..rounds).fold(0, |sum, i| black_box(sum + i))
}

fn main() {
    let mut line = String::new();
    let seconds: f64 = std::env::args().nth(1).unwrap().parse().unwrap();
    println!("ready");
    std::io::stdin().read_line(&mut line).unwrap();
    let begin = Instant::now();
    let (mut sum, mut of_clock, mut of_counts) = (0u64, Duration::ZERO, Duration::ZERO);
    while begin.elapsed().as_secs_f64() < seconds {
        let before = Instant::now();
        sum += reads_clock(before + Duration::from_micros(20));
        let between = Instant::now();
        sum = sum.wrapping_add(counts(20000));
        let after = Instant::now();
        if after - before < Duration::from_micros(200) {
            of_clock += between - before;
            of_counts += after - between;
        }
    }
    println!("done {} {sum}", of_clock.as_secs_f64() / (of_clock + of_counts).as_secs_f64());
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {}
}
