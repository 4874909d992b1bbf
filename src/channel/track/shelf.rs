//! What has been cut of a track: the segment that is open, those on their way to the store, and those that are listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use headwater_packager::{
    chunk::Chunk,
    hls,
    time::{Grid, Ticks, Timescale},
    window::{Era, Open, Part, Segment, Window},
};
use http::HeaderValue;

use crate::{
    channel::{
        archive::{Archive, Entry, Errand, Fate, Gone, Keeping},
        edge::{self, Body, Head},
        journal::{Log, Told},
        record::TrackRecord,
    },
    pages::Arena,
};

/// For how many target durations behind the end of the list a part can be asked for: it is listed for three, and stays
/// for another three (rfc8216bis 6.2.2), and one is for the segment that it is in.
const PARTS_KEPT: u64 = 7;
/// How much of the list stays in memory. What is older is read from the store, as few ask for it and hours of it would
/// not fit.
const IN_MEMORY: Duration = Duration::from_secs(120);

/// What readers have not been told yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::channel) enum News {
    /// Nothing.
    #[default]
    None,
    /// More can be fetched of what is listed.
    Bytes,
    /// Parts.
    Parts,
    /// A segment.
    Segment,
}

/// How far a complete segment has come on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody has been given it.
    Closed,
    /// It waits for the store, or is being written.
    Submitted,
    /// It is durable, and no record says so.
    Stored,
    /// The record that counts it in is being written.
    Entered,
}

/// A complete segment on its way to the store.
#[derive(Debug)]
struct Closed {
    segment: Segment,
    /// Until it is listed and submitted: others have it then, and if those let go of it, it is not to stay in memory here.
    body: Option<Arc<Body>>,
    etag: HeaderValue,
    stage: Stage,
}

/// The segment that is being made.
#[derive(Debug)]
struct Opened {
    listing: Open,
    chunks: Vec<Arc<Body>>,
    captured_at: i64,
    /// Readers have it as it grows. Decided when it is opened: they would take what they have of it for all.
    streamed: bool,
    /// Each of its parts can be asked for by itself.
    has_parts: bool,
}

/// Owns what has been cut.
#[derive(Debug)]
pub(in crate::channel) struct Shelf {
    arena: Arena,
    /// Where what is told of it outlives the process.
    log: Option<Log>,
    low_latency: bool,
    /// Numbers from which on parts are published.
    parts_from: i64,
    open: Option<Opened>,
    closed: BTreeMap<i64, Closed>,
    /// What readers are told of.
    window: Window,
    /// What the documents in the store list.
    stored: Window,
    /// The newest, except from before a restart, and those that wait for the store.
    segments: BTreeMap<i64, Arc<edge::Segment>>,
    /// How long segments are.
    segment: Duration,
    /// Those that the store will never have, while they are in memory. They end the list when they are too old to be.
    lost: BTreeSet<i64>,
    /// All segments that the store has.
    keeping: Keeping,
    /// So many segments the longest list had: there is always somebody who still reads it when it was cut short.
    longest: usize,
    news: News,
    /// Segments listed since somebody asked.
    listed: u64,
}

impl Shelf {
    /// An empty one for a list of about `length`.
    pub(super) fn new(grid: &Grid, length: Duration, timescale: Timescale) -> Self {
        let window = Window::new(length, timescale);
        Self {
            arena: Arena::default(),
            log: None,
            low_latency: false,
            parts_from: 0,
            open: None,
            closed: BTreeMap::new(),
            stored: window.clone(),
            window,
            segments: BTreeMap::new(),
            segment: grid.segment,
            lost: BTreeSet::new(),
            keeping: Keeping::new(timescale),
            longest: 0,
            news: News::None,
            listed: 0,
        }
    }

    /// Goes on from `record`.
    pub(super) fn resume(&mut self, record: &TrackRecord) {
        self.window = record.window();
        self.stored = self.window.clone();
        self.keeping = Keeping::of(record.archive.clone());
        self.remember_length();
        self.tell(News::Segment);
    }

    /// Goes on to `record`, which follows the one that this came from, with the segments that are new in it. False if that
    /// does not lead to the list that it has, as some of those are in chapters already; then it is to be resumed from.
    pub(in crate::channel) fn advance(&mut self, record: &TrackRecord) -> bool {
        let next = self.window.segments().back().map_or(i64::MIN, |last| last.number + 1);
        let fresh = record.archive.tail().range(next..).map(|(_, entry)| &entry.segment);
        for window in [&mut self.window, &mut self.stored] {
            fresh.clone().for_each(|segment| drop(window.push(segment.clone())));
            window.begin_behind(record.first - 1);
        }
        self.keeping = Keeping::of(record.archive.clone());
        self.remember_length();
        self.tell(News::Segment);
        let list = &self.window;
        (list.length(), list.media_sequence()) == (record.length, record.first)
            && (list.discontinuity_sequence(), list.bandwidth().peak)
                == (record.discontinuity_sequence, record.peak)
    }

    /// Lists about `length`, from the next segment on.
    pub(in crate::channel) fn set_length(&mut self, length: Duration) {
        self.window.set_length(length);
        self.stored.set_length(length);
    }

    /// Publishes parts one by one, or does not.
    pub(in crate::channel) fn set_low_latency(&mut self, low_latency: bool) {
        self.low_latency = low_latency;
    }

    /// Lists all segments up to and with `number` whole, without parts: under the names of their parts, others may have
    /// been published before a restart, and lie in caches.
    pub(super) fn without_parts(&mut self, number: i64) {
        self.parts_from = number + 1;
        self.closed.values_mut().for_each(|closed| closed.segment.parts.clear());
    }

    /// Adds a chunk of segment `number`, which `cmsd` describes.
    pub(super) fn add(&mut self, number: i64, chunk: &Chunk, era: &Arc<Era>, cmsd: HeaderValue) {
        let (streamed, has_parts) = (self.low_latency, self.publishes_parts(number));
        let open = self.open.get_or_insert_with(|| Opened {
            listing: Open { number, start: chunk.start, parts: Vec::new(), era: era.clone() },
            chunks: Vec::new(),
            captured_at: chunk.captured_at,
            streamed,
            has_parts,
        });
        let pieces: Vec<Bytes> = std::iter::once(&chunk.header).chain(&chunk.payload).cloned().collect();
        let body = self.arena.keep(&pieces);
        let log = self.log.as_mut().filter(|_| open.streamed);
        log.into_iter().for_each(|log| log.add(&open.listing, open.has_parts, chunk, &body));
        open.listing.parts.push(Part::of(chunk));
        open.chunks.push(Arc::new(Body::new(vec![body]).described(cmsd)));
        if open.streamed {
            let segment = edge::Segment {
                chunks: open.chunks.clone(),
                has_parts: open.has_parts,
                whole: None,
                settled: false,
            };
            self.segments.insert(number, Arc::new(segment));
            // The MPD has a period for each era, and says so when its first segment can be had.
            let begins_era = self.window.segments().back().is_some_and(|last| last.era != *era);
            self.tell(if begins_era { News::Segment } else { News::Parts });
        }
    }

    /// Writes down what readers are told from now on.
    pub(in crate::channel) fn keep_log(&mut self, log: impl FnOnce(i64) -> Log) {
        if self.log.is_none() {
            // As many as have parts in memory, and the one that is being made.
            self.log = Some(log(self.segments_in(Duration::from_secs(PARTS_KEPT * self.target())) + 2));
        }
    }

    /// Lists the parts of a segment again that is `recorded`, if it is the one that was `told`.
    pub(super) fn restore_parts(
        &mut self,
        recorded: &Entry,
        told: &Told,
        cmsd: impl Fn(Ticks) -> HeaderValue,
    ) {
        let described = |chunk: &Chunk| {
            Arc::new(
                Body::new(vec![self.arena.keep(std::slice::from_ref(&chunk.header))])
                    .described(cmsd(chunk.duration)),
            )
        };
        let chunks: Vec<_> = told.chunks.iter().map(described).collect();
        let pieces = chunks.iter().flat_map(|chunk| chunk.chunks.iter().cloned()).collect();
        let whole = Body::new(pieces).described(cmsd(told.end() - told.start));
        if !told.has_parts || recorded.etag.as_bytes() != whole.etag.as_bytes() {
            return;
        }
        self.window.restore_parts(told.number, told.parts().collect());
        let in_memory = edge::Segment { chunks, has_parts: true, whole: Some(whole.into()), settled: true };
        self.segments.insert(told.number, Arc::new(in_memory));
    }

    /// Closes the open segment, whose number is `number`; `cmsd` describes the whole.
    pub(super) fn close(&mut self, number: i64, start: Ticks, duration: Ticks, cmsd: HeaderValue) {
        let Some(open) = self.open.take() else { return };
        let Opened { listing: Open { parts, era, .. }, chunks, captured_at, streamed, has_parts } = open;
        let pieces = chunks.iter().flat_map(|chunk| chunk.chunks.iter().cloned()).collect();
        let body = Arc::new(Body::new(pieces).described(cmsd));
        let parts = if has_parts { parts } else { Vec::new() };
        let segment = Segment { number, start, duration, size: body.length, parts, era, captured_at };
        if streamed {
            let whole = Some(body.clone());
            let in_memory = edge::Segment { chunks, has_parts, whole, settled: false };
            self.segments.insert(number, Arc::new(in_memory));
            self.list(segment.clone());
        }
        let (etag, body) = (body.etag.clone(), Some(body));
        self.closed.insert(number, Closed { segment, body, etag, stage: Stage::Closed });
    }

    /// Forgets the open segment: it will not be completed.
    pub(super) fn abandon_open(&mut self) {
        if let Some(open) = self.open.take() {
            self.segments.remove(&open.listing.number);
            self.tell(News::Parts);
        }
    }

    /// The next closed segment that nobody has been given yet.
    pub(in crate::channel) fn next_commit(&mut self) -> Option<(i64, Arc<Body>)> {
        let (number, closed) = self.closed.iter_mut().find(|(_, closed)| closed.stage == Stage::Closed)?;
        closed.stage = Stage::Submitted;
        let listed = self.window.segments().back().is_some_and(|last| last.number >= *number);
        let body = if listed { closed.body.take() } else { closed.body.clone() };
        Some((*number, body?))
    }

    /// A segment is durable.
    pub(in crate::channel) fn durable(&mut self, number: i64) {
        self.closed.get_mut(&number).into_iter().for_each(|closed| closed.stage = Stage::Stored);
    }

    /// Counts all that is durable into the record that comes next; false if nothing is new.
    pub(in crate::channel) fn enter(&mut self) -> bool {
        let stored = self.closed.values_mut().filter(|closed| closed.stage == Stage::Stored);
        stored.map(|closed| closed.stage = Stage::Entered).count() > 0
    }

    /// What the record counts in is settled. False if that is nothing.
    pub(in crate::channel) fn recorded(&mut self) -> bool {
        let entered = self.closed.iter().filter(|(_, closed)| closed.stage == Stage::Entered);
        let entered: Vec<i64> = entered.map(|(number, _)| *number).collect();
        entered.iter().for_each(|number| self.settle(*number));
        !entered.is_empty()
    }

    /// The store will never have a segment. Readers have it from memory, as long as it is there.
    pub(in crate::channel) fn lose(&mut self, number: i64) {
        self.release_closed(number);
        if self.closed.remove(&number).is_some() {
            self.lost.insert(number);
            self.forget();
        }
    }

    /// Lets readers have the end of a segment.
    pub(in crate::channel) fn release(&mut self, number: i64) {
        let unsettled = self.segments.get_mut(&number).filter(|segment| !segment.settled);
        if let Some(segment) = unsettled {
            Arc::make_mut(segment).settled = true;
            self.tell(News::Bytes);
        }
    }

    /// Lets readers have all closed segments: the store fails, and nobody is to wait for it.
    pub(in crate::channel) fn release_all(&mut self) {
        let closed: Vec<i64> = self.closed.keys().copied().collect();
        closed.into_iter().for_each(|number| self.release_closed(number));
    }

    /// Lists a closed segment, if it is not, and lets readers have all of it.
    fn release_closed(&mut self, number: i64) {
        let Some(closed) = self.closed.get_mut(&number) else { return };
        if self.window.segments().back().is_none_or(|last| last.number < number) {
            let body = if closed.stage == Stage::Closed { closed.body.clone() } else { closed.body.take() };
            let segment = closed.segment.clone();
            if let Some(body) = body {
                self.segments.entry(number).or_insert_with(|| Arc::new(edge::Segment::settled(body)));
            }
            self.list(segment);
        }
        self.release(number);
    }

    /// A closed segment is in the store, and the record says so.
    fn settle(&mut self, number: i64) {
        self.release_closed(number);
        let Some(closed) = self.closed.remove(&number) else { return };
        self.keeping.add(closed.entry());
        self.stored.push(Segment { parts: Vec::new(), ..closed.segment });
        self.remember_length();
        self.forget();
        self.tell(News::Bytes);
    }

    fn list(&mut self, segment: Segment) {
        self.window.push(segment);
        self.remember_length();
        self.listed += 1;
        self.forget();
        self.tell(News::Segment);
    }

    /// Lets go of what is too old to be in memory and is in the store. What never will be there ends the list.
    fn forget(&mut self) {
        let Some(last) = self.window.segments().back().map(|last| last.number) else { return };
        let parts = self.segments_in(Duration::from_secs(PARTS_KEPT * self.target()));
        self.window.forget_parts(last - parts);
        let from = last - parts.max(self.segments_in(self.window.length().min(IN_MEMORY)));
        if let Some(lost) = self.lost.range(..from).last() {
            self.window.begin_behind(*lost);
        }
        // What the store does not have is had from here, as long as somebody may have a list of it, and a moment for the way.
        let first = self.window.media_sequence() - self.grace() - 1;
        self.lost = self.lost.split_off(&first.max(from - self.segments_in(IN_MEMORY)));
        let is_nowhere_else = |number: &i64| self.closed.contains_key(number) || self.lost.contains(number);
        self.segments.retain(|number, _| *number >= from || *number >= first && is_nowhere_else(number));
    }

    fn remember_length(&mut self) {
        let length = self.stored.segments().len().max(self.window.segments().len());
        self.longest = self.longest.max(length);
    }

    fn target(&self) -> u64 {
        hls::target_duration(self.segment).into()
    }

    /// How many segments so long a time has, and one.
    fn segments_in(&self, time: Duration) -> i64 {
        let count = time.as_nanos().div_ceil(self.segment.as_nanos().max(1));
        i64::try_from(count).unwrap_or(i64::MAX / 2) + 1
    }

    fn tell(&mut self, news: News) {
        self.news = self.news.max(news);
    }
}

impl Closed {
    fn entry(&self) -> Entry {
        let etag = self.etag.to_str().unwrap_or_default().to_owned();
        Entry { segment: self.segment.clone(), etag }
    }
}

/// What becomes of it in the store.
impl Shelf {
    /// What is to be done with chapters now. Readers do without one before it is deleted.
    pub(in crate::channel) fn errands(&mut self) -> Vec<(i64, Errand)> {
        let open = self.closed.first_key_value().map(|(number, _)| *number);
        let delete = self.keeping.delete(self.grace());
        if delete.is_some() {
            self.tell(News::Bytes);
        }
        delete.into_iter().chain(self.keeping.write(open)).collect()
    }

    /// What has become of an errand.
    pub(in crate::channel) fn hear(&mut self, chapter: i64, fate: Fate) {
        self.keeping.hear(chapter, fate);
    }

    /// The oldest chapter, if nothing of it is listed.
    pub(in crate::channel) fn spare(&self) -> Option<i64> {
        self.keeping.spare(self.window.media_sequence().min(self.stored.media_sequence()))
    }

    /// The oldest chapter is to go: false if it must be weighed first, for which there is an errand if there was none.
    pub(in crate::channel) fn doom(&mut self) -> (bool, Option<(i64, Errand)>) {
        if self.keeping.doom() { (true, None) } else { (false, self.keeping.weigh()) }
    }

    /// What is left when the track goes.
    pub(in crate::channel) fn gone(&self) -> Gone {
        Gone::of(self.archive(), self.closed.keys().copied(), self.grace())
    }

    /// For how many segments somebody may ask for one that has left the list: the longest list, and itself (rfc8216bis
    /// 6.2.2).
    pub(in crate::channel) fn grace(&self) -> i64 {
        self.longest as i64 + 1
    }

    /// What is kept.
    pub(in crate::channel) fn archive(&self) -> &Arc<Archive> {
        self.keeping.archive()
    }
}

/// What others see.
impl Shelf {
    /// What readers are told of.
    pub(in crate::channel) fn window(&self) -> &Window {
        &self.window
    }

    /// What the documents in the store list.
    pub(in crate::channel) fn stored(&self) -> &Window {
        &self.stored
    }

    /// What was not told before.
    pub(in crate::channel) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// How many segments were listed since this was asked last.
    pub(in crate::channel) fn take_listed(&mut self) -> u64 {
        std::mem::take(&mut self.listed)
    }

    /// True if each part of segment `number` can be asked for by itself.
    pub(in crate::channel) fn publishes_parts(&self, number: i64) -> bool {
        self.low_latency && number >= self.parts_from
    }

    /// The open segment.
    pub(in crate::channel) fn opened(&self) -> Option<&Open> {
        self.open.as_ref().map(|open| &open.listing)
    }

    /// The open segment, if its parts are to be listed behind the window.
    pub(in crate::channel) fn open(&self) -> Option<&Open> {
        let Opened { listing, has_parts, .. } = self.open.as_ref()?;
        let follows = self.window.segments().back().is_some_and(|last| last.number + 1 == listing.number);
        (*has_parts && follows).then_some(listing)
    }

    /// Segment and index of the part that comes next.
    pub(in crate::channel) fn hint(&self) -> Option<(i64, u32)> {
        let last = self.window.segments().back()?.number;
        let next = match (self.open(), &self.open) {
            (Some(open), _) => (open.number, open.parts.len() as u32),
            (None, None) => (last + 1, 0),
            (None, Some(_)) => return None,
        };
        self.publishes_parts(next.0).then_some(next)
    }

    /// How far the list has come.
    pub(in crate::channel) fn head(&self) -> Option<Head> {
        let last = self.window.segments().back()?.number;
        Some(Head { last, parts: self.open().map_or(0, |open| open.parts.len() as u32) })
    }

    /// Segments in memory by number.
    pub(in crate::channel) fn segments(&self) -> &BTreeMap<i64, Arc<edge::Segment>> {
        &self.segments
    }

    /// Numbers of all segments that can be fetched from the store.
    pub(in crate::channel) fn kept(&self) -> Option<RangeInclusive<i64>> {
        let last = *self.archive().numbers()?.end();
        self.keeping.first().map(|first| first..=last)
    }

    /// True if nothing that is closed waits for the store.
    pub(in crate::channel) fn all_settled(&self) -> bool {
        self.closed.is_empty()
    }

    /// True if the next record has all that is closed.
    pub(in crate::channel) fn all_entered(&self) -> bool {
        self.closed.values().all(|closed| closed.stage == Stage::Entered)
    }

    /// What a restart needs to know: all that is in the store.
    pub(in crate::channel) fn record(&self) -> TrackRecord {
        let mut archive = Archive::clone(self.archive());
        let entered = self.closed.values().filter(|closed| closed.stage == Stage::Entered);
        entered.for_each(|closed| archive.add(closed.entry()));
        let listed = self.stored.segments().front().map(|first| first.number);
        let first = listed.or_else(|| archive.tail().keys().next().copied());
        TrackRecord {
            length: self.stored.length(),
            first: first.unwrap_or_default(),
            discontinuity_sequence: self.stored.discontinuity_sequence(),
            peak: self.stored.bandwidth().peak,
            archive,
            bound: Vec::new(),
        }
    }
}
