//! Keeps an encoder process running: starts it, sees its end, waits, starts the next. Those that somebody else starts
//! come in through [`external`].

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout_at},
};

use crate::{
    clock,
    ladder::{
        job::Job,
        process::{Encoder, Error},
        wire::{Control, Event, Message},
    },
};

pub(super) mod external;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An encoder that was live this long earns its successor a quick start.
const PROVEN: Duration = Duration::from_secs(10);
/// A live encoder that sends nothing, not even why, hangs.
const SILENCE: Duration = Duration::from_secs(5);

/// What the channel hears of its encoder.
#[derive(Debug)]
pub(super) enum Report {
    /// A process has started.
    Started { pid: Option<u32> },
    /// It sent something.
    Message(Message),
    /// It is gone.
    Lost { why: String, next: Next },
    /// The channel starts none, and none has come so far.
    Awaited { at: PathBuf },
}

/// What follows on a lost encoder.
#[derive(Debug)]
pub(super) enum Next {
    /// None: the source has ended.
    Never,
    /// One that is started after a pause.
    Started(Duration),
    /// One that somebody else starts, when it comes to this socket.
    Awaited(PathBuf),
}

/// Runs encoders for `job`, and tells them what comes over `commands`, until the source ends or nobody listens to the
/// reports any more.
pub(super) async fn supervise(
    mut job: Job,
    program: PathBuf,
    reports: mpsc::Sender<Report>,
    mut commands: mpsc::Receiver<Control>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let encoder = Encoder::spawn(&job, &program).await;
        let run = run(encoder, &mut job, &reports, &mut commands).await;
        if reports.is_closed() {
            return;
        }
        pause = if run.live_for >= PROVEN { FIRST_PAUSE } else { pause };
        let next = if run.ended { Next::Never } else { Next::Started(pause) };
        let _ = reports.send(Report::Lost { why: run.why, next }).await;
        if run.ended {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = reports.closed() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// How one process went.
struct Run {
    why: String,
    ended: bool,
    live_for: Duration,
}

async fn run(
    encoder: Result<Encoder, Error>,
    job: &mut Job,
    reports: &mpsc::Sender<Report>,
    commands: &mut mpsc::Receiver<Control>,
) -> Run {
    let mut encoder = match encoder {
        Ok(encoder) => encoder,
        Err(error) => return Run { why: error.to_string(), ended: false, live_for: Duration::ZERO },
    };
    let _ = reports.send(Report::Started { pid: encoder.pid() }).await;
    let mut watch = Watch::default();
    loop {
        let message = tokio::select! {
            message = watch.next(&mut encoder) => message,
            Some(command) = commands.recv() => match encoder.send(command).await {
                Ok(()) => continue,
                Err(error) => Err(error.to_string()),
            },
            () = reports.closed() => {
                encoder.stop().await;
                return watch.over("the channel was stopped".into());
            }
        };
        match message {
            Ok(message) => {
                watch.hear(&message, job);
                let _ = reports.send(Report::Message(message)).await;
            }
            Err(why) => return watch.over(why),
        }
    }
}

/// What an encoder has said of itself.
#[derive(Default)]
struct Watch {
    live_since: Option<Instant>,
    /// When the last message came, while it is live.
    heard: Option<Instant>,
    last_words: Option<String>,
    ended: bool,
}

impl Watch {
    async fn next(&self, encoder: &mut Encoder) -> Result<Message, String> {
        let in_words = |error: Error| error.to_string();
        let Some(heard) = self.heard else { return encoder.next().await.map_err(in_words) };
        // Not from now on: what the encoder is told in the meantime does not make it any livelier.
        match timeout_at((heard + SILENCE).into(), encoder.next()).await {
            Ok(message) => message.map_err(in_words),
            Err(_) => {
                let (seconds, fate) = (SILENCE.as_secs(), encoder.fate());
                Err(format!("the encoder has sent nothing for {seconds} s and was {fate}"))
            }
        }
    }

    fn hear(&mut self, message: &Message, job: &mut Job) {
        match message {
            Message::Event(Event::Live { .. }) => self.live_since = Some(clock::now()),
            Message::Event(Event::Stalled { .. }) => self.live_since = None,
            Message::Event(Event::Ended) => self.ended = true,
            Message::Event(Event::Failed { why }) => self.last_words = Some(why.clone()),
            Message::Catalog(catalog) => {
                // A source that comes back at another frame rate is converted, so that the timescale stays.
                let rate = catalog.tracks.iter().find_map(|track| track.video()?.frame_rate);
                job.ladder.frame_rate = job.ladder.frame_rate.or(rate);
            }
            _ => {}
        }
        self.heard = self.live_since.map(|_| clock::now());
    }

    fn over(self, why: String) -> Run {
        Run {
            why: self.last_words.unwrap_or(why),
            ended: self.ended,
            live_for: self.live_since.map(|since| since.elapsed()).unwrap_or_default(),
        }
    }
}
