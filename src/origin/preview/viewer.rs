//! One viewer, from the handshake to the end.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval_at, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    echo::Echo,
    feed::Feed,
    pace::{Pace, Verdict},
    query::Query,
    socket::{Event, Socket},
    viewers::Place,
};
use crate::{
    channel::{edge::Reader, status::State},
    clock,
    ladder::wire::viewer::{self, Notice, Request},
    origin::{Transport, public},
};

/// How often a viewer is asked whether it is there.
const PING: Duration = Duration::from_secs(15);
/// Bytes that are handed to the system at once, so that the rest can still be left out.
const BATCH: usize = 16 << 10;
/// Close code of who may watch no longer: one of those that are left to us (RFC 6455 7.4.2), after HTTP's 401.
const EXPIRED: u16 = 4401;
/// Messages of a viewer in [`MESSAGES_WITHIN`].
const MESSAGES: u32 = 50;
const MESSAGES_WITHIN: Duration = Duration::from_secs(10);

/// Why it is over.
#[derive(Debug)]
enum Ending {
    /// The peer has said that it leaves.
    Closed,
    /// The connection broke.
    Gone,
    /// The peer has not been heard of.
    Silent,
    /// The peer has broken the protocol, and is being told so.
    Broken(tokio_websockets::Error),
    /// We close, for a reason.
    Close(u16, String),
}

/// A viewer at work.
#[derive(Debug)]
pub(super) struct Viewer {
    socket: Socket,
    feed: Feed,
    pace: Pace,
    echo: Echo,
    reader: Reader,
    place: Arc<Place>,
    /// Since when the first frame could have been sent that the system has not taken yet.
    sending_since: Option<Instant>,
    /// The state that the viewer knows.
    told: Option<State>,
    heard: bool,
    refused: bool,
    messages: (Instant, u32),
    /// When the viewer's token ends, if it has one.
    deadline: Option<Instant>,
}

impl Viewer {
    pub(super) fn new(
        stream: Transport,
        reader: Reader,
        query: &Query,
        place: Arc<Place>,
        deadline: Option<Instant>,
    ) -> Self {
        let now = clock::now();
        Self {
            socket: Socket::new(stream),
            feed: Feed::new(query, now),
            pace: Pace::new(now),
            echo: Echo::new(now),
            reader,
            place,
            sending_since: None,
            told: None,
            heard: true,
            refused: false,
            messages: (now, 0),
            deadline,
        }
    }

    /// Shows the channel until the viewer leaves, the channel ends, or `shutdown`.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let ending = self.watch(&shutdown).await;
        let Self { socket, place, .. } = self;
        let channel = &place.channel;
        match ending {
            Ending::Closed => {
                tracing::debug!(channel, "a viewer left");
                socket.finish().await;
            }
            Ending::Gone => tracing::debug!(channel, "a viewer's connection broke"),
            Ending::Silent => tracing::debug!(channel, "a viewer has not been heard of: dropped"),
            Ending::Broken(reason) => {
                tracing::info!(channel, %reason, "a viewer broke the protocol");
                place.metrics.closed("broken");
                socket.finish().await;
            }
            Ending::Close(code, reason) => {
                tracing::info!(channel, code, reason, "a viewer's connection is closed");
                place.metrics.closed(closing(code));
                socket.close(code, &reason).await;
            }
        }
    }

    async fn watch(&mut self, shutdown: &CancellationToken) -> Ending {
        let mut pings = interval_at((clock::now() + PING).into(), PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.line_up();
        self.tell_state();
        loop {
            self.send();
            match self.next(shutdown, &mut pings).await.and_then(|()| self.judge()) {
                Ok(()) => {}
                Err(ending) => return ending,
            }
        }
    }

    /// Lets one thing happen.
    async fn next(&mut self, shutdown: &CancellationToken, pings: &mut Interval) -> Result<(), Ending> {
        let Self { socket, feed, reader, deadline, .. } = self;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Err(Ending::Close(1001, "the server is going down".into())),
            () = passed(*deadline) => return Err(Ending::Close(EXPIRED, "the token has expired".into())),
            event = socket.next() => return self.hear(event),
            true = changed(&mut reader.lineup) => self.line_up(),
            true = changed(&mut reader.status) => self.tell_state(),
            () = feed.changed() => {}
            _ = pings.tick() => {
                if !std::mem::take(&mut self.heard) {
                    return Err(Ending::Silent);
                }
                // Also while nothing is sent.
                self.socket.ping();
            }
        }
        Ok(())
    }

    fn line_up(&mut self) {
        let lineup = self.reader.lineup.borrow_and_update().clone();
        self.feed.line_up(lineup, clock::now());
    }

    fn tell_state(&mut self) {
        // The status tells of more than the state.
        let state = self.reader.status.borrow_and_update().state.clone();
        if self.told.as_ref() != Some(&state) {
            let (word, why) = public::words(&state);
            self.feed.tell(&Notice::State { state: word, why });
            self.told = Some(state);
        }
    }

    /// Hands over what is next, if the system has taken what was before.
    fn send(&mut self) {
        let now = clock::now();
        let mut queued = 0;
        while self.socket.is_idle() || (0 < queued && queued < BATCH) {
            let Some(item) = self.feed.pull(now) else { break };
            queued += item.frame.len();
            if self.sending_since.is_none() {
                self.sending_since = item.since;
            }
            self.socket.queue(item.frame);
        }
        if queued > 0 && self.echo.is_due(now) {
            self.socket.ping();
        }
        self.place.metrics.sent(queued as u64);
    }

    fn hear(&mut self, event: Event) -> Result<(), Ending> {
        self.heard |= matches!(event, Event::Message(_) | Event::Pong | Event::Ping);
        if matches!(event, Event::Pong) {
            self.echo.heard(clock::now());
        }
        match event {
            Event::Sent => {
                if let Some(since) = self.sending_since.take() {
                    self.place.metrics.delayed(clock::now().saturating_duration_since(since));
                }
                Ok(())
            }
            Event::Message(message) => self.obey(&message),
            Event::Pong | Event::Ping => Ok(()),
            Event::Text => Err(Ending::Close(1003, "a message is binary here".into())),
            Event::Closed => Err(Ending::Closed),
            Event::Gone => Err(Ending::Gone),
            Event::Broken(error) => Err(Ending::Broken(error)),
        }
    }

    fn obey(&mut self, message: &Bytes) -> Result<(), Ending> {
        let now = clock::now();
        let (since, count) = self.messages;
        self.messages =
            if now.duration_since(since) < MESSAGES_WITHIN { (since, count + 1) } else { (now, 1) };
        if self.messages.1 > MESSAGES {
            return Err(Ending::Close(1008, format!("more than {MESSAGES} messages in ten seconds")));
        }
        let refused = match viewer::request(message) {
            Ok(Request::Select(selection)) => self.feed.ask(selection, now).err(),
            Ok(Request::Pause) => {
                self.feed.pause();
                None
            }
            Ok(Request::Resume) => {
                self.feed.resume(now);
                None
            }
            Ok(Request::Ping) => {
                self.feed.pong();
                None
            }
            Ok(Request::Pong) => None,
            Err(error @ viewer::Error::Kind(_)) => Some(error.to_string()),
            Err(error) => return Err(Ending::Close(1007, error.to_string())),
        };
        if let Some(why) = refused {
            self.refuse(why);
        }
        Ok(())
    }

    fn refuse(&mut self, why: String) {
        // Once, as it is the same program that goes on making the same mistake.
        if !std::mem::replace(&mut self.refused, true) {
            tracing::info!(channel = self.place.channel, why, "a viewer's message was refused");
        }
        self.feed.tell(&Notice::Refused { why });
    }

    /// Does what has to be done about a line that is slow, or is so no longer.
    fn judge(&mut self) -> Result<(), Ending> {
        let now = clock::now();
        let since = self.sending_since.into_iter().chain(self.feed.waiting_since()).min();
        let waited = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        match self.pace.judge(waited, self.echo.delay(now), self.feed.choice(), now) {
            Verdict::Keep => {}
            Verdict::Lower => {
                self.place.metrics.lowered();
                self.feed.lower();
            }
            Verdict::Higher => {
                self.place.metrics.raised();
                self.feed.higher();
            }
            Verdict::Skip => {
                self.place.metrics.skipped();
                self.feed.skip(now);
                // What the system has not taken yet cannot be left out any more, and is judged anew.
                self.sending_since = self.sending_since.map(|_| now);
            }
            Verdict::TooSlow => {
                return Err(Ending::Close(1013, "the line is too slow for the smallest track".into()));
            }
        }
        if let Some(track) = self.feed.wish(now) {
            self.reader.key_frames.ask(track);
        }
        if matches!(self.reader.status.borrow().state, State::Ended)
            && self.socket.is_idle()
            && self.feed.waiting_since().is_none()
        {
            return Err(Ending::Close(1000, "the channel has ended".into()));
        }
        Ok(())
    }
}

/// False once there will be no more changes: then it is for others to say that it is over.
async fn changed<T>(receiver: &mut watch::Receiver<T>) -> bool {
    receiver.changed().await.is_ok()
}

/// Over when `deadline` has passed; never, if there is none.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

/// The metric's word for a close code.
fn closing(code: u16) -> &'static str {
    match code {
        1000 => "ended",
        1001 => "going-away",
        1013 => "too-slow",
        EXPIRED => "expired",
        _ => "broken",
    }
}
