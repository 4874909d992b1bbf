//! The top-level boxes of a file that may be larger than memory.

use std::io::{self, Read, Seek, SeekFrom};

use headwater_packager::bmff::reader::{self, Header};

/// Boxes larger than this are not read: real ones with tables for hours of media are smaller.
const LARGEST: u64 = 64 << 20;

/// A box of the top level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Where it begins.
    pub(super) offset: u64,
    /// Its header.
    pub(super) header: Header,
}

/// Goes from box to box.
pub(super) struct TopLevel<'a, R> {
    file: &'a mut R,
    offset: u64,
    length: u64,
}

impl<'a, R: Read + Seek> TopLevel<'a, R> {
    /// The boxes of a file of `length` bytes.
    pub(super) fn new(file: &'a mut R, length: u64) -> Self {
        Self { file, offset: 0, length }
    }

    /// The next box; `None` at the end of the file. An error in the boxes is final.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<Found, reader::Error>>> {
        let left = self.length.saturating_sub(self.offset);
        if left == 0 {
            return Ok(None);
        }
        let offset = self.offset;
        let start = self.read(offset, left.min(16))?;
        Ok(Some(reader::header(&start, offset, left).map(|header| {
            self.offset = offset + header.size;
            Found { offset, header }
        })))
    }

    /// All bytes of a box, unless it is media data, padding, or too large.
    pub(super) fn contents(&mut self, found: &Found) -> io::Result<Option<Vec<u8>>> {
        let payload = matches!(&found.header.kind.0, b"mdat" | b"free" | b"skip" | b"wide" | b"idat");
        if payload || found.header.size > LARGEST {
            return Ok(None);
        }
        self.read(found.offset, found.header.size).map(Some)
    }

    fn read(&mut self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
