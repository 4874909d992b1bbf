//! Writes what a channel has made to the store, in an order that survives a kill at any point:
//! segment, then the state record that knows it, then the documents that list it.
//!
//! Each track has a lane in which its segments wait for their turn, and lanes go on side by side. The ledger writes one
//! record after another, each of what the lanes are done with. Whatever fails is tried until it is done or there is no
//! more room to wait in; the channel goes on in the meantime.

mod attic;
mod lane;
mod ledger;
mod papers;
mod room;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinSet};

use self::{lane::Lane, ledger::Entries, papers::Papers, room::Room};
use super::{
    archive::{Errand, Fate, Weight},
    edge::Body,
    fence::{Pen, Tenure},
};
use crate::{
    clock,
    metrics::Storing,
    policy::CachePolicy,
    store::{Effort, Error, Store},
};

/// How much news may wait for the channel. Who has more waits.
const NEWS: usize = 64;
/// How many errands may wait: each track has a few for each chapter, which is minutes. Who has more waits for the next.
const ERRANDS: usize = 1024;

/// Something to be written.
#[derive(Debug)]
pub(super) enum Work {
    /// A complete segment.
    Segment { track: String, number: i64, path: String, body: Arc<Body> },
    /// What has to be there before the next record: openings, which change, and init segments, which do not.
    Foundation { opening: (String, Vec<Bytes>), inits: Vec<(String, Vec<Bytes>)> },
    /// The record of what is in the store; or the one that says that the source has `ended`.
    Record { path: String, record: Bytes, ended: bool },
    /// What lists all this.
    Documents(Vec<Paper>),
    /// Something to be done with a chapter of the archive.
    Chapter { prefix: String, track: String, chapter: i64, errand: Errand },
}

/// A document for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paper {
    pub(super) path: String,
    /// In pieces, which are put together when it is written: most versions of a long list that wait never are.
    pub(super) text: Vec<Bytes>,
    pub(super) cache: CachePolicy,
}

impl Paper {
    /// All its text.
    fn body(&self) -> Bytes {
        match &self.text[..] {
            [whole] => whole.clone(),
            pieces => pieces.concat().into(),
        }
    }
}

/// What has become of it.
#[derive(Debug)]
pub(super) enum News {
    /// A segment is durable.
    Stored { track: String, number: i64 },
    /// A segment will never be in the store.
    Lost { track: String, number: i64 },
    /// The record that was submitted last is durable.
    Recorded,
    /// Something is done with a chapter of the archive.
    Chapter { track: String, chapter: i64, fate: Fate },
    /// The record that the source has ended is durable, or failed to be at the first try.
    Ended { durable: bool },
    /// Another packager has taken over, and nothing is written any more.
    Superseded,
    /// Somebody does not get on; `None` if they do again.
    Trouble { whose: String, why: Option<String> },
}

/// The channel's end of all lanes.
#[derive(Debug)]
pub(super) struct Committer {
    effort: Effort,
    room: Room,
    lanes: BTreeMap<String, Arc<Lane>>,
    ledger: Arc<Entries>,
    attic: mpsc::Sender<Work>,
    papers: Arc<Papers>,
    news: mpsc::Receiver<News>,
    tell: mpsc::Sender<News>,
    workers: JoinSet<()>,
    troubles: BTreeMap<String, String>,
    /// What waits, and since when.
    waiting: BTreeMap<String, BTreeMap<i64, Instant>>,
    recording_since: Option<Instant>,
    lost: BTreeSet<(String, i64)>,
    metrics: Storing,
    channel: String,
    tenure: Tenure,
}

impl Committer {
    /// Starts the writers of who has this pen. They end when this is dropped.
    pub(super) fn start(channel: &str, pen: Pen, metrics: Storing) -> Self {
        let (effort, tenure) = (pen.store().effort(), pen.tenure().clone());
        let spool = pen.store().spool();
        let room = if tenure.is_lost() { Room::in_memory(spool) } else { Room::open(spool, channel) };
        let (tell, news) = mpsc::channel(NEWS);
        let ledger = Arc::<Entries>::default();
        let papers = Arc::<Papers>::default();
        let mut workers = JoinSet::new();
        let (attic, errands) = mpsc::channel(ERRANDS);
        workers.spawn(ledger::write(pen, effort, ledger.clone(), tell.clone()));
        workers.spawn(papers.clone().write(effort, tenure.clone(), tell.clone()));
        workers.spawn(attic::work(effort, tenure.clone(), papers.clone(), errands, tell.clone()));
        Self {
            room,
            effort,
            lanes: BTreeMap::new(),
            ledger,
            attic,
            papers,
            news,
            tell,
            workers,
            troubles: BTreeMap::new(),
            waiting: BTreeMap::new(),
            recording_since: None,
            lost: BTreeSet::new(),
            metrics,
            channel: channel.to_owned(),
            tenure,
        }
    }

    /// Takes work. Where there is no room for a segment, older ones of its track are lost for it.
    pub(super) fn submit(&mut self, work: Work) {
        match work {
            Work::Segment { ref track, number, .. } => {
                let track = track.clone();
                self.waiting.entry(track.clone()).or_default().insert(number, clock::now());
                let lane = self.lane(&track);
                let lost = lane.submit(work, &self.room);
                if self.room.has_disk() {
                    self.workers.spawn(lane.spill(number, self.room.clone()));
                }
                while self.workers.try_join_next().is_some() {}
                for number in lost {
                    tracing::warn!(track, number, "a segment is lost to the store, as too much waits for it");
                    self.lost.insert((track.clone(), number));
                }
            }
            Work::Record { .. } | Work::Foundation { .. } => {
                if matches!(work, Work::Record { .. }) {
                    self.recording_since = Some(clock::now());
                }
                self.ledger.put(work);
            }
            Work::Documents(documents) => self.papers.put(documents),
            Work::Chapter { .. } => {
                if self.attic.try_send(work).is_err() {
                    tracing::warn!(
                        "the store is too far behind to put its archive in order before a restart"
                    );
                }
            }
        }
    }

    fn lane(&mut self, track: &str) -> Arc<Lane> {
        if let Some(lane) = self.lanes.get(track) {
            return lane.clone();
        }
        let lane = Arc::<Lane>::default();
        self.lanes.insert(track.to_owned(), lane.clone());
        let to = lane::To { effort: self.effort, tenure: self.tenure.clone() };
        self.workers.spawn(lane.clone().run(to, self.room.clone(), self.tell.clone()));
        lane
    }

    /// How long this may go on.
    pub(super) fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// True if a segment of so many bytes would cost others their place.
    pub(super) fn is_full(&self, bytes: u64) -> bool {
        !self.room.has(bytes)
    }

    /// What has become of something. Dropping the future loses nothing.
    pub(super) async fn news(&mut self) -> News {
        if let Some((track, number)) = self.lost.pop_first() {
            return self.heard(News::Lost { track, number });
        }
        match self.news.recv().await {
            Some(news) => self.heard(news),
            // We have a sender ourselves.
            None => std::future::pending().await,
        }
    }

    fn heard(&mut self, news: News) -> News {
        match &news {
            News::Stored { track, number } | News::Lost { track, number } => {
                if let Some(waiting) = self.waiting.get_mut(track) {
                    waiting.remove(number);
                }
                self.metrics.done(&self.channel, track, matches!(news, News::Stored { .. }));
            }
            News::Chapter { .. } => {}
            News::Recorded | News::Ended { .. } | News::Superseded => self.recording_since = None,
            News::Trouble { whose, why: Some(why) } => drop(self.troubles.insert(whose.clone(), why.clone())),
            News::Trouble { whose, why: None } => drop(self.troubles.remove(whose)),
        }
        news
    }

    /// Why the store cannot be waited for at `now`, if it cannot.
    pub(super) fn trouble(&self, now: Instant) -> Option<String> {
        if let Some(why) = self.troubles.values().next() {
            return Some(why.clone());
        }
        let oldest = self.waiting.values().flat_map(BTreeMap::values).chain(&self.recording_since).min()?;
        let age = now.saturating_duration_since(*oldest);
        // Who failed will say so in a moment.
        let limit = self.effort.budget + Duration::from_millis(200);
        (age > limit).then(|| format!("what waits for it has waited for {} s", age.as_secs().max(1)))
    }

    /// Says how far behind the store is.
    pub(super) fn measure(&self, now: Instant) {
        for (track, waiting) in &self.waiting {
            let age = waiting.values().min().map(|since| now.saturating_duration_since(*since));
            let bytes = self.lanes.get(track).map_or(0, |lane| lane.bytes());
            self.metrics.backlog(&self.channel, track, waiting.len(), bytes, age.unwrap_or_default());
        }
    }

    /// Says how much is kept of each track, and how much time that is.
    pub(super) fn measure_archive<'a>(&self, archived: impl Iterator<Item = (&'a str, Weight, Duration)>) {
        for (track, Weight { bytes, segments }, depth) in archived {
            self.metrics.archived(&self.channel, track, segments, bytes, depth);
        }
    }

    /// True if no document is left to be written.
    pub(super) fn has_written(&self) -> bool {
        self.papers.is_clear()
    }

    /// Waits until all documents are written as far as they can be.
    pub(super) fn papers_written(&self) -> impl Future<Output = ()> + 'static {
        let papers = self.papers.clone();
        async move { papers.written().await }
    }
}

/// Writes under a name that has something else, of which no record tells: a writer before us was killed, or is late. Nobody
/// but us is to give the name to anything, as long as what was seen there cannot be a successor's.
async fn write_over(
    store: &Store,
    tenure: &Tenure,
    path: &str,
    pieces: Vec<Bytes>,
    cache: CachePolicy,
) -> Result<(), Error> {
    let over = store.version(path).await?;
    if !tenure.is_held() {
        return Err(Error::Superseded { path: path.to_owned() });
    }
    store.put_over(path, pieces, cache, over.as_ref()).await
}

#[cfg(test)]
mod tests;
