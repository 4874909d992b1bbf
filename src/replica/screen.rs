//! What a node shows: what a packager tells of its edge, and without that what the store has recorded. Nobody who has seen
//! the one is shown less by the other.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::OptionFuture;
use tokio::{sync::watch, time::sleep_until};

use super::uplink::Feed;
use crate::{
    channel::{
        edge::{Edge, Head, Segment, TrackEdge},
        relay::{Picture, Whole},
        status::Status,
    },
    clock,
};

/// For how many target durations it may stand still before it goes back to what moves meanwhile: then numbers were begun anew.
const STAND_STILL: u32 = 10;

/// For how long whoever has written a record that goes on is asked for the edge before it is shown without parts.
const ASKED_FIRST: Duration = Duration::from_millis(500);

/// For how many target durations parts are there that somebody who is gone has told: three that a list with them may be old,
/// and three that they stay behind it (rfc8216bis 6.2.5.1).
const LEFT: u32 = 6;

/// Whose documents are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Those that follow from the record.
    Store,
    /// What was told over this connection.
    Told(u64),
}

/// Owns what readers see.
pub(super) struct Screen {
    /// What follows from the record.
    recorded: watch::Receiver<Arc<Edge>>,
    feed: watch::Receiver<Feed>,
    edge: watch::Sender<Arc<Edge>>,
    tracks: BTreeMap<String, Track>,
    source: Source,
    /// What documents of the whole channel were made of.
    of: (Arc<Edge>, Option<Arc<Whole>>),
    /// Set while there is something to be shown that would be less than what is.
    behind: Option<Behind>,
    /// When the record is shown at last that goes on behind what was told, if nobody tells more before.
    due: Option<Instant>,
    status: watch::Sender<Status>,
    /// It is told in the status if there are none.
    wants_parts: bool,
}

struct Track {
    edge: watch::Sender<Arc<TrackEdge>>,
    /// What it was made of.
    of: Sources,
    /// Set for a while after who told it has gone.
    left: Option<(Instant, BTreeMap<i64, Arc<Segment>>)>,
}

/// What is known of a track.
struct Sources {
    told: Option<Arc<TrackEdge>>,
    recorded: Option<Arc<TrackEdge>>,
}

/// What could be shown.
struct Offer {
    source: Source,
    whole: Option<Arc<Whole>>,
    told: BTreeMap<String, Arc<TrackEdge>>,
}

/// How far tracks have come.
type Heads = BTreeMap<String, Option<Head>>;

/// What is not shown.
struct Behind {
    since: Instant,
    /// What was offered last, and how far that was.
    offer: (Source, Heads),
}

impl Screen {
    /// One that shows nothing yet. In `status` it says who tells the edge; and why parts are not had, if they are wanted.
    pub(super) fn new(
        recorded: watch::Receiver<Arc<Edge>>,
        feed: watch::Receiver<Feed>,
        status: watch::Sender<Status>,
        wants_parts: bool,
    ) -> (Self, watch::Receiver<Arc<Edge>>) {
        let (edge, edges) = watch::channel(recorded.borrow().clone());
        let of = (recorded.borrow().clone(), None);
        let screen = Self {
            recorded,
            feed,
            edge,
            tracks: BTreeMap::new(),
            source: Source::Store,
            of,
            behind: None,
            due: None,
            status,
            wants_parts,
        };
        (screen, edges)
    }

    /// Shows what there is, for ever.
    pub(super) async fn run(mut self) {
        loop {
            self.show();
            let due = OptionFuture::from(self.due.map(|due| sleep_until(due.into())));
            let changed = tokio::select! {
                changed = self.recorded.changed() => changed,
                changed = self.feed.changed() => changed,
                Some(()) = due => Ok(()),
            };
            if changed.is_err() {
                return;
            }
        }
    }

    fn show(&mut self) {
        let recorded = self.recorded.borrow_and_update().clone();
        let feed = self.feed.borrow_and_update().clone();
        self.say(&feed);
        let due = self.due.take();
        let store = Offer { source: Source::Store, whole: None, told: BTreeMap::new() };
        let offers = match feed {
            Feed::Awaited => return,
            Feed::Away { .. } => vec![store],
            Feed::Here { connection, picture: Picture { channel, tracks }, .. } => {
                let told = Offer { source: Source::Told(connection), whole: channel, told: tracks };
                if self.source == Source::Store { vec![told, store] } else { vec![told] }
            }
        };
        for offer in offers {
            if self.takes(&offer, &recorded) {
                if !self.is_too_early_for(&offer, due) {
                    self.behind = None;
                    self.publish(offer, recorded);
                }
                return;
            }
            let since = self.behind.as_ref().map_or_else(clock::now, |behind| behind.since);
            self.behind = Some(Behind { since, offer: (offer.source, offer.heads(&recorded)) });
        }
    }

    /// True if parts may still come in time: whoever wrote the record may have told them only after it, as when a packager is
    /// started again.
    fn is_too_early_for(&mut self, offer: &Offer, due: Option<Instant>) -> bool {
        let turns = offer.source == Source::Store && self.source != Source::Store;
        let now = clock::now();
        self.due = turns.then(|| due.unwrap_or(now + ASKED_FIRST)).filter(|due| now < *due);
        self.due.is_some()
    }

    /// True if nobody is shown less than before.
    fn takes(&self, offer: &Offer, recorded: &Edge) -> bool {
        if offer.source == self.source || self.is_begun_anew(offer, recorded) {
            return true;
        }
        self.tracks.iter().all(|(name, track)| match track.edge.borrow().head {
            None => true,
            Some(shown) if offer.source == Source::Store => match recorded.tracks.get(name) {
                Some(track) => track.borrow().head.is_some_and(|head| goes_on(head, shown, recorded.ended)),
                // Without a record nothing is known, and with one that lacks it the track is gone.
                None => !recorded.tracks.is_empty(),
            },
            Some(shown) => match offer.told.get(name) {
                Some(track) => track.head.is_some_and(|head| is_as_far(head, shown)),
                None => true,
            },
        })
    }

    /// True if what would be less than what is shown has been so for long and moves nevertheless. What does not is merely
    /// what a packager that is gone has left.
    fn is_begun_anew(&self, offer: &Offer, recorded: &Edge) -> bool {
        let longest = self.edge.borrow().target_duration * STAND_STILL;
        self.behind.as_ref().is_some_and(|Behind { since, offer: (source, heads) }| {
            let has_moved = *source == offer.source && *heads != offer.heads(recorded);
            has_moved && clock::now().saturating_duration_since(*since) > longest
        })
    }

    fn publish(&mut self, offer: Offer, recorded: Arc<Edge>) {
        let Offer { source, whole, told } = offer;
        let names: Vec<String> = match source {
            Source::Store => recorded.tracks.keys().cloned().collect(),
            Source::Told(_) => told.keys().cloned().collect(),
        };
        let had = self.tracks.len();
        self.tracks.retain(|name, _| names.contains(name));
        let turns = source != self.source;
        let mut is_new = self.tracks.len() != had || turns;
        let longest = recorded.target_duration * LEFT;
        for name in names {
            let recorded = recorded.tracks.get(&name).map(|track| track.borrow().clone());
            let of = Sources { told: told.get(&name).cloned(), recorded };
            let Some(edge) = of.put_together() else { continue };
            match self.tracks.get_mut(&name) {
                Some(track) if track.of.are(&of) => {}
                Some(track) => track.show(of, edge, turns, longest),
                None => {
                    is_new = true;
                    self.tracks.insert(name, Track { edge: watch::channel(edge).0, of, left: None });
                }
            }
        }
        self.source = source;
        let before = std::mem::replace(&mut self.of, (recorded.clone(), whole.clone()));
        let is_same = Arc::ptr_eq(&before.0, &recorded)
            && before.1.as_ref().map(Arc::as_ptr) == whole.as_ref().map(Arc::as_ptr);
        if is_new || !is_same {
            self.publish_edge(whole, &recorded);
        }
    }

    fn publish_edge(&self, whole: Option<Arc<Whole>>, recorded: &Edge) {
        let tracks = self.tracks.iter().map(|(name, track)| (name.clone(), track.edge.subscribe())).collect();
        let recorded = Edge { tracks, ..recorded.clone() };
        let edge = match whole {
            None => recorded,
            Some(whole) => Edge {
                multivariant: whole.multivariant.clone(),
                mpd: whole.mpd.clone(),
                ended: whole.ended,
                segment: whole.segment,
                target_duration: whole.target_duration,
                epoch: whole.epoch,
                ..recorded
            },
        };
        self.edge.send_replace(Arc::new(edge));
    }

    fn say(&self, feed: &Feed) {
        let (from, why) = match feed {
            Feed::Awaited => (None, None),
            Feed::Here { from, .. } => (Some(&**from), None),
            Feed::Away { why } => (None, Some(format!("no packager tells its edge: {why}"))),
        };
        let why = why.filter(|_| self.wants_parts);
        self.status.send_if_modified(|status| {
            let is_new = (status.edge_from.as_deref(), &status.low_latency_off) != (from, &why);
            if is_new {
                (status.edge_from, status.low_latency_off) = (from.map(str::to_owned), why.clone());
            }
            is_new
        });
    }
}

impl Offer {
    fn heads(&self, recorded: &Edge) -> Heads {
        match self.source {
            Source::Store => {
                recorded.tracks.iter().map(|(name, track)| (name.clone(), track.borrow().head)).collect()
            }
            Source::Told(_) => self.told.iter().map(|(name, track)| (name.clone(), track.head)).collect(),
        }
    }
}

impl Track {
    fn show(&mut self, of: Sources, edge: Arc<TrackEdge>, turns: bool, longest: Duration) {
        let now = clock::now();
        if turns {
            self.left = Some((now, parts_of(&self.edge.borrow())));
        }
        self.left.take_if(|(since, _)| now.saturating_duration_since(*since) > longest);
        let edge = match &self.left {
            Some((_, left)) if !left.is_empty() => {
                Arc::new(TrackEdge { left: left.clone(), ..TrackEdge::clone(&edge) })
            }
            _ => edge,
        };
        self.of = of;
        self.edge.send_replace(edge);
    }
}

/// The segments with parts. Of those that no record counts in, whoever goes on may have others, but without parts, so the
/// names of parts keep their bodies.
fn parts_of(edge: &TrackEdge) -> BTreeMap<i64, Arc<Segment>> {
    let has_parts = edge.segments.iter().filter(|(_, segment)| segment.has_parts);
    let left = edge.left.iter().chain(has_parts);
    left.map(|(number, segment)| (*number, segment.clone())).collect()
}

impl Sources {
    /// What was told, with what only the store knows; or that alone.
    fn put_together(&self) -> Option<Arc<TrackEdge>> {
        match (&self.told, &self.recorded) {
            (Some(told), Some(recorded)) => Some(Arc::new(TrackEdge {
                listing: recorded.listing.clone(),
                stored: both(&told.stored, &recorded.stored),
                archive: recorded.archive.clone(),
                ..TrackEdge::clone(told)
            })),
            (Some(only), None) | (None, Some(only)) => Some(only.clone()),
            (None, None) => None,
        }
    }

    /// True if they are the same snapshots.
    fn are(&self, other: &Self) -> bool {
        let same = |one: &Option<Arc<TrackEdge>>, other: &Option<Arc<TrackEdge>>| {
            one.as_ref().map(Arc::as_ptr) == other.as_ref().map(Arc::as_ptr)
        };
        same(&self.told, &other.told) && same(&self.recorded, &other.recorded)
    }
}

/// What the store has by either account: it may be more than the one that was told last knows, or that the record says.
fn both(
    told: &Option<RangeInclusive<i64>>,
    recorded: &Option<RangeInclusive<i64>>,
) -> Option<RangeInclusive<i64>> {
    match (told, recorded) {
        (Some(one), Some(other)) => Some(*one.start().min(other.start())..=*one.end().max(other.end())),
        (one, other) => one.clone().or(other.clone()),
    }
}

fn is_as_far(head: Head, shown: Head) -> bool {
    (head.last, head.parts) >= (shown.last, shown.parts)
}

/// True if whole segments up to `head` are more than was shown, and have the whole of what was shown in part. Only at the end
/// they need not be more: before, whoever told of what was shown may be back, and those who wait for its next part with it.
fn goes_on(head: Head, shown: Head, ended: bool) -> bool {
    head.last > shown.last || ended && shown.parts == 0 && head.last == shown.last
}

#[cfg(test)]
mod tests;
