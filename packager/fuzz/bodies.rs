//! What is done with hostile bytes, for cargo-fuzz and for the plain test `tests/fuzz.rs`. None of it may panic, hang,
//! or allocate much more than it was given.

use std::io::Cursor;

use bytes::Bytes;
use headwater_packager::{
    bmff::reader::{self, Boxes, Defaults, MediaSegment, Movie, MovieFragment, ReferenceTime},
    codec::CodecConfig,
};

/// The box tree.
pub fn boxes(data: &[u8]) {
    let tree = reader::tree(data);
    assert_eq!(tree.is_empty(), data.is_empty());
}

/// The typed views, and the check that stands in front of the `mp4` crate: what passes it must not harm that crate.
pub fn movie(data: &[u8]) {
    for found in Boxes::new(data, 0).flatten() {
        match &found.kind.0 {
            b"moov" => drop(Movie::read(&found)),
            b"moof" => {
                drop(MovieFragment::read(&found, |_| Defaults { duration: 1, size: u32::MAX, flags: 0 }))
            }
            b"prft" => drop(ReferenceTime::read(&found)),
            _ => {}
        }
    }
    if let Ok(segment) = MediaSegment::read(data) {
        assert!(segment.duration > 0 && segment.start.checked_add(segment.duration).is_some());
    }
    if reader::check_tables(data).is_ok() {
        drop(mp4::Mp4Reader::read_header(Cursor::new(data), data.len() as u64));
    }
}

/// Decoder configuration records: the first byte says of which codec.
pub fn codec(data: &[u8]) {
    let Some((&kind, record)) = data.split_first() else { return };
    let record = Bytes::copy_from_slice(record);
    let config = match kind % 3 {
        0 => CodecConfig::Avc(record),
        1 => CodecConfig::Hevc(record),
        _ => CodecConfig::Aac(record),
    };
    assert!(!config.rfc6381().is_empty());
    // What passes the check has a picture that a sample entry can carry.
    if config.check().is_ok() && config.is_video() {
        let video = config.video().ok().flatten();
        assert!(
            video.is_some_and(
                |video| (1..=16_384).contains(&video.width) && (1..=16_384).contains(&video.height)
            )
        );
    }
}
