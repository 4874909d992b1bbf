//! Whether this server may be sent viewers.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use crate::{
    channel::{
        edge::Reader,
        fitness::{Filling, Unfit},
        status::State,
    },
    config::unit::Span,
};

/// What is in the way of being ready, one line each; empty if nothing is. A store that fails is not: the live edge is
/// served from memory, all servers have the same bucket, and taking them away from their viewers would make a small trouble
/// a large one. Where it does keep media from viewers, channels are stale.
pub(super) fn obstacles(channels: &BTreeMap<String, Reader>, shutdown: &CancellationToken) -> Vec<String> {
    let mut obstacles = Vec::new();
    if shutdown.is_cancelled() {
        obstacles.push("shutting down".to_owned());
    }
    for (name, reader) in channels {
        obstacles.extend(obstacle(name, &reader.status.borrow().state));
        obstacles.extend(reader.unfit().and_then(words).map(|words| format!("channel {name} {words}")));
        obstacles.extend(reader.filling().map(|filling| match filling {
            Filling::Short { listed, of } => {
                format!("channel {name} is filling: it lists {} of {}", Span(listed), Span(of))
            }
            Filling::WithoutParts => {
                format!("channel {name} is filling: it has no parts of the segment of the moment")
            }
            Filling::OnSlate => {
                format!("channel {name} is filling: it is on slate until the source's next segment begins")
            }
        }));
    }
    obstacles
}

fn words(unfit: Unfit) -> Option<&'static str> {
    Some(match unfit {
        Unfit::Stale => "is stale: nothing new was published for too long",
        Unfit::Incomplete => "is incomplete: a track has stopped, others go on",
        Unfit::Slate => "is on slate: nothing came of the source for too long",
        // Nobody else has it either.
        Unfit::Over => return None,
    })
}

fn obstacle(name: &str, state: &State) -> Option<String> {
    match state {
        State::Live | State::Ended | State::Stalled { .. } | State::Restarting { .. } => None,
        State::Starting => Some(format!("channel {name} is starting")),
        State::Awaiting { why } => Some(format!("channel {name} is starting: {why}")),
        State::Standby { why } => Some(format!("channel {name} stands by: {why}")),
        State::Failed { why } => Some(format!("channel {name} failed: {why}")),
    }
}
