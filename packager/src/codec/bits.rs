//! Reading bits and Exp-Golomb codes (ITU-T H.264 9.1), never past the end.

use super::Error;

/// A reader of the bits of one structure, most significant first.
#[derive(Clone, Debug)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
    structure: &'static str,
}

impl<'a> Bits<'a> {
    /// Reads `data`, which is called `structure` in errors.
    pub(super) fn new(data: &'a [u8], structure: &'static str) -> Self {
        Self { data, position: 0, structure }
    }

    /// How many bits are left.
    pub(super) fn left(&self) -> usize {
        self.data.len() * 8 - self.position
    }

    /// The next `count` bits, at most 32, as a number.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, Error> {
        (0..count).try_fold(0, |value, _| Ok(value << 1 | u32::from(self.flag()?)))
    }

    /// The next bit.
    pub(super) fn flag(&mut self) -> Result<bool, Error> {
        let byte = self.data.get(self.position / 8).ok_or_else(|| self.end())?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// Passes over `count` bits.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), Error> {
        if count > self.left() {
            return Err(self.end());
        }
        self.position += count;
        Ok(())
    }

    /// Passes over the bits up to the next whole byte.
    pub(super) fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    /// `ue(v)`.
    pub(super) fn unsigned(&mut self) -> Result<u32, Error> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros > 31 {
            return Err(Error::Golomb(self.structure));
        }
        Ok((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// `ue(v)` that is at most `most`, so that a loop over it is bounded.
    pub(super) fn unsigned_up_to(&mut self, most: u32, field: &'static str) -> Result<u32, Error> {
        let value = self.unsigned()?;
        if value > most {
            Err(Error::Range { structure: self.structure, field, value, most })
        } else {
            Ok(value)
        }
    }

    /// `se(v)`.
    pub(super) fn signed(&mut self) -> Result<i64, Error> {
        let code = i64::from(self.unsigned()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 })
    }

    fn end(&self) -> Error {
        Error::Truncated { structure: self.structure, length: self.data.len() }
    }
}

/// The payload of a NAL unit: without its header of `header` bytes and without emulation prevention bytes (7.4.1).
pub(super) fn raw_payload(nal: &[u8], header: usize) -> Vec<u8> {
    let mut zeros = 0;
    let mut raw = Vec::with_capacity(nal.len());
    for &byte in nal.iter().skip(header) {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        raw.push(byte);
    }
    raw
}
