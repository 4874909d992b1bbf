//! The task that owns a channel. It alone decides what is published, and when.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    commit::{Committer, Durable, What, Work},
    delay::Delay,
    edge::{Edge, Reader},
    frames::{Allowance, KeyFrames},
    measure::Meter,
    presentation::Presentation,
    record,
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
    store::Store,
};

/// How many messages of an encoder may wait for the channel: about a second of a large ladder.
const REPORTS: usize = 256;
/// How many commands may wait for an encoder.
const COMMANDS: usize = 16;
/// How long a pause there is between looks at the clock when no part is due.
const IDLE: Duration = Duration::from_millis(500);

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
    /// The program that has the `encode` command.
    pub program: PathBuf,
    /// Where it waits for encoders instead of starting them.
    pub door: Option<Door>,
    /// Where its tracks are measured.
    pub metrics: metrics::Tracks,
    /// Ends the channel in good order.
    pub shutdown: CancellationToken,
}

/// Reads what is kept of the channel and starts its task.
///
/// # Errors
/// When something is kept and cannot be used.
pub async fn start(setup: Setup) -> Result<(Reader, JoinHandle<()>), record::Error> {
    let prefix = format!("live/{}", setup.name);
    let kept = record::read(&setup.store, &prefix).await?;
    let (edge, edges) = watch::channel(Arc::new(Edge::default()));
    let (status, statuses) = watch::channel(Status::default());
    let timeline = Timeline::start();
    let presentation = Presentation::new(prefix, &setup.config, kept, timeline.now());
    let committer = Committer::start(setup.store.clone());
    let meter = Meter::new(&setup.name, setup.metrics.clone());
    let (key_frames, wishes) = KeyFrames::new();
    let lineup = presentation.lineup();
    let (commands, told) = mpsc::channel(COMMANDS);
    let keys = Keys { wishes, allowance: Allowance::default(), commands };
    let delay = Delay::new(setup.config.timing == config::Timing::Source);
    let task = Task { delay, presentation, committer, timeline, edge, status, meter, once_back: None, keys };
    let span = tracing::info_span!("channel", name = setup.name);
    let handle = tokio::spawn(task.run(setup, told).instrument(span));
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
    async fn run(mut self, mut setup: Setup, told: mpsc::Receiver<Control>) {
        let (reports, mut inbox) = mpsc::channel(REPORTS);
        let encoders = match (self.presentation.ended(), setup.door.take()) {
            (true, _) => None,
            (false, Some(door)) => Some(tokio::spawn(attend(setup.job(), door, reports, told))),
            (false, None) => Some(tokio::spawn(supervise(setup.job(), setup.program.clone(), reports, told))),
        };
        self.announce();
        self.catch_up().await;
        loop {
            let due = self.due();
            tokio::select! {
                Some(report) = inbox.recv() => self.delay.push(report, self.timeline.now()),
                Some(track) = self.keys.wishes.recv() => self.keys.pass_on(track),
                durable = self.committer.durable() => self.settle(durable),
                () = sleep_until(due.into()) => {}
                () = setup.shutdown.cancelled() => break,
            }
            while let Some(report) = self.delay.pop(self.timeline.now()) {
                self.hear(report);
            }
            self.presentation.fill(self.timeline.now());
            self.publish();
            self.commit();
        }
        self.stop(inbox, encoders).await;
    }

    /// Ends in good order: no encoder is left, and all that was closed is in the store and listed.
    async fn stop(self, inbox: mpsc::Receiver<Report>, encoders: Option<JoinHandle<()>>) {
        let Self { mut presentation, committer, timeline, .. } = self;
        drop(inbox);
        if let Some(encoders) = encoders {
            let _ = encoders.await;
        }
        let last = committer.successor();
        for durable in committer.drain().await {
            let works = match durable.what {
                What::Segment { track, number } => presentation.settle(&track, number, timeline.now()),
                What::End => vec![presentation.conclude(timeline.now())],
            };
            for work in works {
                let _ = last.submit(work);
            }
        }
        last.drain().await;
    }

    fn due(&self) -> Instant {
        match self.presentation.due().into_iter().chain(self.delay.due()).min() {
            Some(due) => self.timeline.instant(due),
            None => clock::now() + IDLE,
        }
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
                self.presentation.open(catalog);
            }
            Message::Media(media) => {
                let now = self.timeline.now();
                self.meter.hear(&media, now);
                self.presentation.take(media, now);
            }
            Message::Event(event) => self.note(event),
            Message::Ping | Message::Pong | Message::Control(_) => {}
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Live { .. } => {
                if let Some(work) = self.presentation.begin() {
                    self.submit(work);
                    self.tell_low_latency();
                }
                self.turn(State::Live);
            }
            Event::Stalled { why } => {
                // All that the source gave has come before this. Low-latency players have less than a second to wait.
                self.presentation.lose();
                self.turn(State::Stalled { why });
            }
            Event::Encoder { track, element } => self.status.send_modify(|status| {
                tracing::info!(track, element, "encoder chosen");
                status.encoders.insert(track, element);
            }),
            Event::Ended => {
                self.presentation.end();
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
        let was_live = matches!(self.status.borrow().state, State::Live | State::Stalled { .. });
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
        self.presentation.lose();
        self.turn(state);
    }

    fn turn(&self, state: State) {
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
    /// than its backlog holds.
    async fn catch_up(&mut self) {
        for work in self.presentation.commits() {
            let mut refused = self.committer.submit(work).err();
            while let Some(work) = refused.take_if(|_| self.status.borrow().store_degraded.is_none()) {
                let durable = self.committer.durable().await;
                self.settle(durable);
                refused = self.committer.submit(work).err();
            }
            refused.into_iter().for_each(|work| self.publish_unstored(work));
        }
    }

    /// Hands closed segments to the store. One that it has no room for is published without it, and while the store
    /// fails nobody waits for it.
    fn commit(&mut self) {
        if self.status.borrow().store_degraded.is_some() {
            self.presentation.release();
        }
        for work in self.presentation.commits() {
            if let Err(refused) = self.committer.submit(work) {
                self.publish_unstored(refused);
            }
        }
        if self.presentation.conclusion().is_some_and(|work| self.committer.submit(work).is_ok()) {
            self.presentation.concluding();
        }
        let filler_parts = self.presentation.filler_parts();
        if self.status.borrow().filler_parts != filler_parts {
            self.status.send_modify(|status| status.filler_parts = filler_parts);
        }
    }

    fn publish_unstored(&mut self, work: Work) {
        if let Work::Segment { track, number, .. } = work {
            self.degrade(Some("it is too far behind".to_owned()));
            self.settle_segment(&track, number);
        }
    }

    fn settle(&mut self, durable: Durable) {
        self.degrade(durable.result.err().map(|error| error.to_string()));
        match durable.what {
            What::Segment { track, number } => self.settle_segment(&track, number),
            What::End => {
                let work = self.presentation.conclude(self.timeline.now());
                self.submit(work);
            }
        }
    }

    fn settle_segment(&mut self, track: &str, number: i64) {
        let works = self.presentation.settle(track, number, self.timeline.now());
        self.publish();
        works.into_iter().for_each(|work| self.submit(work));
    }

    fn degrade(&self, why: Option<String>) {
        self.status.send_if_modified(|status| {
            if status.store_degraded.is_none() && why.is_some() {
                tracing::warn!(why, "the store is degraded; the channel goes on from memory");
            }
            std::mem::replace(&mut status.store_degraded, why.clone()) != why
        });
    }

    /// Tells readers what is new.
    fn publish(&mut self) {
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

    fn submit(&self, work: Work) {
        if self.committer.submit(work).is_err() {
            tracing::warn!("the store is too far behind to be told of a document");
        }
    }
}

/// What an operator has to know of a channel that starts no encoders.
fn awaited(at: &Path) -> String {
    format!("an encoder is waited for at {}", at.display())
}

impl Setup {
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
