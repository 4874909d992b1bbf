//! What was told, put together again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use http::HeaderValue;

use super::frame::{self, Deframer, Error, Object, Piece, Told, VERSION};
use crate::{
    channel::{
        cmsd::{self, Format},
        edge::{Body, Document, Head, LowLatency, Playlist, Segment, TrackEdge},
    },
    clock,
    pages::Arena,
};

/// A packager's edge at one moment.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// What documents of the whole channel say; `None` until that was told.
    pub channel: Option<Arc<Whole>>,
    /// The tracks, without what their records say.
    pub tracks: BTreeMap<String, Arc<TrackEdge>>,
}

/// What all tracks have in common.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Multivariant playlist, once every track has a list.
    pub multivariant: Option<Arc<Document>>,
    /// MPD, likewise.
    pub mpd: Option<Arc<Document>>,
    /// True when nothing will be added.
    pub ended: bool,
    /// How long a segment is on the grid.
    pub segment: Duration,
    /// EXT-X-TARGETDURATION.
    pub target_duration: Duration,
    /// Counts those who have published the channel, up to who tells this.
    pub epoch: u64,
}

/// Puts together what one packager tells of one channel.
#[derive(Debug, Default)]
pub struct Hearer {
    deframer: Deframer,
    picture: Picture,
    /// Where the media of each track lies.
    arenas: BTreeMap<String, Arena>,
    greeted: bool,
}

impl Hearer {
    /// Takes what has come. True if there is more to be seen.
    ///
    /// # Errors
    /// When it is not what a packager of our version says. Nothing that comes behind it can be used.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        self.deframer.push(bytes);
        let mut is_new = false;
        while let Some((told, bytes)) = self.deframer.next()? {
            is_new |= self.take(told, Rest(bytes))?;
        }
        Ok(is_new)
    }

    /// What can be seen.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    fn take(&mut self, told: Told, mut rest: Rest) -> Result<bool, Error> {
        match told {
            Told::Hello { version: VERSION } => self.greeted = true,
            Told::Hello { version } => return Err(Error::Version(version)),
            _ if !self.greeted => return Err(unsound("it begins without a greeting")),
            Told::Channel(channel) => self.take_channel(channel, &mut rest)?,
            Told::Track(track) => self.take_track(*track, &mut rest)?,
            Told::Beat => return Ok(false),
        }
        if rest.0.is_empty() {
            Ok(self.picture.channel.is_some())
        } else {
            Err(unsound("bytes are left over"))
        }
    }

    fn take_channel(&mut self, told: frame::Channel, rest: &mut Rest) -> Result<(), Error> {
        let frame::Channel { ended, epoch, segment_us, target_s, tracks, multivariant, mpd } = told;
        let mut document = |length: Option<u32>, format| {
            length.map(|length| rest.document(length, cmsd::manifest(format, !ended))).transpose()
        };
        self.picture.channel = Some(Arc::new(Whole {
            multivariant: document(multivariant, Format::Hls)?,
            mpd: document(mpd, Format::Dash)?,
            ended,
            segment: Duration::from_micros(segment_us),
            target_duration: Duration::from_secs(target_s),
            epoch,
        }));
        self.picture.tracks.retain(|name, _| tracks.contains(name));
        self.arenas.retain(|name, _| tracks.contains(name));
        Ok(())
    }

    fn take_track(&mut self, told: frame::Track, rest: &mut Rest) -> Result<(), Error> {
        let before = self.picture.tracks.get(&told.name).cloned().unwrap_or_default();
        let arena = self.arenas.entry(told.name.clone()).or_default();
        let now = clock::now();
        let ago = |millis: Option<u64>| now.checked_sub(Duration::from_millis(millis?));
        // In the order in which the bytes are.
        let playlist = match told.playlist {
            Some(list) => Some(playlist(list, told.delta, told.ended, before.playlist.as_deref(), rest)?),
            None => before.playlist.clone(),
        };
        let mut inits = before.inits.clone();
        for frame::Init { name, object } in told.inits {
            inits.insert(name, rest.object(object, arena)?);
        }
        let mut segments = before.segments.clone();
        for segment in told.segments {
            let number = segment.number;
            let grown = grown(segment, segments.get(&number).map(|before| &**before), rest, arena)?;
            segments.insert(number, Arc::new(grown));
        }
        told.gone.iter().for_each(|number| drop(segments.remove(number)));
        let edge = TrackEdge {
            playlist,
            first: told.first,
            head: told.head.map(|(last, parts)| Head { last, parts }),
            ended: told.ended,
            low_latency: told.low_latency.map(|(micros, parts_per_segment)| LowLatency {
                part_target: Duration::from_micros(micros),
                parts_per_segment,
            }),
            inits,
            segments,
            stored: told.stored.map(|(first, last)| first..=last),
            cmsd: told.cmsd.and_then(value),
            moved_at: ago(told.moved_ms),
            slate_since: ago(told.slate_ms),
            published_at: Some(now),
            ..TrackEdge::default()
        };
        self.picture.tracks.insert(told.name, Arc::new(edge));
        Ok(())
    }
}

fn playlist(
    told: frame::List,
    delta: Option<u32>,
    ended: bool,
    before: Option<&Playlist>,
    rest: &mut Rest,
) -> Result<Arc<Playlist>, Error> {
    let cmsd = cmsd::manifest(Format::Hls, !ended);
    let before = before.map(|before| &*before.whole);
    let known = before.map(|before| before.cut().0).unwrap_or_default();
    let mut pieces = Vec::with_capacity(told.pieces.len());
    for piece in told.pieces {
        pieces.push(match piece {
            Piece::Kept(index) => {
                known.get(index).cloned().ok_or_else(|| unsound("a piece of a list is missing"))?
            }
            Piece::New { length } => rest.text(length)?,
        });
    }
    let whole = Document::joined(pieces, rest.text(told.rest)?, before).described(cmsd.clone());
    let delta = delta.map(|length| rest.document(length, cmsd)).transpose()?;
    Ok(Arc::new(Playlist { whole: Arc::new(whole), delta }))
}

fn grown(
    told: frame::Segment,
    before: Option<&Segment>,
    rest: &mut Rest,
    arena: &mut Arena,
) -> Result<Segment, Error> {
    let mut chunks = before.map(|before| before.chunks.clone()).unwrap_or_default();
    for chunk in told.chunks {
        chunks.push(rest.object(chunk, arena)?);
    }
    let known = before.and_then(|before| before.whole.clone());
    let whole = match (told.whole, known) {
        (None, _) => None,
        (Some(_), Some(known)) => Some(known),
        (Some(frame::Whole { cmsd, length: Some(length) }), None) => {
            Some(rest.object(Object { length, cmsd }, arena)?)
        }
        (Some(_), None) if chunks.is_empty() => return Err(unsound("a segment without bytes")),
        (Some(frame::Whole { cmsd, length: None }), None) => {
            let pieces = chunks.iter().flat_map(|chunk| chunk.chunks.iter().cloned()).collect();
            Some(described(Body::new(pieces), cmsd))
        }
    };
    Ok(Segment { chunks, has_parts: told.has_parts, whole, settled: told.settled })
}

/// The bytes behind what is said, as far as they have not been spoken of.
struct Rest(Bytes);

impl Rest {
    fn take(&mut self, length: u32) -> Result<Bytes, Error> {
        let length = length as usize;
        if length > self.0.remaining() {
            return Err(unsound("bytes are missing"));
        }
        Ok(self.0.split_to(length))
    }

    /// By itself, as it may stay for hours, and what it came with need not.
    fn text(&mut self, length: u32) -> Result<Bytes, Error> {
        Ok(Bytes::copy_from_slice(&self.take(length)?))
    }

    fn document(&mut self, length: u32, cmsd: HeaderValue) -> Result<Arc<Document>, Error> {
        Ok(Arc::new(Document::new(self.text(length)?).described(cmsd)))
    }

    fn object(&mut self, told: Object, arena: &mut Arena) -> Result<Arc<Body>, Error> {
        let bytes = arena.keep(&[self.take(told.length)?]);
        Ok(described(Body::new(vec![bytes]), told.cmsd))
    }
}

fn described(body: Body, cmsd: Option<String>) -> Arc<Body> {
    Arc::new(Body { cmsd: cmsd.and_then(value), ..body })
}

fn value(text: String) -> Option<HeaderValue> {
    HeaderValue::try_from(text).ok()
}

fn unsound(reason: &str) -> Error {
    Error::Unsound(reason.to_owned())
}
