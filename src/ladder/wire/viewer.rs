//! What is said between the server and a viewer of the WebSocket (docs/wire.md, "A viewer").

use bytes::{BufMut, Bytes, BytesMut};
use headwater_packager::{sample::Sample, track::Track};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{HEADER, Kind, frame, json, media_payload};

/// Flag of a chunk: it begins with a sync sample.
const FLAG_SYNC: u8 = 0x01;

/// What a viewer is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Notice {
    /// How the channel is doing.
    State {
        /// In one word, as in `/channels.json`.
        state: &'static str,
        /// What there is to say about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// These tracks are sent from here on.
    Selected {
        /// Index in the catalog.
        video: Option<u8>,
        /// Index in the catalog.
        audio: Option<u8>,
        /// Who or what has selected them.
        why: Selector,
    },
    /// Frames were left out because the line was too slow.
    Skipped {
        /// How many.
        frames: u64,
    },
    /// Nothing is sent until the viewer wants to go on.
    Paused,
    /// The viewer's last message could not be followed.
    Refused {
        /// What was wrong with it, and what would be right.
        why: String,
    },
}

/// Why other tracks are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    /// It is the beginning.
    Start,
    /// The viewer asked for it.
    Asked,
    /// The viewer's line is too slow for more.
    Slow,
    /// The viewer's line has kept pace.
    Recovered,
}

/// What a viewer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Other tracks.
    Select(Selection),
    /// Nothing, until it resumes.
    Pause,
    /// To go on with what is new.
    Resume,
    /// A pong.
    Ping,
    /// To be known to be there.
    Pong,
}

/// Tracks by their index in the catalog: outside, whether anything is said of them; inside, whether one is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Selection {
    /// The best video track that is wanted.
    #[serde(default, deserialize_with = "said")]
    pub video: Option<Option<u8>>,
    /// The audio track that is wanted.
    #[serde(default, deserialize_with = "said")]
    pub audio: Option<Option<u8>>,
}

fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u8>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// Why a message of a viewer was not understood.
#[derive(Debug, Error)]
pub enum Error {
    /// Not the bytes of one frame.
    #[error(
        "a message is exactly one frame: a type, a length and as many bytes; this one has {0} bytes in all"
    )]
    NotAFrame(usize),
    /// JSON that is not a request.
    #[error("a control frame has JSON with a \"control\" of select, pause or resume: {0}")]
    Json(serde_json::Error),
    /// A type that is not known, or that is not a viewer's to send.
    #[error("a viewer sends frames of type 6, 7 and 8, not of type {0}")]
    Kind(u8),
}

/// Reads a message of a viewer.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn request(message: &[u8]) -> Result<Request, Error> {
    let not_a_frame = || Error::NotAFrame(message.len());
    let (header, payload) = message.split_first_chunk::<HEADER>().ok_or_else(not_a_frame)?;
    let [kind, length @ ..] = *header;
    if u32::from_be_bytes(length) as usize != payload.len() {
        return Err(not_a_frame());
    }
    match Kind::from_byte(kind) {
        Some(Kind::Ping) => Ok(Request::Ping),
        Some(Kind::Pong) => Ok(Request::Pong),
        Some(Kind::Control) => control(payload).map_err(Error::Json),
        _ => Err(Error::Kind(kind)),
    }
}

fn control(payload: &[u8]) -> Result<Request, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(tag = "control", rename_all = "kebab-case")]
    enum Control {
        Select(Selection),
        Pause,
        Resume,
    }
    Ok(match serde_json::from_slice(payload)? {
        Control::Select(selection) => Request::Select(selection),
        Control::Pause => Request::Pause,
        Control::Resume => Request::Resume,
    })
}

/// The catalog as a viewer reads it: with the codec strings that WebCodecs takes.
pub fn catalog<'t>(tracks: impl Iterator<Item = &'t Track>) -> Bytes {
    #[derive(Serialize)]
    struct Catalog<'t> {
        tracks: Vec<Described<'t>>,
    }
    #[derive(Serialize)]
    struct Described<'t> {
        #[serde(flatten)]
        track: &'t Track,
        codec_string: String,
    }
    let describe = |track: &'t Track| Described { track, codec_string: track.codec.rfc6381() };
    json(Kind::Catalog, &Catalog { tracks: tracks.map(describe).collect() })
}

/// A notice on its way.
pub fn notice(notice: &Notice) -> Bytes {
    json(Kind::Event, notice)
}

/// The answer to a ping.
pub fn pong() -> Bytes {
    frame(Kind::Pong, &[])
}

/// A sample of track `track`, which is a video track or not, on the timeline.
pub fn media(track: u8, video: bool, sample: &Sample) -> Bytes {
    media_payload(track, video, false, sample)
}

/// The init segment of track `track`.
pub fn init(track: u8, segment: &[Bytes]) -> Bytes {
    payload(Kind::Init, &[&[track]], segment)
}

/// A CMAF chunk of track `track` that begins with `sample`.
pub fn chunk(track: u8, sample: &Sample, boxes: &[Bytes]) -> Bytes {
    let flags = if sample.sync { FLAG_SYNC } else { 0 };
    payload(Kind::Chunk, &[&[track, flags], &sample.captured_at.to_be_bytes()], boxes)
}

fn payload(kind: Kind, head: &[&[u8]], rest: &[Bytes]) -> Bytes {
    let pieces = || head.iter().copied().chain(rest.iter().map(|piece| &piece[..]));
    let length: usize = pieces().map(<[u8]>::len).sum();
    let mut out = BytesMut::with_capacity(HEADER + length);
    out.put_u8(kind as u8);
    out.put_u32(length as u32);
    pieces().for_each(|piece| out.put_slice(piece));
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control_frame(json: &str) -> Vec<u8> {
        [&[8, 0, 0, 0, json.len() as u8][..], json.as_bytes()].concat()
    }

    #[test]
    fn what_is_left_out_is_not_the_same_as_none() {
        let select = |json: &str| match request(&control_frame(json)).unwrap() {
            Request::Select(Selection { video, audio }) => (video, audio),
            other => panic!("{other:?}"),
        };
        assert_eq!(select(r#"{"control":"select","video":1}"#), (Some(Some(1)), None));
        assert_eq!(select(r#"{"control":"select","audio":null}"#), (None, Some(None)));
        assert_eq!(select(r#"{"control":"select"}"#), (None, None));
    }

    #[test]
    fn requests_are_read_and_all_else_is_named() {
        assert_eq!(request(&control_frame(r#"{"control":"pause"}"#)).unwrap(), Request::Pause);
        assert_eq!(request(&control_frame(r#"{"control":"resume","x":1}"#)).unwrap(), Request::Resume);
        assert_eq!(request(&[6, 0, 0, 0, 0]).unwrap(), Request::Ping);
        for message in [&[][..], &[6], &[6, 0, 0, 0, 1], &[6, 0, 0, 0, 0, 0], &[8, 255, 255, 255, 255]] {
            assert!(matches!(request(message), Err(Error::NotAFrame(_))), "{message:?}");
        }
        for json in ["", "{", "[]", r#"{"control":"dance"}"#, r#"{"control":"select","video":"720p"}"#] {
            assert!(matches!(request(&control_frame(json)), Err(Error::Json(_))), "{json}");
        }
        for kind in [0, 1, 2, 5, 9, 11, 255] {
            assert!(matches!(request(&[kind, 0, 0, 0, 0]), Err(Error::Kind(_))), "{kind}");
        }
    }

    #[test]
    fn a_chunk_has_its_header_in_front_and_its_length_right() {
        let data = Bytes::new();
        let sample = Sample { dts: 0, cts: 0, duration: 1, sync: true, captured_at: 258, data };
        let bytes = chunk(3, &sample, &[Bytes::from_static(b"moof"), Bytes::from_static(b"mdat")]);
        assert_eq!(bytes[..], *b"\x0a\x00\x00\x00\x12\x03\x01\x00\x00\x00\x00\x00\x00\x01\x02moofmdat");
    }
}
