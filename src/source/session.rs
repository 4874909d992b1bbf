//! A running source: keeps time, sees it stall, break, end and begin again.

use std::{
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use headwater_packager::time::{FrameRate, Grid};

use super::{
    BLOCK, Error, Item, Pace, Request, VideoFormat,
    conform::{Origin, sample_nanos},
    epoch,
    lane::Lanes,
    pipeline::{Pass, Reference},
    stream::{Opener, pin},
    uri::Location,
};
use crate::clock::{self, Timeline};

const NAP: Duration = Duration::from_millis(100);
/// A live source that gives nothing for so long has stalled.
const STALL: Duration = Duration::from_secs(1);
/// A slide show may pause for so long, if it has done so before.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long a connected source may give nothing before it is given up, and connected to anew.
const GIVE_UP: Duration = Duration::from_secs(10);
/// Media that falls behind the time by more than this is taken up again at a fresh line.
const LAG: i128 = 3_000_000_000;
/// What a live source has not given by so long after its time is held or silent.
const GRACE: i128 = 400_000_000;
/// How long a live source is watched before its time is related to ours, and what of it counts: in the beginning
/// come the backlogs of connecting and decoding.
const SETTLE: Duration = Duration::from_millis(700);
const SETTLED_TAIL: Duration = Duration::from_millis(350);
/// How long streams are waited for that have not begun while others have.
const STRAGGLERS: Duration = Duration::from_secs(2);
/// How long sound waits for pictures that come before it. Files that are badly interleaved must not stop for it.
const IN_ORDER: Duration = Duration::from_millis(500);
/// How long the time of a sender is watched before it is said to have left ours.
const DRIFT: Duration = Duration::from_secs(10);
/// What decoding adds to the delay of media at most.
const DECODING: i128 = 500_000_000;
/// A repeated file is opened again so long before it ends.
const REOPEN: i128 = 5_000_000_000;

/// How time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// As fast as it is taken.
    Asap,
    /// What can be had at any time is paced.
    Paced,
    /// What comes on its own is passed on as it comes.
    Arrival,
}

/// Why the flow of media stopped.
enum Halt {
    /// Nobody listens any more.
    Stop,
    /// All of it was delivered.
    End,
    /// It pauses; the words are an operator's.
    Stall(String),
    /// It is gone.
    Broken(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// How media whose own time counts lies to the time.
#[derive(Debug, Default)]
struct Lead {
    /// What is added to the sender's time.
    offset: Option<i128>,
    /// By how much media is ahead of the time when it arrives: nanoseconds.
    ahead: i128,
    /// The most by which any was since then.
    watched: Option<(Instant, i128)>,
}

impl Lead {
    /// Takes down how far ahead decoded media is; tells the most of it now and then.
    fn watch(&mut self, ahead: i128, now: Instant) -> Option<i128> {
        let (since, most) = self.watched.map_or((now, ahead), |(since, most)| (since, most.max(ahead)));
        self.watched = Some((since, most)).filter(|_| now - since < DRIFT);
        self.watched.is_none().then_some(most)
    }
}

pub(super) struct Session {
    opener: Opener,
    grid: Grid,
    mode: Mode,
    clock: Timeline,
    pass: Pass,
    lanes: Lanes,
    video: Option<VideoFormat>,
    sender: SyncSender<Item>,
    /// When media last came, and the longest pause that was not a stall.
    last_media: Instant,
    pause: Duration,
    /// Stream time of the beginning: every pass begins with it.
    base: i128,
    /// The newest time on the timeline.
    newest: i128,
    /// How the sender's time lies to ours, where that is what counts.
    lead: Lead,
    /// Where the next pass of a repeated file begins.
    next_pass: Option<Receiver<Result<Pass, Error>>>,
    ready: Option<Pass>,
}

impl Session {
    pub(super) fn new(
        request: &Request,
        opener: Opener,
        pass: Pass,
        lanes: Lanes,
        video: Option<VideoFormat>,
        sender: SyncSender<Item>,
    ) -> Self {
        let mode = match (request.pace, pass.live) {
            (Pace::Asap, false) => Mode::Asap,
            (Pace::Live | Pace::Source, false) => Mode::Paced,
            (_, true) => Mode::Arrival,
        };
        Self {
            opener,
            grid: request.grid,
            mode,
            clock: Timeline::start(),
            pass,
            lanes,
            video,
            sender,
            last_media: clock::now(),
            pause: Duration::ZERO,
            base: 0,
            newest: i128::MIN,
            lead: Lead::default(),
            next_pass: None,
            ready: None,
        }
    }

    /// Runs to the end and returns the last item, if there is anybody to hear it.
    pub(super) fn run(mut self) -> Option<Item> {
        loop {
            let Err(halt) = self.begin().and_then(|()| self.flow()) else { continue };
            match halt {
                Halt::Stop => return None,
                Halt::End => return Some(Item::Ended),
                Halt::Broken(error) if !self.listens() => return Some(Item::Failed(error)),
                Halt::Broken(error) => {
                    if let Err(last) = self.recover(error.to_string(), true) {
                        return last;
                    }
                }
                Halt::Stall(why) => {
                    if let Err(last) = self.recover(why, matches!(self.opener.location, Location::Udp { .. }))
                    {
                        return last;
                    }
                }
            }
        }
    }

    /// True for a source to which others connect.
    fn listens(&self) -> bool {
        matches!(&self.opener.location, Location::Srt(srt) if srt.caller_of.is_none())
    }

    fn rate(&self) -> FrameRate {
        let video = self.video.as_ref().map(|video| video.frame_rate);
        // Without pictures nothing is counted in frames; one a second is as good as any.
        video.unwrap_or(FrameRate { num: std::num::NonZeroU32::MIN, den: std::num::NonZeroU32::MIN })
    }

    /// Waits for the first media and relates its time to the timeline.
    fn begin(&mut self) -> Result<(), Halt> {
        let offset = match self.mode {
            Mode::Arrival => self.settle()?,
            Mode::Asap | Mode::Paced => self.stage()?,
        };
        let (origin, offset) = match self.mode {
            Mode::Asap => (Origin::ZERO, offset),
            Mode::Arrival => {
                (Origin::live(&self.grid, self.rate(), self.clock.now() + self.lead.ahead), offset)
            }
            Mode::Paced => {
                let now = self.clock.now();
                let line = i128::from(self.grid.first_segment_at_or_after(now))
                    * self.grid.segment.as_nanos() as i128;
                (Origin::live(&self.grid, self.rate(), now), offset + line)
            }
        };
        self.lanes.begin(origin, offset);
        self.last_media = clock::now();
        self.send(Item::Live)
    }

    /// Waits until something of every stream is there; returns what moves the earliest to zero.
    fn stage(&mut self) -> Result<i128, Halt> {
        let mut first_seen = None;
        loop {
            let ended = self.pass.state()?;
            self.lanes.pull(&self.pass, false);
            let earliest = self.lanes.earliest();
            if earliest.is_some() && first_seen.is_none() {
                first_seen = Some(clock::now());
            }
            let late = first_seen.is_some_and(|since| clock::now() - since > STRAGGLERS);
            match earliest {
                Some(earliest) if self.lanes.is_staged() || late => {
                    self.base = earliest;
                    return Ok(-earliest);
                }
                None if ended && self.lanes.is_over() => {
                    return Err(Error::NoStreams(self.opener.uri.clone()).into());
                }
                _ => self.nap(NAP)?,
            }
            if clock::now() - self.last_media > GIVE_UP {
                let uri = self.opener.uri.clone();
                return Err(Error::Silent { uri, seconds: GIVE_UP.as_secs() }.into());
            }
        }
    }

    /// Watches a live source until its first backlog is gone; returns what moves its media to the time at which it
    /// comes, at the latest.
    fn settle(&mut self) -> Result<i128, Halt> {
        let (mut since, mut latest) = (None, None);
        self.opener.reference.iter().for_each(Reference::begin);
        loop {
            if self.pass.state()? {
                return Err(self.lost("the sender hung up").into());
            }
            let pulled = self.lanes.pull(&self.pass, true);
            let (now, instant) = (self.clock.now(), clock::now());
            if let Some(oldest) = pulled.oldest {
                self.last_media = instant;
                let since = *since.get_or_insert(instant);
                let watched = instant - since;
                if watched > SETTLE - SETTLED_TAIL {
                    latest = latest.max(Some(now - oldest));
                }
                if let (true, Some(offset)) = (watched > SETTLE, latest) {
                    return Ok(self.by_reference().unwrap_or(offset));
                }
                self.lanes.keep_newest();
            } else if instant - self.last_media > GIVE_UP && !self.listens() {
                return Err(self.lost("it gives nothing").into());
            }
            self.nap(NAP)?;
        }
    }

    /// What moves the sender's time to ours in the same way for all who receive it.
    fn by_reference(&mut self) -> Option<i128> {
        let reference = self.opener.reference.as_ref()?;
        let (delay, segment) = (reference.delay()?, self.segment());
        let offset = epoch::offset(delay, segment, self.lead.offset);
        let [delay_ms, offset_s] = [delay / 1_000_000, offset / 1_000_000_000];
        let source = &self.opener.uri;
        tracing::info!(source, delay_ms, offset_s, "the source's timestamps are placed in time");
        if epoch::is_ambiguous(delay, segment) {
            tracing::warn!(source, delay_ms, "another packager may place these timestamps a segment apart");
        }
        reference.settle(offset);
        self.lead = Lead { offset: Some(offset), ahead: offset - delay, watched: None };
        Some(offset)
    }

    /// Halts when the sender's time is not what it was, so that it is placed anew as others do who come to it now.
    fn stay_in_time(&mut self, newest: Option<i128>) -> Result<(), Halt> {
        if self.opener.reference.is_none() {
            return Ok(());
        }
        let uri = &self.opener.uri;
        if self.lanes.jumped() {
            return Err(Halt::Stall(format!("the timestamps of {uri} have jumped")));
        }
        let (now, segment) = (self.clock.now(), self.segment());
        let ahead = newest.and_then(|newest| self.lead.watch(newest - now, clock::now()));
        match ahead.filter(|ahead| ![0, DECODING].iter().any(|more| epoch::fits(ahead + more, segment))) {
            Some(_) => Err(Halt::Stall(format!(
                "the clock of {uri} goes faster or slower than that of this machine"
            ))),
            None => Ok(()),
        }
    }

    fn segment(&self) -> i128 {
        self.grid.segment.as_nanos() as i128
    }

    /// Delivers until something halts it.
    fn flow(&mut self) -> Result<(), Halt> {
        loop {
            let ended = self.pass.state()?;
            if self.mode == Mode::Arrival {
                let pulled = self.lanes.pull(&self.pass, true);
                self.note(pulled.count > 0, pulled.newest);
                self.stay_in_time(pulled.newest)?;
            }
            let now = self.clock.now();
            let until = if self.mode == Mode::Paced { now } else { i128::MAX };
            // Sound waits a moment for the pictures before it, so that both end together.
            let in_order = self.mode != Mode::Arrival && clock::now() - self.last_media < IN_ORDER;
            while let Some(item) = self.lanes.take(&self.pass, until, in_order) {
                self.note(self.mode != Mode::Arrival, self.lanes.next_at());
                self.send(item)?;
            }
            if self.mode == Mode::Arrival && (ended || self.lanes.is_over()) {
                return Err(self.lost("the sender hung up").into());
            }
            if self.lanes.is_over() {
                self.end_of_pass()?;
                continue;
            }
            self.prepare(ended)?;
            self.look_for_stall(now)?;
            self.nap(self.until_due())?;
        }
    }

    fn note(&mut self, came: bool, newest: Option<i128>) {
        if came {
            let now = clock::now();
            self.pause = self.pause.max((now - self.last_media).min(LONGEST_PAUSE));
            self.last_media = now;
        }
        self.newest = self.newest.max(newest.unwrap_or(i128::MIN));
    }

    /// Time until the next item is due, if it is time that it waits for.
    fn until_due(&self) -> Duration {
        let due = self.lanes.next_at().filter(|_| self.mode == Mode::Paced && !self.lanes.is_starving());
        let due = due.map(|at| self.clock.instant(at).saturating_duration_since(clock::now()));
        due.map_or(NAP, |due| due.clamp(Duration::from_millis(1), NAP))
    }

    fn look_for_stall(&mut self, now: i128) -> Result<(), Halt> {
        let silent = clock::now() - self.last_media;
        if self.mode == Mode::Arrival && silent <= STALL.max(self.pause * 5 / 2) {
            while let Some(item) = self.lanes.hold(now + self.lead.ahead - GRACE) {
                self.send(item)?;
            }
            return Ok(());
        }
        if self.mode == Mode::Asap {
            let given_up = silent > GIVE_UP;
            return if given_up { Err(self.lost("it gives nothing any more").into()) } else { Ok(()) };
        }
        let behind = self.lanes.next_at().map_or(0, |at| now - at);
        let uri = &self.opener.uri;
        if self.mode == Mode::Arrival {
            return Err(Halt::Stall(format!("{uri} gives nothing")));
        }
        if behind > STALL.as_nanos() as i128 && self.lanes.is_starving() {
            return Err(Halt::Stall(format!("{uri} comes slower than it plays")));
        }
        if behind > LAG {
            let seconds = behind / 1_000_000_000;
            return Err(Halt::Stall(format!(
                "this machine is {seconds} s behind with {uri}: it is too slow"
            )));
        }
        Ok(())
    }

    /// Opens a repeated file again in time.
    fn prepare(&mut self, ended: bool) -> Result<(), Halt> {
        let repeats = matches!(self.opener.location, Location::File { repeat: true, .. });
        if !repeats || self.mode != Mode::Paced || self.ready.is_some() {
            return Ok(());
        }
        if let Some(next) = &self.next_pass {
            match next.try_recv() {
                Ok(pass) => {
                    self.ready = Some(pass?);
                    self.next_pass = None;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Err(self.lost("it cannot be opened again").into()),
            }
        } else if ended || self.remaining().is_none_or(|remaining| remaining < REOPEN) {
            self.next_pass = Some(open_aside(&self.opener)?);
        }
        if let (true, Some(ready)) = (ended, &self.ready) {
            ready.play();
        }
        Ok(())
    }

    /// Nanoseconds of this pass that are still to come, where its duration is known.
    fn remaining(&self) -> Option<i128> {
        if self.newest == i128::MIN {
            return None;
        }
        let duration = self.pass.duration()?.as_nanos() as i128;
        Some(duration + self.base - (self.newest - self.lanes.offset()))
    }

    /// All of a pass is delivered but the tail: goes over into the next, or ends.
    fn end_of_pass(&mut self) -> Result<(), Halt> {
        let end = self.lanes.end();
        let repeats = matches!(self.opener.location, Location::File { repeat: true, .. });
        if repeats && self.mode == Mode::Paced {
            return self.repeat(end);
        }
        self.lanes.finish(end);
        loop {
            let until = if self.mode == Mode::Paced { self.clock.now().min(end) } else { end };
            while let Some(item) = self.lanes.hold(until) {
                self.send(item)?;
            }
            if until == end {
                return Err(Halt::End);
            }
            self.nap(NAP.min(Duration::from_millis(10)))?;
        }
    }

    fn repeat(&mut self, end: i128) -> Result<(), Halt> {
        self.prepare(true)?;
        let Some(pass) = self.ready.take() else { return self.nap(NAP) };
        pass.play();
        self.adopt(pass);
        self.lanes.reset(end - self.base);
        Ok(())
    }

    fn adopt(&mut self, pass: Pass) {
        if let Some(video) = &self.video {
            pin(&pass, video);
        }
        self.pass = pass;
    }

    /// Tells that nothing comes, and returns when something does again. An error is the last item.
    fn recover(&mut self, why: String, reopen: bool) -> Result<(), Option<Item>> {
        tracing::warn!(source = self.opener.uri, why, "the source stalls");
        self.send(Item::Stalled { why }).map_err(|_| None)?;
        if reopen {
            self.pass.close();
            let pass = self.opener.open(&mut |_| {}).map_err(|error| {
                let stopped = self.opener.stop.is_set();
                (!stopped).then_some(Item::Failed(error))
            })?;
            pass.play();
            self.adopt(pass);
        }
        if self.mode == Mode::Arrival {
            self.lanes.clear();
        }
        self.lanes.reset(0);
        self.last_media = clock::now();
        Ok(())
    }

    fn lost(&self, why: &str) -> Error {
        Error::Lost { uri: self.opener.uri.clone(), why: why.into() }
    }

    /// Sends an item. What is paced is captured when it is due, as if a camera saw it then; files have no such time.
    fn send(&mut self, mut item: Item) -> Result<(), Halt> {
        let rate = self.rate();
        let due = |nanos: i128| if self.mode == Mode::Paced { (nanos / 1000) as i64 } else { 0 };
        match &mut item {
            Item::Video { frame, captured_at, .. } if self.mode != Mode::Arrival => {
                *captured_at = due(rate.frame_nanos(*frame));
            }
            Item::Audio { block, captured_at, .. } if self.mode != Mode::Arrival => {
                *captured_at = due(sample_nanos(*block * BLOCK));
            }
            _ => {}
        }
        self.sender.send(item).map_err(|_| Halt::Stop)
    }

    fn nap(&self, timeout: Duration) -> Result<(), Halt> {
        self.opener.wake.wait(timeout);
        if self.opener.stop.is_set() { Err(Halt::Stop) } else { Ok(()) }
    }
}

/// Opens another pass on a thread of its own, so that the one before goes on meanwhile.
fn open_aside(opener: &Opener) -> Result<Receiver<Result<Pass, Error>>, Error> {
    let (sender, receiver) = sync_channel(1);
    let opener = opener.clone();
    let body = move || {
        // If nobody waits any more, the pass is closed by being dropped.
        let _ = sender.send(opener.open(&mut |_| {}));
        opener.wake.ring();
    };
    let spawned = thread::Builder::new().name("source-ahead".into()).spawn(body);
    spawned.map_err(|error| Error::Toolkit(format!("no thread to open the source again: {error}")))?;
    Ok(receiver)
}
