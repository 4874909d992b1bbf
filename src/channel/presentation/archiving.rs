//! How much of a channel is kept, over all its tracks.

use std::time::Duration;

use super::Presentation;
use crate::{
    channel::{
        archive::{self, Errand, Fate, Weight},
        commit::Work,
    },
    config,
};

/// When chapters go that are listed no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// Once all of one is so many numbers old.
    pub(super) segments: i64,
    /// Once all that is kept is more than so many bytes.
    pub(super) bytes: Option<u64>,
    /// The window alone is more than that, and an operator has been told.
    warned: bool,
}

impl Retention {
    pub(super) fn of(config: &config::Channel) -> Self {
        let segments = config.archive.as_nanos().div_ceil(config.grid.segment.as_nanos().max(1));
        let segments = i64::try_from(segments).unwrap_or(i64::MAX);
        Self { segments, bytes: config.archive_bytes, warned: false }
    }
}

impl Presentation {
    /// What is to be done with chapters. Those that go now are in no record from the next one on, and are deleted a
    /// while after it, as old lists name them.
    pub(super) fn errands(&mut self) -> Vec<Work> {
        let mut errands = self.doom_by_age();
        errands.extend(self.doom_by_bytes());
        for (index, writer) in self.writers.iter_mut().enumerate() {
            errands.extend(writer.shelf_mut().errands().into_iter().map(|errand| (index, errand)));
        }
        let mut works: Vec<Work> =
            errands.into_iter().map(|(index, errand)| self.errand(index, errand)).collect();
        works.extend(self.clear_gone());
        works
    }

    fn errand(&self, index: usize, (chapter, errand): (i64, Errand)) -> Work {
        let track = self.writers[index].name().to_owned();
        Work::Chapter { prefix: self.prefix.clone(), track, chapter, errand }
    }

    fn doom_by_age(&mut self) -> Vec<(usize, (i64, Errand))> {
        let mut errands = Vec::new();
        for (index, writer) in self.writers.iter_mut().enumerate() {
            let shelf = writer.shelf_mut();
            let newest = shelf.archive().numbers().map(|numbers| *numbers.end());
            let Some(from) = newest.and_then(|newest| newest.checked_sub(self.retention.segments)) else {
                continue;
            };
            while shelf.spare().is_some_and(|chapter| (chapter + 1) * archive::LENGTH <= from + 1) {
                let (doomed, errand) = shelf.doom();
                errands.extend(errand.map(|errand| (index, errand)));
                if !doomed {
                    break;
                }
            }
        }
        errands
    }

    /// The oldest chapters of all tracks go until the rest is little enough. What is listed stays in any case.
    fn doom_by_bytes(&mut self) -> Vec<(usize, (i64, Errand))> {
        let (mut errands, mut waits) = (Vec::new(), false);
        let Some(limit) = self.retention.bytes else { return errands };
        while !waits && self.bytes() > limit {
            let spare = self.writers.iter().filter_map(|writer| writer.shelf().spare()).min();
            // What nobody can watch goes before what is as old.
            if self.doom_gone(spare.map(|oldest| oldest + 1)) {
                continue;
            }
            let Some(oldest) = spare else {
                self.warn_of_window(limit);
                break;
            };
            for (index, writer) in self.writers.iter_mut().enumerate() {
                if writer.shelf().spare() == Some(oldest) {
                    let (doomed, errand) = writer.shelf_mut().doom();
                    errands.extend(errand.map(|errand| (index, errand)));
                    waits |= !doomed;
                }
            }
        }
        errands
    }

    fn warn_of_window(&mut self, limit: u64) {
        if !std::mem::replace(&mut self.retention.warned, true) {
            let window = format!("{:?}", self.window);
            tracing::warn!(
                limit,
                window,
                "what playlists list is more than archive_bytes: it stays, and nothing older is kept"
            );
        }
    }

    /// What has become of an errand.
    pub(in crate::channel) fn hear(&mut self, track: &str, chapter: i64, fate: Fate) {
        self.writer(track).into_iter().for_each(|writer| writer.shelf_mut().hear(chapter, fate));
        self.hear_of_gone(track, chapter, fate);
    }

    /// What is kept of each track: how much, and how much time there is from the first segment to the last.
    pub(in crate::channel) fn archived(&self) -> impl Iterator<Item = (&str, Weight, Duration)> {
        self.writers.iter().map(|writer| {
            let archive = writer.shelf().archive();
            let count = archive.numbers().map_or(0, |numbers| numbers.end() - numbers.start() + 1);
            let depth = self.grid.segment.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
            (writer.name(), archive.weight(), depth)
        })
    }
}
