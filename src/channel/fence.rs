//! Which of several packagers on one prefix publishes: one whose record lies in the store and goes on. The others stand by
//! (docs/failover.md).
//!
//! Epochs are handed out by objects that are created, so that no two have the same. The record names its epoch, and is
//! written over only by who knows what it was: so it never goes back, and who is succeeded finds out at the next write.

mod ahead;
mod candidate;
mod past;
mod pen;
mod tenure;
mod watch;
mod writer;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record;
use crate::store;

pub(super) use candidate::{Candidate, Claim};
pub(super) use pen::Pen;
pub(super) use tenure::Tenure;

/// Who has written a record, and which of theirs it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stamp {
    /// Counts those who have published the channel.
    pub(super) epoch: u64,
    /// A process, in such words that it can be told on its machine whether it is still there.
    pub(super) writer: String,
    /// Counts its records, so that each differs from the one before.
    pub(super) beat: u64,
    /// True if nothing follows of this writer: others need not wait.
    pub(super) released: bool,
    /// True if viewers were told of nothing that is not in it: then others need not know anything else.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) settled: bool,
    /// Counts how often it was written again, as nothing else could be: each time it is another to those who watch.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) again: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(it: &bool) -> bool {
    !it
}

impl Stamp {
    /// That of the record that comes next.
    pub(super) fn next(&mut self) -> Self {
        self.beat += 1;
        self.clone()
    }

    /// True if the record of this one was written before that of `other`.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        (self.epoch, self.beat, self.again) < (other.epoch, other.beat, other.again)
    }

    /// The stamp of a record of any version.
    fn of(record: &[u8]) -> Result<Stamped, serde_json::Error> {
        serde_json::from_slice(record)
    }
}

/// What a record says of who wrote it.
#[derive(Debug, Default, Deserialize)]
struct Stamped {
    #[serde(default)]
    fence: Stamp,
    #[serde(default)]
    ended: bool,
    /// With the end of every track.
    #[serde(default)]
    complete: bool,
}

/// How long what may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// How long a record has to stay as it is before its writer is taken for dead.
    pub(super) patience: Duration,
    /// How long nobody takes over from who has written one: shorter than that by what a write may still be on its way.
    pub(super) lease: Duration,
    /// How often a record is written at least.
    pub(super) beat: Duration,
    /// How often who stands by looks at it.
    pub(super) poll: Duration,
}

impl Terms {
    /// For a channel of this target duration, whose writes may take so long altogether.
    pub(super) fn new(target: Duration, budget: Duration) -> Self {
        let patience = target * 2;
        Self { patience, lease: patience.saturating_sub(budget), beat: target / 2, poll: target / 8 }
    }
}

/// Why a packager does not publish a channel and would.
#[derive(Debug, thiserror::Error)]
pub(super) enum Hindrance {
    /// The store does not tell, or takes nothing.
    #[error("the store has to take a fence before this server goes on air: {0}")]
    Store(store::Error),
    /// What is kept is not to be used.
    #[error(transparent)]
    Kept(#[from] record::Error),
    /// It has to keep packagers apart, and does not.
    #[error("{0}; fence = \"required\" of [store] wants one that does, and \"auto\" goes on air without")]
    Unfenced(store::Unfenced),
    /// Another one is active.
    #[error(
        "another server publishes this channel ({writer}, epoch {epoch}); this one takes over if that one stops"
    )]
    Active {
        /// Who.
        writer: String,
        /// In which epoch.
        epoch: u64,
    },
}

#[cfg(test)]
mod tests;
