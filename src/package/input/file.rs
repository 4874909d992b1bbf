//! Opening a file and finding its movie header.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use bytes::Bytes;
use headwater_packager::bmff::reader::{self, Header};

use crate::package::Error;

/// A longer `moov` is not read; twenty hours of video and sound have one of about 64 MiB.
pub(in crate::package) const LONGEST_MOOV: u64 = 64 << 20;

/// Verifies that `path` names a file with something in it.
pub(in crate::package) fn check(path: &Path) -> Result<(), Error> {
    open(path).map(drop)
}

/// The file and its length.
pub(super) fn open(path: &Path) -> Result<(File, u64), Error> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.to_owned()),
        _ => Error::Read { path: path.to_owned(), source },
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile(path.to_owned()));
    }
    if metadata.len() == 0 {
        return Err(Error::Empty(path.to_owned()));
    }
    Ok((File::open(path).map_err(unreadable)?, metadata.len()))
}

/// The whole `moov` box, and where it begins.
pub(super) fn moov(path: &Path, file: &File, length: u64) -> Result<(Bytes, u64), Error> {
    let mut offset = 0;
    while offset < length {
        let header = header(path, file, offset, length)?;
        match &header.kind.0 {
            b"moov" if header.size > LONGEST_MOOV => {
                return Err(Error::LongMoov { path: path.to_owned(), size: header.size });
            }
            b"moov" => {
                let mut bytes = vec![0; header.size as usize];
                file.read_exact_at(&mut bytes, offset)
                    .map_err(|source| Error::Read { path: path.to_owned(), source })?;
                return Ok((bytes.into(), offset));
            }
            b"moof" | b"styp" => return Err(Error::Fragmented(path.to_owned())),
            _ => offset += header.size,
        }
    }
    Err(Error::NoMoov(path.to_owned()))
}

fn header(path: &Path, file: &File, offset: u64, length: u64) -> Result<Header, Error> {
    const FIRST: [&[u8; 4]; 9] =
        [b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot"];
    let left = length - offset;
    let mut start = [0; 16];
    let start = &mut start[..left.min(16) as usize];
    file.read_exact_at(start, offset).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    // Any text has four letters at the place of a type; these are the ones that a file begins with.
    let known = start.get(4..8).is_some_and(|kind| FIRST.iter().any(|first| &first[..] == kind));
    if offset == 0 && !known {
        return Err(Error::NotMp4(path.to_owned()));
    }
    reader::header(start, offset, left).map_err(|source| Error::Damaged { path: path.to_owned(), source })
}
