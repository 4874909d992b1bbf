//! Follows presentations as players do, and lets the rules judge what comes.

mod hints;
mod hls;
mod jobs;
mod media;
mod mpd;
mod playlists;
mod probes;
mod recheck;
mod representation;
mod track;
mod utc;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::Url;
use tokio_util::sync::CancellationToken;

use super::{
    client::{Ask, Client, Failure, Reply},
    finding::{Check, Place},
    hls::Range,
    judge::{Judge, Ledger},
    lag::Lag,
    rules::{bodies::Bodies, cache, clocks::ServerClock},
};

pub(super) use self::{hls::Presentation, mpd::follow as mpd, recheck::Rechecks};

/// No media of a sane presentation takes longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What all that follow have in common.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) client: Client,
    pub(super) ledger: Ledger,
    pub(super) stop: CancellationToken,
    pub(super) bodies: Arc<Mutex<Bodies>>,
    pub(super) clock: Arc<Mutex<ServerClock>>,
    pub(super) rechecks: Arc<Rechecks>,
    pub(super) lag: Lag,
}

/// Locks for a moment; what is in it is whole even if another task panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What media is, where it is, and what it is called if it is missing.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) url: Url,
    pub(super) range: Option<Range>,
    pub(super) place: Place,
    pub(super) missing: Check,
    /// For so long it is listed at least, and caches should keep it; `None` where this is not judged.
    pub(super) listed: Option<Duration>,
}

impl Run {
    pub(super) fn new(client: Client, stop: CancellationToken) -> Self {
        Self {
            client,
            ledger: Ledger::default(),
            stop,
            bodies: Arc::default(),
            clock: Arc::default(),
            rechecks: Arc::default(),
            lag: Lag::default(),
        }
    }

    /// The same run, which another token ends.
    pub(super) fn until(&self, stop: CancellationToken) -> Self {
        Self { client: self.client.until(stop.clone()), stop, ..self.clone() }
    }

    /// Time since the run began.
    fn now(&self) -> Duration {
        self.client.watch().now()
    }

    /// Unix time on the server's clock, in nanoseconds, as well as it is known.
    fn server_unix(&self) -> i64 {
        self.client.watch().unix(self.now()) + lock(&self.clock).ahead()
    }

    /// How long a reply took to begin, without what held up this process.
    fn waited(&self, reply: &Reply) -> Duration {
        reply.waited().saturating_sub(self.lag.between(reply.sent, reply.head))
    }

    fn judge(&self, url: &Url) -> Judge {
        Judge::new(url.as_str(), self.now())
    }

    /// False if the run is over before.
    async fn sleep(&self, span: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(span) => true,
        }
    }

    /// Asks, and learns what time it is there.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Reply, Failure> {
        let reply = self.client.ask(ask).await?;
        lock(&self.clock).learn(self.client.watch(), &reply);
        Ok(reply)
    }

    /// Fetches media, and judges that it is there (I-05), the same as ever (I-06), and cached rightly.
    async fn fetch(&self, wanted: &Wanted, within: Duration) -> Option<Reply> {
        let ask = Ask { range: wanted.range, ..Ask::new(wanted.url.clone(), within) };
        let reply = self.ask(&ask).await;
        self.judge_media(wanted, reply)
    }

    fn judge_media(&self, wanted: &Wanted, reply: Result<Reply, Failure>) -> Option<Reply> {
        let Wanted { place, missing, .. } = *wanted;
        let mut judge = self.judge(&wanted.url);
        let reply = match reply {
            Err(Failure::Stopped) => return None,
            Err(failure) => {
                judge.holds(missing, place, false, || failure.to_string());
                self.ledger.take(judge);
                return None;
            }
            Ok(reply) => reply,
        };
        judge.holds(missing, place, reply.is_ok(), || format!("status {}", reply.status));
        if reply.is_ok() {
            if let Some(listed) = wanted.listed {
                cache::media(&mut judge, place, listed, &reply);
            }
            lock(&self.bodies).meet(&mut judge, place, wanted.range, &reply);
        } else {
            cache::error(&mut judge, place, Duration::from_secs(1), &reply);
        }
        self.ledger.take(judge);
        reply.is_ok().then_some(reply)
    }
}
