//! Bounds-checked reading of big-endian fields and of boxes.

use super::Error;

/// What is left of a box.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    what: &'static str,
}

/// A box: its type, what is in it, and where it begins and ends in what it is in.
#[derive(Clone, Copy)]
pub(super) struct Box<'a> {
    pub(super) kind: [u8; 4],
    pub(super) body: &'a [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(body: &'a [u8], what: &'static str) -> Self {
        Self { rest: body, what }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Error::Short(self.what))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Error::Short(self.what))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// A time: 64 bits in version 1, 32 in version 0.
    pub(super) fn time(&mut self, version: u8) -> Result<i64, Error> {
        match version {
            0 => self.u32().map(i64::from),
            _ => self.u64().map(|value| i64::try_from(value).unwrap_or(i64::MAX)),
        }
    }

    /// Version and flags of a full box.
    pub(super) fn version(&mut self) -> Result<(u8, u32), Error> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0xff_ffff))
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// All boxes in `data`, in order.
pub(super) fn boxes(data: &[u8]) -> Result<Vec<Box<'_>>, Error> {
    let mut list = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let next = one(data, at)?;
        at = next.end;
        list.push(next);
    }
    Ok(list)
}

fn one(data: &[u8], start: usize) -> Result<Box<'_>, Error> {
    let rest = data.get(start..).unwrap_or_default();
    let mut fields = Fields::new(rest, "a box header");
    let (short, kind) = (fields.u32()?, fields.array::<4>()?);
    let (header, size) = match short {
        // To the end of the file.
        0 => (8, rest.len() as u64),
        1 => (16, fields.u64()?),
        size => (8, u64::from(size)),
    };
    let wrong = || Error::Size {
        kind: String::from_utf8_lossy(&kind).into_owned(),
        at: start,
        size,
        left: rest.len(),
    };
    let length = usize::try_from(size).map_err(|_| wrong())?;
    let body = rest.get(header..length).ok_or_else(wrong)?;
    Ok(Box { kind, body, start, end: start + length })
}

/// The first box of a kind in `data`.
pub(super) fn find<'a>(data: &'a [u8], kind: &[u8; 4]) -> Result<Option<Box<'a>>, Error> {
    Ok(boxes(data)?.into_iter().find(|each| each.kind == *kind))
}

/// The body of a box that has to be there; `within` and `name` are for the message.
pub(super) fn require<'a>(
    data: &'a [u8],
    kind: &[u8; 4],
    within: &'static str,
    name: &'static str,
) -> Result<&'a [u8], Error> {
    find(data, kind)?.map(|found| found.body).ok_or(Error::Missing { within, kind: name })
}
