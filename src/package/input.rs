//! A compressed MP4 file, read for repackaging: its header is held in memory, its samples are not.

mod describe;
mod file;
mod tables;
mod timeline;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use headwater_packager::{
    bmff::reader::{BoxRef, Boxes, Movie, check_tables_at},
    track::Track,
};

pub(super) use self::{
    file::{LONGEST_MOOV, check as check_file},
    tables::{Cursor, Entry, Tables},
    timeline::Timeline,
};
use super::Error;

/// An open file whose tables have been held against it.
pub(super) struct Input {
    /// As given.
    pub(super) path: PathBuf,
    /// For its samples.
    pub(super) file: File,
    /// What of it is packaged.
    pub(super) tracks: Vec<InputTrack>,
    /// What is not, and why.
    pub(super) notes: Vec<String>,
}

/// A track of it.
pub(super) struct InputTrack {
    /// As it will be presented; its name is that of its kind, not yet unique.
    pub(super) track: Track,
    /// Where its samples are.
    pub(super) tables: Tables,
    /// When they are presented.
    pub(super) timeline: Timeline,
}

impl Input {
    /// Reads the header of the file at `path` and checks all that depends on it.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let damaged = |source| Error::Damaged { path: path.to_owned(), source };
        let (file, length) = file::open(path)?;
        let (moov, offset) = file::moov(path, &file, length)?;
        let root = Boxes::new(&moov, offset).next().ok_or_else(|| Error::NoMoov(path.to_owned()))?;
        let root = root.map_err(damaged)?;
        let movie = Movie::read(&root).map_err(damaged)?;
        if movie.fragmented {
            return Err(Error::Fragmented(path.to_owned()));
        }
        let mut input = Self { path: path.to_owned(), file, tracks: Vec::new(), notes: Vec::new() };
        input.add_tracks(&movie, &root, &moov, length)?;
        if input.tracks.is_empty() {
            return Err(Error::NoMedia(path.to_owned()));
        }
        Ok(input)
    }

    fn add_tracks(
        &mut self,
        movie: &Movie,
        root: &BoxRef<'_>,
        moov: &Bytes,
        length: u64,
    ) -> Result<(), Error> {
        let damaged = |source| Error::Damaged { path: self.path.clone(), source };
        let traks = root.children().filter_map(Result::ok).filter(|child| &child.kind.0 == b"trak");
        for (described, trak) in movie.tracks.iter().zip(traks) {
            let at = |what: String| Error::Tables { path: self.path.clone(), track: described.id, what };
            if !matches!(&described.handler.0, b"vide" | b"soun") {
                self.notes.push(format!(
                    "{}: track {} (`{}`) is left out, as it is neither video nor audio",
                    self.path.display(),
                    described.id,
                    described.entry
                ));
                continue;
            }
            let bytes = moov.slice_ref(trak.contents);
            check_tables_at(&bytes, trak.offset + trak.header).map_err(damaged)?;
            let stbl =
                trak.get(*b"mdia").and_then(|mdia| mdia.get(*b"minf")).and_then(|minf| minf.get(*b"stbl"));
            let stbl = stbl.map_err(damaged)?;
            let Some(tables) = Tables::read(&stbl, moov).map_err(damaged)? else {
                self.notes.push(format!(
                    "{}: track {} is left out, as it has no samples",
                    self.path.display(),
                    described.id
                ));
                continue;
            };
            tables.check(length).map_err(at)?;
            let track = describe::track(&self.path, described, &stbl)?;
            let timeline = Timeline::new(&self.path, described, movie.timescale, &tables)?;
            if described.rotation.is_some_and(|degrees| degrees != 0) {
                self.notes.push(format!(
                    "{}: the pictures of track {} lie on their side or head ({} degrees); players of HLS and DASH do not turn them. Leave --copy out to have them upright",
                    self.path.display(),
                    described.id,
                    described.rotation.unwrap_or_default()
                ));
            }
            self.tracks.push(InputTrack { track, tables, timeline });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
