//! Presentations of any stretch of what is kept of a channel: start-over, catch-up, and what was on last night
//! (docs/dvr.md).
//!
//! [`query`] says which stretch is asked for, [`plan`] what of it there is, [`past`] how it was listed, [`render`] makes the documents. Media is the channel's own.

mod past;
mod places;
pub mod plan;
pub mod query;
mod render;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, future};

pub use self::query::Stretch;
use self::{past::Past, places::Places, plan::Plan, query::Canonical, render::Rendered};
use super::{
    ahead::{FARTHEST_SEGMENT, Outlook},
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
        edge::{Document, Edge, Reader, TrackEdge},
        fitness,
    },
    clock, config,
    metrics::{Held, Rewinding, Rewound},
    store::Store,
};

/// Documents of this many bytes are kept.
const CAPACITY: u64 = 32 << 20;
/// For so long one is kept in which something is left out that may be there again.
const LACKING: Duration = Duration::from_secs(1);

/// Stretches of live channels.
#[derive(Debug)]
pub struct Stretches {
    readers: Arc<BTreeMap<String, Reader>>,
    past: Past,
    places: Arc<Places>,
    waiters: Waiters,
    longest: Duration,
    metrics: Rewinding,
    rendered: future::Cache<Key, Arc<Rendered>>,
}

/// What a document depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    channel: String,
    which: Which,
    /// All that are in the stretch: what is missing in one is left out of the others.
    tracks: Vec<String>,
    first: i64,
    last: i64,
    /// Number of the last segment that there is of it.
    upto: i64,
    complete: bool,
    /// The store has all of what is complete.
    settled: bool,
}

/// A document of a stretch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Which {
    /// The multivariant playlist, which names others with this query.
    Multivariant(Canonical),
    /// The MPD, whose presentation time counts from there.
    Mpd(i128),
    /// The playlist of this track.
    Playlist(String),
}

impl Stretches {
    /// Those of what `readers` read and what is in `store` of it. Requests wait as far as `waiters` allows.
    pub fn new(readers: Arc<BTreeMap<String, Reader>>, store: Store, waiters: Waiters) -> Self {
        let rendered = future::Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(|_: &Key, rendered: &Arc<Rendered>| {
                u32::try_from(3 * rendered.length()).unwrap_or(u32::MAX)
            })
            .expire_after(Lifetime)
            .build();
        Self {
            readers,
            past: Past::new(store),
            places: Arc::default(),
            waiters,
            longest: config::Limits::default().stretch,
            metrics: Rewinding::default(),
            rendered,
        }
    }

    /// The same, of which so much may be asked for at a time, and which are counted in `metrics`.
    #[must_use]
    pub fn up_to(self, longest: Duration, metrics: Rewinding) -> Self {
        self.readers.keys().for_each(|channel| metrics.expect(channel));
        Self { longest, metrics, ..self }
    }

    /// The document of `stretch` that `resource` names.
    pub async fn find(
        &self,
        resource: Resource<'_>,
        stretch: Stretch,
        connection: &Waiting,
    ) -> Result<Found<Representation>, HttpError> {
        let reader = self.readers.get(resource.presentation).ok_or(Refusal::UnknownChannel)?;
        let edge = reader.edge.borrow().clone();
        if edge.renditions.is_empty() {
            return Err(public::not_yet(&reader.status.borrow().state));
        }
        let plan = Plan::of(&edge, stretch, self.longest)?;
        let (which, media_type) = match resource.file {
            File::Track { track, file: TrackFile::Playlist(directives) } => {
                return self.playlist(resource.presentation, track, stretch, directives, connection).await;
            }
            // Only documents have a stretch.
            File::Track { .. } => return Err(Refusal::UnknownPath.into()),
            File::Multivariant => (Which::Multivariant(plan.query), media_type::HLS),
            File::Mpd => (Which::Mpd(plan.zero), media_type::DASH),
        };
        let rendered = self.rendered(resource.presentation, which, &plan, connection).await?;
        if !plan.is_complete()
            && let Some(unfit) = fitness::of_channel(&edge, clock::now())
        {
            return Err(Refusal::from(unfit).into());
        }
        let cache =
            if plan.is_complete() && rendered.is_whole { plan.kept() } else { CachePolicy::LiveManifest };
        Ok(Found { found: found(rendered.whole.clone(), media_type, cache), held: None })
    }

    /// The playlist of a track, once it lists what `directives` ask for (rfc8216bis 6.2.5.2).
    async fn playlist(
        &self,
        channel: &str,
        name: &str,
        stretch: Stretch,
        directives: Directives,
        connection: &Waiting,
    ) -> Result<Found<Representation>, HttpError> {
        let reader = self.readers.get(channel).ok_or(Refusal::UnknownChannel)?;
        let now = || -> Result<_, HttpError> {
            let edge = reader.edge.borrow().clone();
            let plan = Plan::of(&edge, stretch, self.longest)?;
            let index = plan.position(name).ok_or(Refusal::UnknownTrack)?;
            fit(&edge, &plan, index)?;
            Ok((plan, index, edge.tracks.get(name).cloned()))
        };
        let (mut plan, mut index, track) = now()?;
        let which = || Which::Playlist(name.to_owned());
        let mut rendered = self.rendered(channel, which(), &plan, connection).await?;
        let mut held = None;
        if let (Some(msn), Some(mut track), false) = (directives.msn, track, plan.is_complete_in(index)) {
            // Names and entries are counted alike but behind a hole.
            let ahead = i64::try_from(msn).unwrap_or(i64::MAX).saturating_sub(rendered.last_msn);
            if ahead > FARTHEST_SEGMENT {
                return Err(Refusal::TooFarAhead.into());
            }
            if ahead > 0 {
                let due = plan.upto(index).saturating_add(ahead).min(plan.last);
                let patience = self.patience(channel, name, plan.target, connection);
                held = until(&mut track, due, patience).await?;
                (plan, index, _) = now()?;
                rendered = self.rendered(channel, which(), &plan, connection).await?;
            }
        }
        let cache = match directives.msn {
            _ if plan.is_complete_in(index) && !rendered.is_whole => CachePolicy::LiveManifest,
            _ if plan.is_complete_in(index) => plan.kept(),
            Some(_) => CachePolicy::BlockingPlaylist { target: plan.target },
            None => CachePolicy::LivePlaylist { target: plan.target },
        };
        let delta = rendered.delta.as_ref().filter(|_| directives.skip);
        let document = delta.unwrap_or(&rendered.whole).clone();
        Ok(Found { found: found(document, media_type::HLS, cache), held })
    }

    fn patience<'a>(
        &'a self,
        channel: &'a str,
        name: &'a str,
        target: Duration,
        connection: &'a Waiting,
    ) -> Patience<'a> {
        let duration = target.max(Duration::from_secs(1)) * HOLD;
        Patience { waiters: &self.waiters, connection, duration, what: (channel, name, "playlist") }
    }

    /// A document, made by the first who asks for it.
    async fn rendered(
        &self,
        channel: &str,
        which: Which,
        plan: &Plan,
        connection: &Waiting,
    ) -> Result<Arc<Rendered>, HttpError> {
        let index = match &which {
            Which::Playlist(track) => plan.position(track),
            Which::Multivariant(_) | Which::Mpd(_) => None,
        };
        let complete = index.map_or(plan.is_complete(), |index| plan.is_complete_in(index));
        let key = Key {
            channel: channel.to_owned(),
            which,
            tracks: plan.tracks.iter().map(|part| part.name().to_owned()).collect(),
            first: plan.first,
            last: plan.last,
            upto: index.map_or(plan.newest(), |index| plan.upto(index)),
            complete,
            settled: complete && plan.is_settled(),
        };
        let made = match self.rendered.get(&key).await {
            Some(rendered) => Ok((rendered, Rewound::Known)),
            None => self.make(key, plan, connection).await,
        };
        self.metrics.asked(channel, made.as_ref().map_or_else(outcome, |(_, rewound)| *rewound));
        Ok(made?.0)
    }

    /// Makes what `key` is of, unless somebody else does.
    async fn make(
        &self,
        key: Key,
        plan: &Plan,
        connection: &Waiting,
    ) -> Result<(Arc<Rendered>, Rewound), HttpError> {
        let waiter = self.waiters.enter(connection)?;
        let (cache, past, plan) = (self.rendered.clone(), self.past.clone(), plan.clone());
        let (places, metrics) = (self.places.clone(), self.metrics.clone());
        let (channel, which, begun) = (key.channel.clone(), key.which.clone(), clock::now());
        // A task of its own: who asked first may go away, and others wait for the same.
        let made = tokio::spawn(async move {
            // As long as this goes on it counts, whether or not anybody waits.
            let _waiter = waiter;
            let make = render::render(&past, &places, channel.clone(), which, plan);
            let entry = cache.entry(key).or_try_insert_with(make).await.map_err(Arc::unwrap_or_clone)?;
            if !entry.is_fresh() {
                return Ok((entry.into_value(), Rewound::Known));
            }
            metrics.made(&channel, clock::now() - begun);
            Ok((entry.into_value(), Rewound::Made))
        });
        made.await.unwrap_or_else(|_| Err(Refusal::StoreUnavailable.into()))
    }
}

/// What lacks something is made anew soon.
struct Lifetime;

impl Expiry<Key, Arc<Rendered>> for Lifetime {
    fn expire_after_create(&self, _: &Key, rendered: &Arc<Rendered>, _: Instant) -> Option<Duration> {
        (!rendered.is_whole).then_some(LACKING)
    }
}

fn outcome(error: &HttpError) -> Rewound {
    match error.cause {
        Refusal::TooManyWaiters => Rewound::Refused,
        _ => Rewound::Failed,
    }
}

/// Waits until a track lists segment `due`, or nothing follows.
async fn until(track: &mut Track, due: i64, patience: Patience<'_>) -> Result<Option<Held>, HttpError> {
    let outlook = |track: &TrackEdge| {
        let is_there = track.listing.last().is_some_and(|last| last >= due);
        if is_there || track.ended && plan::lists_all(track) { Outlook::Now(()) } else { Outlook::Soon }
    };
    Ok(hold(track, patience, outlook).await?.held)
}

/// A list that grows has to; one that is complete is what it is.
fn fit(edge: &Edge, plan: &Plan, index: usize) -> Result<(), Refusal> {
    if plan.is_complete_in(index) {
        return Ok(());
    }
    fitness::of_track(edge, &plan.tracks[index].edge, clock::now()).map_or(Ok(()), |unfit| Err(unfit.into()))
}

fn found(document: Arc<Document>, media_type: &'static str, cache: CachePolicy) -> Representation {
    Representation { content: Content::Document(document), media_type, cache }
}
