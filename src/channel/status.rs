//! How a channel is doing, in words for an operator.

use serde::Serialize;

/// State of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// No encoder has given a picture yet.
    #[default]
    Starting,
    /// No encoder has come yet, and the channel starts none. A kind of starting.
    #[serde(rename = "starting")]
    Awaiting {
        /// Where it is waited for.
        why: String,
    },
    /// Another server publishes the channel; this one has an encoder running and takes over when that one stops.
    Standby {
        /// Who does, or what else is in the way.
        why: String,
    },
    /// Frames of the source flow.
    Live,
    /// The source gives nothing; the filler is on air.
    Stalled {
        /// What is missing.
        why: String,
    },
    /// The encoder is gone and comes back after a pause; the filler is on air.
    Restarting {
        /// Why it went.
        why: String,
    },
    /// The source came to its end.
    Ended,
    /// Nothing can be shown. It is still tried again.
    Failed {
        /// What, where, and what would be right.
        why: String,
    },
}

/// What is known of a channel, for the control API and the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its state.
    #[serde(flatten)]
    pub state: State,
    /// Counts those who have published the channel, up to this server; 0 until it has.
    pub epoch: u64,
    /// How often this server has gone on where another had stopped.
    pub takeovers: u64,
    /// Encoder processes started so far.
    pub encoder_starts: u64,
    /// Process id of the encoder, if there is one.
    pub encoder_pid: Option<u32>,
    /// Filler parts published so far, over all tracks.
    pub filler_parts: u64,
    /// Encoder element by track name.
    pub encoders: std::collections::BTreeMap<String, String>,
    /// Why the store lags, if it does.
    pub store_degraded: Option<String>,
    /// Why nothing keeps a second packager from publishing the channel as well, if nothing does.
    pub unfenced: Option<String>,
    /// Why parts are not published one by one although they should be, if they are not.
    pub low_latency_off: Option<String>,
    /// Which packager tells the edge, of a node.
    pub edge_from: Option<String>,
}

impl Status {
    /// True if an encoder of this server gives pictures. Of what another server packages it is not known here.
    pub fn has_pictures(&self) -> bool {
        self.state == State::Live && self.encoder_starts > 0
    }
}
