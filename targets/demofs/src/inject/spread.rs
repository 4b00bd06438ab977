//! Different durations around one mean.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Gives call after call a duration between half the mean and one and a half times the mean,
/// pseudo-random but the same in every run. A sampling profiler would fall into step with
/// calls that all take equally long, and then see one of two burners too often and the other
/// too rarely.
pub struct Spread {
    state: AtomicU64,
}

impl Spread {
    /// Two spreads with different seeds are independent.
    pub const fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// The duration of the next call, from the SplitMix64 generator.
    pub fn next(&self, mean: Duration) -> Duration {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        mean.mul_f64(0.5 + unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_differ_and_keep_their_mean() {
        let (spread, mean) = (Spread::new(1), Duration::from_micros(100));
        let durations: Vec<_> = (0..100_000).map(|_| spread.next(mean)).collect();
        // Durations are whole nanoseconds: the longest may be rounded up to the bound.
        assert!(durations.iter().all(|one| *one >= mean / 2 && *one <= mean * 3 / 2));
        let total: Duration = durations.iter().sum();
        let error = total.as_secs_f64() / (mean * 100_000).as_secs_f64() - 1.0;
        assert!(error.abs() < 0.01, "{error}");
        let longer = durations.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((49_000..51_000).contains(&longer), "{longer} of 99999 are longer than the one before");
    }
}
