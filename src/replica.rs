//! Channels that another server packages into the same store: followed there, and served as if they were our own.
//!
//! `channel::mirror` shows what is recorded, [`pace`] says when to look, [`uplink`] hears from the packager what the store
//! does not have yet, [`screen`] shows the newer of the two, and [`standing`] says how that goes.

mod pace;
mod screen;
mod standing;
mod uplink;

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use futures_util::future::OptionFuture;
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub use self::uplink::Uplink;
use self::{
    pace::{Heard, Pace},
    screen::Screen,
    standing::{Around, Standing},
    uplink::Feed,
};
use crate::{
    channel::{
        Error,
        edge::Reader,
        frames::KeyFrames,
        mirror::{Mirror, Sight},
        status::{State, Status},
    },
    clock, config,
    store::Store,
};

/// How much earlier than is due it may be looked.
const JITTER: Duration = Duration::from_millis(50);

/// What it needs to follow a channel.
pub struct Setup {
    /// Its name in URLs and in the store.
    pub name: String,
    /// Its configuration: that of its packager.
    pub config: config::Channel,
    /// Where it is kept.
    pub store: Store,
    /// Who tells its edge, if anybody does.
    pub uplink: Option<Uplink>,
    /// Ends it.
    pub shutdown: CancellationToken,
}

/// Follows a channel from now on. It need not be there yet.
pub fn start(setup: Setup) -> (Reader, JoinHandle<()>) {
    let Setup { name, config, store, uplink, shutdown } = setup;
    let (mirror, recorded) = Mirror::new(&name, &config, store);
    let (told, status) = watch::channel(Status::default());
    let span = tracing::info_span!("channel", name);
    let pace = Pace::new(config.grid.segment, clock::now());
    let (tell, feed) = watch::channel(Feed::default());
    let standing = Standing::default();
    let task = Task { mirror, pace, standing, feed: feed.clone(), status: told.clone() };
    let (edge, follow) = match uplink {
        None => (recorded, None),
        Some(uplink) => {
            let (screen, edge) = Screen::new(recorded.clone(), feed, told, config.low_latency);
            let follow = async move { tokio::join!(uplink.follow(&name, &recorded, &tell), screen.run()) };
            (edge, Some(follow))
        }
    };
    let work = async move {
        let all = async { tokio::join!(task.run(), OptionFuture::from(follow)) };
        shutdown.run_until_cancelled(all).await;
    };
    // Frames do not go through the store.
    let (lineup, key_frames) = (watch::channel(Arc::default()).1, KeyFrames::new().0);
    (Reader { edge, status, lineup, key_frames }, tokio::spawn(work.instrument(span)))
}

/// Looks again and again.
struct Task {
    mirror: Mirror,
    pace: Pace,
    standing: Standing,
    feed: watch::Receiver<Feed>,
    status: watch::Sender<Status>,
}

impl Task {
    async fn run(mut self) {
        loop {
            let began = clock::now();
            let seen = self.mirror.look().await;
            let heard = match &seen {
                Ok(Sight::More { level, .. }) => Heard::More { level: *level },
                Ok(_) => Heard::Nothing,
                Err(_) => Heard::Failure,
            };
            self.tell(&seen);
            let now = clock::now();
            let pause = jittered(self.pace.next(heard, now));
            // A look that has waited for its answer until it was given up was a pause.
            let waited =
                if heard == Heard::Failure { now.saturating_duration_since(began) } else { Duration::ZERO };
            sleep(pause.saturating_sub(waited)).await;
        }
    }

    fn tell(&mut self, seen: &Result<Sight, Error>) {
        let around = Around {
            // Not borrowed while it is changed.
            before: self.status.borrow().state.clone(),
            // Whoever tells the edge is alive, whatever its store may be.
            is_told: matches!(*self.feed.borrow(), Feed::Here { .. }),
            is_overdue: self.pace.is_overdue(clock::now()),
        };
        let (state, store) = self.standing.after(seen, around);
        self.turn(state, store);
    }

    fn turn(&self, state: State, store: Option<String>) {
        self.status.send_if_modified(|status| {
            if status.state != state {
                tracing::info!(?state, "channel state");
            }
            match (&status.store_degraded, &store) {
                (None, Some(why)) => tracing::warn!(why, "the store does not say what is new"),
                (Some(_), None) => tracing::info!("the store says again what is new"),
                _ => {}
            }
            let turned = status.state != state || status.store_degraded != store;
            (status.state, status.store_degraded) = (state, store);
            turned
        });
    }
}

/// A little less, so that many servers do not ask at the same moment.
fn jittered(pause: Duration) -> Duration {
    let part = RandomState::new().hash_one(()) % 1000;
    pause - pause.min(JITTER).mul_f64(part as f64 / 1000.0)
}
