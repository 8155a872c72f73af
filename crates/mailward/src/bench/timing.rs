//! Times of many like things, and what is worth knowing about them.

use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;
use std::time::Duration;

/// Microseconds, one a thing measured.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<u32>);

/// The distribution, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Distribution {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Times {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// More than 71 minutes counts as 71 minutes.
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Percentiles by nearest rank: the smallest time that at least that share of all did not exceed.
    pub(crate) fn distribution(&self) -> Distribution {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = sorted.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().map_or(0.0, milliseconds)
        };
        let sum: f64 = sorted.iter().copied().map(milliseconds).sum();
        Distribution { mean: ratio(sum, count(sorted.len())), p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }
}

fn milliseconds(micros: u32) -> f64 {
    f64::from(micros) / 1_000.0
}

/// A count as a number to divide by; exact up to 2³².
pub(crate) fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// `a / b`, and 0 where there is nothing to divide by.
pub(crate) fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// Processor seconds this process has used, its own and the kernel's for it.
pub(crate) fn cpu_seconds() -> f64 {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 0.0 };
    let seconds = |t: nix::sys::time::TimeVal| {
        // Seconds of processor time fit 32 bits for 136 years.
        f64::from(u32::try_from(t.tv_sec()).unwrap_or(u32::MAX))
            + f64::from(i32::try_from(t.tv_usec()).unwrap_or(0)) / 1e6
    };
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut times = Times::default();
        for ms in (1..=100).rev() {
            times.add(Duration::from_millis(ms));
        }
        let found = times.distribution();
        assert_eq!((found.p50, found.p95, found.p99, found.max), (50.0, 95.0, 99.0, 100.0));
        assert!((found.mean - 50.5).abs() < 1e-9);
    }

    #[test]
    fn nothing_measured_is_all_zero() {
        assert_eq!(Times::default().distribution(), Distribution::default());
    }

    #[test]
    fn one_time_is_every_percentile() {
        let mut times = Times::with_capacity(1);
        times.add(Duration::from_micros(1_500));
        let found = times.distribution();
        assert_eq!((found.p50, found.p99, found.max), (1.5, 1.5, 1.5));
        assert_eq!(times.len(), 1);
    }
}
