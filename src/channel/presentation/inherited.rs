//! Behind what viewers were told by who published the channel on this machine before.

use std::collections::BTreeSet;

use super::{Presentation, Record, Writer};
use crate::channel::journal::{Inherited, Log, Told, Tracks};

impl Presentation {
    /// Goes on behind what was told beyond `record`, and writes down what is told from now on. True if it is known of which
    /// parts viewers were told.
    pub(super) fn inherit(&mut self, inherited: Option<Inherited>, record: Option<&Record>) -> bool {
        let Some(Inherited { journal, told }) = inherited else { return false };
        let told = told.filter(|told| self.is_followed_by(told));
        match &told {
            Some(told) => {
                self.recall(record, told);
                journal.keep_only(&self.writers.iter().map(Writer::name).collect());
            }
            None => journal.keep_only(&BTreeSet::new()),
        }
        self.journal = Some(journal);
        self.keep_logs();
        let told = told.unwrap_or_default();
        self.writers.iter().map(|writer| of(&told, writer)).all(has_parts)
    }

    /// True if what was told comes right behind the record, in all tracks.
    fn is_followed_by(&self, told: &Tracks) -> bool {
        let stray = self.writers.iter().find(|writer| !writer.is_followed_by(of(told, writer)));
        if let Some(writer) = stray {
            tracing::info!(track = writer.name(), "what was told last does not follow from the record");
        }
        stray.is_none() && !self.writers.is_empty()
    }

    fn recall(&mut self, record: Option<&Record>, told: &Tracks) {
        self.lay_out_parts();
        for writer in &mut self.writers {
            let record = record.and_then(|record| record.tracks.get(writer.name()));
            writer.recall(record, of(told, writer));
        }
        if self.ended() {
            self.writers.iter_mut().for_each(Writer::end);
        }
    }

    /// Has what each track tells from now on written down, before it is told.
    pub(super) fn keep_logs(&mut self) {
        let Some(journal) = &self.journal else { return };
        for writer in &mut self.writers {
            let name = writer.name().to_owned();
            writer.shelf_mut().keep_log(|most| Log::new(journal, &name, self.grid.part, most));
        }
    }
}

/// True if all that was told of a track has parts. Of a track of which nothing was told, others may have told some.
fn has_parts(told: &[Told]) -> bool {
    !told.is_empty() && told.iter().all(|told| told.has_parts)
}

fn of<'a>(told: &'a Tracks, writer: &Writer) -> &'a [Told] {
    told.get(writer.name()).map_or(&[], Vec::as_slice)
}
