//! Reading boxes that may be damaged or hostile: every length is checked against what is there, nothing is
//! allocated because a field says so, nesting is bounded, and nothing panics.

mod describe;
mod fields;
mod fragment;
mod movie;
mod sample_entry;
mod samples;
mod segment;
mod tables;

use std::fmt;

use thiserror::Error;

pub use self::{
    fields::Fields,
    fragment::{Defaults, FragmentRun, MovieFragment, ReferenceTime},
    movie::{Edit, Movie, MovieTrack},
    samples::Samples,
    segment::MediaSegment,
    tables::{check_tables, check_tables_at},
};

/// Boxes nest at most this deep in real files; a hostile one could overflow the stack.
const DEEPEST: usize = 16;

/// A box type, brand or handler: four characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b' '..=b'~' => write!(f, "{}", char::from(byte)),
            0xa9 => write!(f, "©"),
            _ => write!(f, "\\x{byte:02x}"),
        })
    }
}

/// What is wrong with a box, and where: offsets count from the start of what was read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Too few bytes for a header.
    #[error("at byte {offset} only {left} bytes are left; a box has a header of at least 8")]
    HeaderCut {
        /// Where the box begins.
        offset: u64,
        /// Bytes left.
        left: u64,
    },
    /// A size that is less than what the box must have.
    #[error("box `{kind}` at byte {offset} says it is {size} bytes long, but it needs at least {least}")]
    TooSmall {
        /// Its type.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// What it says.
        size: u64,
        /// What it needs.
        least: u64,
    },
    /// A size that is more than what is left.
    #[error(
        "box `{kind}` at byte {offset} says it is {size} bytes long, but only {left} are left: the file is cut short or damaged"
    )]
    TooLong {
        /// Its type.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// What it says.
        size: u64,
        /// What there is.
        left: u64,
    },
    /// Size 0, which is for the last box of a file only.
    #[error("box `{kind}` at byte {offset} has size 0, which only the last box of a file may have")]
    OpenEnded {
        /// Its type.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
    },
    /// Nested too deep.
    #[error("box `{kind}` at byte {offset} is nested more than {DEEPEST} levels deep")]
    TooDeep {
        /// Its type.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
    },
    /// The fields do not fit into the box.
    #[error(
        "box `{kind}` at byte {offset} ends in the middle of its fields, after {length} bytes of contents"
    )]
    FieldsCut {
        /// Its type.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// Bytes of contents.
        length: u64,
    },
    /// A table has more entries than the box has room for.
    #[error("box `{kind}` at byte {offset} says it has {entries} entries, but has room for {room}")]
    Table {
        /// Its type.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// What it says.
        entries: u64,
        /// What fits.
        room: u64,
    },
    /// A value that breaks every reader.
    #[error("box `{kind}` at byte {offset} has {what}")]
    Value {
        /// Its type.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// What it has.
        what: &'static str,
    },
    /// A box that must be there is not.
    #[error("box `{parent}` at byte {offset} has no `{kind}` in it")]
    Missing {
        /// What is missing.
        kind: FourCc,
        /// Where it should be.
        parent: FourCc,
        /// Where that begins.
        offset: u64,
    },
}

/// The header of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its type.
    pub kind: FourCc,
    /// Bytes of the header: 8, or 16 with a 64-bit size.
    pub length: u64,
    /// Bytes of the whole box.
    pub size: u64,
    /// True if the size was given as 0: to the end of the file.
    pub open_ended: bool,
}

/// Reads the header of the box at `offset`, from its first bytes (16 are enough), where `left` bytes are left in all.
///
/// # Errors
/// If the size is impossible.
pub fn header(data: &[u8], offset: u64, left: u64) -> Result<Header, Error> {
    let (&[a, b, c, d, ref rest @ ..], true) = (data, left >= 8) else {
        return Err(Error::HeaderCut { offset, left });
    };
    let Some((kind, rest)) = rest.split_first_chunk::<4>() else {
        return Err(Error::HeaderCut { offset, left });
    };
    let kind = FourCc(*kind);
    let (length, size, open_ended) = match u64::from(u32::from_be_bytes([a, b, c, d])) {
        0 => (8, left, true),
        1 => {
            let large = rest.first_chunk::<8>().ok_or(Error::HeaderCut { offset, left })?;
            (16, u64::from_be_bytes(*large), false)
        }
        size => (8, size, false),
    };
    if size < length {
        return Err(Error::TooSmall { kind, offset, size, least: length });
    }
    if size > left {
        return Err(Error::TooLong { kind, offset, size, left });
    }
    Ok(Header { kind, length, size, open_ended })
}

/// A box in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxRef<'a> {
    /// Its type.
    pub kind: FourCc,
    /// Where it begins.
    pub offset: u64,
    /// Bytes of its header.
    pub header: u64,
    /// What is in it.
    pub contents: &'a [u8],
    parent: FourCc,
    depth: usize,
}

impl<'a> BoxRef<'a> {
    /// Bytes of the whole box.
    pub fn size(&self) -> u64 {
        self.header + self.contents.len() as u64
    }

    /// Its fields, from the first.
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(*self)
    }

    /// The boxes in it; none if it is not a container.
    pub fn children(&self) -> Boxes<'a> {
        let preamble = self.preamble().filter(|&preamble| preamble <= self.contents.len());
        let start = preamble.unwrap_or(self.contents.len());
        Boxes {
            data: &self.contents[start..],
            offset: self.offset + self.header + start as u64,
            parent: self.kind,
            depth: self.depth + 1,
            strict: false,
        }
    }

    /// The first box of type `kind` in it.
    ///
    /// # Errors
    /// If the boxes in it are damaged, up to the one asked for.
    pub fn find(&self, kind: [u8; 4]) -> Result<Option<BoxRef<'a>>, Error> {
        self.children()
            .find(|child| child.as_ref().map_or(true, |child| child.kind == FourCc(kind)))
            .transpose()
    }

    /// Like [`Self::find`], for a box that must be there.
    ///
    /// # Errors
    /// Also if it is not.
    pub fn get(&self, kind: [u8; 4]) -> Result<BoxRef<'a>, Error> {
        let missing = Error::Missing { kind: FourCc(kind), parent: self.kind, offset: self.offset };
        self.find(kind)?.ok_or(missing)
    }

    /// How many bytes of contents lie in front of its child boxes; `None` if it is not a container.
    fn preamble(&self) -> Option<usize> {
        if self.parent == FourCc(*b"ilst") {
            return Some(0);
        }
        if self.parent == FourCc(*b"stsd") {
            return sample_entry::preamble(self);
        }
        match &self.kind.0 {
            b"moov" | b"trak" | b"edts" | b"mdia" | b"minf" | b"dinf" | b"stbl" | b"mvex" | b"moof"
            | b"traf" | b"mfra" | b"udta" | b"ilst" | b"sinf" | b"schi" | b"wave" => Some(0),
            b"stsd" | b"dref" => Some(8),
            // QuickTime's `meta` is a plain box, that of ISO/IEC 14496-12 a FullBox.
            b"meta" if self.contents.get(4..8) == Some(b"hdlr") => Some(0),
            b"meta" => Some(4),
            _ => None,
        }
    }
}

/// The boxes in a stretch of bytes, in order. After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Boxes<'a> {
    data: &'a [u8],
    offset: u64,
    parent: FourCc,
    depth: usize,
    strict: bool,
}

impl<'a> Boxes<'a> {
    /// The boxes at the top level of `data`, whose first byte is byte `offset` of its file.
    pub fn new(data: &'a [u8], offset: u64) -> Self {
        Self { data, offset, parent: FourCc::default(), depth: 0, strict: false }
    }

    /// The same, but a terminator is an error.
    fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    fn take(&mut self) -> Result<BoxRef<'a>, Error> {
        let header = header(self.data, self.offset, self.data.len() as u64)?;
        let Header { kind, size, length, open_ended } = header;
        if self.depth >= DEEPEST {
            return Err(Error::TooDeep { kind, offset: self.offset });
        }
        if open_ended && self.depth > 0 {
            return Err(Error::OpenEnded { kind, offset: self.offset });
        }
        // header() has compared both with what is left.
        let (whole, rest) = self.data.split_at(size as usize);
        let contents = &whole[length as usize..];
        let found = BoxRef {
            kind,
            offset: self.offset,
            header: length,
            contents,
            parent: self.parent,
            depth: self.depth,
        };
        self.data = rest;
        self.offset += size;
        Ok(found)
    }

    /// QuickTime ends some containers with a 32-bit zero.
    fn at_terminator(&self) -> bool {
        !self.strict && self.depth > 0 && self.data.len() < 8 && self.data.iter().all(|&byte| byte == 0)
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<BoxRef<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.data.is_empty() || self.at_terminator() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.data = &[];
        }
        Some(taken)
    }
}

/// The box tree as text: a line for each box, indented by depth, with the key fields of those that are known. Where
/// the boxes are damaged, a line says so.
pub fn tree(data: &[u8]) -> String {
    tree_at(data, 0)
}

/// Like [`tree`], for `data` whose first byte is byte `offset` of its file.
pub fn tree_at(data: &[u8], offset: u64) -> String {
    let mut out = String::new();
    describe::boxes(&mut out, Boxes::new(data, offset), 0);
    out
}

#[cfg(test)]
mod tests;
