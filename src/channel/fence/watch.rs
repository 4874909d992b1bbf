//! When a packager that stands by may take over: a pure function of what it has seen, and when.

use std::time::{Duration, Instant};

use super::Stamp;
use crate::store::Version;

/// What there is of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// Its version; `None` where there is no record.
    pub(super) version: Option<Version>,
    /// What it says of its writer.
    pub(super) stamp: Stamp,
    /// Nothing follows: it was released, or the channel has ended.
    pub(super) over: bool,
    /// Its writer is gone for certain.
    pub(super) gone: bool,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody is active, or may be.
    Wait,
    /// This epoch can be tried for.
    Try(u64),
}

/// Watches a record, by the watcher's own monotonic clock.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    patience: Duration,
    /// What the record last was, and since when.
    seen: Option<(Option<Version>, Instant)>,
    /// The highest epoch that somebody else is known to have, whether or not a record says so.
    taken: u64,
    /// The epoch that is ours to claim.
    ours: Option<u64>,
}

impl Watch {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, seen: None, taken: 0, ours: None }
    }

    /// Looks at what was `asked` for then.
    pub(super) fn see(&mut self, sight: &Sight, asked: Instant, now: Instant) -> Verdict {
        let since = match &self.seen {
            Some((version, since)) if *version == sight.version => *since,
            // It may have become this at any time until now.
            _ => now,
        };
        self.seen = Some((sight.version.clone(), since));
        self.taken = self.taken.max(sight.stamp.epoch);
        // Somebody has an epoch that no record tells of, and may be about to claim it.
        let unclaimed = self.taken > sight.stamp.epoch;
        let free = sight.version.is_none() || sight.over || sight.gone;
        let waited = asked.saturating_duration_since(since) >= self.patience;
        if !waited && (unclaimed || !free) {
            return Verdict::Wait;
        }
        let ours = self.ours.filter(|ours| *ours > self.taken);
        Verdict::Try(ours.unwrap_or(self.taken + 1))
    }

    /// The store did not say: of what was in the meantime nothing is known.
    pub(super) fn miss(&mut self) {
        self.seen = None;
    }

    /// The epoch is ours, and can be claimed as long as nobody has a higher one.
    pub(super) fn won(&mut self, epoch: u64) {
        self.ours = Some(epoch);
    }

    /// True if the epoch is ours.
    pub(super) fn has(&self, epoch: u64) -> bool {
        self.ours == Some(epoch)
    }

    /// Another has the epoch.
    pub(super) fn lost(&mut self, epoch: u64) {
        self.taken = self.taken.max(epoch);
        self.seen = None;
    }
}
