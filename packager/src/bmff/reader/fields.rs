//! Reading the fields of a box, never past its end.

use super::{BoxRef, Error, FourCc};

/// The fields of a box, read in order.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    owner: BoxRef<'a>,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(owner: BoxRef<'a>) -> Self {
        Self { owner, rest: owner.contents }
    }

    /// The version and flags of a FullBox.
    ///
    /// # Errors
    /// Here and below: if the box ends before.
    pub fn version(&mut self) -> Result<(u8, u32), Error> {
        let both = self.u32()?;
        Ok(((both >> 24) as u8, both & 0xff_ffff))
    }

    /// The next `N` bytes.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.cut())?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Passes over `count` bytes.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn skip(&mut self, count: usize) -> Result<(), Error> {
        self.rest = self.rest.get(count..).ok_or_else(|| self.cut())?;
        Ok(())
    }

    /// An 8-bit number.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn u8(&mut self) -> Result<u8, Error> {
        self.bytes().map(u8::from_be_bytes)
    }

    /// A 16-bit number.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn u16(&mut self) -> Result<u16, Error> {
        self.bytes().map(u16::from_be_bytes)
    }

    /// A 32-bit number.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.bytes().map(u32::from_be_bytes)
    }

    /// A 64-bit number.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn u64(&mut self) -> Result<u64, Error> {
        self.bytes().map(u64::from_be_bytes)
    }

    /// A number of 64 bits if `wide`, of 32 otherwise: how times look in versions 1 and 0 of a box.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn time(&mut self, wide: bool) -> Result<u64, Error> {
        if wide { self.u64() } else { self.u32().map(u64::from) }
    }

    /// Like [`Self::time`], with a sign.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn signed_time(&mut self, wide: bool) -> Result<i64, Error> {
        if wide {
            self.bytes().map(i64::from_be_bytes)
        } else {
            self.bytes().map(i32::from_be_bytes).map(i64::from)
        }
    }

    /// Four characters.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn four_cc(&mut self) -> Result<FourCc, Error> {
        self.bytes().map(FourCc)
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A table of `entries` entries of `N` bytes, which must fit into what is left.
    #[allow(clippy::missing_errors_doc, reason = "as above")]
    pub fn table<const N: usize>(&mut self, entries: u32) -> Result<&'a [[u8; N]], Error> {
        let (all, _) = self.rest.as_chunks::<N>();
        all.get(..entries as usize).ok_or(Error::Table {
            kind: self.owner.kind,
            offset: self.owner.offset,
            entries: u64::from(entries),
            room: all.len() as u64,
        })
    }

    fn cut(&self) -> Error {
        let BoxRef { kind, offset, contents, .. } = self.owner;
        Error::FieldsCut { kind, offset, length: contents.len() as u64 }
    }
}
