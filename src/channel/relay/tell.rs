//! What is new since it was told last.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::{pending, select_all};
use http::HeaderValue;
use tokio::{sync::watch, time::timeout};

use super::{
    BEAT,
    frame::{self, Init, LONGEST_WORDS, List, Object, Piece, Told, VERSION, Whole},
};
use crate::{
    channel::edge::{Body, Document, Edge, Playlist, Segment, TrackEdge},
    clock,
};

/// Who joins is told the segments in memory that are so near to the end of the list, as their parts are listed; and those
/// that are not in the store yet.
const RECENT: i64 = 8;

/// Bytes of segments in one frame. While the store is away, who joins has to be told all that it does not have.
const MOST: u64 = 32 << 20;

/// What is said of a segment and of a chunk, in bytes, or a little more.
const OF_SEGMENT: u64 = 160;
const OF_CHUNK: u64 = 64;

/// As how many bytes of media one of words counts, so that [`MOST`] is a quarter of the words of a frame too: low sound has many.
const WORD: u64 = MOST / (LONGEST_WORDS as u64 / 4);

/// Tells one node of one channel.
#[derive(Debug)]
pub struct Teller {
    edge: watch::Receiver<Arc<Edge>>,
    told: Arc<Edge>,
    tracks: BTreeMap<String, Track>,
    /// What is said and not sent.
    waiting: VecDeque<Bytes>,
    /// So many bytes of segments go into a frame before another one begins.
    most: u64,
    greeted: bool,
}

/// A track, as far as it was told.
#[derive(Debug)]
struct Track {
    edge: watch::Receiver<Arc<TrackEdge>>,
    told: Option<Arc<TrackEdge>>,
    /// Segments that were told, or never will be, as they were in the store when this began.
    segments: BTreeMap<i64, Arc<Segment>>,
}

impl Teller {
    /// Tells what `edge` says from now on, and what there is.
    pub fn new(mut edge: watch::Receiver<Arc<Edge>>) -> Self {
        edge.mark_changed();
        let (told, tracks, waiting) = Default::default();
        Self { edge, told, tracks, waiting, most: MOST, greeted: false }
    }

    /// The same in smaller frames.
    #[cfg(test)]
    pub fn in_frames_of(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// The next piece of what is said, when there is something to say. `None` when nothing more is published here.
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.waiting.pop_front() {
                return Some(piece);
            }
            if !self.greeted {
                self.greeted = true;
                self.say(&Told::Hello { version: VERSION }, Vec::new());
                continue;
            }
            match timeout(BEAT, self.changed()).await {
                Ok(true) => self.tell_news()?,
                Ok(false) => return None,
                Err(_) => self.say(&Told::Beat, Vec::new()),
            }
        }
    }

    fn say(&mut self, told: &Told, bytes: Vec<Bytes>) {
        self.waiting.extend(told.framed(bytes));
    }

    /// Waits until something is new; false if the channel has ended its work here.
    async fn changed(&mut self) -> bool {
        let news = self.tracks.values_mut().map(|track| Box::pin(track.edge.changed()));
        let mut news: Vec<_> = news.collect();
        if news.is_empty() {
            return self.edge.changed().await.is_ok();
        }
        let of_track = async {
            // A track that is gone is told with the edge that lacks it, and is nothing to the others until then.
            while !news.is_empty() {
                let (changed, _, others) = select_all(news.drain(..)).await;
                if changed.is_ok() {
                    return;
                }
                news = others;
            }
            pending::<()>().await;
        };
        tokio::select! {
            changed = self.edge.changed() => changed.is_ok(),
            () = of_track => true,
        }
    }

    /// Says what is new; nothing if nothing is published here any more, or not what was.
    fn tell_news(&mut self) -> Option<()> {
        let edge = self.edge.borrow_and_update().clone();
        if edge.tracks.is_empty() {
            return None;
        }
        let before = std::mem::replace(&mut self.told, edge.clone());
        let is_new = !Arc::ptr_eq(&before, &edge);
        if is_new {
            let is_another = |(name, track): (&String, &Track)| {
                edge.tracks.get(name).is_some_and(|now| !now.same_channel(&track.edge))
            };
            if self.tracks.iter().any(is_another) {
                return None;
            }
            self.tracks.retain(|name, _| edge.tracks.contains_key(name));
            for (name, track) in &edge.tracks {
                self.tracks.entry(name.clone()).or_insert_with(|| Track::new(track.clone()));
            }
        }
        let most = self.most;
        let news = self.tracks.iter_mut().map(|(name, track)| track.news(name, most));
        let news: Vec<_> = news.collect::<Result<_, Torn>>().ok()?;
        news.into_iter().flatten().for_each(|(track, bytes)| self.say(&Told::Track(track.into()), bytes));
        // Behind its tracks: who sees it sees what it speaks of.
        if is_new {
            let (channel, bytes) = channel(&edge);
            self.say(&Told::Channel(channel), bytes);
        }
        Some(())
    }
}

impl Track {
    fn new(mut edge: watch::Receiver<Arc<TrackEdge>>) -> Self {
        edge.mark_changed();
        Self { edge, told: None, segments: BTreeMap::new() }
    }

    /// What is new, in as many frames as it takes.
    fn news(&mut self, name: &str, most: u64) -> Result<Vec<(frame::Track, Vec<Bytes>)>, Torn> {
        let now = self.edge.borrow_and_update().clone();
        let before = match self.told.replace(now.clone()) {
            Some(before) if Arc::ptr_eq(&before, &now) => return Ok(Vec::new()),
            Some(before) => before,
            None => {
                self.skip(&now);
                Arc::default()
            }
        };
        let mut frames = self.in_front(name, &now, &before, most)?;
        let mut bytes = Vec::new();
        let is_new = now.playlist != before.playlist;
        let playlist = now.playlist.as_ref().filter(|_| is_new);
        let track = frame::Track {
            playlist: playlist.map(|playlist| list(playlist, before.playlist.as_deref(), &mut bytes)),
            delta: playlist.and_then(|it| it.delta.as_ref()).map(|delta| put(delta.body(), &mut bytes)),
            inits: inits(&now, &before, &mut bytes),
            segments: self.segments(&now, &mut bytes)?,
            gone: self.gone(&now),
            ..state(name, &now)
        };
        frames.push((track, bytes));
        Ok(frames)
    }

    /// Segments for which one frame is too small, in frames of their own that say nothing else than `before`.
    fn in_front(
        &mut self,
        name: &str,
        now: &TrackEdge,
        before: &TrackEdge,
        most: u64,
    ) -> Result<Vec<(frame::Track, Vec<Bytes>)>, Torn> {
        let is_new = |(number, segment): &(&i64, &Arc<Segment>)| {
            self.segments.get(*number).is_none_or(|told| !Arc::ptr_eq(told, segment))
        };
        let news: Vec<(i64, Arc<Segment>)> =
            now.segments.iter().filter(is_new).map(|(number, segment)| (*number, segment.clone())).collect();
        let mut frames = Vec::new();
        if news.iter().map(|(_, segment)| weight(segment)).sum::<u64>() <= most {
            return Ok(frames);
        }
        let (mut segments, mut bytes, mut length) = (Vec::new(), Vec::new(), 0);
        for (number, segment) in news {
            let told = self.segments.get(&number);
            segments.push(growth(number, &segment, told.map(|told| &**told), &mut bytes)?);
            length += weight(&segment);
            self.segments.insert(number, segment);
            if length > most {
                let segments = std::mem::take(&mut segments);
                frames.push((frame::Track { segments, ..state(name, before) }, std::mem::take(&mut bytes)));
                length = 0;
            }
        }
        frames.push((frame::Track { segments, ..state(name, before) }, bytes));
        Ok(frames)
    }

    /// Who joins reads from the store what has been there for long.
    fn skip(&mut self, now: &TrackEdge) {
        let recent = now.head.map_or(i64::MIN, |head| head.last - RECENT);
        let is_stored = |number: &i64| now.stored.as_ref().is_some_and(|stored| stored.contains(number));
        let old = now
            .segments
            .iter()
            .filter(|(number, segment)| **number <= recent && segment.settled && is_stored(number));
        self.segments.extend(old.map(|(number, segment)| (*number, segment.clone())));
    }

    fn segments(&mut self, now: &TrackEdge, bytes: &mut Vec<Bytes>) -> Result<Vec<frame::Segment>, Torn> {
        let mut news = Vec::new();
        for (number, segment) in &now.segments {
            let before = self.segments.get(number);
            if before.is_some_and(|before| Arc::ptr_eq(before, segment)) {
                continue;
            }
            news.push(growth(*number, segment, before.map(|before| &**before), bytes)?);
            self.segments.insert(*number, segment.clone());
        }
        Ok(news)
    }

    fn gone(&mut self, now: &TrackEdge) -> Vec<i64> {
        let gone = self.segments.keys().filter(|number| !now.segments.contains_key(number));
        let gone: Vec<i64> = gone.copied().collect();
        gone.iter().for_each(|number| drop(self.segments.remove(number)));
        gone
    }
}

/// What is told of a track each time, and nothing that is new of it.
fn state(name: &str, now: &TrackEdge) -> frame::Track {
    let age = |since: Option<Instant>| since.map(|since| millis(clock::now() - since));
    frame::Track {
        name: name.to_owned(),
        ended: now.ended,
        first: now.first,
        head: now.head.map(|head| (head.last, head.parts)),
        low_latency: now.low_latency.map(|it| (micros(it.part_target), it.parts_per_segment)),
        cmsd: now.cmsd.as_ref().map(text),
        stored: now.stored.as_ref().map(|stored| (*stored.start(), *stored.end())),
        moved_ms: age(now.moved_at),
        slate_ms: age(now.slate_since),
        ..frame::Track::default()
    }
}

/// What of a frame a segment takes up, at most: its bytes, and what is said of them.
fn weight(segment: &Segment) -> u64 {
    let chunks = segment.chunks.iter().map(|chunk| chunk.length).sum();
    let media = segment.whole.as_ref().map_or(chunks, |whole| whole.length);
    media + WORD * (OF_SEGMENT + OF_CHUNK * segment.chunks.len() as u64)
}

/// What is published does not follow from what was told, as too much has happened between: who listens has to begin anew.
struct Torn;

/// What there is of a segment that there was not `before`.
fn growth(
    number: i64,
    now: &Segment,
    before: Option<&Segment>,
    bytes: &mut Vec<Bytes>,
) -> Result<frame::Segment, Torn> {
    let told = before.map(|before| &before.chunks[..]).unwrap_or_default();
    let is_grown = now.chunks.len() >= told.len()
        && now.chunks.iter().zip(told).all(|(now, told)| Arc::ptr_eq(now, told));
    if !is_grown {
        return Err(Torn);
    }
    let chunks = now.chunks.iter().skip(told.len()).map(|chunk| object(chunk, bytes)).collect();
    let whole = now.whole.as_ref().map(|whole| {
        let alone = now.chunks.is_empty() && before.is_none_or(|before| before.whole.is_none());
        Whole { cmsd: whole.cmsd.as_ref().map(text), length: alone.then(|| object(whole, bytes).length) }
    });
    Ok(frame::Segment { number, has_parts: now.has_parts, settled: now.settled, chunks, whole })
}

fn channel(edge: &Edge) -> (frame::Channel, Vec<Bytes>) {
    let mut bytes = Vec::new();
    let mut document = |document: &Option<Arc<Document>>| Some(put(document.as_ref()?.body(), &mut bytes));
    let channel = frame::Channel {
        multivariant: document(&edge.multivariant),
        mpd: document(&edge.mpd),
        ended: edge.ended,
        epoch: edge.epoch,
        segment_us: micros(edge.segment),
        target_s: edge.target_duration.as_secs(),
        tracks: edge.tracks.keys().cloned().collect(),
    };
    (channel, bytes)
}

fn list(playlist: &Playlist, before: Option<&Playlist>, bytes: &mut Vec<Bytes>) -> List {
    let (pieces, rest) = playlist.whole.cut();
    let known = before.map(|before| before.whole.cut().0).unwrap_or_default();
    let address = |piece: &Bytes| (piece.as_ptr().addr(), piece.len());
    let known: HashMap<_, _> =
        known.iter().enumerate().map(|(index, piece)| (address(piece), index)).collect();
    let pieces = pieces.into_iter().map(|piece| match known.get(&address(&piece)) {
        Some(index) => Piece::Kept(*index),
        None => Piece::New { length: put(piece, bytes) },
    });
    let pieces = pieces.collect();
    List { pieces, rest: put(rest, bytes) }
}

fn inits(now: &TrackEdge, before: &TrackEdge, bytes: &mut Vec<Bytes>) -> Vec<Init> {
    let new = now.inits.iter().filter(|(name, _)| !before.inits.contains_key(*name));
    new.map(|(name, body)| Init { name: name.clone(), object: object(body, bytes) }).collect()
}

fn object(body: &Body, bytes: &mut Vec<Bytes>) -> Object {
    bytes.extend(body.chunks.iter().cloned());
    Object { length: u32::try_from(body.length).unwrap_or(u32::MAX), cmsd: body.cmsd.as_ref().map(text) }
}

fn put(piece: Bytes, bytes: &mut Vec<Bytes>) -> u32 {
    let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
    bytes.push(piece);
    length
}

fn text(value: &HeaderValue) -> String {
    value.to_str().unwrap_or_default().to_owned()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
