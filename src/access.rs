//! Who may watch what is signed: whoever has a token (a JWT, RFC 7519) that one of our keys has signed and that opens the
//! path, now (docs/access.md).
//!
//! [`mod@token`] says what a token says, [`claims`] whether that is enough, [`known`] remembers it; [`key`], [`keys`] and
//! [`jwks`] are what tokens are judged by, [`load`] reads them and [`follow`] keeps them fresh. [`mint`] makes tokens.

pub mod claims;
mod follow;
mod jwks;
pub mod key;
pub mod keys;
mod known;
mod load;
pub mod mint;
pub mod token;

use std::{collections::BTreeSet, sync::Arc};

use thiserror::Error;
use tokio::sync::{Notify, watch};

pub use self::{follow::Follower, load::Error};
use self::{
    keys::Keys,
    known::Known,
    token::{Expected, Invalid},
};
use crate::config::{Config, Who};

/// Why somebody may not watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Denial {
    /// There is no token.
    #[error("no token")]
    Absent,
    /// It is not one of ours.
    #[error("the token is not valid")]
    Invalid,
    /// It has expired, or does not count yet.
    #[error("the token is not valid at this time")]
    OutOfTime,
    /// It opens something else.
    #[error("the token opens something else")]
    Elsewhere,
}

/// What is signed, and who may watch it.
#[derive(Debug)]
pub struct Access {
    channels: BTreeSet<String>,
    vod: bool,
    expected: Expected,
    keys: watch::Receiver<Arc<Keys>>,
    known: Known,
    /// Told when somebody comes with a key that is not known.
    wish: Arc<Notify>,
}

impl Access {
    /// Everything is open.
    pub fn open() -> Self {
        Self::new(BTreeSet::new(), false, Expected::default(), watch::channel(Arc::default()).1)
    }

    /// `channels`, and packaged files if `vod`, are for those whose token one of `keys` has signed.
    pub fn new(
        channels: BTreeSet<String>,
        vod: bool,
        expected: Expected,
        keys: watch::Receiver<Arc<Keys>>,
    ) -> Self {
        Self { channels, vod, expected, keys, known: Known::new(), wish: Arc::default() }
    }

    /// What a configuration says, and what keeps its keys fresh, if they have to be.
    ///
    /// # Errors
    /// Whatever is wrong with a key, by its name in the configuration.
    pub fn of(config: &Config) -> Result<(Self, Option<Follower>), Error> {
        let access = &config.access;
        let signed = config.channels.iter().filter(|(_, channel)| channel.access == Who::Signed);
        let channels = signed.map(|(name, _)| name.clone()).collect();
        let expected = Expected { audience: access.audience.clone(), issuer: access.issuer.clone() };
        let (publish, keys) = watch::channel(Arc::new(load::keys(access)?));
        let this = Self::new(channels, access.vod == Who::Signed, expected, keys);
        let follower = access.jwks.clone().map(|set| Follower::new(set, publish, this.wish.clone()));
        Ok((this, follower))
    }

    /// True if a live channel is signed.
    pub fn is_signed(&self, channel: &str) -> bool {
        self.channels.contains(channel)
    }

    /// True if packaged files are signed.
    pub fn is_vod_signed(&self) -> bool {
        self.vod
    }

    /// Until when, in seconds since the Unix epoch as `now` is, `token` opens `path`.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, path: &str, token: Option<&str>, now: i64) -> Result<i64, Denial> {
        let token = token.ok_or(Denial::Absent)?;
        let keys = self.keys.borrow().clone();
        let judge = || token::verify(token, &keys, &self.expected);
        let claims = self.known.get(token, keys.generation, judge).map_err(|reason| {
            if reason == Invalid::UnknownKey {
                self.wish.notify_one();
            }
            tracing::debug!(%reason, "a token was refused");
            Denial::Invalid
        })?;
        if !claims.hold_at(now) {
            Err(Denial::OutOfTime)
        } else if !claims.cover(path) {
            Err(Denial::Elsewhere)
        } else {
            Ok(claims.expires())
        }
    }
}

#[cfg(test)]
mod tests;
