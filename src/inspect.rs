//! `headwater inspect`: what is in a file or segment, in words.

mod playlist;
mod scan;
mod sniff;
mod top_level;
mod words;

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use headwater_packager::bmff::reader;
use thiserror::Error;

use self::{scan::Scan, sniff::Kind, top_level::TopLevel};

/// The box tree shows so many boxes of the top level.
const SHOWN_BOXES: u64 = 32;

/// Why a file cannot be told, or not to its end.
#[derive(Debug, Error)]
pub enum Error {
    /// It is not there.
    #[error("{} does not exist; inspect needs the path of a file", .0.display())]
    Missing(PathBuf),
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is a directory.
    #[error("{} is a directory; name a file in it, for example its init segment", .0.display())]
    Directory(PathBuf),
    /// It has no bytes.
    #[error("{} is empty; an MP4 file or segment begins with a box of at least 8 bytes", .0.display())]
    Empty(PathBuf),
    /// It is something else.
    #[error("{} is {what}, not MP4; {advice}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What would be right.
        advice: &'static str,
    },
    /// It is MP4 that is cut short or damaged.
    #[error("{} is damaged: {source}. What could be read of it is described above; get the file again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        source: reader::Error,
    },
    /// It has boxes but nothing that describes media.
    #[error("{} has neither a `moov` nor a `moof` box, so nothing says what its media is; a whole MP4 file or a CMAF segment would have one", .0.display())]
    NoMedia(PathBuf),
    /// The description cannot be written.
    #[error("cannot write the description: {0}")]
    Write(#[from] io::Error),
}

/// Describes the file at `path` on `out`: its kind, tracks and fragments in words, then its box tree. Media data is
/// never read, so the size of the file does not matter.
///
/// # Errors
/// If it is not MP4 or a playlist, or is damaged; of a damaged file everything up to the damage is described first.
pub fn run(path: &Path, out: &mut impl Write) -> Result<(), Error> {
    match describe(path, out).and_then(|()| Ok(out.flush()?)) {
        // Whoever reads along has seen enough: `headwater inspect FILE | head`.
        Err(Error::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn describe(path: &Path, out: &mut impl Write) -> Result<(), Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.to_owned()),
        _ => unreadable(source),
    })?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Error::Directory(path.to_owned()));
    }
    let mut start = Vec::new();
    (&mut file).take(sniff::ENOUGH).read_to_end(&mut start).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    match sniff::kind(&start) {
        Kind::Empty => Err(Error::Empty(path.to_owned())),
        Kind::Foreign { what, advice } => Err(Error::Foreign { path: path.to_owned(), what, advice }),
        Kind::Playlist => {
            let mut text = Vec::new();
            file.take(playlist::LARGEST).read_to_end(&mut text).map_err(unreadable)?;
            Ok(playlist::describe(&String::from_utf8_lossy(&text), &name(path), out)?)
        }
        Kind::Boxes => boxes(path, &mut file, metadata.len(), out),
    }
}

fn boxes(path: &Path, file: &mut File, length: u64, out: &mut impl Write) -> Result<(), Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let scan = Scan::read(path, file, length).map_err(unreadable)?;
    words::describe(&scan, &name(path), length, out)?;
    writeln!(out, "\nboxes (type, size in bytes):")?;
    tree(path, file, length, out)?;
    if let Some(source) = scan.damage {
        return Err(Error::Damaged { path: path.to_owned(), source });
    }
    if scan.movie.is_none() && scan.tracks.is_empty() { Err(Error::NoMedia(path.to_owned())) } else { Ok(()) }
}

/// The box tree, without the inside of media data.
fn tree(path: &Path, file: &mut File, length: u64, out: &mut impl Write) -> Result<(), Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let mut boxes = TopLevel::new(file, length);
    let mut hidden = 0;
    for index in 0.. {
        let found = match boxes.next().map_err(unreadable)? {
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                writeln!(out, "!! {error}")?;
                break;
            }
            None => break,
        };
        if index >= SHOWN_BOXES {
            hidden += 1;
        } else if let Some(bytes) = boxes.contents(&found).map_err(unreadable)? {
            write!(out, "{}", reader::tree_at(&bytes, found.offset))?;
        } else {
            writeln!(out, "{} {}", found.header.kind, found.header.size)?;
        }
    }
    if hidden > 0 {
        writeln!(out, "and {hidden} more boxes")?;
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
