//! The wire protocol between encoder, server and viewers: `type: u8 | length: u32 BE | payload` (docs/wire.md).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use headwater_packager::{sample::Sample, track::Track};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::job::Job;

pub mod viewer;

/// Largest payload that is accepted: 16 MiB, several times the largest 4K IDR.
pub const MAX_PAYLOAD: usize = 16 << 20;

const HEADER: usize = 5;
const MEDIA_HEADER: usize = 1 + 1 + 8 + 4 + 4 + 8;

/// Media flag: the frame belongs to the filler, not to the timeline. Its `dts` counts from zero.
pub const FLAG_FILLER: u8 = 0x01;

/// Frame types, the first byte on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum Kind {
    Catalog = 1,
    VideoKey = 2,
    VideoDelta = 3,
    Audio = 4,
    Event = 5,
    Ping = 6,
    Pong = 7,
    Control = 8,
    Init = 9,
    Chunk = 10,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        use Kind::*;
        [Catalog, VideoKey, VideoDelta, Audio, Event, Ping, Pong, Control, Init, Chunk]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The tracks; a media message names one by its index here.
    Catalog(Catalog),
    /// An access unit.
    Media(Media),
    /// What the encoder reports.
    Event(Event),
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
    /// What the encoder is told.
    Control(Control),
}

/// All tracks of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// Tracks, video rungs best first, then audio.
    pub tracks: Vec<Track>,
}

/// An access unit on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// Index of its track in the catalog.
    pub track: u8,
    /// True for a frame of the filler: see [`FLAG_FILLER`].
    pub filler: bool,
    /// True if the track is a video track.
    pub video: bool,
    /// The access unit.
    pub sample: Sample,
}

/// What the encoder reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Frames of the source flow, `duration` nanoseconds of it in all where that is known.
    Live {
        /// Nanoseconds.
        duration: Option<u64>,
    },
    /// The source has given nothing for a while; frames may come again.
    Stalled {
        /// What is missing, in words for an operator.
        why: String,
    },
    /// The source came to its end. Nothing follows.
    Ended,
    /// The job cannot be done. Nothing follows.
    Failed {
        /// What, where, and what would be right.
        why: String,
    },
    /// A rung's encoder was chosen.
    Encoder {
        /// Track name.
        track: String,
        /// GStreamer element.
        element: String,
    },
}

/// What the encoder is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "kebab-case")]
pub enum Control {
    /// Do this; always the first message to an encoder.
    Start {
        /// The work.
        job: Box<Job>,
        /// What time it is for the server: microseconds since the Unix epoch.
        now: i64,
    },
    /// Make the next frame of this track a key frame.
    ForceKey {
        /// Index in the catalog.
        track: u8,
    },
    /// Stop and exit.
    Quit,
}

/// Why bytes on the wire were refused. The connection cannot be used further.
#[derive(Debug, Error)]
pub enum Error {
    /// A length above [`MAX_PAYLOAD`].
    #[error("a frame of {0} bytes is above the limit of {MAX_PAYLOAD}")]
    TooLong(usize),
    /// A media payload shorter than its header.
    #[error("a media payload of {0} bytes is shorter than its header of {MEDIA_HEADER}")]
    Short(usize),
    /// JSON that is not what its type promises.
    #[error("{kind:?} payload: {source}")]
    Json {
        /// The frame's type.
        kind: Kind,
        /// What serde found.
        source: serde_json::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
}

/// Encodes a message as one frame.
pub fn encode(message: &Message) -> Bytes {
    match message {
        Message::Catalog(catalog) => json(Kind::Catalog, catalog),
        Message::Event(event) => json(Kind::Event, event),
        Message::Control(control) => json(Kind::Control, control),
        Message::Ping => frame(Kind::Ping, &[]),
        Message::Pong => frame(Kind::Pong, &[]),
        Message::Media(media) => media_payload(media.track, media.video, media.filler, &media.sample),
    }
}

fn json(kind: Kind, value: &impl Serialize) -> Bytes {
    // Serialising these types cannot fail: their maps have string keys and their impls return no errors.
    frame(kind, &serde_json::to_vec(value).unwrap_or_default())
}

fn frame(kind: Kind, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER + payload.len());
    out.put_u8(kind as u8);
    out.put_u32(payload.len() as u32);
    out.put_slice(payload);
    out.freeze()
}

fn media_payload(track: u8, video: bool, filler: bool, sample: &Sample) -> Bytes {
    let kind = match (video, sample.sync) {
        (false, _) => Kind::Audio,
        (true, true) => Kind::VideoKey,
        (true, false) => Kind::VideoDelta,
    };
    let mut out = BytesMut::with_capacity(HEADER + MEDIA_HEADER + sample.data.len());
    out.put_u8(kind as u8);
    out.put_u32((MEDIA_HEADER + sample.data.len()) as u32);
    out.put_u8(track);
    out.put_u8(if filler { FLAG_FILLER } else { 0 });
    out.put_i64(sample.dts);
    out.put_i32(sample.cts);
    out.put_u32(sample.duration);
    out.put_i64(sample.captured_at);
    out.put_slice(&sample.data);
    out.freeze()
}

/// Takes the next message from the front of `buffer`, if it is there whole. Unknown types are skipped.
///
/// # Errors
/// Whatever makes the rest of the stream unusable.
pub fn decode(buffer: &mut BytesMut) -> Result<Option<Message>, Error> {
    loop {
        let Some(header) = buffer.get(..HEADER) else { return Ok(None) };
        let kind = Kind::from_byte(header[0]);
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if length > MAX_PAYLOAD {
            return Err(Error::TooLong(length));
        }
        if buffer.len() < HEADER + length {
            buffer.reserve(HEADER + length - buffer.len());
            return Ok(None);
        }
        buffer.advance(HEADER);
        let payload = buffer.split_to(length).freeze();
        if let Some(message) = kind.map(|kind| message(kind, payload)).transpose()?.flatten() {
            return Ok(Some(message));
        }
    }
}

/// `None` for what is never sent to this end.
fn message(kind: Kind, payload: Bytes) -> Result<Option<Message>, Error> {
    let json = |source| Error::Json { kind, source };
    Ok(Some(match kind {
        Kind::Catalog => Message::Catalog(serde_json::from_slice(&payload).map_err(json)?),
        Kind::Event => Message::Event(serde_json::from_slice(&payload).map_err(json)?),
        Kind::Control => Message::Control(serde_json::from_slice(&payload).map_err(json)?),
        Kind::Ping => Message::Ping,
        Kind::Pong => Message::Pong,
        Kind::VideoKey | Kind::VideoDelta | Kind::Audio => Message::Media(decode_media(kind, payload)?),
        Kind::Init | Kind::Chunk => return Ok(None),
    }))
}

fn decode_media(kind: Kind, mut payload: Bytes) -> Result<Media, Error> {
    if payload.len() < MEDIA_HEADER {
        return Err(Error::Short(payload.len()));
    }
    Ok(Media {
        track: payload.get_u8(),
        filler: payload.get_u8() & FLAG_FILLER != 0,
        video: kind != Kind::Audio,
        sample: Sample {
            dts: payload.get_i64(),
            cts: payload.get_i32(),
            duration: payload.get_u32(),
            sync: kind != Kind::VideoDelta,
            captured_at: payload.get_i64(),
            data: payload,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_frame() -> Message {
        let data = Bytes::from_static(&[0, 0, 0, 1, 0x65]);
        let sample = Sample { dts: 1 << 50, cts: -1000, duration: 1000, sync: true, captured_at: 7, data };
        Message::Media(Media { track: 2, filler: true, video: true, sample })
    }

    #[test]
    fn a_message_survives_the_wire_however_it_is_cut() {
        let bytes = [encode(&Message::Ping), encode(&key_frame())].concat();
        for cut in 0..bytes.len() {
            let mut buffer = BytesMut::from(&bytes[..cut]);
            let mut seen = Vec::new();
            while let Some(message) = decode(&mut buffer).unwrap() {
                seen.push(message);
            }
            buffer.extend_from_slice(&bytes[cut..]);
            while let Some(message) = decode(&mut buffer).unwrap() {
                seen.push(message);
            }
            assert_eq!(seen, [Message::Ping, key_frame()]);
        }
    }

    #[test]
    fn unknown_types_are_skipped_and_long_frames_refused() {
        let mut buffer = BytesMut::from(&[99, 0, 0, 0, 1, 42][..]);
        buffer.extend_from_slice(&encode(&Message::Pong));
        assert_eq!(decode(&mut buffer).unwrap(), Some(Message::Pong));
        let mut buffer = BytesMut::from(&[1, 255, 0, 0, 0][..]);
        assert!(matches!(decode(&mut buffer), Err(Error::TooLong(_))));
    }
}
