//! Files of live channels: from the channel's snapshots, and what has left memory from the store.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::HeaderValue;

use super::{
    ahead::{self, Media},
    body::{Body, growing},
    error::HttpError,
    hold::{Found, Patience, Track, hold},
    media_type,
    policy::CachePolicy,
    public,
    refusal::Refusal,
    respond::{Content, Representation},
    route::{Directives, File, Resource, TrackFile},
    waiters::{Waiters, Waiting},
};
use crate::{
    channel::{
        cmsd,
        edge::{Document, Edge, Reader},
        fitness,
    },
    clock,
    store::{self, Store},
};

/// A request is held for this many target durations at most (rfc8216bis 6.2.5.2).
const HOLD: u32 = 3;

/// The live channels.
#[derive(Debug)]
pub struct Channels {
    readers: Arc<BTreeMap<String, Reader>>,
    store: Store,
    waiters: Waiters,
}

impl Channels {
    /// Serves what `readers` read and what is in `store` of it, and lets requests wait as far as `waiters` allows.
    pub fn new(readers: Arc<BTreeMap<String, Reader>>, store: Store, waiters: Waiters) -> Self {
        Self { readers, store, waiters }
    }

    /// What a live URL leads to. A name that no channel, track or list has costs a look into a map and nothing else.
    pub async fn find(
        &self,
        resource: Resource<'_>,
        connection: &Waiting,
    ) -> Result<Found<Representation>, HttpError> {
        let reader = self.readers.get(resource.presentation).ok_or(Refusal::UnknownChannel)?;
        let edge = reader.edge.borrow().clone();
        let not_yet = || public::not_yet(&reader.status.borrow().state);
        let manifest = |document: &Option<Arc<Document>>, media_type| {
            if let Some(unfit) = fitness::of_channel(&edge, clock::now()) {
                return Err(Refusal::from(unfit).into());
            }
            let content = Content::Document(document.clone().ok_or_else(not_yet)?);
            let found = Representation { content, media_type, cache: CachePolicy::LiveManifest };
            Ok(Found { found, held: None })
        };
        let (name, file) = match resource.file {
            File::Multivariant => return manifest(&edge.multivariant, media_type::HLS),
            File::Mpd => return manifest(&edge.mpd, media_type::DASH),
            File::Track { .. } if edge.tracks.is_empty() => return Err(not_yet()),
            File::Track { track, file } => (track, file),
        };
        let track = edge.tracks.get(name).ok_or_else(|| unknown_track(&edge, file))?.clone();
        if matches!(file, TrackFile::Playlist(_)) {
            let track = track.borrow().clone();
            if track.playlist.is_none() {
                return Err(not_yet());
            }
            if let Some(unfit) = fitness::of_track(&edge, &track, clock::now()) {
                return Err(Refusal::from(unfit).into());
            }
        }
        let target = edge.target_duration;
        // What waits holds on to its track only.
        drop(edge);
        let duration = target.max(Duration::from_secs(1)) * HOLD;
        let what = (resource.presentation, name, file.kind());
        let patience = Patience { waiters: &self.waiters, connection, duration, what };
        match file {
            TrackFile::Playlist(directives) => playlist(track, directives, patience, target).await,
            TrackFile::Init(init) => self.init(&track, resource.presentation, name, init).await,
            TrackFile::Segment(number) => self.segment(track, number, patience).await,
            TrackFile::Part(number, index) => part(track, number, index, patience).await,
        }
    }

    async fn segment(
        &self,
        mut track: Track,
        number: i64,
        patience: Patience<'_>,
    ) -> Result<Found<Representation>, HttpError> {
        let (channel, name, kind) = patience.what;
        let Found { found, held } = hold(&mut track, patience, |track| ahead::segment(track, number)).await?;
        let (content, cache) = match found {
            Media::Whole(body) => (Content::Chunks(body), CachePolicy::Immutable),
            Media::Stored => {
                let path = format!("live/{channel}/{name}/{number}.m4s");
                let cmsd = track.borrow().cmsd.clone();
                (self.stored(&path, cmsd).await?, CachePolicy::Immutable)
            }
            Media::Growing => {
                let waiter = self.waiters.enter(patience.connection)?;
                let first_byte = self.waiters.metrics().first_byte(channel, name, kind);
                let cmsd = track.borrow().cmsd.clone();
                let body = Body::growing(growing(track, number, patience.duration, first_byte, waiter));
                (Content::Growing(body, cmsd), CachePolicy::Growing)
            }
        };
        let found = Representation { content, media_type: media_type::of_track(name), cache };
        Ok(Found { found, held })
    }

    async fn init(
        &self,
        track: &Track,
        channel: &str,
        name: &str,
        init: &str,
    ) -> Result<Found<Representation>, HttpError> {
        let snapshot = track.borrow().clone();
        let content = match snapshot.inits.get(init) {
            Some(body) => Content::Chunks(body.clone()),
            // Inits of earlier configurations are needed as long as segments of theirs may be in the store.
            None if snapshot.stored.is_some() => {
                self.stored(&format!("live/{channel}/{name}/{init}"), Some(cmsd::init(true))).await?
            }
            None => return Err(Refusal::UnknownSegment.into()),
        };
        let media_type = media_type::of_track(name);
        let found = Representation { content, media_type, cache: CachePolicy::Immutable };
        Ok(Found { found, held: None })
    }

    async fn stored(&self, path: &str, cmsd: Option<HeaderValue>) -> Result<Content, HttpError> {
        match self.store.object(path).await {
            Ok(object) => Ok(Content::Object(object, cmsd)),
            Err(store::Error::NotFound { .. }) => Err(Refusal::UnknownSegment.into()),
            Err(reason) => {
                tracing::debug!(%reason, path, "the store did not give it");
                Err(Refusal::StoreUnavailable.into())
            }
        }
    }
}

async fn playlist(
    mut track: Track,
    directives: Directives,
    patience: Patience<'_>,
    target: Duration,
) -> Result<Found<Representation>, HttpError> {
    let Found { found, held } =
        hold(&mut track, patience, |track| ahead::playlist(track, directives)).await?;
    let cache = match directives.msn {
        Some(_) => CachePolicy::BlockingPlaylist { target },
        None => CachePolicy::LivePlaylist { target },
    };
    let found = Representation { content: Content::Document(found), media_type: media_type::HLS, cache };
    Ok(Found { found, held })
}

async fn part(
    mut track: Track,
    number: i64,
    index: u32,
    patience: Patience<'_>,
) -> Result<Found<Representation>, HttpError> {
    let (_, name, _) = patience.what;
    let Found { found, held } = hold(&mut track, patience, |track| ahead::part(track, number, index)).await?;
    let media_type = media_type::of_track(name);
    let found = Representation { content: Content::Chunks(found), media_type, cache: CachePolicy::Immutable };
    Ok(Found { found, held })
}

fn unknown_track(edge: &Edge, file: TrackFile<'_>) -> HttpError {
    let refused = HttpError::from(Refusal::UnknownTrack);
    let target = edge.target_duration;
    match file {
        TrackFile::Playlist(Directives { msn: Some(_), .. }) => {
            refused.cached(CachePolicy::MissingBlockingPlaylist { target })
        }
        TrackFile::Playlist(_) => refused.cached(CachePolicy::MissingPlaylist { target }),
        TrackFile::Init(_) | TrackFile::Segment(_) | TrackFile::Part(..) => refused,
    }
}
