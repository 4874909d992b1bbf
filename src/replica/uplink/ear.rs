//! What one packager tells, for as long as it is the one that publishes: its listener may go on to speak while another has
//! taken over, as its store is out of reach, or while all behind the listener hangs.

use std::{sync::Arc, time::Instant};

use tokio::sync::watch;

use super::Failure;
use crate::{
    channel::{
        edge::Edge,
        relay::{Hearer, Picture},
    },
    clock,
};

/// Hears one packager.
pub(super) struct Ear {
    hearer: Hearer,
    /// What follows from the record, which says who has published last, and how far that has come.
    recorded: watch::Receiver<Arc<Edge>>,
    /// Since when that is more than is told.
    behind: Option<Instant>,
    is_shown: bool,
}

impl Ear {
    /// One that has heard nothing yet.
    pub(super) fn new(recorded: watch::Receiver<Arc<Edge>>) -> Self {
        Self { hearer: Hearer::default(), recorded, behind: None, is_shown: false }
    }

    /// Takes what has come. True if there is more to be shown. As something is always said, it is here that a record is
    /// noticed too.
    ///
    /// # Errors
    /// When it is no feed of our version, when the record is of a later epoch, and when it has been ahead for more than one
    /// target duration.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let is_new = self.hearer.hear(bytes)?;
        self.judge(clock::now())?;
        // Who hangs is asked again and again, and is nobody to go on with each time.
        self.is_shown |= is_new && self.behind.is_none();
        Ok(is_new && self.is_shown)
    }

    /// What can be seen.
    pub(super) fn picture(&self) -> &Picture {
        self.hearer.picture()
    }

    fn judge(&mut self, now: Instant) -> Result<(), Failure> {
        let recorded = self.recorded.borrow().clone();
        let Some(told) = &self.picture().channel else { return Ok(()) };
        if told.epoch < recorded.epoch {
            return Err(Failure::Succeeded { told: told.epoch, recorded: recorded.epoch });
        }
        if !is_behind(self.picture(), &recorded) {
            self.behind = None;
            return Ok(());
        }
        let (since, most) = (*self.behind.get_or_insert(now), recorded.target_duration);
        if now.saturating_duration_since(since) > most { Err(Failure::Behind(most)) } else { Ok(()) }
    }
}

/// True if of every track that both know the record has more than was told.
fn is_behind(told: &Picture, recorded: &Edge) -> bool {
    let last = |name: &String| Some(recorded.tracks.get(name)?.borrow().head?.last);
    let mut both = told.tracks.iter().filter_map(|(name, track)| Some((track.head, last(name)?))).peekable();
    both.peek().is_some() && both.all(|(told, last)| told.is_none_or(|told| told.last < last))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::{task::unconstrained, time::advance};

    use super::*;
    use crate::channel::{
        edge::{Head, TrackEdge},
        relay::{BEAT, Teller},
    };

    const TARGET: Duration = Duration::from_secs(2);

    fn track(last: i64) -> Arc<TrackEdge> {
        Arc::new(TrackEdge { head: Some(Head { last, parts: 0 }), ..TrackEdge::default() })
    }

    /// A channel of two tracks, published by this epoch, that list so much; and who publishes them.
    fn published(epoch: u64, last: [i64; 2]) -> ([watch::Sender<Arc<TrackEdge>>; 2], Arc<Edge>) {
        let senders = last.map(|last| watch::channel(track(last)).0);
        let tracks = ["a", "b"].into_iter().zip(&senders);
        let tracks = tracks.map(|(name, track)| (name.to_owned(), track.subscribe())).collect();
        (senders, Arc::new(Edge { tracks, target_duration: TARGET, epoch, ..Edge::default() }))
    }

    fn edge(epoch: u64, last: [i64; 2]) -> Arc<Edge> {
        published(epoch, last).1
    }

    /// Who tells, what is recorded, and who listens.
    struct Line {
        record: watch::Sender<Arc<Edge>>,
        teller: Teller,
        _published: watch::Sender<Arc<Edge>>,
        ear: Ear,
    }

    impl Line {
        fn new(told: Arc<Edge>, recorded: Arc<Edge>) -> Self {
            let ((record, recorded), (published, told)) = (watch::channel(recorded), watch::channel(told));
            let (teller, ear) = (Teller::new(told), Ear::new(recorded));
            Self { record, teller, _published: published, ear }
        }

        /// Hears what there is, or that there is nothing new.
        async fn hears(&mut self) -> Result<bool, Failure> {
            let mut is_new = self.ear.hear(&self.teller.next().await.unwrap())?;
            while let Some(said) = unconstrained(self.teller.next()).now_or_never() {
                is_new |= self.ear.hear(&said.unwrap())?;
            }
            Ok(is_new)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_packager_that_was_succeeded_is_heard_no_longer() {
        let mut line = Line::new(edge(1, [10, 10]), edge(1, [10, 10]));
        assert!(line.hears().await.unwrap());
        assert!(!line.hears().await.unwrap(), "it goes on without news");
        line.record.send_replace(edge(2, [10, 10]));
        assert!(matches!(line.hears().await, Err(Failure::Succeeded { told: 1, recorded: 2 })));
        // However far it has come.
        let mut again = Line::new(edge(1, [12, 12]), edge(2, [10, 10]));
        assert!(matches!(again.hears().await, Err(Failure::Succeeded { .. })));
        for epoch in [2, 3] {
            let mut successor = Line::new(edge(epoch, [10, 10]), edge(2, [10, 10]));
            assert!(successor.hears().await.unwrap(), "its record may not have been read yet");
        }
        let mut unrecorded = Line::new(edge(1, [10, 10]), Arc::default());
        assert!(unrecorded.hears().await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_packager_that_hangs_behind_its_listener_is_left_after_a_target_duration() {
        let mut line = Line::new(edge(1, [10, 10]), edge(1, [10, 10]));
        assert!(line.hears().await.unwrap());
        for recorded in [[11, 10], [10, 12]] {
            line.record.send_replace(edge(1, recorded));
            advance(TARGET * 2).await;
            assert!(!line.hears().await.unwrap(), "one track is not all");
        }
        line.record.send_replace(edge(1, [11, 11]));
        for _ in 0..4 {
            assert!(!line.hears().await.unwrap(), "what it tells may be on its way");
        }
        advance(BEAT).await;
        let failure = line.hears().await.unwrap_err();
        assert!(failure.to_string().contains("for longer than 2s"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_packager_that_is_behind_from_the_beginning_is_shown_once_it_has_caught_up() {
        let (tracks, told) = published(1, [10, 10]);
        let mut line = Line::new(told, edge(1, [11, 11]));
        assert!(!line.hears().await.unwrap());
        tracks.iter().for_each(|sender| drop(sender.send_replace(track(11))));
        assert!(line.hears().await.unwrap());
        let mut frozen = Line::new(edge(1, [10, 10]), edge(1, [11, 11]));
        assert!(!frozen.hears().await.unwrap());
        advance(TARGET).await;
        assert!(matches!(frozen.hears().await, Err(Failure::Behind(_))));
    }
}
