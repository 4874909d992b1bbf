//! Fetches the segments of a representation when they are due, and judges them.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::watch::Receiver;

use super::{PATIENCE, Run, Wanted, lock, track::Track};
use crate::check::{
    boxes::Init,
    client::{Ask, Reply},
    dash::{Entry, Mpd, Representation, Segments, Template},
    exact::NANOS,
    finding::{Check, Place},
    invariant::Invariant,
    rules::{
        addressing::{self, Times},
        bodies::Protocol,
        media::{self, Chain, Piece, Starts},
        mpd::{self as rules, Referenced},
        streaming,
    },
    watch::span,
};

/// Of the segments that are there at first, so many at the old and at the new end are fetched.
const OLDEST: usize = 2;
const NEWEST: usize = 3;
/// Every so many segments, one is asked for a second time in its middle, or the oldest one is.
const EXTRA: u64 = 3;
/// So often a follower looks whether there is a segment yet.
const LOOK: Duration = Duration::from_millis(200);
/// So long after the first time, some are fetched again.
const LATER: Duration = Duration::from_secs(2);

/// What representations of one Period and AdaptationSet have in common.
#[derive(Default)]
pub(super) struct Common {
    starts: Mutex<HashMap<(String, usize), Starts>>,
}

/// One representation of one Period.
struct Follower {
    run: Arc<Run>,
    mpds: Receiver<Arc<Mpd>>,
    key: (String, String),
    common: Arc<Common>,
    track: Track,
    chain: Chain,
    referenced: Referenced,
    /// Media time in nanoseconds in the middle of the newest segment that was asked for: whichever form tells where
    /// a segment begins, and by number that is only half a segment exact, it is the next one that begins after it.
    middle: Option<i64>,
}

/// `Continue` where an MPD addresses the segments in another form than the one before it.
type Way = ControlFlow<()>;

/// Follows a representation until the run is over or its Period is.
pub(super) async fn follow(
    run: Arc<Run>,
    mpds: Receiver<Arc<Mpd>>,
    key: (String, String),
    common: Arc<Common>,
) {
    let track = Track::new(run.clone());
    let mut follower = Follower {
        run,
        mpds,
        key,
        common,
        track,
        chain: Chain::default(),
        referenced: Referenced::default(),
        middle: None,
    };
    while follower.by_form().await.is_continue() {}
}

impl Follower {
    fn find<'a>(&self, mpd: &'a Mpd) -> Option<&'a Representation> {
        mpd.representations.iter().find(|each| (&each.period, &each.id) == (&self.key.0, &self.key.1))
    }

    /// Follows the MPD for as long as it keeps its form.
    async fn by_form(&mut self) -> Way {
        let mpd = self.mpds.borrow().clone();
        let Some(each) = self.find(&mpd) else { return Way::Break(()) };
        match each.template.as_ref().map(|template| &template.segments) {
            Some(Segments::Timeline(_)) if mpd.is_dynamic || self.middle.is_some() => {
                self.by_timeline().await
            }
            Some(Segments::Every(_)) if mpd.is_dynamic => self.by_clock().await,
            Some(_) => {
                self.at_rest(&mpd).await;
                Way::Break(())
            }
            None => {
                self.run.ledger.reason(Invariant::I12, "segments are not addressed by SegmentTemplate");
                Way::Break(())
            }
        }
    }

    /// A static presentation: its ends.
    async fn at_rest(&mut self, mpd: &Mpd) {
        let Some((each, template)) = self.find(mpd).and_then(|each| Some((each, each.template.as_ref()?)))
        else {
            return;
        };
        let entries = match &template.segments {
            Segments::Timeline(entries) => ends(entries),
            Segments::Every(_) => (0..NEWEST as u64)
                .filter_map(|index| template.numbered(template.first_number + index))
                .collect(),
        };
        for entry in entries {
            self.segment(mpd, each, template, &entry, None).await;
        }
    }

    /// Fetches what a timeline lists, when it does.
    async fn by_timeline(&mut self) -> Way {
        loop {
            let mpd = self.mpds.borrow_and_update().clone();
            let Some(each) = self.find(&mpd) else { return Way::Break(()) };
            let Some(template) = &each.template else { return Way::Continue(()) };
            let Segments::Timeline(entries) = &template.segments else { return Way::Continue(()) };
            let new = match self.middle {
                Some(last) => {
                    entries.iter().filter(|entry| template.nanos(entry.time) > last).copied().collect()
                }
                None => ends(entries),
            };
            for entry in new {
                self.segment(&mpd, each, template, &entry, None).await;
            }
            tokio::select! {
                () = self.run.stop.cancelled() => return Way::Break(()),
                changed = self.mpds.changed() => if changed.is_err() { return Way::Break(()) },
            }
        }
    }

    /// Fetches what is due by the clock, at the moment when it is.
    async fn by_clock(&mut self) -> Way {
        while !self.run.stop.is_cancelled() {
            let mpd = self.mpds.borrow().clone();
            let Some(each) = self.find(&mpd) else { return Way::Break(()) };
            let Some(template) = each.numbered_template().filter(|_| mpd.is_dynamic) else {
                return Way::Continue(());
            };
            let now = self.run.server_unix();
            let Some((oldest, newest)) = addressing::numbers(&mpd, each, template, now) else {
                self.run.sleep(LOOK).await;
                continue;
            };
            // The newest may be over half already; the one behind it is asked for when it is due.
            let next = self.middle.and_then(|last| template.number_after(last)).unwrap_or(newest + 1);
            let number = next.max(newest.saturating_sub(2));
            let Some(entry) = template.numbered(number) else { return Way::Break(()) };
            if self.middle.is_none() || number.is_multiple_of(EXTRA) {
                self.old(&mpd, each, template, oldest).await;
            }
            let times = addressing::times(&mpd, each, template, &entry);
            let over =
                each.period_duration.is_some_and(|period| times.end > mpd.start + each.period_start + period);
            if over || !self.run.sleep(self.until(times.due)).await {
                return Way::Break(());
            }
            // The MPD may have a Period less by now, or a timeline, by which the segment begins elsewhere.
            let mpd = self.mpds.borrow().clone();
            let Some(each) = self.find(&mpd) else { return Way::Break(()) };
            let Some(template) = each.numbered_template() else { return Way::Continue(()) };
            let Some(entry) = template.numbered(number) else { return Way::Continue(()) };
            self.segment(&mpd, each, template, &entry, Some(times)).await;
        }
        Way::Break(())
    }

    /// How long until it is surely `unix` on the server's clock.
    fn until(&self, unix: i64) -> Duration {
        span(unix - self.run.server_unix()) + self.unsure()
    }

    /// How far the server's clock may be from what is known of it.
    fn unsure(&self) -> Duration {
        let unsure = lock(&self.run.clock).offset().map_or(NANOS, |offset| (offset.most - offset.least) / 2);
        span(unsure.min(NANOS))
    }

    /// The oldest segment that has to be there still.
    async fn old(&self, mpd: &Mpd, each: &Representation, template: &Template, oldest: u64) {
        let Some(entry) = template.numbered(oldest + 1) else { return };
        let times = addressing::times(mpd, each, template, &entry);
        if times.end <= self.run.server_unix()
            && let Some(wanted) = self.wanted(mpd, each, template, &entry)
        {
            self.run.fetch(&wanted, PATIENCE).await;
        }
    }

    fn wanted(&self, mpd: &Mpd, each: &Representation, template: &Template, entry: &Entry) -> Option<Wanted> {
        let listed = Some(span(mpd.time_shift.unwrap_or_else(|| template.nanos(entry.duration))));
        let place = Place::segment(entry.number);
        Some(Wanted {
            url: each.media_url(entry)?,
            range: None,
            place,
            missing: Check::SegmentMissing,
            listed,
        })
    }

    async fn segment(
        &mut self,
        mpd: &Mpd,
        each: &Representation,
        template: &Template,
        entry: &Entry,
        times: Option<Times>,
    ) {
        self.middle = self.middle.max(Some(template.nanos(entry.time) + template.nanos(entry.duration) / 2));
        let Some(wanted) = self.wanted(mpd, each, template, entry) else { return };
        let early = times.filter(|_| each.early > 0 && !each.complete);
        let reply = match early {
            Some(times) => self.streamed(&wanted, times).await,
            None => self.run.fetch(&wanted, PATIENCE).await,
        };
        let Some(reply) = reply else { return };
        lock(&self.run.bodies).named(wanted.url.as_str(), Protocol::Dash);
        if mpd.is_dynamic && entry.number.is_multiple_of(EXTRA) {
            self.run.rechecks.at(wanted.clone(), self.run.now() + LATER);
        }
        let listed = wanted.listed.unwrap_or_default();
        let init = match each.init_url() {
            Some(url) => self.track.init(url, None, listed).await,
            None => None,
        };
        match init {
            Some(init) => self.judge(each, template, entry, &wanted, &reply, &init),
            None => self.track.no_boxes(),
        }
    }

    /// Asks for a segment while it is made, and now and then once more in its middle.
    async fn streamed(&self, wanted: &Wanted, times: Times) -> Option<Reply> {
        let left = span(times.end - self.run.server_unix());
        let end = self.run.now() + left + self.unsure();
        let ask = Ask::new(wanted.url.clone(), PATIENCE + left);
        let joins = wanted.place.segment.is_some_and(|number| number % EXTRA == 1);
        let whole = self.run.ask(&ask);
        let (reply, joined) = if joins {
            let join = async {
                self.run.sleep(left / 4).await;
                self.run.ask(&ask).await
            };
            let (reply, joined) = tokio::join!(whole, join);
            (reply, Some(joined))
        } else {
            (whole.await, None)
        };
        let reply = self.run.judge_media(wanted, reply)?;
        let mut judge = self.run.judge(&wanted.url);
        // Asked for with too little left, or by a process that was held up, a reply does not tell when bytes came.
        let tells = |reply: &Reply| {
            end.saturating_sub(reply.sent) >= span(times.end - times.due) / 2
                && self.run.lag.between(reply.sent, reply.done).is_zero()
        };
        if tells(&reply) {
            streaming::streamed(&mut judge, wanted.place, &reply, end);
        }
        let joined = joined.and_then(|joined| self.run.judge_media(wanted, joined));
        if let Some(joined) = joined.filter(tells) {
            streaming::joined(&mut judge, wanted.place, &joined, end);
        }
        self.run.ledger.take(judge);
        Some(reply)
    }

    fn judge(
        &mut self,
        each: &Representation,
        template: &Template,
        entry: &Entry,
        wanted: &Wanted,
        reply: &Reply,
        init: &Init,
    ) {
        let mut judge = self.run.judge(&wanted.url);
        if let Some(chunks) = self.track.chunks(&mut judge, wanted, init, reply) {
            let piece = Piece { place: wanted.place, init, chunks: &chunks };
            media::inner(&mut judge, piece);
            media::starts_with_idr(&mut judge, piece);
            rules::time(&mut judge, each, entry, piece);
            rules::reference_times(
                &mut judge,
                &mut self.referenced,
                &each.reference_times,
                template.timescale,
                piece,
            );
            self.chain.follow(&mut judge, piece, entry.number, 0);
            let mut starts = lock(&self.common.starts);
            let starts = starts.entry((each.period.clone(), each.set)).or_default();
            starts.meet(&mut judge, piece, entry.number, &each.id);
        }
        self.run.ledger.take(judge);
    }
}

/// The segments at both ends of a timeline.
fn ends(entries: &[Entry]) -> Vec<Entry> {
    let count = entries.len();
    let at_ends = |index: usize| index < OLDEST || index + NEWEST >= count;
    entries.iter().enumerate().filter(|(index, _)| at_ends(*index)).map(|(_, entry)| *entry).collect()
}
