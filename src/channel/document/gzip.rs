//! One stream of gzip from pieces that are compressed by themselves.
//!
//! Each piece ends with an empty stored block, which aligns it to a byte, and refers to nothing in front of it, so pieces
//! can be put behind each other as they are. It is one member (RFC 1952 2.3) and not one for each: Chromium silently ignores
//! what comes behind the first (`net/filter/gzip_source_stream.cc`), and says that other browsers do.

use std::{fmt, io::Write, sync::Arc};

use bytes::Bytes;
use flate2::{Compression, Crc, write::DeflateEncoder};

use super::past::Sheet;

/// No name and no time, made on an unknown system (RFC 1952 2.3.1).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// The last block: empty, with fixed codes (RFC 1951 3.2.6).
const LAST: [u8; 2] = [3, 0];

/// A piece of text in blocks of DEFLATE (RFC 1951), none of them the last.
pub(super) struct Deflated {
    blocks: Bytes,
    crc: Crc,
}

impl Deflated {
    pub(super) fn new(text: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(text);
        let mut deflate =
            DeflateEncoder::new(Vec::with_capacity(text.len() / 4 + 64), Compression::default());
        // Writing into a Vec cannot fail.
        let _ = deflate.write_all(text).and_then(|()| deflate.flush());
        Self { blocks: std::mem::take(deflate.get_mut()).into(), crc }
    }
}

impl fmt::Debug for Deflated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflated").field("length", &self.blocks.len()).finish_non_exhaustive()
    }
}

/// All of `sheets` in one member.
pub(super) fn member<'a>(sheets: impl Iterator<Item = &'a Arc<Sheet>> + Clone) -> Vec<u8> {
    let length: usize = sheets.clone().map(|sheet| sheet.deflated().blocks.len()).sum();
    let mut out = Vec::with_capacity(HEADER.len() + length + LAST.len() + 8);
    out.extend_from_slice(&HEADER);
    let mut crc = Crc::new();
    for sheet in sheets {
        let deflated = sheet.deflated();
        out.extend_from_slice(&deflated.blocks);
        crc.combine(&deflated.crc);
    }
    out.extend_from_slice(&LAST);
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    out
}
