//! Passes TCP connections on, as if what listens were some way off: `fuselab-relay DELAY_US JITTER_US BYTES_PER_S SEED
//! FROM=TO...`. Every byte arrives DELAY_US after it was sent, up to JITTER_US sooner or later but never before an earlier
//! one, and each direction of a connection carries at most BYTES_PER_S (0: as much as comes). FROM and TO are ports of
//! 127.0.0.1. It says `ready` when all of them listen, and runs until it is killed.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

const PIECE: usize = 64 << 10;
/// So many pieces of a direction are on their way at the most: then who sends has to wait, as it would for a window.
const PIECES: usize = 64;

/// When what is sent now arrives.
struct Way {
    delay: Duration,
    jitter_us: u64,
    bytes_per_s: u64,
    state: u64,
    free: Instant,
    last: Instant,
}

impl Way {
    fn new(delay_us: u64, jitter_us: u64, bytes_per_s: u64, seed: u64) -> Self {
        let now = Instant::now();
        // xorshift* has no way out of 0.
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self { delay: Duration::from_micros(delay_us), jitter_us, bytes_per_s, state, free: now, last: now }
    }

    fn arrival(&mut self, sent: Instant, bytes: usize) -> Instant {
        self.free = self.free.max(sent);
        if let Some(ns) = (bytes as u64).saturating_mul(1_000_000_000).checked_div(self.bytes_per_s) {
            self.free += Duration::from_nanos(ns);
        }
        let mut at = self.free + self.delay;
        if self.jitter_us > 0 {
            let us = self.random() % (2 * self.jitter_us + 1);
            at = at + Duration::from_micros(us) - Duration::from_micros(self.jitter_us);
        }
        self.last = self.last.max(at);
        self.last
    }

    /// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if let Err(error) = run(&words) {
        eprintln!("fuselab-relay: {error}");
        std::process::exit(1);
    }
}

fn run(words: &[String]) -> Result<(), String> {
    let (numbers, routes) =
        words.split_at_checked(4).ok_or("DELAY_US JITTER_US BYTES_PER_S SEED FROM=TO...")?;
    let number =
        |at: usize| numbers[at].parse::<u64>().map_err(|_| format!("`{}` is no number", numbers[at]));
    let (delay_us, jitter_us, bytes_per_s, seed) = (number(0)?, number(1)?, number(2)?, number(3)?);
    if jitter_us > delay_us {
        return Err("nothing arrives before it is sent: the jitter is at most the delay".into());
    }
    let mut listeners = Vec::new();
    for route in routes {
        let ports = route.split_once('=').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let (from, to): (u16, u16) = ports.ok_or_else(|| format!("`{route}` is not FROM=TO"))?;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, from)).map_err(|e| format!("port {from}: {e}"))?;
        listeners.push((listener, to));
    }
    println!("ready");
    io::stdout().flush().map_err(|e| e.to_string())?;
    let way = move |n: u64| Way::new(delay_us, jitter_us, bytes_per_s, seed.wrapping_add(n));
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|(listener, to)| thread::spawn(move || accept(&listener, to, way)))
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

fn accept(listener: &TcpListener, to: u16, way: impl Fn(u64) -> Way) {
    for (number, near) in (0u64..).step_by(2).zip(listener.incoming().flatten()) {
        // Who listens there may have ended: then the connection ends, as it would with nothing in between.
        if let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) {
            let _ = near.set_nodelay(true);
            let _ = far.set_nodelay(true);
            pass(&near, &far, way(number));
            pass(&far, &near, way(number + 1));
        }
    }
}

/// Two threads for one direction: one knows when each piece was sent, the other waits until it arrives.
fn pass(from: &TcpStream, to: &TcpStream, way: Way) {
    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
    let (sender, receiver) = sync_channel(PIECES);
    thread::spawn(move || take(from, way, &sender));
    thread::spawn(move || give(to, &receiver));
}

fn take(mut from: TcpStream, mut way: Way, sender: &SyncSender<(Instant, Vec<u8>)>) {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).unwrap_or(0);
        let at = way.arrival(Instant::now(), read);
        if sender.send((at, piece[..read].to_vec())).is_err() || read == 0 {
            let _ = from.shutdown(Shutdown::Read);
            return;
        }
    }
}

fn give(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (at, piece) in receiver {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives_after_the_delay_and_in_its_order() {
        let mut way = Way::new(1000, 400, 0, 7);
        let sent = Instant::now();
        let mut last = sent;
        for _ in 0..1000 {
            let at = way.arrival(sent, 1);
            assert!(
                at >= last
                    && at >= sent + Duration::from_micros(600)
                    && at <= sent + Duration::from_micros(1400)
            );
            last = at;
        }
    }

    #[test]
    fn a_rate_is_kept() {
        let mut way = Way::new(0, 0, 1_000_000, 7);
        let sent = Instant::now();
        let at = (0..10).map(|_| way.arrival(sent, 100_000)).last().expect("ten of them");
        assert!(at >= sent + Duration::from_millis(1000) && at <= sent + Duration::from_millis(1010));
    }
}
