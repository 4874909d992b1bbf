//! Tells the metrics what became of each track.

use std::collections::BTreeMap;

use crate::{
    ladder::wire::{Catalog, Media},
    metrics::{Part, Track, Tracks},
};

/// A part that was cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutPart {
    pub(super) part: Part,
    /// True if it can be asked for by itself.
    pub(super) published: bool,
}

/// What a track has made since it was asked last.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) parts: Vec<CutPart>,
    /// Segments that were listed whole.
    pub(super) segments: u64,
}

/// Measures one channel.
pub(super) struct Meter {
    channel: String,
    metrics: Tracks,
    by_name: BTreeMap<String, Track>,
    /// By index in the encoder's catalog.
    encoded: Vec<Track>,
}

impl Meter {
    pub(super) fn new(channel: &str, metrics: Tracks) -> Self {
        Self { channel: channel.to_owned(), metrics, by_name: BTreeMap::new(), encoded: Vec::new() }
    }

    /// These are the tracks of which frames come from now on.
    pub(super) fn open(&mut self, catalog: &Catalog) {
        let track = |name: &str| self.metrics.of(&self.channel, name);
        self.encoded = catalog.tracks.iter().map(|each| track(&each.name)).collect();
    }

    /// A frame came at `now` nanoseconds since the epoch.
    pub(super) fn hear(&self, media: &Media, now: i128) {
        if let Some(track) = self.encoded.get(usize::from(media.track)).filter(|_| !media.filler) {
            track.encoded(media.sample.captured_at, now);
        }
    }

    /// What a track has made can be fetched from `now` on.
    pub(super) fn publish(&mut self, name: &str, made: Made, now: i128) {
        if made.parts.is_empty() && made.segments == 0 {
            return;
        }
        if !self.by_name.contains_key(name) {
            self.by_name.insert(name.to_owned(), self.metrics.of(&self.channel, name));
        }
        let Some(track) = self.by_name.get(name) else { return };
        track.published_segments(made.segments);
        for CutPart { part, published } in made.parts {
            if part.arrived.is_none() {
                track.filled();
            }
            if published {
                track.published_part(part, now);
            }
        }
    }
}
