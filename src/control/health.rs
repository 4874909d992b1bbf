//! Whether this server may be sent viewers.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use crate::{
    channel::{edge::Reader, status::State},
    store::Store,
};

/// What is in the way of being ready, one line each; empty if nothing is. A store that lags is not: the live edge is
/// served from memory, and taking this server away from its viewers would make a small trouble a large one.
pub(super) async fn obstacles(
    channels: &BTreeMap<String, Reader>,
    store: &Store,
    shutdown: &CancellationToken,
) -> Vec<String> {
    let mut obstacles = Vec::new();
    if shutdown.is_cancelled() {
        obstacles.push("shutting down".to_owned());
    }
    obstacles
        .extend(channels.iter().filter_map(|(name, reader)| obstacle(name, &reader.status.borrow().state)));
    if let Err(reason) = store.assets().await {
        obstacles.push(format!("store {} does not answer: {reason}", store.url()));
    }
    obstacles
}

fn obstacle(name: &str, state: &State) -> Option<String> {
    match state {
        State::Live | State::Ended | State::Stalled { .. } | State::Restarting { .. } => None,
        State::Starting => Some(format!("channel {name} is starting")),
        State::Awaiting { why } => Some(format!("channel {name} is starting: {why}")),
        State::Failed { why } => Some(format!("channel {name} failed: {why}")),
    }
}
