//! The newest frames of each track as they come, for viewers that do not wait for a part. Nothing is kept for a viewer:
//! all of them read the same snapshots, and what a frame is on the wire is made once, when the first one wants it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use headwater_packager::{
    bmff::{Fragment, fragment_header},
    sample::Sample,
    track::Track,
};
use tokio::sync::{mpsc, watch};

use crate::ladder::wire::viewer;

/// A frame on its way to viewers.
#[derive(Debug)]
pub struct Frame {
    /// Counts the frames of all tracks of the channel, in the order in which they came.
    pub order: u64,
    /// The access unit.
    pub sample: Sample,
    /// Decode time in nanoseconds since the Unix epoch.
    pub time: i128,
    /// Decode time of the frame after it.
    pub end: i128,
    /// When it could be sent for the first time.
    pub published: Instant,
    track: Arc<Described>,
    media: OnceLock<Bytes>,
    chunk: OnceLock<Bytes>,
}

/// A track and its index in the catalog.
#[derive(Debug, PartialEq, Eq)]
struct Described {
    index: u8,
    track: Arc<Track>,
}

impl Frame {
    /// As a media frame of the wire protocol.
    pub fn media(&self) -> Bytes {
        let Described { index, track } = &*self.track;
        self.media.get_or_init(|| viewer::media(*index, track.video().is_some(), &self.sample)).clone()
    }

    /// As a chunk frame of the wire protocol.
    pub fn chunk(&self) -> Bytes {
        let Described { index, track } = &*self.track;
        let build = || {
            let samples = std::slice::from_ref(&self.sample);
            // The sequence number counts fragments and wraps (ISO/IEC 14496-12 8.8.5).
            let sequence = self.order as u32;
            let fragment = Fragment { sequence, samples, segment_start: false, last_segment: false };
            let header = fragment_header(track, &fragment);
            viewer::chunk(*index, &self.sample, &[header, self.sample.data.clone()])
        };
        self.chunk.get_or_init(build).clone()
    }
}

/// The newest frames of a track, numbered from the track's first one on.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    first: u64,
    frames: VecDeque<Arc<Frame>>,
    /// Numbers of the last two sync samples, the newest last; where all are, of the last one only.
    keys: [Option<u64>; 2],
}

impl Tail {
    /// Number of the oldest frame that is not forgotten.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Number of the next frame to come.
    pub fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Number of the newest frame with which a decoder can begin.
    pub fn newest_key(&self) -> Option<u64> {
        self.keys[1]
    }

    /// The frame of this number, if it has come and is not forgotten.
    pub fn get(&self, number: u64) -> Option<&Arc<Frame>> {
        self.frames.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The newest frame.
    pub fn newest(&self) -> Option<&Arc<Frame>> {
        self.frames.back()
    }

    /// Number of the first frame that is not before `time`, in nanoseconds since the Unix epoch.
    pub fn at_or_after(&self, time: i128) -> u64 {
        // From the back: it is mostly near the end, and times may go back where an encoder has died.
        let before = self.frames.iter().rev().take_while(|frame| frame.time >= time).count();
        self.end() - before as u64
    }

    /// The first frame with which a decoder can begin, from the one with this number on.
    pub fn key_from(&self, number: u64) -> Option<u64> {
        (number.max(self.first)..self.end())
            .find(|&number| self.get(number).is_some_and(|frame| frame.sample.sync))
    }

    fn push(&mut self, frame: Arc<Frame>, kept: Duration) {
        if frame.sample.sync {
            self.keys = [self.keys[1], Some(self.end())];
        }
        let oldest = frame.time - kept.as_nanos() as i128;
        let video = frame.track.track.video().is_some();
        self.frames.push_back(frame);
        let needless = |tail: &Self| match tail.keys[0] {
            Some(key) if video => tail.first < key,
            _ => tail.frames.front().is_some_and(|frame| frame.time < oldest),
        };
        while needless(self) {
            self.frames.pop_front();
            self.first += 1;
        }
    }
}

/// A track that viewers can have.
#[derive(Clone, Debug)]
pub struct Lane {
    /// What it is.
    pub track: Arc<Track>,
    /// Its init segment, in chunks.
    pub init: Vec<Bytes>,
    /// Its newest frames.
    pub tail: watch::Receiver<Arc<Tail>>,
}

/// The tracks that viewers can have at one moment.
#[derive(Clone, Debug, Default)]
pub struct Lineup {
    /// The tracks by their index.
    pub lanes: Vec<Lane>,
    /// All of them as a catalog frame of the wire protocol; empty while there is none.
    pub catalog: Bytes,
    /// How far key frames are apart where nobody asks for one.
    pub segment: Duration,
}

/// Asks the encoder for key frames. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct KeyFrames(mpsc::Sender<u8>);

impl KeyFrames {
    /// Wishes that wait at most. One more than there are tracks would only be said twice.
    const WISHES: usize = 64;

    /// Who asks, and who hears of it.
    pub fn new() -> (Self, mpsc::Receiver<u8>) {
        let (sender, receiver) = mpsc::channel(Self::WISHES);
        (Self(sender), receiver)
    }

    /// Asks for one in the track of this index. It may be refused, as they cost bits that all viewers have to carry.
    pub fn ask(&self, track: u8) {
        // Where so many ask already, one more would not be heard sooner.
        let _ = self.0.try_send(track);
    }
}

/// Grants key frames: no more than one a second in each track.
#[derive(Debug, Default)]
pub(super) struct Allowance(BTreeMap<u8, Instant>);

impl Allowance {
    const PAUSE: Duration = Duration::from_secs(1);

    pub(super) fn grant(&mut self, track: u8, now: Instant) -> bool {
        let granted = self.0.get(&track).is_none_or(|last| now.duration_since(*last) >= Self::PAUSE);
        if granted {
            self.0.insert(track, now);
        }
        granted
    }
}

/// What a track has had since it was asked last, to be published.
#[derive(Debug)]
pub struct Fresh<'w> {
    /// The track.
    pub track: &'w Arc<Track>,
    /// Its init segment, in chunks.
    pub init: &'w [Bytes],
    /// Samples in decode order.
    pub samples: Vec<Sample>,
}

/// Owns what viewers read.
#[derive(Debug)]
pub struct Publisher {
    lineup: watch::Sender<Arc<Lineup>>,
    lanes: Vec<(Arc<Described>, watch::Sender<Arc<Tail>>)>,
    order: u64,
    segment: Duration,
}

impl Publisher {
    /// Publishes tracks that have a key frame every `segment` at least.
    pub fn new(segment: Duration) -> Self {
        Self { lineup: watch::channel(Arc::default()).0, lanes: Vec::new(), order: 0, segment }
    }

    /// What is published, now and later.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Lineup>> {
        self.lineup.subscribe()
    }

    /// Publishes what is new of all tracks, which are in the order of the catalog.
    pub fn publish(&mut self, tracks: &mut [Fresh<'_>], now: Instant) {
        let same = |(lane, fresh): (&(Arc<Described>, _), &Fresh<'_>)| lane.0.track == *fresh.track;
        if self.lanes.len() != tracks.len() || !self.lanes.iter().zip(tracks.iter()).all(same) {
            self.line_up(tracks);
        }
        for ((described, sender), fresh) in self.lanes.iter().zip(tracks) {
            let samples = std::mem::take(&mut fresh.samples);
            if samples.is_empty() {
                continue;
            }
            let mut tail = Tail::clone(&sender.borrow());
            for sample in samples {
                let frame = Frame {
                    order: self.order,
                    time: described.track.timescale.nanos(sample.dts),
                    end: described.track.timescale.nanos(sample.end()),
                    sample,
                    published: now,
                    track: described.clone(),
                    media: OnceLock::new(),
                    chunk: OnceLock::new(),
                };
                self.order += 1;
                tail.push(Arc::new(frame), self.segment * 2);
            }
            sender.send_replace(Arc::new(tail));
        }
    }

    fn line_up(&mut self, tracks: &[Fresh<'_>]) {
        // Each begins anew, because what was published names a track by its old index.
        let described =
            |(fresh, index): (&Fresh<'_>, u8)| Arc::new(Described { index, track: fresh.track.clone() });
        self.lanes = tracks
            .iter()
            .zip(0..)
            .map(described)
            .map(|track| (track, watch::channel(Arc::default()).0))
            .collect();
        let lane = |(fresh, (_, tail)): (&Fresh<'_>, &(_, watch::Sender<Arc<Tail>>))| Lane {
            track: fresh.track.clone(),
            init: fresh.init.to_vec(),
            tail: tail.subscribe(),
        };
        self.lineup.send_replace(Arc::new(Lineup {
            lanes: tracks.iter().zip(&self.lanes).map(lane).collect(),
            catalog: viewer::catalog(tracks.iter().map(|fresh| &**fresh.track)),
            segment: self.segment,
        }));
    }
}

#[cfg(test)]
mod tests;
