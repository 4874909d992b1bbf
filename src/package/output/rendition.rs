//! A track on its way to the disk: samples in, segment files out.

use std::{
    fs::{self, File},
    io::{self, IoSlice, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use headwater_packager::{
    bmff,
    chunk::Chunk,
    sample::Sample,
    segmenter::{Cut, Output as Piece, Segmenter},
    time::Ticks,
    track::Track,
    window::{Era, Segment, Window},
};

use super::Output;
use crate::{
    package::Error,
    store::{Hashed, Tag},
};

/// Longer than any file; short enough for its ticks to fit into 63 bits at every timescale.
const EVERYTHING: Duration = Duration::from_secs(1 << 30);
/// How many pieces the system takes in one call (IOV_MAX).
const PIECES: usize = 1024;

/// Writes one track.
pub(in crate::package) struct Rendition {
    track: Arc<Track>,
    segmenter: Segmenter,
    /// What is added to the segmenter's numbers: those of a file count from 1.
    first: i64,
    window: Window,
    era: Arc<Era>,
    directory: PathBuf,
    open: Option<Open>,
    hashes: Hashed,
}

/// The segment that is being written.
struct Open {
    path: PathBuf,
    file: File,
    size: u64,
    tag: Tag,
}

impl Rendition {
    /// Makes the track's directory and writes its init segment.
    pub(in crate::package) fn create(output: &mut Output, track: Track, cut: Cut) -> Result<Self, Error> {
        let directory = output.track(&track.name)?;
        let init = bmff::init_segment(&track);
        let name = bmff::init_name(&init);
        let path = directory.join(&name);
        fs::write(&path, &init).map_err(|source| Error::Write { path, source })?;
        let first = match cut {
            Cut::Grid(_) => 1,
            Cut::Sync(_) => 0,
        };
        let window = Window::new(EVERYTHING, track.timescale);
        let era = Arc::new(Era { first: 1, init: name, sequence: 0 });
        let track = Arc::new(track);
        let segmenter = Segmenter::marking_last(track.clone(), cut);
        Ok(Self { track, segmenter, first, window, era, directory, open: None, hashes: Hashed::default() })
    }

    /// The track.
    pub(in crate::package) fn track(&self) -> &Track {
        &self.track
    }

    /// Its segments.
    pub(in crate::package) fn window(&self) -> &Window {
        &self.window
    }

    /// What its segments have to be.
    pub(super) fn hashes(&self) -> &Hashed {
        &self.hashes
    }

    /// Takes a sample and writes what is complete with it.
    pub(in crate::package) fn push(&mut self, sample: Sample) -> Result<(), Error> {
        let pieces = self.segmenter.push(sample);
        let pieces = pieces.map_err(|source| Error::Segment { track: self.track.name.clone(), source })?;
        pieces.into_iter().try_for_each(|piece| self.write(piece))
    }

    /// Writes what is left.
    pub(in crate::package) fn finish(&mut self) -> Result<(), Error> {
        self.segmenter.finish().into_iter().try_for_each(|piece| self.write(piece))
    }

    /// Deletes its directory.
    pub(in crate::package) fn delete(self) {
        // What cannot be deleted is in no playlist, and does no harm.
        let _ = fs::remove_dir_all(self.directory);
    }

    fn write(&mut self, piece: Piece) -> Result<(), Error> {
        match piece {
            Piece::Chunk { number, chunk, .. } => self.append(number + self.first, &chunk),
            Piece::Segment { number, start, duration } => {
                self.list(number + self.first, start, duration);
                Ok(())
            }
        }
    }

    fn append(&mut self, number: i64, chunk: &Chunk) -> Result<(), Error> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let path = self.directory.join(format!("{number}.m4s"));
                match File::create(&path) {
                    Ok(file) => Open { path, file, size: 0, tag: Tag::default() },
                    Err(source) => return Err(Error::Write { path, source }),
                }
            }
        };
        let open = self.open.insert(open);
        open.size += chunk.size();
        [&chunk.header].into_iter().chain(&chunk.payload).for_each(|piece| open.tag.update(piece));
        write_chunk(&mut open.file, chunk).map_err(|source| Error::Write { path: open.path.clone(), source })
    }

    fn list(&mut self, number: i64, start: Ticks, duration: Ticks) {
        let (size, tag) = self.open.take().map_or_else(Default::default, |open| (open.size, open.tag));
        self.hashes.add(&format!("{number}.m4s"), &tag.finish());
        let era = self.era.clone();
        self.window.push(Segment { number, start, duration, size, parts: Vec::new(), era, captured_at: 0 });
    }
}

/// Hands the chunk's pieces to the system where they lie.
fn write_chunk(file: &mut File, chunk: &Chunk) -> io::Result<()> {
    let pieces: Vec<&Bytes> = [&chunk.header].into_iter().chain(&chunk.payload).collect();
    for some in pieces.chunks(PIECES) {
        let mut slices: Vec<IoSlice<'_>> = some.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut left = &mut slices[..];
        // Pieces without bytes at the front would look like a disk that takes nothing.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
