//! Notices when this machine is too busy to check: what comes late then is not the server's fault.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::watch::Watch;

const STEP: Duration = Duration::from_millis(50);
/// A step that takes so much longer was a stall.
const STALL: Duration = Duration::from_millis(50);
/// So many stalls are remembered; questions are about the last seconds.
const REMEMBERED: usize = 128;

/// When this process was held up.
#[derive(Clone, Debug, Default)]
pub(super) struct Lag {
    stalls: Arc<Mutex<Stalls>>,
}

#[derive(Debug, Default)]
struct Stalls {
    last: VecDeque<(Duration, Duration)>,
    sum: Duration,
}

impl Lag {
    /// Watches for ever.
    pub(super) async fn watch(self, watch: Watch) {
        loop {
            let before = watch.now();
            tokio::time::sleep(STEP).await;
            self.step(before + STEP, watch.now());
        }
    }

    /// What was due at `due` came at `now`.
    fn step(&self, due: Duration, now: Duration) {
        if now.saturating_sub(due) >= STALL {
            let mut stalls = self.stalls.lock().unwrap_or_else(PoisonError::into_inner);
            if stalls.last.len() == REMEMBERED {
                stalls.last.pop_front();
            }
            stalls.last.push_back((due, now));
            stalls.sum += now.saturating_sub(due);
        }
    }

    /// For how long of the time between the two this process was held up.
    pub(super) fn between(&self, from: Duration, to: Duration) -> Duration {
        let stalls = self.stalls.lock().unwrap_or_else(PoisonError::into_inner);
        stalls.last.iter().map(|(start, end)| (*end).min(to).saturating_sub((*start).max(from))).sum()
    }

    /// For how long in all.
    pub(super) fn sum(&self) -> Duration {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner).sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stalls_in_the_time_asked_for_count() {
        let (lag, at) = (Lag::default(), Duration::from_millis);
        for (due, now) in [(50, 60), (110, 310), (360, 365), (415, 515)] {
            lag.step(at(due), at(now));
        }
        for (from, to, held) in [(0, 1000, 300), (0, 100, 0), (200, 450, 145), (600, 700, 0), (120, 130, 10)]
        {
            assert_eq!(lag.between(at(from), at(to)), at(held), "{from} to {to}");
        }
        assert_eq!(lag.sum(), at(300));
    }
}
