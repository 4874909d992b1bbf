//! Writes the record: over the one that this packager wrote before, and over nobody else's.

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use super::{Stamp, Tenure, Terms};
use crate::{
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
    /// Clears away what earlier ones have left, and ends with this.
    pub(super) _past: Option<AbortOnDropHandle<()>>,
}

impl Pen {
    /// Of who writes nothing.
    pub(in crate::channel) fn none(store: Store, terms: Terms) -> Self {
        let tenure = Tenure::new(terms, store.effort().budget, clock::now());
        tenure.lose();
        Self { store, stamp: Stamp::default(), version: None, tenure, _past: None }
    }

    /// Of who writes the first record.
    #[cfg(test)]
    pub(in crate::channel) fn fresh(store: Store, terms: Terms) -> Self {
        let tenure = Tenure::new(terms, store.effort().budget, clock::now());
        Self { store, stamp: Stamp::default(), version: None, tenure, _past: None }
    }

    /// Of who writes over whatever lies at `path`.
    #[cfg(test)]
    pub(in crate::channel) async fn over(store: Store, terms: Terms, path: &str) -> Self {
        let version = store.look(path).await.ok().map(|seen| seen.version);
        Self { version, ..Self::fresh(store, terms) }
    }

    /// The store as who is active may write to it.
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

    /// Writes a record.
    ///
    /// # Errors
    /// [`Error::Superseded`] once somebody else has written one; those of the store.
    pub(in crate::channel) async fn write(&mut self, path: &str, record: Bytes) -> Result<(), Error> {
        let asked = clock::now();
        let written = self.write_once(path, record).await;
        match &written {
            Ok(()) => self.tenure.confirm(asked),
            Err(Error::Superseded { .. }) => self.tenure.lose(),
            Err(_) => self.tenure.fail(asked, clock::now()),
        }
        written
    }

    async fn write_once(&mut self, path: &str, record: Bytes) -> Result<(), Error> {
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
}
