//! Sixteen threads that burn CPU time in inlined async functions below a deep stack, until stdin ends.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

async fn mixes<const N: usize>(x: u64) -> u64 {
    let mut values = [x; N];
    for i in 1..N * 40 {
        values[i % N] = black_box(values[(i * 7) % N].wrapping_mul(6_364_136_223_846_793_005) + 1);
    }
    values.iter().fold(0, |a, b| a ^ b)
}

#[inline(never)]
fn deeper(depth: u32, x: u64) -> u64 {
    let below = match depth {
        0 => block_on(async { mixes::<8>(x).await ^ mixes::<64>(x).await ^ mixes::<512>(x).await }),
        _ => deeper(depth - 1, x + 1),
    };
    black_box(below) + 1
}

fn main() {
    for number in 0..16 {
        std::thread::spawn(move || {
            for round in 0_u64.. {
                black_box(deeper(10 + (round % 20) as u32, number));
            }
        });
    }
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).expect("stdin");
}
