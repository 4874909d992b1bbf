//! The only reader of the machine's clocks. Everything else takes time as an argument or asks here.
#![allow(clippy::disallowed_methods, reason = "this is the module that the ban points to")]

use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

static ANCHOR: OnceLock<Timeline> = OnceLock::new();

/// Ties this process's Unix time to the monotonic clock: it is `unix_nanos` now, and steps of the wall clock do not
/// move it any more. A server does so with its own wall clock, an encoder with its server's time, so that an encoder
/// started after a step still agrees with what is on air. Only the first call counts.
pub fn anchor(unix_nanos: i128) {
    let _ = ANCHOR.set(Timeline { unix_nanos, started: now() });
}

/// Nanoseconds since 1970-01-01T00:00:00Z: of the anchored timeline, else of the wall clock.
pub fn unix_nanos() -> i128 {
    match ANCHOR.get() {
        Some(timeline) => timeline.now(),
        None => wall_clock(),
    }
}

/// Seconds since 1970-01-01T00:00:00Z of the wall clock, for times that other machines have written down: a step moves
/// it, as it should.
pub fn wall_seconds() -> i64 {
    i64::try_from(wall_clock().div_euclid(1_000_000_000)).unwrap_or_default()
}

fn wall_clock() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// The monotonic clock, for deadlines and durations.
pub fn now() -> Instant {
    // Tests of the library may stop tokio's clock, and what they test is to agree with its timers.
    if cfg!(test) { tokio::time::Instant::now().into_std() } else { Instant::now() }
}

/// A timeline that starts on the wall clock and then follows the monotonic one, so that a step of the wall clock
/// moves neither media nor deadlines.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    unix_nanos: i128,
    started: Instant,
}

impl Timeline {
    /// A timeline that agrees with [`unix_nanos`] now.
    pub fn start() -> Self {
        Self { unix_nanos: unix_nanos(), started: now() }
    }

    /// Nanoseconds since the Unix epoch on this timeline.
    pub fn now(&self) -> i128 {
        self.unix_nanos + now().saturating_duration_since(self.started).as_nanos() as i128
    }

    /// The monotonic instant at which this timeline shows `unix_nanos`; now, if that has passed.
    pub fn instant(&self, unix_nanos: i128) -> Instant {
        let ahead = u64::try_from(unix_nanos - self.unix_nanos).unwrap_or(0);
        self.started + Duration::from_nanos(ahead)
    }
}
