//! The task that owns a channel. It alone decides what is published, and when.

mod duty;
mod trial;

use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::OptionFuture;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, sleep_until, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument;

use super::{
    commit::{Committer, News, Work},
    delay::Delay,
    edge::{Edge, Reader},
    fence::{Candidate, Claim, Hindrance, Pen, Terms},
    frames::{Allowance, KeyFrames},
    journal::Runtime,
    measure::Meter,
    presentation::Presentation,
    record, render,
    standby::Backlog,
    status::{State, Status},
    supervisor::{Next, Report, external::attend, supervise},
};
use crate::{
    clock::{self, Timeline},
    config,
    ladder::{
        job::{Job, Timing},
        process::door::Door,
        wire::{Control, Event, Message},
    },
    metrics,
    store::{Effort, Store},
};

/// How many messages of an encoder may wait for the channel: about a second of a large ladder.
const REPORTS: usize = 256;
/// How many commands may wait for an encoder.
const COMMANDS: usize = 16;
/// How long a pause there is between looks at the clock when no part is due.
const IDLE: Duration = Duration::from_millis(500);
/// How long a channel that ends waits for its store, and how long it takes for all of its end: below what a service manager
/// waits for the server.
const GRACE: Duration = Duration::from_secs(4);
const END: Duration = Duration::from_secs(9);
/// How long a channel that ends may still publish, so that the segments that are being made are complete.
pub const LAST_SEGMENTS: Duration = Duration::from_secs(7);
/// For how many target durations frames are kept while another publishes: for more than it takes to see that it does not.
const BACKLOG: u32 = 6;

/// What a channel needs to run.
pub struct Setup {
    /// Its name in URLs.
    pub name: String,
    /// Its configuration.
    pub config: config::Channel,
    /// `file:` sources must lie below this directory.
    pub file_root: Option<PathBuf>,
    /// Where it keeps its segments.
    pub store: Store,
    /// Where it keeps what it has told viewers for who goes on after a restart; `None` if nothing outlives the process.
    pub runtime: Option<Runtime>,
    /// The program that has the `encode` command.
    pub program: PathBuf,
    /// Where it waits for encoders instead of starting them.
    pub door: Option<Door>,
    /// Where its tracks are measured.
    pub metrics: metrics::Tracks,
    /// Ends the channel in good order.
    pub shutdown: CancellationToken,
}

/// Reads what is kept of the channel, and writes nothing.
///
/// # Errors
/// When something is kept and cannot be used.
pub async fn check(setup: &Setup) -> Result<(), record::Error> {
    match record::read(&setup.edge_store(), &setup.prefix()).await? {
        Some((record, _)) => record.fits(&setup.config.grid, &record::path_in(&setup.prefix())),
        None => Ok(()),
    }
}

/// Starts the task of the channel, which goes on from what is kept.
///
/// # Errors
/// When something is kept and cannot be used.
pub async fn start(setup: Setup) -> Result<(Reader, JoinHandle<()>), record::Error> {
    let (prefix, store) = (setup.prefix(), setup.edge_store());
    let target = render::target_duration(setup.config.grid);
    let terms = Terms::new(target, store.effort().budget);
    let mut candidate = Candidate::new(store.clone(), &prefix, terms, &setup.config);
    let (claim, why) = match candidate.attempt().await {
        Ok(claim) => (claim, String::new()),
        Err(Hindrance::Kept(error)) => return Err(error),
        Err(hindrance) => (None, hindrance.to_string()),
    };
    let (status, statuses) = watch::channel(Status::default());
    let timeline = Timeline::start();
    let committer =
        Committer::start(&setup.name, Pen::none(store.clone(), terms), setup.metrics.storing.clone());
    let presentation = Presentation::new(prefix, &setup.config).storing_manifests(store.takes_manifests());
    let (edge, edges) = watch::channel(presentation.edge());
    let meter = Meter::new(&setup.name, setup.metrics.clone());
    let (key_frames, wishes) = KeyFrames::new();
    let lineup = presentation.lineup();
    let (commands, told) = mpsc::channel(COMMANDS);
    let keys = Keys { wishes, allowance: Allowance::default(), commands };
    let delay = Delay::new(setup.config.timing == config::Timing::Source);
    let backlog = Some(Backlog::new(target * BACKLOG, Vec::new()));
    let trial = trial::start(&store, terms, &status);
    let mut task = Task {
        delay,
        presentation,
        committer,
        timeline,
        edge,
        status,
        meter,
        once_back: None,
        keys,
        store,
        terms,
        backlog,
        behind: State::Starting,
        _trial: trial,
    };
    let duty = match claim {
        // Its encoder has yet to begin.
        Some(claim) if claim.kept.as_ref().is_some_and(record::lacks_opening) => (None, Some(claim)),
        Some(claim) => {
            task.take_over(claim, &setup);
            (None, None)
        }
        None => {
            task.status.send_modify(|status| status.state = State::Standby { why });
            (Some(candidate), None)
        }
    };
    let span = tracing::info_span!("channel", name = setup.name);
    let handle = tokio::spawn(task.run(setup, told, duty).instrument(span));
    Ok((Reader { edge: edges, status: statuses, lineup, key_frames }, handle))
}

/// Owns the channel.
struct Task {
    delay: Delay,
    presentation: Presentation,
    committer: Committer,
    timeline: Timeline,
    edge: watch::Sender<Arc<Edge>>,
    status: watch::Sender<Status>,
    meter: Meter,
    /// The state once somebody is connected again, while an encoder is waited for.
    once_back: Option<State>,
    keys: Keys,
    /// As it may be written to by who looks and does not write.
    store: Store,
    terms: Terms,
    /// What the encoder says while another packager publishes the channel; `None` if this one does.
    backlog: Option<Backlog>,
    /// The state that the channel would be in if this packager published it.
    behind: State,
    /// Ends with the task.
    _trial: AbortOnDropHandle<()>,
}

/// Why a packager does not publish any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// It is to end.
    Stopped,
    /// Another one does.
    Superseded,
}

/// Hands wishes for key frames on to the encoder.
struct Keys {
    wishes: mpsc::Receiver<u8>,
    allowance: Allowance,
    commands: mpsc::Sender<Control>,
}

impl Keys {
    fn pass_on(&mut self, track: u8) {
        if self.allowance.grant(track, clock::now()) {
            // An encoder that does not read has other troubles, and the next regular key frame is not far.
            let _ = self.commands.try_send(Control::ForceKey { track });
        }
    }
}

impl Task {
    async fn run(
        mut self,
        mut setup: Setup,
        told: mpsc::Receiver<Control>,
        (mut candidate, mut claim): (Option<Candidate>, Option<Claim>),
    ) {
        let (reports, mut inbox) = mpsc::channel(REPORTS);
        let encoders = match (self.presentation.ended(), setup.door.take()) {
            (true, _) => None,
            (false, Some(door)) => Some(tokio::spawn(attend(setup.job(), door, reports, told))),
            (false, None) => Some(tokio::spawn(supervise(setup.job(), setup.program.clone(), reports, told))),
        };
        loop {
            if let Some(candidate) = candidate.take() {
                claim = self.stand_by(candidate, &mut inbox, &setup).await;
                if claim.is_none() {
                    break;
                }
            }
            if let Some(claim) = claim.take() {
                let Some(claim) = self.await_opening(claim, &mut inbox, &setup).await else { break };
                self.take_over(claim, &setup);
            }
            self.announce();
            self.catch_up(&setup).await;
            if self.publish_on(&mut inbox, &setup).await == Over::Stopped {
                break;
            }
            candidate = Some(self.step_back(&setup));
        }
        self.stop(inbox, encoders).await;
    }

    /// Publishes for as long as this packager may.
    async fn publish_on(&mut self, inbox: &mut mpsc::Receiver<Report>, setup: &Setup) -> Over {
        while !self.committer.tenure().is_lost() {
            tokio::select! {
                () = self.wait(inbox) => self.go_on(),
                () = setup.shutdown.cancelled() => return Over::Stopped,
            }
        }
        Over::Superseded
    }

    /// Waits for something that changes what is to be published.
    async fn wait(&mut self, inbox: &mut mpsc::Receiver<Report>) {
        let due = self.due();
        tokio::select! {
            Some(report) = inbox.recv() => self.delay.push(report, self.timeline.now()),
            Some(track) = self.keys.wishes.recv() => self.keys.pass_on(track),
            news = self.committer.news() => self.settle(news),
            () = sleep_until(due.into()) => {}
        }
    }

    fn go_on(&mut self) {
        while let Some(report) = self.delay.pop(self.timeline.now()) {
            self.hear(report);
        }
        self.presentation.fill(self.timeline.now());
        self.publish();
        self.commit();
    }

    /// Ends in good order: segments are complete, no encoder is left, and all that was closed is in the store and listed, unless
    /// that takes too long.
    async fn stop(mut self, mut inbox: mpsc::Receiver<Report>, encoders: Option<JoinHandle<()>>) {
        let end = clock::now() + END;
        let publishes = self.backlog.is_none();
        if publishes {
            self.complete_segments(&mut inbox).await;
        }
        drop(inbox);
        let until = end.min(clock::now() + GRACE);
        let finished = OptionFuture::from(publishes.then(|| timeout_at(until.into(), self.finish())));
        if let (Some(Err(_)), _) = tokio::join!(finished, OptionFuture::from(encoders)) {
            tracing::warn!("the store did not take everything in time");
        }
    }

    async fn finish(&mut self) {
        if !self.settled().await {
            return;
        }
        let mut written = pin!(self.committer.papers_written());
        while !self.committer.tenure().is_lost() {
            let beat = self.beat_due().unwrap_or_else(|| clock::now() + IDLE);
            tokio::select! {
                () = &mut written => break,
                news = self.committer.news() => self.settle(news),
                () = sleep_until(beat.into()) => {}
            }
            self.commit();
        }
        // Now, and not before, others may go on.
        self.presentation.release_record();
        self.settled().await;
    }

    /// Waits until the store has all that is closed; false if another packager has taken over.
    async fn settled(&mut self) -> bool {
        self.commit();
        while self.presentation.awaits_store() {
            if self.committer.tenure().is_lost() {
                return false;
            }
            let news = self.committer.news().await;
            self.settle(news);
            self.commit();
        }
        true
    }

    fn due(&self) -> Instant {
        let due = match self.presentation.due().into_iter().chain(self.delay.due()).min() {
            Some(due) => self.timeline.instant(due),
            None => clock::now() + IDLE,
        };
        self.beat_due().map_or(due, |beat| beat.min(due))
    }

    /// When a record is due at the latest.
    fn beat_due(&self) -> Option<Instant> {
        let written = self.committer.has_written();
        self.committer.tenure().due().filter(|_| self.presentation.wants_beat(written))
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Started { pid } => {
                self.once_back.take().into_iter().for_each(|state| self.turn(state));
                self.status.send_modify(|status| {
                    status.encoder_starts += 1;
                    status.encoder_pid = pid;
                });
            }
            Report::Message(message) => self.take(message),
            Report::Lost { why, next } => self.lose(why, next),
            Report::Awaited { at } => {
                self.once_back = Some(State::Starting);
                self.turn(State::Awaiting { why: awaited(&at) });
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Catalog(catalog) => {
                self.meter.open(&catalog);
                match &mut self.backlog {
                    Some(backlog) => backlog.open(Message::Catalog(catalog)),
                    None => self.presentation.open(catalog),
                }
            }
            Message::Media(media) => {
                let now = self.timeline.now();
                self.meter.hear(&media, now);
                match &mut self.backlog {
                    Some(backlog) => backlog.take(media, now),
                    None => self.presentation.take(media, now),
                }
            }
            Message::Event(event) => self.note(event),
            Message::Ping | Message::Pong | Message::Control(_) => {}
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Live { .. } => {
                if let Some(backlog) = &mut self.backlog {
                    backlog.begin();
                } else if let Some(work) = self.presentation.begin() {
                    self.committer.submit(work);
                    self.tell_low_latency();
                }
                self.turn(State::Live);
            }
            Event::Stalled { why } => {
                // All that the source gave has come before this. Low-latency players have less than a second to wait.
                self.fill_on();
                self.turn(State::Stalled { why });
            }
            Event::Encoder { track, element } => self.status.send_modify(|status| {
                tracing::info!(track, element, "encoder chosen");
                status.encoders.insert(track, element);
            }),
            Event::Ended => {
                match &mut self.backlog {
                    Some(backlog) => backlog.ended = true,
                    None => self.presentation.end(),
                }
                self.turn(State::Ended);
            }
            // The reason comes again when the process is gone.
            Event::Failed { .. } => {}
        }
    }

    fn tell_low_latency(&self) {
        let off = self.presentation.low_latency_off().map(str::to_owned);
        if let Some(why) = &off {
            tracing::warn!(why, "low latency is off");
        }
        self.status.send_modify(|status| status.low_latency_off = off);
    }

    fn lose(&mut self, why: String, next: Next) {
        self.status.send_modify(|status| status.encoder_pid = None);
        let was_live = matches!(self.behind, State::Live | State::Stalled { .. });
        let turned = |why| if was_live { State::Restarting { why } } else { State::Failed { why } };
        let state = match next {
            Next::Never => return,
            Next::Started(pause) => {
                let pause_ms = pause.as_millis() as u64;
                tracing::warn!(why, pause_ms, "the encoder is gone; it is started again after a pause");
                turned(why)
            }
            Next::Awaited(at) => {
                tracing::warn!(why, at = %at.display(), "the encoder is gone; another is waited for");
                let told = format!("{why}; {}", awaited(&at));
                self.once_back = Some(turned(why));
                turned(told)
            }
        };
        self.fill_on();
        self.turn(state);
    }

    /// The encoder gives nothing.
    fn fill_on(&mut self) {
        match &mut self.backlog {
            Some(backlog) => backlog.lost = true,
            None => self.presentation.lose(),
        }
    }

    fn turn(&mut self, state: State) {
        self.behind = state.clone();
        if self.backlog.is_some() {
            return;
        }
        self.status.send_if_modified(|status| {
            let turned = status.state != state;
            if turned {
                tracing::info!(?state, "channel state");
                status.state = state;
            }
            turned
        });
    }

    /// Hands what was filled for the time of a restart to the store, at its speed unless it fails: that may be more
    /// than may wait for it.
    async fn catch_up(&mut self, setup: &Setup) {
        for work in self.presentation.commits() {
            let bytes = if let Work::Segment { body, .. } = &work { body.length } else { 0 };
            while self.committer.is_full(bytes) && self.status.borrow().store_degraded.is_none() {
                if self.committer.tenure().is_lost() || setup.shutdown.is_cancelled() {
                    return;
                }
                tokio::select! {
                    news = self.committer.news() => self.settle(news),
                    () = sleep(IDLE) => self.degrade(self.committer.trouble(clock::now())),
                    () = setup.shutdown.cancelled() => {}
                }
                self.record();
            }
            self.committer.submit(work);
        }
    }

    /// Hands closed segments to the store. While it fails nobody waits for it.
    fn commit(&mut self) {
        self.degrade(self.committer.trouble(clock::now()));
        if self.status.borrow().store_degraded.is_some() {
            self.presentation.release();
            self.presentation.conclude_without_store();
            self.publish();
        }
        self.presentation.commits().into_iter().for_each(|work| self.committer.submit(work));
        self.record();
        self.presentation.conclusion().into_iter().for_each(|work| self.committer.submit(work));
        self.committer.measure(clock::now());
        let filler_parts = self.presentation.filler_parts();
        if self.status.borrow().filler_parts != filler_parts {
            self.status.send_modify(|status| status.filler_parts = filler_parts);
        }
    }

    fn record(&mut self) {
        if self.beat_due().is_some_and(|due| due <= clock::now()) {
            self.presentation.beat();
        }
        self.presentation.record_due().into_iter().for_each(|work| self.committer.submit(work));
    }

    fn settle(&mut self, news: News) {
        let now = self.timeline.now();
        let works = match news {
            News::Stored { track, number } => {
                self.presentation.stored(&track, number);
                Vec::new()
            }
            News::Lost { track, number } => {
                self.presentation.lose_segment(&track, number);
                Vec::new()
            }
            News::Recorded => {
                let works = self.presentation.recorded(now);
                self.committer.measure_archive(self.presentation.archived());
                works
            }
            News::Ended { durable } => vec![self.presentation.conclude(durable, now)],
            News::Chapter { track, chapter, fate } => {
                self.presentation.hear(&track, chapter, fate);
                Vec::new()
            }
            News::Trouble { .. } | News::Superseded => Vec::new(),
        };
        self.publish();
        works.into_iter().for_each(|work| self.committer.submit(work));
        self.degrade(self.committer.trouble(clock::now()));
    }

    fn degrade(&self, why: Option<String>) {
        self.status.send_if_modified(|status| {
            match (&status.store_degraded, &why) {
                (None, Some(why)) => {
                    tracing::warn!(why, "the store is degraded; the channel goes on from memory");
                }
                (Some(_), None) => tracing::info!("the store takes everything again"),
                _ => {}
            }
            std::mem::replace(&mut status.store_degraded, why.clone()) != why
        });
    }

    /// Tells readers what is new.
    fn publish(&mut self) {
        if !self.committer.tenure().may_show(clock::now()) {
            return;
        }
        if let Some(edge) = self.presentation.publish(self.timeline.now()) {
            self.edge.send_replace(edge);
        }
        let now = self.timeline.now();
        for (track, made) in self.presentation.take_made() {
            self.meter.publish(track, made, now);
        }
    }

    /// Shows what was there before a restart.
    fn announce(&mut self) {
        if self.presentation.ended() {
            self.turn(State::Ended);
        }
        self.publish();
    }
}

/// What an operator has to know of a channel that starts no encoders.
fn awaited(at: &Path) -> String {
    format!("an encoder is waited for at {}", at.display())
}

impl Setup {
    fn prefix(&self) -> String {
        format!("live/{}", self.name)
    }

    /// Which spends on a request what the live edge may.
    fn edge_store(&self) -> Store {
        self.store.clone().spending(Effort::edge(self.config.grid.segment))
    }

    fn job(&self) -> Job {
        Job {
            name: self.name.clone(),
            source: self.config.source.clone(),
            file_root: self.file_root.clone(),
            grid: self.config.grid,
            ladder: self.config.ladder.clone(),
            low_latency: self.config.low_latency,
            timing: match self.config.timing {
                config::Timing::Clock => Timing::Live,
                config::Timing::Source => Timing::Source,
            },
        }
    }
}
