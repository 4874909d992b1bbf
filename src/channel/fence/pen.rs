//! Writes the record: over the one that this packager wrote before, and over nobody else's.

use std::time::Instant;

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use super::{Stamp, Tenure, Terms, ahead::Ahead};
use crate::{
    channel::seal,
    clock,
    store::{Error, Store, Version},
};

/// What the record was when it was last known to be ours.
#[derive(Debug)]
pub(in crate::channel) struct Pen {
    pub(super) store: Store,
    pub(super) stamp: Stamp,
    pub(super) version: Option<Version>,
    pub(super) tenure: Tenure,
    /// Until it is claimed.
    pub(super) ahead: Option<Ahead>,
    /// Path and text of the record that was written last.
    pub(super) last: Option<(String, Bytes)>,
    /// How often one was written again.
    pub(super) again: u64,
    /// Clears away what earlier ones have left, and ends with this.
    pub(super) past: Option<AbortOnDropHandle<()>>,
}

impl Pen {
    /// Of who may publish from now on.
    pub(super) fn new(store: Store, stamp: Stamp, version: Option<Version>, tenure: Tenure) -> Self {
        Self { store, stamp, version, tenure, ahead: None, last: None, again: 0, past: None }
    }

    /// Of who writes nothing.
    pub(in crate::channel) fn none(store: Store, terms: Terms) -> Self {
        let tenure = Tenure::ahead(terms, store.effort().budget, clock::now());
        tenure.lose();
        Self::new(store, Stamp::default(), None, tenure)
    }

    /// Of who writes the first record.
    #[cfg(test)]
    pub(in crate::channel) fn fresh(store: Store, terms: Terms) -> Self {
        let tenure = Tenure::new(terms, store.clone(), clock::now());
        Self::new(store, Stamp::default(), None, tenure)
    }

    /// The store, for who has nothing to write.
    pub(in crate::channel) fn store(&self) -> &Store {
        &self.store
    }

    /// How long this goes on.
    pub(in crate::channel) fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Who writes.
    pub(in crate::channel) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The store, as soon as something may be written to it that has no conditions.
    ///
    /// # Errors
    /// [`Error::Superseded`] if somebody else has taken over; those of the store.
    pub(in crate::channel) async fn permit(&mut self) -> Result<Store, Error> {
        let asked = clock::now();
        if let Err(error) = self.claim(asked).await {
            self.fail(&error, asked);
            return Err(error);
        }
        if !self.tenure.is_held() {
            self.write_again().await?;
        }
        Ok(self.tenure.permit().await)
    }

    /// Writes the last record once more: what waits for that comes before the next one.
    async fn write_again(&mut self) -> Result<(), Error> {
        let Some((path, record)) = self.last.clone() else { return Ok(()) };
        self.again += 1;
        // It is one of ours, and so is JSON.
        let mut again: serde_json::Value = serde_json::from_slice(&record).unwrap_or_default();
        again["fence"]["again"] = self.again.into();
        self.write(&path, seal::reseal(again)).await
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`Error::Superseded`] once somebody else has written one; those of the store.
    pub(in crate::channel) async fn write(&mut self, path: &str, record: Bytes) -> Result<(), Error> {
        let asked = clock::now();
        let written = self.write_once(path, record.clone(), asked).await;
        match &written {
            Ok(()) => {
                self.tenure.confirm(asked);
                self.last = Some((path.to_owned(), record));
            }
            Err(error) => self.fail(error, asked),
        }
        written
    }

    fn fail(&self, error: &Error, asked: Instant) {
        match error {
            Error::Superseded { .. } => self.tenure.lose(),
            _ => self.tenure.fail(asked, clock::now()),
        }
    }

    async fn write_once(&mut self, path: &str, record: Bytes, asked: Instant) -> Result<(), Error> {
        self.claim(asked).await?;
        let superseded = match self.store.revise(path, vec![record.clone()], self.version.as_ref()).await {
            Ok(version) => {
                self.version = Some(version);
                return Ok(());
            }
            Err(error @ Error::Superseded { .. }) => error,
            Err(error) => return Err(error),
        };
        // One that we had given up may have landed all the same.
        let seen = self.store.look(path).await?;
        let stamp = Stamp::of(&seen.body).unwrap_or_default().fence;
        if (stamp.epoch, &stamp.writer) != (self.stamp.epoch, &self.stamp.writer) {
            return Err(superseded);
        }
        self.version = Some(self.store.revise(path, vec![record], Some(&seen.version)).await?);
        Ok(())
    }

    /// Claims what was gone ahead with, if that is yet to be done.
    async fn claim(&mut self, asked: Instant) -> Result<(), Error> {
        let Some(ahead) = &mut self.ahead else { return Ok(()) };
        let claimed = ahead.claim(self.stamp.epoch).await?.pen;
        tracing::info!(epoch = self.stamp.epoch, "the store takes this server for the one that publishes");
        (self.version, self.last, self.past) = (claimed.version, claimed.last, claimed.past);
        self.store = claimed.store.clone();
        self.tenure.begin(claimed.store, asked);
        self.ahead = None;
        Ok(())
    }
}
