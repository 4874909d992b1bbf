//! What is counted and how long things take, as Prometheus reads it: families with typed labels, each of which has few
//! values whatever clients send. Names are `headwater_<name>_<unit>`, with `_total` behind those of counters;
//! docs/metrics.md has the table.

mod http;
mod relaying;
mod rewinding;
mod storing;
mod track;
mod viewing;
mod waiting;

use prometheus_client::{
    collector::Collector,
    encoding::{EncodeLabelSet, text},
    metrics::info::Info,
    registry::Registry,
};

pub use prometheus_client::metrics::histogram::Histogram;

pub use self::{
    http::{Http, Listener, Outcome},
    relaying::{Listening, Relaying},
    rewinding::{Rewinding, Rewound},
    storing::Storing,
    track::{Part, Track, Tracks},
    viewing::{Viewers, Viewing},
    waiting::{Held, Waiting},
};

const PREFIX: &str = "headwater";
/// Seconds. From what a publish takes to what nobody should see.
const BUCKETS: [f64; 18] = [
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0,
];

/// The label of what is told of a whole channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChannel {
    channel: String,
}

impl OfChannel {
    fn named(channel: &str) -> Self {
        Self { channel: channel.to_owned() }
    }
}

/// Everything that is measured while it happens. Cloning is cheap and measures the same.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Of tracks of live channels.
    pub tracks: Tracks,
    /// Of requests that wait.
    pub waiting: Waiting,
    /// Of viewers over WebSockets.
    pub viewing: Viewing,
    /// Of origin nodes that are told the edge.
    pub relaying: Relaying,
    /// Of lists of stretches.
    pub rewinding: Rewinding,
    /// Of the listeners.
    pub http: Http,
}

/// What is told to who asks.
#[derive(Debug)]
pub struct Exposition(Registry);

impl Exposition {
    /// Tells of `metrics`, and of the version of this program.
    pub fn new(metrics: &Metrics) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This program", build);
        metrics.tracks.register(&mut registry);
        metrics.waiting.register(&mut registry);
        metrics.viewing.register(&mut registry);
        metrics.relaying.register(&mut registry);
        metrics.rewinding.register(&mut registry);
        metrics.http.register(&mut registry);
        Self(registry)
    }

    /// Tells also what is looked up when somebody asks.
    #[must_use]
    pub fn with(mut self, collector: impl Collector) -> Self {
        self.0.register_collector(Box::new(collector));
        self
    }

    /// All of it, as OpenMetrics 1.0 text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut text, &self.0);
        text
    }
}
