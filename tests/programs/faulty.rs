//! As faulty.c, in Rust: what is at fault is a closure in a method, and works through the standard library.
use std::hint::black_box;
use std::io::BufRead;
use std::time::{Duration, Instant};

mod store {
    use super::*;

    pub struct Chunks {
        pub kept: Vec<Vec<u8>>,
        pub from: Vec<u8>,
    }

    fn until(ms: u64, mut work: impl FnMut()) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(ms) {
            work();
        }
    }

    impl Chunks {
        #[inline(never)]
        pub fn at_fault(&mut self, fault: &str, ms: u64) {
            let Self { kept, from } = self;
            let mut work = || match fault {
                "burn" => until(ms, || drop(black_box(from.clone()))),
                "wait" => std::thread::sleep(Duration::from_millis(ms)),
                "leak" => (0..ms).for_each(|_| kept.push(vec![1; 4096])),
                _ => {}
            };
            work();
            black_box(&self.kept);
        }
        #[inline(never)]
        pub fn checksum(&self, ms: u64) {
            until(ms, || { black_box(self.from.iter().map(|b| *b as u64).sum::<u64>()); });
        }
        #[inline(never)]
        pub fn look_up(&self, ms: u64) {
            std::thread::sleep(Duration::from_millis(ms));
            black_box(ms);
        }
        #[inline(never)]
        pub fn hold(&mut self, blocks: u64) {
            (0..blocks).for_each(|_| self.kept.push(vec![1; 4096]));
        }
        #[inline(never)]
        pub fn write(&mut self, fault: &str, ms: u64) {
            self.at_fault(fault, ms);
            self.checksum(6);
            black_box(&self.kept);
        }
        #[inline(never)]
        pub fn serve(&mut self, fault: &str, ms: u64) {
            self.write(fault, ms);
            self.look_up(4);
            self.hold(8);
            black_box(&self.kept);
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let mut chunks = store::Chunks { kept: vec![], from: vec![1; 1 << 16] };
    println!("ready");
    let mut lines = std::io::stdin().lock().lines();
    lines.next();
    for _ in 0..60 {
        chunks.serve(&words[1], words[2].parse().unwrap());
    }
    println!("done");
    while lines.next().is_some() {}
}
