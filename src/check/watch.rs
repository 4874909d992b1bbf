//! The checker's own clock: time since it began, and what that is in Unix time here.

use std::time::{Duration, Instant};

use crate::clock;

/// Started once; every observation carries a reading of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    started: Instant,
    unix_nanos: i64,
}

impl Watch {
    pub(super) fn start() -> Self {
        Self { started: clock::now(), unix_nanos: i64::try_from(clock::unix_nanos()).unwrap_or_default() }
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.started)
    }

    /// Unix time of this machine at `reading`, in nanoseconds. Steps of the wall clock do not move it.
    pub(super) fn unix(&self, reading: Duration) -> i64 {
        self.unix_nanos + nanos(reading)
    }
}

/// Nanoseconds of a span.
pub(super) fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// A span of so many nanoseconds; none for a negative one.
pub(super) fn span(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
