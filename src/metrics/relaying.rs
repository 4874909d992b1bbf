//! Origin nodes that are told the edge.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::OfChannel;

/// What is measured of all nodes. Cloning is cheap and measures the same.
#[derive(Clone, Debug, Default)]
pub struct Relaying {
    listening: Family<OfChannel, Gauge>,
    told: Family<OfChannel, Counter>,
}

/// A node that listens, until this is dropped.
#[derive(Debug)]
pub struct Listening {
    now: Gauge,
    told: Counter,
}

impl Relaying {
    pub(super) fn register(&self, registry: &mut Registry) {
        let nodes = Unit::Other("nodes".to_owned());
        let help = "Origin nodes that are told the edge now";
        registry.register_with_unit("edge_listening", help, nodes, self.listening.clone());
        let help = "Bytes of the edge that were told to origin nodes";
        registry.register_with_unit("edge_told", help, Unit::Bytes, self.told.clone());
    }

    /// Counts one of `channel` in.
    pub fn begin(&self, channel: &str) -> Listening {
        let of = OfChannel::named(channel);
        let now = self.listening.get_or_create(&of).clone();
        now.inc();
        Listening { now, told: self.told.get_or_create(&of).clone() }
    }
}

impl Listening {
    /// It was told so many bytes.
    pub fn told(&self, bytes: usize) {
        self.told.inc_by(bytes as u64);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.now.dec();
    }
}
