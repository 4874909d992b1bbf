//! Files of live channels: from the channel's snapshots, and what has left memory from the store.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::HeaderValue;

use super::{
    ahead::{self, Media},
    body::{Body, growing},
    error::HttpError,
    hold::{Found, HOLD, Patience, Track, hold},
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
        archive, cmsd,
        edge::{Document, Edge, Reader},
        fitness,
    },
    clock,
    store::{self, Store},
};

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
        let at_once = |document: Result<Option<Representation>, Refusal>| {
            Ok(Found { found: document?.ok_or_else(not_yet)?, held: None })
        };
        let (name, file) = match resource.file {
            File::Multivariant => return at_once(manifest(&edge, &edge.multivariant, media_type::HLS)),
            File::Mpd => return at_once(manifest(&edge, &edge.mpd, media_type::DASH)),
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

    /// What a live URL leads to, if it is in memory and nothing speaks against it.
    pub fn at_once(&self, resource: Resource<'_>) -> Option<Representation> {
        let reader = self.readers.get(resource.presentation)?;
        let edge = reader.edge.borrow().clone();
        let (name, file) = match resource.file {
            File::Multivariant => return manifest(&edge, &edge.multivariant, media_type::HLS).ok()?,
            File::Mpd => return manifest(&edge, &edge.mpd, media_type::DASH).ok()?,
            File::Track { track, file } => (track, file),
        };
        let track = edge.tracks.get(name)?.borrow().clone();
        let media = |body| found_media(name, Content::Chunks(body), CachePolicy::Immutable);
        match file {
            TrackFile::Playlist(directives) => {
                let fit = fitness::of_track(&edge, &track, clock::now()).is_none();
                let document = ahead::playlist(&track, directives).now().filter(|_| fit)?;
                Some(found_playlist(document, directives, edge.target_duration))
            }
            TrackFile::Init(init) => track.inits.get(init).cloned().map(media),
            TrackFile::Segment(number) => match ahead::segment(&track, number).now()? {
                Media::Whole(body) => Some(media(body)),
                Media::Growing | Media::Stored => None,
            },
            TrackFile::Part(number, index) => ahead::part(&track, number, index).now().map(media),
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
                if !self.store.knows(&path) {
                    self.vouch(&track, (channel, name), number).await?;
                }
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
        Ok(Found { found: found_media(name, content, cache), held })
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
        Ok(Found { found: found_media(name, content, CachePolicy::Immutable), held: None })
    }

    /// Makes known what a segment of a track has to be. One of which nobody can say that is not served.
    async fn vouch(
        &self,
        track: &Track,
        (channel, name): (&str, &str),
        number: i64,
    ) -> Result<(), HttpError> {
        let Some(archive) = track.borrow().archive.clone() else { return Ok(()) };
        match archive::know(&self.store, &format!("live/{channel}"), name, &archive, number).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::UnknownSegment.into()),
            Err(archive::Error::Store(reason)) => Err(public::not_given(&reason).into()),
            Err(reason) => {
                tracing::debug!(%reason, name, number, "nobody can say what a segment has to be");
                Err(Refusal::StoreUnavailable.into())
            }
        }
    }

    async fn stored(&self, path: &str, cmsd: Option<HeaderValue>) -> Result<Content, HttpError> {
        match self.store.find(path).await {
            Ok(stored) => Ok(Content::Stored(stored, cmsd)),
            Err(store::Error::NotFound { .. }) => Err(Refusal::UnknownSegment.into()),
            Err(reason) => {
                tracing::debug!(%reason, path, "the store did not give it");
                Err(public::not_given(&reason).into())
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
    Ok(Found { found: found_playlist(found, directives, target), held })
}

async fn part(
    mut track: Track,
    number: i64,
    index: u32,
    patience: Patience<'_>,
) -> Result<Found<Representation>, HttpError> {
    let (_, name, _) = patience.what;
    let Found { found, held } = hold(&mut track, patience, |track| ahead::part(track, number, index)).await?;
    Ok(Found { found: found_media(name, Content::Chunks(found), CachePolicy::Immutable), held })
}

/// A document of the whole channel, if there is one yet and the channel is fit to be shown.
fn manifest(
    edge: &Edge,
    document: &Option<Arc<Document>>,
    media_type: &'static str,
) -> Result<Option<Representation>, Refusal> {
    if let Some(unfit) = fitness::of_channel(edge, clock::now()) {
        return Err(unfit.into());
    }
    let content = document.clone().map(Content::Document);
    Ok(content.map(|content| Representation { content, media_type, cache: CachePolicy::LiveManifest }))
}

fn found_playlist(document: Arc<Document>, directives: Directives, target: Duration) -> Representation {
    let cache = match directives.msn {
        Some(_) => CachePolicy::BlockingPlaylist { target },
        None => CachePolicy::LivePlaylist { target },
    };
    Representation { content: Content::Document(document), media_type: media_type::HLS, cache }
}

fn found_media(track: &str, content: Content, cache: CachePolicy) -> Representation {
    Representation { content, media_type: media_type::of_track(track), cache }
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
