//! On air before the store has taken anything: who starts on a disk that is full does not keep its viewers waiting.
//!
//! That is for who is alone. Where somebody else may be publishing, or may be about to, the store has to say first who does.

use super::{Candidate, Claim, Hindrance, Pen, Tenure, past, watch::Sight};
use crate::{
    channel::record,
    clock,
    store::{Error, Lock},
};

/// Of who publishes and has claimed nothing: does so with the first that is written.
#[derive(Debug)]
pub(super) struct Ahead {
    candidate: Candidate,
    /// What there was of the record: it is claimed as long as it is that.
    sight: Sight,
    /// Nobody else goes ahead meanwhile.
    _lock: Lock,
}

impl Candidate {
    /// Publishes before the store has taken anything. That is for who is alone: the last that did is gone for certain, and
    /// the directory is locked. Else two would be on air that cannot know of each other.
    pub(super) async fn go_ahead(&self, epoch: u64, sight: &Sight) -> Option<Claim> {
        let is_free = sight.version.is_some() && (sight.over || sight.gone);
        if !is_free || self.store.has_to_be_fenced() {
            return None;
        }
        let lock = self.store.lock(&self.prefix).await?;
        let kept = record::read(&self.store, &self.prefix).await.ok()?;
        let tenure = Tenure::ahead(self.terms, self.store.effort().budget, clock::now());
        let mut candidate = self.clone();
        candidate.adopts = None;
        let ahead = Some(Ahead { candidate, sight: sight.clone(), _lock: lock });
        let pen = Pen { ahead, ..Pen::new(self.store.clone(), self.stamp(epoch), None, tenure) };
        Some(Claim { pen, kept })
    }
}

impl Ahead {
    /// Takes the `epoch` that was gone ahead with.
    ///
    /// # Errors
    /// [`Error::Superseded`] if somebody else has taken one since; those of the store.
    pub(super) async fn claim(&mut self, epoch: u64) -> Result<Claim, Error> {
        match self.candidate.take(epoch, &self.sight).await {
            Ok(Some(claim)) => Ok(claim),
            Err(Hindrance::Store(error)) => Err(error),
            Ok(None) | Err(_) => Err(Error::Superseded { path: past::path(&self.candidate.prefix, epoch) }),
        }
    }
}

#[cfg(test)]
mod tests;
