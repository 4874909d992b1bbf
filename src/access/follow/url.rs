//! A set at a URL, which is asked now and then, and sooner when somebody comes with a key that is not known.

use std::time::Duration;

use reqwest::{Client, Response, redirect::Policy};
use thiserror::Error;
use tokio::{sync::Notify, time::sleep};

use crate::access::{
    jwks::{self, LONGEST},
    key::Key,
};

/// How often the set is asked for.
const EVERY: Duration = Duration::from_secs(300);
/// How soon again at the earliest, whoever comes with whatever key.
const NOT_SOONER: Duration = Duration::from_secs(15);
/// How soon again after the first failure; after each further one twice as late, but not later than usual.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// For all of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const REDIRECTS: usize = 3;

/// Why there is no set.
#[derive(Debug, Error)]
enum Failure {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer has more than {LONGEST} bytes")]
    TooLong,
    #[error("{0}")]
    Set(#[from] jwks::Unusable),
}

pub(super) async fn follow(url: &str, publish: impl Fn(Vec<Key>), wish: &Notify) {
    // Its query may hold a secret.
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    let client = match client(url) {
        Ok(client) => client,
        Err(reason) => return tracing::error!(%reason, "no keys can be fetched from {shown}"),
    };
    let mut pause = FIRST_PAUSE;
    loop {
        match fetch(&client, url).await {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the key set {shown}");
                publish(keys);
                pause = FIRST_PAUSE;
                tokio::select! {
                    () = sleep(EVERY) => {}
                    () = async { sleep(NOT_SOONER).await; wish.notified().await } => {}
                }
            }
            Err(reason) => {
                tracing::warn!(%reason, "the key set {shown} cannot be had; the keys before stay, and it is tried again in {pause:?}");
                sleep(pause).await;
                pause = (pause * 2).min(EVERY);
            }
        }
    }
}

fn client(url: &str) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
        .https_only(url.starts_with("https://"))
        .redirect(Policy::limited(REDIRECTS))
        .timeout(PATIENCE)
        .build()
}

async fn fetch(client: &Client, url: &str) -> Result<Vec<Key>, Failure> {
    let asked = async { body(client.get(url).send().await?.error_for_status()?).await };
    let text = asked.await.map_err(|failure| match failure {
        Failure::Http(error) => Failure::Http(error.without_url()),
        other => other,
    })?;
    Ok(jwks::parse(&text, false)?)
}

async fn body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    while let Some(piece) = response.chunk().await? {
        text.extend_from_slice(&piece);
        if text.len() > LONGEST {
            return Err(Failure::TooLong);
        }
    }
    Ok(text)
}
