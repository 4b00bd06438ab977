//! CPU time planted in async functions that are inlined into one another, without any crate: compiles in a second.
//!
//! `inlined SECONDS` prints `ready`, waits for a line, burns 6 : 3 : 1 in heavy, middle and light, prints `done`,
//! and waits for the end of stdin. A round takes far less than the millisecond between two samples: one that took as
//! long would be sampled at the same place again and again.

use std::future::Future;
use std::hint::black_box;
use std::io::{Read, Write};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

#[inline(always)]
fn spin(units: u64) {
    let mut x = units;
    for _ in 0..units * 7_000 {
        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
    black_box(x);
}

async fn heavy<T: Default>() -> T {
    spin(6);
    T::default()
}

async fn middle() -> u8 {
    spin(3);
    heavy::<[u8; 4]>().await[0]
}

async fn light() -> u8 {
    spin(1);
    middle().await
}

fn main() {
    let seconds: f64 = std::env::args().nth(1).and_then(|v| v.parse().ok()).unwrap_or(1.0);
    println!("ready");
    std::io::stdout().flush().expect("stdout");
    std::io::stdin().read_line(&mut String::new()).expect("stdin");
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        black_box(block_on(light()));
    }
    println!("done");
    std::io::stdout().flush().expect("stdout");
    std::io::stdin().read_to_string(&mut String::new()).expect("stdin");
}
