//! Viewers over WebSockets.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{BUCKETS, OfChannel};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Changed {
    channel: String,
    to: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    channel: String,
    why: &'static str,
}

/// Why the server closes connections of viewers. All are told from the first viewer on, so that a rise from zero is seen.
const WHY: [&str; 5] = ["ended", "going-away", "too-slow", "broken", "expired"];

/// What is measured of all viewers. Cloning is cheap and measures the same.
#[derive(Clone, Debug)]
pub struct Viewing {
    all: Gauge,
    watching: Family<OfChannel, Gauge>,
    sent: Family<OfChannel, Counter>,
    skipped: Family<OfChannel, Counter>,
    changed: Family<Changed, Counter>,
    closed: Family<Closed, Counter>,
    encoded_to_sent: Family<OfChannel, Histogram, fn() -> Histogram>,
}

impl Default for Viewing {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            all: Gauge::default(),
            watching: Family::default(),
            sent: Family::default(),
            skipped: Family::default(),
            changed: Family::default(),
            closed: Family::default(),
            encoded_to_sent: Family::new_with_constructor(histogram),
        }
    }
}

impl Viewing {
    pub(super) fn register(&self, registry: &mut Registry) {
        let unit = |unit: &str| Unit::Other(unit.to_owned());
        let help = "Viewers over WebSockets now";
        registry.register_with_unit("watching", help, unit("viewers"), self.watching.clone());
        let help = "Bytes handed to connections of viewers";
        registry.register_with_unit("viewers_sent", help, Unit::Bytes, self.sent.clone());
        let help = "Times that frames were left out because a viewer's line was too slow";
        registry.register_with_unit("viewers", help, unit("skips"), self.skipped.clone());
        let help = "Times that a viewer was given a lower track, or a better one again";
        registry.register_with_unit("viewers_track", help, unit("changes"), self.changed.clone());
        let help = "Connections of viewers that were closed by the server, and why";
        registry.register_with_unit("viewers", help, unit("closes"), self.closed.clone());
        let help =
            "From a frame's arrival until the system has taken it for a viewer, first frames of a batch";
        registry.register_with_unit("encoded_to_sent", help, Unit::Seconds, self.encoded_to_sent.clone());
    }

    /// Those of one channel.
    pub fn of(&self, channel: &str) -> Viewers {
        let of = OfChannel::named(channel);
        for why in WHY {
            drop(self.closed.get_or_create(&Closed { channel: channel.to_owned(), why }));
        }
        let changed = |to| Changed { channel: channel.to_owned(), to };
        Viewers {
            channel: channel.to_owned(),
            watching: self.watching.get_or_create_owned(&of),
            sent: self.sent.get_or_create_owned(&of),
            skipped: self.skipped.get_or_create_owned(&of),
            lowered: self.changed.get_or_create_owned(&changed("lower")),
            raised: self.changed.get_or_create_owned(&changed("better")),
            closed: self.closed.clone(),
            encoded_to_sent: self.encoded_to_sent.get_or_create_owned(&of),
        }
    }

    /// Another one watches; gives how many did before.
    pub fn enter(&self) -> i64 {
        self.all.inc()
    }

    /// One less watches.
    pub fn leave(&self) {
        self.all.dec();
    }
}

/// What is measured of a channel's viewers.
#[derive(Clone, Debug)]
pub struct Viewers {
    channel: String,
    watching: Gauge,
    sent: Counter,
    skipped: Counter,
    lowered: Counter,
    raised: Counter,
    closed: Family<Closed, Counter>,
    encoded_to_sent: Histogram,
}

impl Viewers {
    /// Another one watches; gives how many did before.
    pub fn enter(&self) -> i64 {
        self.watching.inc()
    }

    /// One less watches.
    pub fn leave(&self) {
        self.watching.dec();
    }

    /// Bytes were handed to a connection.
    pub fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }

    /// A frame was sent that long after it could have been.
    pub fn delayed(&self, delay: Duration) {
        self.encoded_to_sent.observe(delay.as_secs_f64());
    }

    /// Frames were left out.
    pub fn skipped(&self) {
        self.skipped.inc();
    }

    /// A lower track was chosen.
    pub fn lowered(&self) {
        self.lowered.inc();
    }

    /// A better track was chosen.
    pub fn raised(&self) {
        self.raised.inc();
    }

    /// The server has closed a connection.
    pub fn closed(&self, why: &'static str) {
        self.closed.get_or_create(&Closed { channel: self.channel.clone(), why }).inc();
    }
}
