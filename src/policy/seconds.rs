//! Header values that name seconds, made once: playlists are asked for all the time, and there are few lifetimes.

use std::{sync::LazyLock, time::Duration};

use http::HeaderValue;

/// Lifetimes up to this many seconds are ready: six target durations of segments of ten seconds, and as much again.
const READY: u64 = 120;

/// Values by seconds.
pub(super) struct Seconds {
    ready: LazyLock<Vec<HeaderValue>>,
    make: fn(u64) -> HeaderValue,
}

/// Cache-Control of live playlists.
pub(super) static FRESH: Seconds = Seconds { ready: LazyLock::new(|| ready(fresh)), make: fresh };
/// CDN-Cache-Control of live playlists.
pub(super) static SHARED: Seconds = Seconds { ready: LazyLock::new(|| ready(shared)), make: shared };
/// Cache-Control of refusals.
pub(super) static REFUSED: Seconds = Seconds { ready: LazyLock::new(|| ready(refused)), make: refused };

impl Seconds {
    /// Delta-seconds are whole (RFC 9111 1.2.2): rounded down so that nothing is kept too long, but at least 1, because 0
    /// would send every viewer of a CDN to the origin.
    pub(super) fn of(&self, lifetime: Duration) -> HeaderValue {
        let seconds = lifetime.as_secs().max(1);
        let ready = usize::try_from(seconds).ok().and_then(|seconds| self.ready.get(seconds));
        ready.cloned().unwrap_or_else(|| (self.make)(seconds))
    }
}

fn ready(make: fn(u64) -> HeaderValue) -> Vec<HeaderValue> {
    (0..=READY).map(make).collect()
}

fn fresh(seconds: u64) -> HeaderValue {
    value(format!("public, max-age={seconds}, stale-if-error=0"))
}

fn shared(seconds: u64) -> HeaderValue {
    value(format!("max-age={seconds}, stale-while-revalidate={seconds}, stale-if-error=0"))
}

fn refused(seconds: u64) -> HeaderValue {
    value(format!("public, max-age={seconds}"))
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_that_is_not_ready_is_made() {
        for seconds in [1, READY, READY + 1, 86_400] {
            let value = REFUSED.of(Duration::from_secs(seconds));
            assert_eq!(value, format!("public, max-age={seconds}"));
        }
    }
}
