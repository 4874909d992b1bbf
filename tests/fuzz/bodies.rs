//! What is done with hostile frames, for cargo-fuzz and for the plain test `tests/it/fuzz.rs`. None of it may panic or
//! go on for ever.

use bytes::BytesMut;
use headwater::ladder::wire::{self, Error, Message, viewer};

/// The frame decoder on a stream that is cut anywhere: the cuts change nothing, and what it understands it can say again.
pub fn wire(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = decode([stream]);
    let (before, after) = stream.split_at(usize::from(cut).min(stream.len()));
    let pieces = decode([before, after]);
    assert_eq!(whole.1, pieces.1, "cuts do not matter");
    assert_eq!(whole.0.len(), pieces.0.len());
    for message in whole.0 {
        let said = decode([&wire::encode(&message)[..]]);
        assert_eq!(said, (vec![message], None));
    }
}

/// All messages of a stream, and the words of the error that ended it.
fn decode<'s>(pieces: impl IntoIterator<Item = &'s [u8]>) -> (Vec<Message>, Option<String>) {
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match wire::decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(kind(&error).to_owned())),
            }
        }
    }
    (messages, None)
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::TooLong(_) => "too long",
        Error::Short(_) => "short",
        Error::Json { .. } => "json",
        Error::Io(_) => "io",
    }
}

/// A viewer's message: it is one frame to the byte, or is refused.
pub fn viewer(data: &[u8]) {
    if let Ok(request) = viewer::request(data) {
        assert_eq!(data.len(), 5 + u32::from_be_bytes([data[1], data[2], data[3], data[4]]) as usize);
        assert!(matches!((data[0], request), (6..=8, _)));
    }
}
