//! The edge as a packager tells it: one response without an end for each channel, of whoever of several packagers publishes
//! it now.

mod ear;
mod failure;
mod tls;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, header};
use reqwest::{Client, Response, redirect::Policy};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

pub use self::tls::Error;
use self::{ear::Ear, failure::Failure};
use super::jittered;
use crate::{
    channel::{
        edge::Edge,
        relay::{BEAT, Picture},
    },
    clock,
    config::EdgeFeed,
};

/// Who says nothing for so long is gone, or out of reach.
const SILENCE: Duration = BEAT.saturating_mul(4);
/// How soon another is tried, and how seldom at the least.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// For so long after a packager has gone, pauses do not grow: viewers wait.
const HASTE: Duration = Duration::from_secs(5);

/// How seldom the log says again that nobody answers.
const REMINDER: Duration = Duration::from_secs(60);

/// What is told of a channel.
#[derive(Clone, Debug, Default)]
pub(super) enum Feed {
    /// Not all packagers have been asked yet.
    #[default]
    Awaited,
    /// Nobody tells anything.
    Away {
        /// What the one that was asked last has said.
        why: String,
    },
    /// A packager tells this.
    Here {
        /// Counts connections: what one tells follows from what it told before.
        connection: u64,
        /// URL of the packager.
        from: Arc<str>,
        /// What can be seen.
        picture: Picture,
    },
}

/// Asks packagers for the edge.
#[derive(Clone, Debug)]
pub struct Uplink {
    client: Client,
    from: Arc<[Arc<str>]>,
    secret: HeaderValue,
}

impl Uplink {
    /// Asks the packagers of `feed`, and tells them the `secret`.
    ///
    /// # Errors
    /// When certificates cannot be used, or the system has none to know others by.
    pub fn new(feed: &EdgeFeed, secret: &str) -> Result<Self, Error> {
        let client = Client::builder()
            .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .redirect(Policy::none())
            .connect_timeout(SILENCE);
        let client = tls::configured(client, feed)?.build().map_err(Error::Client)?;
        // A secret was checked to be of visible characters.
        let mut secret =
            HeaderValue::try_from(format!("Bearer {secret}")).unwrap_or(HeaderValue::from_static(""));
        secret.set_sensitive(true);
        Ok(Self { client, from: feed.from.iter().map(|from| from.as_str().into()).collect(), secret })
    }

    /// Tells what is told of `channel`, for ever: by who has published it last, as far as is `recorded`.
    pub(super) async fn follow(
        self,
        channel: &str,
        recorded: &watch::Receiver<Arc<Edge>>,
        tell: &watch::Sender<Feed>,
    ) {
        let began = clock::now();
        let (mut pause, mut gone) = (FIRST_PAUSE, None);
        let mut news = recorded.clone();
        let mut warned: BTreeMap<&str, (Instant, String)> = BTreeMap::new();
        for (connection, from) in (0..).zip(self.from.iter().cycle()) {
            let url = format!("{}/live/{channel}/edge", from.trim_end_matches('/'));
            let mut told = false;
            let epoch = news.borrow_and_update().epoch;
            let failure = self
                .listen(&url, Ear::new(recorded.clone()), |picture| {
                    told = true;
                    let (from, picture) = (from.clone(), picture.clone());
                    tell.send_replace(Feed::Here { connection, from, picture });
                })
                .await;
            // The first may stand by while the second publishes; but nobody waits for all of many that do not answer.
            let asked_all = connection + 1 >= self.from.len() as u64 || clock::now() - began > SILENCE;
            if told || asked_all {
                let why = format!("{from}: {failure}");
                // Of several, each has its own reason, again and again.
                let is_known = warned.get(&**from).is_some_and(|(at, before)| {
                    *before == why && clock::now().saturating_duration_since(*at) < REMINDER
                });
                if told || !is_known {
                    warned.insert(from, (clock::now(), why.clone()));
                    tracing::warn!(
                        why,
                        "the edge is not told; whole segments are shown as the store has them"
                    );
                }
                tell.send_replace(Feed::Away { why });
            }
            gone = if told { Some(clock::now()) } else { gone };
            let is_urgent = gone.is_some_and(|gone| clock::now().saturating_duration_since(gone) < HASTE);
            pause = rest(if is_urgent { FIRST_PAUSE } else { pause }, &mut news, epoch).await;
        }
    }

    /// Shows what is told at `url` until that ends; gives why.
    async fn listen(&self, url: &str, mut ear: Ear, mut show: impl FnMut(&Picture)) -> Failure {
        let mut response = match self.ask(url).await {
            Ok(response) => response,
            Err(failure) => return failure,
        };
        loop {
            let heard = match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(bytes))) => ear.hear(&bytes),
                Ok(Ok(None)) => return Failure::Ended,
                Ok(Err(error)) => return Failure::of(error),
                Err(_) => return Failure::Silent(SILENCE),
            };
            match heard {
                Ok(true) => show(ear.picture()),
                Ok(false) => {}
                Err(failure) => return failure,
            }
        }
    }

    async fn ask(&self, url: &str) -> Result<Response, Failure> {
        let asked = self.client.get(url).header(header::AUTHORIZATION, self.secret.clone()).send();
        let answer = timeout(SILENCE, asked).await.map_err(|_| Failure::Silent(SILENCE))?;
        let response = answer.map_err(Failure::of)?;
        if response.status().is_success() {
            tracing::info!(url, "the edge is told");
            return Ok(response);
        }
        let reason = response.headers().get("headwater-reason").and_then(|reason| reason.to_str().ok());
        Err(Failure::Refused { status: response.status(), reason: reason.unwrap_or_default().to_owned() })
    }
}

/// Waits for so long, or until a record shows that somebody publishes since `epoch`; gives how long to wait the next time.
async fn rest(pause: Duration, news: &mut watch::Receiver<Arc<Edge>>, epoch: u64) -> Duration {
    sleep(jittered(FIRST_PAUSE)).await;
    tokio::select! {
        () = sleep(jittered(pause.saturating_sub(FIRST_PAUSE))) => (pause * 2).min(LONGEST_PAUSE),
        Ok(_) = news.wait_for(|edge| edge.epoch != epoch) => FIRST_PAUSE,
    }
}
