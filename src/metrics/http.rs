//! Connections, requests and bytes, by listener.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    listener: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Requests {
    listener: &'static str,
    status: &'static str,
    cache: &'static str,
    refusal: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    listener: &'static str,
    why: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reloaded {
    listener: &'static str,
    outcome: &'static str,
}

/// Families of all listeners. Cloning is cheap and measures the same.
#[derive(Clone, Debug, Default)]
pub struct Http {
    requests: Family<Requests, Counter>,
    sent: Family<Of, Counter>,
    open: Family<Of, Gauge>,
    accepted: Family<Of, Counter>,
    closed: Family<Closed, Counter>,
    reloads: Family<Reloaded, Counter>,
}

impl Http {
    pub(super) fn register(&self, registry: &mut Registry) {
        let unit = |unit: &str| Unit::Other(unit.to_owned());
        let help = "Responses, by status class, cache policy and, where nothing was served, why";
        registry.register_with_unit("http", help, unit("requests"), self.requests.clone());
        registry.register_with_unit("http_sent", "Bytes of bodies", Unit::Bytes, self.sent.clone());
        registry.register_with_unit("http_open", "Connections now", unit("connections"), self.open.clone());
        let help = "Connections so far";
        registry.register_with_unit("http_accepted", help, unit("connections"), self.accepted.clone());
        let help = "Connections that were turned away or ended by this side, by why";
        registry.register_with_unit("http_closed", help, unit("connections"), self.closed.clone());
        let help = "Certificates that were read again";
        registry.register_with_unit("http_certificate", help, unit("reloads"), self.reloads.clone());
    }

    /// One listener's, which are told from now on.
    pub fn of(&self, listener: &'static str) -> Listener {
        let labels = Of { listener };
        // Told before anything has happened, as zeros.
        self.closed.get_or_create_owned(&Closed { listener, why: "idle" });
        self.reloads.get_or_create_owned(&Reloaded { listener, outcome: "used" });
        Listener {
            listener,
            requests: self.requests.clone(),
            sent: self.sent.get_or_create_owned(&labels),
            open: self.open.get_or_create_owned(&labels),
            accepted: self.accepted.get_or_create_owned(&labels),
            closed: self.closed.clone(),
            reloads: self.reloads.clone(),
        }
    }
}

/// What is measured of one listener.
#[derive(Clone, Debug)]
pub struct Listener {
    listener: &'static str,
    requests: Family<Requests, Counter>,
    sent: Counter,
    open: Gauge,
    accepted: Counter,
    closed: Family<Closed, Counter>,
    reloads: Family<Reloaded, Counter>,
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// HTTP status.
    pub status: u16,
    /// Name of the cache policy; empty if there was none.
    pub cache: &'static str,
    /// Name of the refusal; empty if it was served.
    pub refusal: &'static str,
}

/// A connection, open until this is dropped.
#[derive(Debug)]
pub struct Connection(Gauge);

impl Listener {
    /// A connection was accepted.
    pub fn connected(&self) -> Connection {
        self.accepted.inc();
        self.open.inc();
        Connection(self.open.clone())
    }

    /// A connection was not let in, or was closed by this side: `why` is a word of ours.
    pub fn closed(&self, why: &'static str) {
        self.closed.get_or_create(&Closed { listener: self.listener, why }).inc();
    }

    /// Certificates were read again, and can be used or not.
    pub fn reloaded(&self, well: bool) {
        let outcome = if well { "used" } else { "refused" };
        self.reloads.get_or_create(&Reloaded { listener: self.listener, outcome }).inc();
    }

    /// Bytes of a body were handed to a connection.
    pub fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }

    /// A request was answered, or its answer given up.
    pub fn answered(&self, outcome: Outcome) {
        let Outcome { status, cache, refusal } = outcome;
        let labels = Requests { listener: self.listener, status: class(status), cache, refusal };
        self.requests.get_or_create(&labels).inc();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
