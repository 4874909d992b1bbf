//! Lists of stretches of what is kept of channels.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{BUCKETS, OfChannel};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    channel: String,
    outcome: &'static str,
}

/// What became of a request for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewound {
    /// It had been made, or was being made for somebody else.
    Known,
    /// It was made.
    Made,
    /// It was not, as too many were asked for at a time.
    Refused,
    /// It could not be made: the store did not answer, or nothing is left of it.
    Failed,
}

impl Rewound {
    const ALL: [Self; 4] = [Self::Known, Self::Made, Self::Refused, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Made => "made",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What is measured of all of them. Cloning is cheap and measures the same.
#[derive(Clone, Debug)]
pub struct Rewinding {
    lists: Family<Labels, Counter>,
    making: Family<OfChannel, Histogram, fn() -> Histogram>,
}

impl Default for Rewinding {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self { lists: Family::default(), making: Family::new_with_constructor(histogram) }
    }
}

impl Rewinding {
    pub(super) fn register(&self, registry: &mut Registry) {
        let lists = Unit::Other("lists".to_owned());
        let help = "Playlists and MPDs of stretches that were asked for";
        registry.register_with_unit("stretch", help, lists, self.lists.clone());
        let help = "From the request for one that is not known until it is made, with the wait for a turn";
        registry.register_with_unit("stretch_making", help, Unit::Seconds, self.making.clone());
    }

    /// Those of `channel` are told from now on, also while there are none.
    pub fn expect(&self, channel: &str) {
        for outcome in Rewound::ALL.map(Rewound::name) {
            drop(self.lists.get_or_create(&Labels { channel: channel.to_owned(), outcome }));
        }
        drop(self.making.get_or_create(&OfChannel::named(channel)));
    }

    /// One of `channel` was asked for.
    pub fn asked(&self, channel: &str, rewound: Rewound) {
        self.lists.get_or_create(&Labels { channel: channel.to_owned(), outcome: rewound.name() }).inc();
    }

    /// One of `channel` was made, which took so long.
    pub fn made(&self, channel: &str, took: Duration) {
        self.making.get_or_create(&OfChannel::named(channel)).observe(took.as_secs_f64());
    }
}
