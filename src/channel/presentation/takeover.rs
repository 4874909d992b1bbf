//! From standing by to publishing, and back.

use super::{Presentation, Record, Writer};
use crate::{
    channel::{commit::Work, fence::Stamp, frames::Publisher, journal::Inherited, standby::Backlog},
    clock, config,
    ladder::wire::Message,
};

impl Presentation {
    /// Goes on from what is kept and what was told, with what an encoder of ours has said in the meantime, as who writes records
    /// with this stamp. Gives what the store should know of the encoder.
    pub(in crate::channel) fn take_over(
        &mut self,
        config: &config::Channel,
        kept: Option<(Record, Vec<Message>)>,
        inherited: Option<Inherited>,
        stamp: Stamp,
        backlog: Backlog,
        now: i128,
    ) -> Option<Work> {
        self.begin_anew(config);
        self.stamp = stamp;
        let record = kept.map(|(record, opening)| {
            // One that is damaged is what our encoder says: tracks that are others begin anew.
            let opening = if opening.is_empty() { backlog.opening.clone() } else { opening };
            self.resume(&record, opening);
            record
        });
        let is_settled = record.as_ref().is_none_or(|record| record.fence.settled);
        let knows_parts = self.inherit(inherited, record.as_ref()) || is_settled;
        self.opening = backlog.opening;
        self.arriving = !self.opening.is_empty();
        if self.ended() || !backlog.begun {
            if !knows_parts {
                self.without_parts(now);
            }
            self.catch_up(now);
            self.lay_out_parts();
            return None;
        }
        let work = self.begin();
        if !knows_parts {
            self.without_parts(now);
        }
        backlog.frames.into_iter().for_each(|(came, frame)| self.take(frame, came));
        if backlog.lost {
            self.lose();
        }
        if backlog.ended {
            self.end();
        }
        self.fill(now);
        self.writers.iter_mut().for_each(|writer| drop(writer.take_fresh()));
        work
    }

    /// Others may have told of parts of all segments up to the one at `now`.
    pub(super) fn without_parts(&mut self, now: i128) {
        self.writers.iter_mut().for_each(|writer| writer.without_parts(now));
    }

    /// Who was killed around a change of encoder has recorded that of some tracks only, or of none: it is a discontinuity
    /// in all of them, as discontinuities are counted alike (rfc8216bis 6.2.4).
    pub(super) fn begin_eras_together(&mut self) {
        let eras = self.writers.iter().map(|writer| (writer.era().first, writer.era().sequence));
        let Some((newest, sequence)) = eras.max() else { return };
        let is_listed =
            self.writers.iter().any(|writer| writer.unused() > newest && writer.era().first == newest);
        for writer in &mut self.writers {
            if writer.era().first < newest && (!is_listed || writer.unused() <= newest) {
                writer.begin_era_at(newest, sequence);
            }
        }
    }

    /// Another packager goes on with the channel: nothing is published of it. Gives what its encoder has said before its
    /// first picture.
    pub(in crate::channel) fn step_back(&mut self, config: &config::Channel) -> Vec<Message> {
        let opening = std::mem::take(&mut self.opening);
        let begun = !self.arriving;
        self.begin_anew(config);
        self.frames.publish(&mut [], clock::now());
        if begun { opening } else { Vec::new() }
    }

    fn begin_anew(&mut self, config: &config::Channel) {
        let frames = std::mem::replace(&mut self.frames, Publisher::new(self.grid.segment));
        let anew =
            Self::new(std::mem::take(&mut self.prefix), config).storing_manifests(self.stores_manifests);
        *self = Self { frames, ..anew };
    }

    /// True if what is published of the whole is of other tracks, or by somebody else.
    pub(super) fn is_another(&self) -> bool {
        let is_by_another = self.edge.epoch != self.stamp.epoch && !self.tracks.is_empty();
        is_by_another || self.edge.tracks.len() != self.tracks.len()
    }

    /// A record is due although nothing is new, so that others see that somebody is there.
    pub(in crate::channel) fn beat(&mut self) {
        self.unrecorded = true;
    }

    /// Makes nothing behind the segments that are being made: another will.
    pub(in crate::channel) fn stop_behind_the_open(&mut self) {
        let open = |writer: &Writer| writer.shelf().opened().map(|open| open.number);
        let last = self.writers.iter().filter_map(open).max().unwrap_or(i64::MIN);
        self.writers.iter_mut().for_each(|writer| writer.stop_behind(last));
    }

    /// True once it has made all that it is to make.
    pub(in crate::channel) fn is_complete(&self) -> bool {
        self.writers.iter().all(Writer::is_complete)
    }

    /// The record that comes next is the last.
    pub(in crate::channel) fn release_record(&mut self) {
        self.stamp.released = true;
        self.stamp.settled = self.all_settled() && self.writers.iter().all(Writer::knows_what_comes_next);
        self.unrecorded = true;
    }

    /// True if a record is not on its way, and is to be written from time to time: as long as anything follows, and be it
    /// documents that are yet to be `written`.
    pub(in crate::channel) fn wants_beat(&self, written: bool) -> bool {
        !(self.recording || self.is_over() && written)
    }
}
