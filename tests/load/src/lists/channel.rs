//! A channel that is listed and never sent: what `channel/presentation.rs` renders of one.

use std::{hint::black_box, sync::Arc, time::Duration};

use headwater::channel::edge::{Coding, Document};
use headwater_packager::{
    dash, hls,
    time::{Grid, Ticks},
    track::{Track, UNCHANGED},
    window::{Era, Open, Part, Segment, Window},
};

use super::Making;
use crate::encoder;

const GRID: Grid = Grid { segment: Duration::from_secs(2), part: Duration::from_millis(400) };
const PARTS: u32 = 5;
const TARGET: u32 = 2;
/// Number of the segment that is made first.
const FIRST: i64 = 933_000_000;
/// Samples of AAC in a packet.
const PACKET: Ticks = 1024;

pub(crate) struct Channel {
    tracks: Vec<Listed>,
    part_target: Duration,
    parts: bool,
    making: Making,
    /// Each list is asked for with gzip once.
    gzip: bool,
    next: i64,
}

struct Listed {
    track: Track,
    window: Window,
    era: Arc<Era>,
    open: Open,
    list: Option<Document>,
}

impl Channel {
    /// One whose window is full.
    pub(crate) fn new(window: Duration, parts: bool, making: Making, gzip: bool) -> Option<Self> {
        let rungs = [("1080p", 5_000_000), ("720p", 2_500_000), ("480p", 1_000_000), ("360p", 600_000)];
        let tracks = encoder::tracks(&rungs.map(|(name, bitrate)| (name.to_owned(), bitrate)))?;
        let part_target = Duration::from_millis(427);
        let tracks = tracks.into_iter().map(|track| Listed::new(track, window)).collect();
        let mut channel = Self { tracks, part_target, parts, making, gzip, next: FIRST };
        for _ in 0..window.as_secs() / GRID.segment.as_secs() + 1 {
            (0..channel.tracks.len()).for_each(|index| channel.tracks[index].close());
            channel.next += 1;
        }
        Some(channel)
    }

    /// Publishes all of another segment, and tells in how many publications of a track.
    pub(crate) fn segment(&mut self) -> u32 {
        let mut published = 0;
        let steps = if self.parts { PARTS } else { 1 };
        for step in 0..steps {
            for index in 0..self.tracks.len() {
                let closes = step + 1 == steps;
                match closes {
                    true => self.tracks[index].close(),
                    false => self.tracks[index].add_part(),
                }
                self.publish(index, closes);
                published += 1;
            }
        }
        self.next += 1;
        published
    }

    fn publish(&mut self, index: usize, closes: bool) {
        let (list, delta) = self.list(index);
        self.ask(&list);
        self.tracks[index].list = Some(list);
        black_box(delta);
        if closes {
            let renditions: Vec<_> = self.tracks.iter().map(Listed::rendition).collect();
            black_box(Document::new(hls::multivariant(&renditions)));
            self.ask(&Document::new(self.mpd()));
        }
    }

    fn ask(&self, document: &Document) {
        if self.gzip {
            black_box(document.coded(Coding::Gzip));
        }
        black_box(document);
    }

    fn list(&self, index: usize) -> (Document, Option<Document>) {
        let others = self.tracks.iter().enumerate().filter(|(other, _)| *other != index);
        let reports: Vec<_> = others.map(|(_, other)| other.report()).collect();
        let Listed { window, open, list, .. } = &self.tracks[index];
        let hint = Some((open.number, open.parts.len() as u32));
        let low_latency =
            hls::LowLatency { part_target: self.part_target, open: Some(open), hint, reports: &reports };
        let low_latency = self.parts.then_some(low_latency);
        let media = hls::Media { window, target_duration: TARGET, kind: hls::Kind::Live, low_latency };
        let whole = match self.making {
            Making::Whole => Document::new(hls::media(&media)),
            Making::Pieces => {
                let before = list.as_ref();
                Document::list(&hls::list(&media, before.and_then(Document::past)), before)
            }
        };
        (whole, hls::delta(&media).map(Document::new))
    }

    fn mpd(&self) -> String {
        let low_latency = self.parts.then_some(dash::LowLatency {
            part: GRID.part,
            part_target: self.part_target,
            from_capture: true,
        });
        let representations: Vec<_> =
            self.tracks.iter().map(|listed| listed.representation(self.parts)).collect();
        let kind = dash::Kind::Live {
            published_at: i128::from(self.next) * GRID.segment.as_nanos() as i128,
            time_shift: self.tracks.iter().map(|listed| listed.window.depth()).min().unwrap_or_default(),
            delay: 3 * GRID.segment,
            low_latency,
        };
        dash::mpd(&dash::Presentation { representations: &representations, kind, segment: GRID.segment })
    }
}

impl Listed {
    fn new(track: Track, length: Duration) -> Self {
        let window = Window::new(length, track.timescale);
        let era = Arc::new(Era { first: 1, init: "init-0123456789abcdef.mp4".into(), sequence: 0 });
        let mut listed = Self { open: opened(FIRST, 0, &era), track, window, era, list: None };
        listed.open.start = listed.line(FIRST);
        listed
    }

    /// Where a segment begins: packets of sound do not divide one.
    fn line(&self, number: i64) -> Ticks {
        let line = number * 2 * Ticks::from(self.track.timescale.hz());
        match self.track.audio() {
            Some(_) => -(-line).div_euclid(PACKET) * PACKET,
            None => line,
        }
    }

    fn add_part(&mut self) {
        let duration = 2 * Ticks::from(self.track.timescale.hz()) / Ticks::from(PARTS);
        let independent = self.open.parts.is_empty();
        self.open.parts.push(Part { duration, size: 100_000, independent });
    }

    fn close(&mut self) {
        while self.open.parts.len() < PARTS as usize {
            self.add_part();
        }
        let next = self.open.number + 1;
        let open = opened(next, self.line(next), &self.era);
        let Open { number, start, parts, era } = std::mem::replace(&mut self.open, open);
        let duration = self.open.start - start;
        let size = 500_000 + number as u64 % 1000;
        self.window.push(Segment { number, start, duration, size, parts, era, captured_at: 1 });
    }

    fn report(&self) -> hls::Report<'_> {
        let (msn, part) = match self.open.parts.len() as u32 {
            0 => (self.open.number - 1, PARTS - 1),
            parts => (self.open.number, parts - 1),
        };
        hls::Report { track: &self.track.name, msn, part: Some(part) }
    }

    fn rendition(&self) -> hls::Rendition<'_> {
        hls::Rendition { track: &self.track, bandwidth: self.window.bandwidth(), configurations: &UNCHANGED }
    }

    fn representation(&self, parts: bool) -> dash::Representation<'_> {
        dash::Representation {
            track: &self.track,
            window: &self.window,
            bandwidth: self.window.bandwidth(),
            open: parts.then_some(&self.open),
            configurations: &UNCHANGED,
        }
    }
}

fn opened(number: i64, start: Ticks, era: &Arc<Era>) -> Open {
    Open { number, start, parts: Vec::new(), era: era.clone() }
}
