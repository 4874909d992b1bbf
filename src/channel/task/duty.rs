//! Who publishes the channel: this packager, or another while this one stands by.

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep_until, timeout_at},
};
use tracing::Instrument;

use super::{BACKLOG, IDLE, LAST_SEGMENTS, Setup, Task};
use crate::{
    channel::{
        commit::Committer,
        fence::{Candidate, Claim, Pen},
        record, render,
        standby::Backlog,
        status::State,
        supervisor::Report,
    },
    clock,
    ladder::wire::Message,
};

impl Task {
    /// Keeps what the encoder says until the channel is this packager's; `None` if it is to end before.
    pub(super) async fn stand_by(
        &mut self,
        candidate: Candidate,
        inbox: &mut mpsc::Receiver<Report>,
        setup: &Setup,
    ) -> Option<Claim> {
        let status = self.status.clone();
        let tell = move |why: String| {
            tracing::info!(why, "standing by");
            status.send_modify(|status| status.state = State::Standby { why });
        };
        // By itself, so that nothing that is heard meanwhile keeps it from looking, or breaks off what it writes.
        let mut waiting = JoinSet::new();
        waiting.spawn(candidate.wait(tell).in_current_span());
        loop {
            tokio::select! {
                claim = waiting.join_next() => return claim?.ok(),
                heard = self.hear_on(inbox, setup) => heard?,
            }
        }
    }

    /// Keeps a claim until the encoder has said what the tracks are, if the store cannot say it; `None` if it is to end before.
    pub(super) async fn await_opening(
        &mut self,
        claim: Claim,
        inbox: &mut mpsc::Receiver<Report>,
        setup: &Setup,
    ) -> Option<Claim> {
        if claim.kept.as_ref().is_none_or(|kept| !record::lacks_opening(kept)) {
            return Some(claim);
        }
        while self.backlog.as_ref().is_some_and(|backlog| !backlog.begun) {
            self.hear_on(inbox, setup).await?;
        }
        Some(claim)
    }

    /// Keeps what comes next of the encoder; `None` if the channel is to end.
    async fn hear_on(&mut self, inbox: &mut mpsc::Receiver<Report>, setup: &Setup) -> Option<()> {
        let due = self.delay.due().map_or_else(|| clock::now() + IDLE, |due| self.timeline.instant(due));
        tokio::select! {
            Some(report) = inbox.recv() => self.delay.push(report, self.timeline.now()),
            Some(_) = self.keys.wishes.recv() => {}
            () = sleep_until(due.into()) => {}
            () = setup.shutdown.cancelled() => return None,
        }
        while let Some(report) = self.delay.pop(self.timeline.now()) {
            self.hear(report);
        }
        Some(())
    }

    /// Goes on with the channel where its record ends.
    pub(super) fn take_over(&mut self, claim: Claim, setup: &Setup) {
        let Claim { pen, kept } = claim;
        let prefix = setup.prefix();
        kept.iter().for_each(|(record, _)| record.vouch(&setup.store, &prefix));
        let (stamp, another) =
            (pen.stamp().clone(), matches!(self.status.borrow().state, State::Standby { .. }));
        self.status.send_modify(|status| {
            status.epoch = stamp.epoch;
            status.takeovers += u64::from(another && kept.is_some());
            status.state = self.behind.clone();
        });
        self.committer = Committer::start(&setup.name, pen, setup.metrics.storing.clone());
        let backlog = self.backlog.take().unwrap_or_else(|| self.backlog_of(Vec::new(), setup));
        let now = self.timeline.now();
        let recorded = kept.as_ref().map(|(record, _)| &record.fence);
        let inherited =
            setup.runtime.as_ref().and_then(|it| it.journal(&setup.store, &prefix, &stamp, recorded));
        if let Some(work) = self.presentation.take_over(&setup.config, kept, inherited, stamp, backlog, now) {
            self.committer.submit(work);
            self.tell_low_latency();
        }
    }

    /// Publishes until the segments are complete that are being made: nobody is left with a part of one, and whoever goes on
    /// knows all that viewers were told.
    pub(super) async fn complete_segments(&mut self, inbox: &mut mpsc::Receiver<Report>) {
        self.presentation.stop_behind_the_open();
        let until = clock::now() + LAST_SEGMENTS;
        while !self.committer.tenure().is_lost() && !self.presentation.is_complete() {
            if timeout_at(until.into(), self.wait(inbox)).await.is_err() {
                return tracing::warn!("segments are too long to be completed before the end");
            }
            self.go_on();
        }
    }

    /// Another packager goes on with the channel: nothing more is told of it to anybody. The encoder runs on, so that this
    /// one can follow in its turn, and the other channels of this process are none of its business.
    pub(super) fn step_back(&mut self, setup: &Setup) -> Candidate {
        let why = "another server has taken over".to_owned();
        tracing::warn!(epoch = self.status.borrow().epoch, "{why}: this one publishes the channel no more");
        let opening = self.presentation.step_back(&setup.config);
        self.backlog = Some(self.backlog_of(opening, setup));
        let none = Pen::none(self.store.clone(), self.terms);
        self.committer = Committer::start(&setup.name, none, setup.metrics.storing.clone());
        self.edge.send_replace(self.presentation.edge());
        self.status.send_modify(|status| {
            status.store_degraded = None;
            status.state = State::Standby { why };
        });
        Candidate::new(self.store.clone(), &setup.prefix(), self.terms, &setup.config)
    }

    fn backlog_of(&self, opening: Vec<Message>, setup: &Setup) -> Backlog {
        Backlog::new(render::target_duration(setup.config.grid) * BACKLOG, opening)
    }
}
