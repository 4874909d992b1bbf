//! What is left of tracks that the channel has no more, as another ladder was configured or a source has other tracks. It
//! goes like the rest, by age and by bytes.

use super::{Presentation, Record, Writer};
use crate::channel::{
    archive::{Errand, Fate, Gone, LENGTH},
    commit::Work,
};

impl Presentation {
    /// Goes on from `record`, which may also have tracks that the last encoder did not have any more.
    pub(super) fn resume_gone(&mut self, record: &Record) {
        self.gone = record.gone.clone();
        for (name, kept) in &record.tracks {
            if self.writers.iter().all(|writer| writer.name() != name) {
                let listed = kept.archive.numbers().map_or(0, |numbers| numbers.end() - kept.first + 1);
                self.count_in(name, Gone::of(&kept.archive, std::iter::empty(), listed.max(0)));
            }
        }
    }

    /// A track goes.
    pub(super) fn retire(&mut self, writer: &Writer) {
        self.count_in(writer.name(), writer.shelf().gone());
    }

    fn count_in(&mut self, name: &str, left: Gone) {
        if !left.is_over() {
            self.gone.entry(name.to_owned()).or_default().join(left);
            self.unrecorded = true;
        }
    }

    /// Number of the newest segment of any track that is recorded.
    fn newest(&self) -> Option<i64> {
        let newest = |writer: &Writer| Some(*writer.shelf().archive().numbers()?.end());
        self.writers.iter().filter_map(newest).max()
    }

    /// From where on numbers of a track that is gone may not go yet: it may be back, under the same names.
    fn held_from(&self, name: &str) -> i64 {
        let writer = self.writers.iter().find(|writer| writer.name() == name);
        let first = writer.and_then(|writer| {
            let kept = writer.shelf().kept().map(|kept| *kept.start());
            kept.or(writer.shelf().opened().map(|open| open.number))
        });
        let first = if writer.is_some() { first.unwrap_or(i64::MIN) } else { i64::MAX };
        first.div_euclid(LENGTH).saturating_mul(LENGTH)
    }

    /// What is old goes, a chapter of each track with each record, and what has gone long enough is deleted.
    pub(super) fn clear_gone(&mut self) -> Vec<Work> {
        let Some(newest) = self.newest() else { return Vec::new() };
        let grace = self.writers.iter().map(|writer| writer.shelf().grace()).max().unwrap_or(0);
        let mut works = Vec::new();
        let names: Vec<String> = self.gone.keys().cloned().collect();
        for name in names {
            let old = newest.saturating_sub(self.retention.segments).saturating_add(1);
            let (before, clear) = (old.min(self.held_from(&name)), !self.has(&name));
            let Some(gone) = self.gone.get_mut(&name) else { continue };
            if gone.spare(before).is_some() {
                gone.doom(newest);
            }
            if let Some(chapter) = gone.delete(newest, grace) {
                let errand = if clear { Errand::Clear } else { Errand::Delete };
                works.push(Work::Chapter { prefix: self.prefix.clone(), track: name, chapter, errand });
            }
        }
        works
    }

    /// The oldest chapter of all that is left goes, if it lies before chapter `before` where there is one. False if none
    /// does.
    pub(super) fn doom_gone(&mut self, before: Option<i64>) -> bool {
        let Some(newest) = self.newest() else { return false };
        let spare = |(name, gone): (&String, &Gone)| {
            let chapter = gone.spare(self.held_from(name).min(newest))?;
            before.is_none_or(|before| chapter < before).then(|| (chapter, name.clone()))
        };
        let Some((_, name)) = self.gone.iter().filter_map(spare).min() else { return false };
        self.gone.get_mut(&name).into_iter().for_each(|gone| gone.doom(newest));
        true
    }

    /// What has become of an errand.
    pub(super) fn hear_of_gone(&mut self, track: &str, chapter: i64, fate: Fate) {
        if let Some(gone) = self.gone.get_mut(track) {
            gone.hear(chapter, fate == Fate::Deleted);
            if gone.is_over() {
                self.gone.remove(track);
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.writers.iter().any(|writer| writer.name() == name)
    }

    /// How many bytes are kept, of tracks that there are no more too.
    pub(super) fn bytes(&self) -> u64 {
        let kept = self.archived().map(|(_, weight, _)| weight.bytes).sum::<u64>();
        kept + self.gone.values().map(|gone| gone.weight().bytes).sum::<u64>()
    }
}
