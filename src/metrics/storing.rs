//! What waits for the store, by track.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::track::Labels;

/// Families of all tracks. Cloning is cheap and measures the same.
#[derive(Clone, Debug, Default)]
pub struct Storing {
    segments: Family<Labels, Gauge>,
    bytes: Family<Labels, Gauge>,
    age: Family<Labels, Gauge<f64, AtomicU64>>,
    stored: Family<Labels, Counter>,
    lost: Family<Labels, Counter>,
    archive_bytes: Family<Labels, Gauge>,
    archive_segments: Family<Labels, Gauge>,
    archive_depth: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl Storing {
    pub(super) fn register(&self, registry: &mut Registry) {
        let unit = |unit: &str| Unit::Other(unit.to_owned());
        let help = "Segments that wait for the store";
        registry.register_with_unit("spooled", help, unit("segments"), self.segments.clone());
        registry.register_with_unit("spooled", "Their bytes", Unit::Bytes, self.bytes.clone());
        let help = "For how long the oldest of them has waited";
        registry.register_with_unit("spooled_age", help, Unit::Seconds, self.age.clone());
        let help = "Segments that the store has taken";
        registry.register_with_unit("stored", help, unit("segments"), self.stored.clone());
        let help = "Segments that it will never have";
        registry.register_with_unit("lost", help, unit("segments"), self.lost.clone());
        let help = "Segments that the store has and that may be listed";
        registry.register_with_unit("archive", help, unit("segments"), self.archive_segments.clone());
        registry.register_with_unit("archive", "Their bytes", Unit::Bytes, self.archive_bytes.clone());
        let help = "From the first of them to the last";
        registry.register_with_unit("archive_depth", help, Unit::Seconds, self.archive_depth.clone());
    }

    /// What waits of a track.
    pub fn backlog(&self, channel: &str, track: &str, segments: usize, bytes: u64, age: Duration) {
        let labels = Labels::new(channel, track);
        self.segments.get_or_create(&labels).set(i64::try_from(segments).unwrap_or(i64::MAX));
        self.bytes.get_or_create(&labels).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.age.get_or_create(&labels).inner().store(age.as_secs_f64().to_bits(), Ordering::Relaxed);
    }

    /// What is kept of a track.
    pub fn archived(&self, channel: &str, track: &str, segments: u64, bytes: u64, depth: Duration) {
        let labels = Labels::new(channel, track);
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.archive_segments.get_or_create(&labels).set(gauge(segments));
        self.archive_bytes.get_or_create(&labels).set(gauge(bytes));
        self.archive_depth
            .get_or_create(&labels)
            .inner()
            .store(depth.as_secs_f64().to_bits(), Ordering::Relaxed);
    }

    /// A segment is in the store, or never will be.
    pub fn done(&self, channel: &str, track: &str, stored: bool) {
        let labels = Labels::new(channel, track);
        // Both are told from the first on, so that a rate of losses is 0 and not unknown.
        let (taken, lost) = (self.stored.get_or_create(&labels), self.lost.get_or_create(&labels));
        if stored {
            taken.inc()
        } else {
            lost.inc()
        };
    }
}
