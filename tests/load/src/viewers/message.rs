//! Reads the messages of a server to a viewer as they come, and keeps the beginning of each only: a thousand clients
//! must not cost more than the server that they measure.

use thiserror::Error;

use crate::lane::STAMP;

/// Bytes that are kept of a message: all of an event, and of a frame what is in front of its data.
const KEPT: usize = 512;
/// In front of a frame's data: type and length, then the media header (docs/wire.md).
const FRAME: usize = 5;
const MEDIA: usize = 26;
/// The longest message that is believed.
const LONGEST: u64 = 1 << 24;

/// The stream cannot be read any further.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the server sent what no server should: {0}")]
pub(crate) struct Malformed(&'static str);

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Media(Media),
    /// Other tracks are sent, for a reason.
    Selected(String),
    /// So many frames were left out.
    Skipped(u64),
    Ping,
    /// The end, with its code.
    Close(u16),
    Other,
}

/// A frame of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    pub(crate) track: u8,
    pub(crate) video: bool,
    pub(crate) key: bool,
    pub(crate) dts: i64,
    pub(crate) duration: u32,
    /// When it was made, as [`crate::clock::nanos`].
    pub(crate) made: u64,
}

/// Where in a message the stream is.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// The WebSocket header so far.
    head: Vec<u8>,
    /// The beginning of the payload.
    kept: Vec<u8>,
    /// Bytes of the payload that are missing, once the header is there.
    missing: Option<u64>,
}

impl Messages {
    /// Takes what was received, and hands over each message when its last byte is there.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Message)) -> Result<(), Malformed> {
        loop {
            let Some(missing) = self.missing else {
                let Some((&first, rest)) = bytes.split_first() else { return Ok(()) };
                self.head.push(first);
                self.missing = length(&self.head)?;
                bytes = rest;
                continue;
            };
            let taken = bytes.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
            let kept = taken.min(KEPT - self.kept.len());
            self.kept.extend_from_slice(&bytes[..kept]);
            bytes = &bytes[taken..];
            self.missing = Some(missing - taken as u64);
            if self.missing != Some(0) {
                return Ok(());
            }
            each(message(self.head[0], &self.kept)?);
            self.head.clear();
            self.kept.clear();
            self.missing = None;
        }
    }
}

/// The length of the payload, once the header says so (RFC 6455 5.2).
fn length(head: &[u8]) -> Result<Option<u64>, Malformed> {
    let (length, wanted) = match head.get(1) {
        None => return Ok(None),
        Some(128..) => return Err(Malformed("a masked message")),
        Some(126) => (head.get(2..4).map(number), 4),
        Some(127) => (head.get(2..10).map(number), 10),
        Some(&length) => (Some(u64::from(length)), 2),
    };
    match length.filter(|_| head.len() == wanted) {
        Some(length) if length > LONGEST => Err(Malformed("an endless message")),
        length => Ok(length),
    }
}

/// A message, of which `kept` is the beginning.
fn message(first: u8, kept: &[u8]) -> Result<Message, Malformed> {
    match (first, kept.first()) {
        (0x82, Some(kind @ 2..=4)) => {
            media(*kind, kept).map(Message::Media).ok_or(Malformed("a short frame"))
        }
        (0x82, Some(5)) => Ok(event(&kept[FRAME.min(kept.len())..])),
        (0x82, _) => Ok(Message::Other),
        (0x88, _) => Ok(Message::Close(kept.get(..2).map_or(1005, |code| number(code) as u16))),
        (0x89, _) => Ok(Message::Ping),
        (0x8a, _) => Ok(Message::Other),
        _ => Err(Malformed("a fragment, a text or an unknown message")),
    }
}

fn media(kind: u8, kept: &[u8]) -> Option<Media> {
    let (header, data) = kept.get(FRAME..)?.split_at_checked(MEDIA)?;
    Some(Media {
        track: header[0],
        video: kind != 4,
        key: kind != 3,
        dts: number(&header[2..10]) as i64,
        duration: number(&header[14..18]) as u32,
        made: number(data.get(..STAMP)?),
    })
}

fn event(json: &[u8]) -> Message {
    let value: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    match value["event"].as_str() {
        Some("selected") => Message::Selected(value["why"].as_str().unwrap_or_default().into()),
        Some("skipped") => Message::Skipped(value["frames"].as_u64().unwrap_or_default()),
        _ => Message::Other,
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The header of a binary message of `length` bytes, as a server writes it.
pub(crate) fn header(length: usize) -> Vec<u8> {
    let long = (length as u64).to_be_bytes();
    match length {
        0..126 => vec![0x82, length as u8],
        126..65_536 => [&[0x82, 126], &long[6..]].concat(),
        _ => [&[0x82, 127], &long[..]].concat(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater::ladder::wire::{self, Media as Frame};
    use headwater_packager::sample::Sample;

    use super::*;

    fn binary(payload: &[u8]) -> Vec<u8> {
        [header(payload.len()), payload.to_vec()].concat()
    }

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let data = Bytes::from([&7_u64.to_be_bytes()[..], &[0; 70_000]].concat());
        let sample = Sample { dts: 1 << 40, cts: -3, duration: 1000, sync: false, captured_at: 9, data };
        let frame = Frame { track: 2, filler: false, video: true, sample };
        let json = br#"{"event":"selected","video":1,"audio":null,"why":"slow"}"#;
        let stream = [
            binary(&wire::encode(&wire::Message::Media(frame))),
            vec![0x89, 0],
            binary(&[&[5, 0, 0, 0, json.len() as u8], &json[..]].concat()),
            vec![0x88, 4, 0x03, 0xf5, b'n', b'o'],
        ]
        .concat();
        for size in [1, 7, 4096, stream.len()] {
            let (mut messages, mut seen) = (Messages::default(), Vec::new());
            for piece in stream.chunks(size) {
                messages.feed(piece, |message| seen.push(message)).unwrap();
            }
            let media = Media { track: 2, video: true, key: false, dts: 1 << 40, duration: 1000, made: 7 };
            let selected = Message::Selected("slow".into());
            assert_eq!(seen, [Message::Media(media), Message::Ping, selected, Message::Close(1013)]);
        }
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        for bytes in [&[0x82, 0x80][..], &[0x81, 1, b'x'], &[0x02, 0], &[0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(Messages::default().feed(bytes, |_| ()).is_err(), "{bytes:?}");
        }
    }
}
