//! Writes down what is told of one track.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use headwater_packager::{chunk::Chunk, window::Open};

use super::{
    Journal, make, numbers,
    runtime::has_room,
    told::{Head, Line, to_line},
};

/// Owns the files of a track.
#[derive(Debug)]
pub(in crate::channel) struct Log {
    journal: Arc<Journal>,
    directory: PathBuf,
    /// How long parts are to be.
    part: Duration,
    /// How many segments are kept.
    most: i64,
    kept: BTreeSet<i64>,
    open: Option<(i64, File)>,
}

impl Log {
    /// That of a track of such parts, for its newest `most` segments.
    pub(in crate::channel) fn new(journal: &Arc<Journal>, track: &str, part: Duration, most: i64) -> Self {
        let (journal, directory) = (journal.clone(), journal.directory.join(track));
        // Until something is told there is none.
        let kept: Vec<i64> = numbers(&directory).unwrap_or_default();
        Self { journal, directory, part, most, kept: kept.into_iter().collect(), open: None }
    }

    /// Writes down the next part of `segment`, which lists those before it, before anybody is told.
    pub(in crate::channel) fn add(&mut self, segment: &Open, has_parts: bool, part: &Chunk, body: &[u8]) {
        if self.journal.is_whole() {
            let written = self.write(segment, has_parts, &Line::of(part), body);
            written.unwrap_or_else(|error| self.journal.give_up(&error));
        }
    }

    fn write(&mut self, segment: &Open, has_parts: bool, part: &Line, body: &[u8]) -> io::Result<()> {
        let file = match &mut self.open {
            Some((number, file)) if *number == segment.number => file,
            _ => {
                self.forget(segment.number - self.most)?;
                has_room(&self.journal.directory)?;
                make(&self.directory)?;
                let path = self.directory.join(segment.number.to_string());
                let mut file = OpenOptions::new().create(true).append(true).open(path)?;
                if self.kept.insert(segment.number) {
                    let (number, start, era) = (segment.number, segment.start, (*segment.era).clone());
                    file.write_all(&to_line(&Head { part: self.part, number, start, era, has_parts }))?;
                }
                &mut self.open.insert((segment.number, file)).1
            }
        };
        file.write_all(&to_line(part))?;
        file.write_all(body)
    }

    /// Removes segments up to and with `number`.
    fn forget(&mut self, number: i64) -> io::Result<()> {
        let newer = self.kept.split_off(&(number + 1));
        for old in std::mem::replace(&mut self.kept, newer) {
            fs::remove_file(self.directory.join(old.to_string()))?;
        }
        Ok(())
    }
}
