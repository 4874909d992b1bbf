//! Requests that wait for what comes next.

use std::time::{Duration, Instant};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::BUCKETS;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    channel: String,
    track: String,
    response: &'static str,
}

/// What is measured of all that wait. Cloning is cheap and measures the same.
#[derive(Clone, Debug)]
pub struct Waiting {
    blocked: Gauge,
    refused: Counter,
    packaged_to_first_byte: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Default for Waiting {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            blocked: Gauge::default(),
            refused: Counter::default(),
            packaged_to_first_byte: Family::new_with_constructor(histogram),
        }
    }
}

impl Waiting {
    pub(super) fn register(&self, registry: &mut Registry) {
        let waiters = || Unit::Other("waiters".to_owned());
        registry.register_with_unit("blocked", "Requests that wait now", waiters(), self.blocked.clone());
        let help = "Requests refused because as many waited as may";
        registry.register_with_unit("refused", help, waiters(), self.refused.clone());
        let help =
            "From a publication until the first byte of it is handed to a connection that waited for it";
        let family = self.packaged_to_first_byte.clone();
        registry.register_with_unit("packaged_to_first_byte", help, Unit::Seconds, family);
    }

    /// Another one waits; gives how many did before.
    pub fn enter(&self) -> i64 {
        self.blocked.inc()
    }

    /// One less waits.
    pub fn leave(&self) {
        self.blocked.dec();
    }

    /// One was refused.
    pub fn refuse(&self) {
        self.refused.inc();
    }

    /// How many wait.
    pub fn count(&self) -> i64 {
        self.blocked.get()
    }

    /// How long it takes until a response that waited begins. `response` is what kind of one.
    pub fn first_byte(&self, channel: &str, track: &str, response: &'static str) -> Histogram {
        let labels = Labels { channel: channel.to_owned(), track: track.to_owned(), response };
        self.packaged_to_first_byte.get_or_create_owned(&labels)
    }
}

/// Something that was waited for, from its publication until the first byte of it is sent.
#[derive(Clone, Debug)]
pub struct Held {
    /// When it was published.
    pub published_at: Instant,
    /// Where the time is counted.
    pub first_byte: Histogram,
}

impl Held {
    /// The first byte is sent at `now`.
    pub fn sent(self, now: Instant) {
        let took: Duration = now.saturating_duration_since(self.published_at);
        self.first_byte.observe(took.as_secs_f64());
    }
}
