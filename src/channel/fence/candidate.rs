//! A packager that does not publish and is ready to: looks at the record until nobody else does, and makes it its own.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use headwater_packager::time::Grid;
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use super::{
    Hindrance, Pen, Stamp, Tenure, Terms, past,
    watch::{Sight, Verdict, Watch},
    writer,
};
use crate::{
    channel::{
        orphans,
        record::{self, Record, TrackRecord},
        seal,
    },
    clock, config,
    ladder::wire::Message,
    store::{Error, Store, Version},
};

/// Wants to publish a channel.
#[derive(Clone, Debug)]
pub(in crate::channel) struct Candidate {
    pub(super) store: Store,
    pub(super) prefix: Arc<str>,
    pub(super) terms: Terms,
    writer: String,
    watch: Watch,
    /// What the record of a channel says that has none.
    empty: Record,
    /// By which segments are numbered, for who goes on with those that no record has named yet. Who is on air already has
    /// filled their places.
    pub(super) adopts: Option<Grid>,
}

/// The right to publish, and what is kept to go on from.
#[derive(Debug)]
pub(in crate::channel) struct Claim {
    pub(in crate::channel) pen: Pen,
    pub(in crate::channel) kept: Option<(Record, Vec<Message>)>,
}

/// What `fence-{epoch}.json` says.
#[derive(Serialize)]
struct Fence<'a> {
    epoch: u64,
    writer: &'a str,
    /// Seconds since the Unix epoch.
    since: i64,
}

impl Candidate {
    /// For the channel that is kept under `prefix` of `store`, which spends on writes what the live edge may.
    pub(in crate::channel) fn new(
        store: Store,
        prefix: &str,
        terms: Terms,
        config: &config::Channel,
    ) -> Self {
        Self {
            store,
            prefix: prefix.into(),
            terms,
            writer: writer::name(),
            watch: Watch::new(terms.patience),
            empty: Record::new(&config.source, &config.ladder, false, BTreeMap::new()),
            adopts: Some(config.grid),
        }
    }

    /// Waits until the channel is ours, and tells whenever there is another reason why it is not.
    pub(in crate::channel) async fn wait(mut self, tell: impl Fn(String)) -> Claim {
        let mut told = String::new();
        loop {
            match self.attempt().await {
                Ok(Some(claim)) => return claim,
                Ok(None) => {}
                Err(hindrance) => {
                    let why = hindrance.to_string();
                    if told != why {
                        tell(why.clone());
                        told = why;
                    }
                }
            }
            sleep(self.terms.poll).await;
        }
    }

    /// Takes the channel if nobody has it; `None` if it may be had the next time.
    ///
    /// # Errors
    /// Why it is not to be had now.
    pub(in crate::channel) async fn attempt(&mut self) -> Result<Option<Claim>, Hindrance> {
        let (sight, epoch) = self.see().await?;
        match self.take(epoch, &sight).await {
            Err(Hindrance::Store(Error::Superseded { .. })) => Ok(None),
            Err(Hindrance::Store(error @ Error::Unavailable { .. })) => {
                let claim = self.go_ahead(epoch, &sight).await;
                if claim.is_some() {
                    tracing::warn!(%error, epoch, "the store takes nothing; nobody else publishes the channel, so it goes on air");
                }
                claim.map_or(Err(Hindrance::Store(error)), |claim| Ok(Some(claim)))
            }
            taken => taken,
        }
    }

    /// The epoch that can be tried for, and what there is of the record.
    async fn see(&mut self) -> Result<(Sight, u64), Hindrance> {
        let asked = clock::now();
        let sight = match self.look().await {
            Ok(sight) => sight,
            Err(error) => {
                self.watch.miss();
                return Err(Hindrance::Store(error));
            }
        };
        let Verdict::Try(epoch) = self.watch.see(&sight, asked, clock::now()) else {
            let Stamp { writer, epoch, .. } = sight.stamp;
            return Err(Hindrance::Active { writer, epoch });
        };
        Ok((sight, epoch))
    }

    async fn look(&self) -> Result<Sight, Error> {
        let none = || Sight { version: None, stamp: Stamp::default(), over: false, gone: false };
        let seen = match self.store.look(&record::path_in(&self.prefix)).await {
            Ok(seen) => seen,
            Err(Error::NotFound { .. }) => return Ok(none()),
            Err(error) => return Err(error),
        };
        let stamped = Stamp::of(&seen.body).unwrap_or_default();
        let stamp = stamped.fence;
        let gone = writer::is_gone(&stamp.writer) || self.store.is_left(&self.prefix, stamp.epoch).await;
        Ok(Sight {
            version: Some(seen.version),
            over: stamp.released || stamped.ended && stamped.complete,
            stamp,
            gone,
        })
    }

    /// Fences off all earlier epochs, and writes the record of this one.
    pub(super) async fn take(&mut self, epoch: u64, sight: &Sight) -> Result<Option<Claim>, Hindrance> {
        if self.store.has_to_be_fenced() {
            let unfenced = self.store.unfenced().await.map_err(Hindrance::Store)?;
            unfenced.map_or(Ok(()), |unfenced| Err(Hindrance::Unfenced(unfenced)))?;
        }
        if !self.fence(epoch).await? {
            return Ok(None);
        }
        let store = self.store.held(&self.prefix, epoch).await.map_err(Hindrance::Store)?;
        let path = record::path_in(&self.prefix);
        let before = match store.look(&path).await {
            Ok(seen) => Some(seen),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(Hindrance::Store(error)),
        };
        if before.as_ref().map(|seen| &seen.version) != sight.version.as_ref() {
            // Somebody lives, or was quicker.
            return Ok(None);
        }
        // Of the very record that is written over, whatever another read of it would give.
        let mut kept = match &before {
            Some(seen) => record::complete(&store, &self.prefix, &seen.body).await?,
            None => None,
        };
        // Who has stopped in good order has left none.
        let adopts = self.adopts.filter(|_| !sight.stamp.released);
        let adopted = match kept.as_mut().zip(adopts) {
            Some(((record, opening), grid)) => {
                let more = orphans::adopt(&store, &self.prefix, &grid, record, opening).await;
                more.into_iter().filter_map(|track| record.tracks.get_key_value(&track)).collect()
            }
            None => BTreeMap::new(),
        };
        let stamp = self.stamp(epoch);
        let before = before.map(|seen| (seen.version, seen.body));
        let (over, bytes) = self.claiming(before, &stamp, &adopted)?;
        let asked = clock::now();
        let version =
            store.revise(&path, vec![bytes.clone()], over.as_ref()).await.map_err(Hindrance::Store)?;
        tracing::info!(epoch, writer = self.writer, "this server publishes the channel");
        let tenure = Tenure::new(self.terms, store.clone(), asked);
        let past = Some(past::clear(self.store.clone(), self.prefix.clone(), epoch));
        let last = Some((path, bytes));
        Ok(Some(Claim { pen: Pen { past, last, ..Pen::new(store, stamp, Some(version), tenure) }, kept }))
    }

    /// That of the first record.
    pub(super) fn stamp(&self, epoch: u64) -> Stamp {
        Stamp { epoch, writer: self.writer.clone(), beat: 1, ..Stamp::default() }
    }

    /// True if the epoch is ours.
    async fn fence(&mut self, epoch: u64) -> Result<bool, Hindrance> {
        if self.watch.has(epoch) {
            return Ok(true);
        }
        let fence = Fence { epoch, writer: &self.writer, since: clock::wall_seconds() };
        let path = past::path(&self.prefix, epoch);
        // Serialising it cannot fail.
        let text = serde_json::to_vec(&fence).unwrap_or_default();
        match self.store.create(&path, vec![text.into()]).await {
            Ok(()) => self.watch.won(epoch),
            Err(Error::Taken { .. }) => {
                self.watch.lost(epoch);
                return Ok(false);
            }
            Err(error) => return Err(Hindrance::Store(error)),
        }
        Ok(true)
    }

    /// The record as it is, of another writer, but for tracks that have more now.
    fn claiming(
        &self,
        before: Option<(Version, Bytes)>,
        stamp: &Stamp,
        more: &BTreeMap<&String, &TrackRecord>,
    ) -> Result<(Option<Version>, Bytes), record::Error> {
        let Some((version, body)) = before else {
            return Ok((None, self.empty.clone().stamped(stamp.clone()).to_bytes()));
        };
        let path = record::path_in(&self.prefix);
        let damaged = |error: serde_json::Error| record::Error::Damaged {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut record: Value = serde_json::from_slice(&body).map_err(&damaged)?;
        record["fence"] = serde_json::to_value(stamp).map_err(&damaged)?;
        for (track, more) in more {
            record["tracks"][track]["archive"] = serde_json::to_value(&more.archive).map_err(&damaged)?;
        }
        Ok((Some(version), seal::reseal(record)))
    }
}
