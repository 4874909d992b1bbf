//! The monotonic clock as a number, so that two processes of one machine can compare what they read.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`: the same in all processes.
pub(crate) fn nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Both are positive, and 2^64 ns are 584 years.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The same of an instant that has passed. `Instant` reads the same clock but does not tell.
pub(crate) fn nanos_of(instant: Instant) -> u64 {
    let ago = headwater::clock::now().saturating_duration_since(instant);
    nanos().saturating_sub(ago.as_nanos() as u64)
}
