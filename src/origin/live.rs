//! Files of live channels: from the channel's snapshot, and what has left memory from the store.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    error::HttpError,
    media_type,
    policy::CachePolicy,
    public,
    refusal::Refusal,
    respond::{Content, Representation},
    route::{File, Resource, TrackFile},
};
use crate::{
    channel::edge::{Document, Edge, Reader, TrackEdge},
    store::{self, Store},
};

/// What a live URL leads to. A name that no channel, track or list has costs a look into a map and nothing else.
pub async fn find(
    channels: &BTreeMap<String, Reader>,
    store: &Store,
    resource: Resource<'_>,
) -> Result<Representation, HttpError> {
    let reader = channels.get(resource.presentation).ok_or(Refusal::UnknownChannel)?;
    let edge = reader.edge.borrow().clone();
    let waiting = || public::not_yet(&reader.status.borrow().state);
    let manifest = |document: &Option<Arc<Document>>, media_type| {
        let content = Content::Document(document.clone().ok_or_else(waiting)?);
        Ok(Representation { content, media_type, cache: CachePolicy::LiveManifest })
    };
    match resource.file {
        File::Multivariant => manifest(&edge.multivariant, media_type::HLS),
        File::Mpd => manifest(&edge.mpd, media_type::DASH),
        File::Track { .. } if edge.tracks.is_empty() => Err(waiting()),
        File::Track { track: name, file } => {
            let track = edge.tracks.get(name).ok_or_else(|| unknown_track(&edge, file))?;
            match file {
                TrackFile::Playlist(_) => {
                    let content = Content::Document(track.playlist.clone().ok_or_else(waiting)?);
                    let cache = CachePolicy::LivePlaylist { target: edge.target_duration };
                    Ok(Representation { content, media_type: media_type::HLS, cache })
                }
                TrackFile::Init(_) | TrackFile::Segment(_) => {
                    let content = media(track, file, store, resource.presentation, name).await?;
                    let media_type = media_type::of_track(name);
                    Ok(Representation { content, media_type, cache: CachePolicy::Immutable })
                }
            }
        }
    }
}

fn unknown_track(edge: &Edge, file: TrackFile<'_>) -> HttpError {
    let refused = HttpError::from(Refusal::UnknownTrack);
    match file {
        TrackFile::Playlist(_) => {
            refused.cached(CachePolicy::MissingPlaylist { target: edge.target_duration })
        }
        TrackFile::Init(_) | TrackFile::Segment(_) => refused,
    }
}

async fn media(
    track: &TrackEdge,
    file: TrackFile<'_>,
    store: &Store,
    channel: &str,
    name: &str,
) -> Result<Content, HttpError> {
    let (in_memory, in_store, file) = match file {
        TrackFile::Segment(number) => (
            track.segments.get(&number),
            track.stored.as_ref().is_some_and(|stored| stored.contains(&number)),
            format!("{number}.m4s"),
        ),
        // Inits of earlier configurations are needed as long as segments of theirs may be in the store.
        TrackFile::Init(init) => (track.inits.get(init), track.stored.is_some(), init.to_owned()),
        TrackFile::Playlist(_) => (None, false, String::new()),
    };
    if let Some(body) = in_memory {
        return Ok(Content::Chunks(body.clone()));
    }
    if !in_store {
        return Err(Refusal::UnknownSegment.into());
    }
    match store.object(&format!("live/{channel}/{name}/{file}")).await {
        Ok(object) => Ok(Content::Object(object)),
        Err(store::Error::NotFound { .. }) => Err(Refusal::UnknownSegment.into()),
        Err(reason) => {
            tracing::debug!(%reason, channel, track = name, file, "the store did not give it");
            Err(Refusal::StoreUnavailable.into())
        }
    }
}
