//! Several tracks in one file: what is said in front, and fragments that were made for files of their own.

use bytes::Bytes;

use super::{
    init,
    reader::{BoxRef, Boxes, Error, FourCc},
    write::write_box,
};
use crate::{time::Ticks, track::Track};

/// `ftyp` and `moov` of a fragmented file with these tracks, whose IDs count from 1. It lasts `length` nanoseconds, from
/// zero in all of them.
pub fn movie(tracks: &[&Track], length: i128) -> Bytes {
    let mut out = Vec::with_capacity(2048);
    // Of no CMAF brand: that is for one track (ISO/IEC 23000-19 7.3.1).
    write_box(&mut out, *b"ftyp", |out| out.extend_from_slice(b"iso6\0\0\0\0iso6mp41"));
    init::movie_of(&mut out, tracks, Some(length));
    out.into()
}

/// Fits segments of files with one track into a file with several.
#[derive(Clone, Debug, Default)]
pub struct Joiner {
    fragments: u32,
}

impl Joiner {
    /// The fragments of a segment as those of track `id`, earlier by so many ticks. Nothing else of it is kept: `styp` and
    /// `prft` tell of a stream.
    ///
    /// # Errors
    /// If the segment is damaged, or begins before that.
    pub fn fit(&mut self, segment: &[u8], id: u32, earlier: Ticks) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(segment.len());
        for each in Boxes::new(segment, 0) {
            let each = each?;
            let (begin, end) = (each.offset as usize, (each.offset + each.size()) as usize);
            let at = out.len();
            match &each.kind.0 {
                b"moof" => {
                    out.extend_from_slice(&segment[begin..end]);
                    self.fragments += 1;
                    refit(&mut out[at..], &each, self.fragments, id, earlier)?;
                }
                b"mdat" => out.extend_from_slice(&segment[begin..end]),
                _ => {}
            }
        }
        Ok(out)
    }
}

/// Changes the numbers in a `moof`, of which no length depends on them. Offsets of data count from it.
fn refit(out: &mut [u8], moof: &BoxRef<'_>, sequence: u32, id: u32, earlier: Ticks) -> Result<(), Error> {
    let mut write = |owner: &BoxRef<'_>, value: &[u8]| {
        // Behind the version and the flags.
        let at = (owner.offset - moof.offset + owner.header) as usize + 4;
        let room = out.get_mut(at..at + value.len()).filter(|_| owner.contents.len() >= 4 + value.len());
        room.map(|room| room.copy_from_slice(value)).ok_or(wrong(owner, "too few bytes for its fields"))
    };
    write(&moof.get(*b"mfhd")?, &sequence.to_be_bytes())?;
    for child in moof.children() {
        let traf = child?;
        if traf.kind != FourCc(*b"traf") {
            continue;
        }
        write(&traf.get(*b"tfhd")?, &id.to_be_bytes())?;
        let tfdt = traf.get(*b"tfdt")?;
        let mut fields = tfdt.fields();
        let (version, _) = fields.version()?;
        let time = i64::try_from(fields.time(version == 1)?).unwrap_or(i64::MAX) - earlier;
        let time = u64::try_from(time).map_err(|_| wrong(&tfdt, "a time before the beginning"))?;
        match version {
            1 => write(&tfdt, &time.to_be_bytes())?,
            _ => write(&tfdt, &u32::try_from(time).unwrap_or(u32::MAX).to_be_bytes())?,
        }
    }
    Ok(())
}

fn wrong(owner: &BoxRef<'_>, what: &'static str) -> Error {
    Error::Value { kind: owner.kind, offset: owner.offset, what }
}
