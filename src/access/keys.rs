//! The keys that tokens are judged by, and which of them is for a token.

use jsonwebtoken::{Algorithm, Header};

use super::{key::Key, token::Invalid};

/// Keys of the configuration and of a set that others keep.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    own: Vec<Key>,
    set: Vec<Key>,
    /// Another one for other keys.
    pub(super) generation: u64,
}

impl Keys {
    /// Those of the configuration, and those of a set.
    pub fn new(own: Vec<Key>, set: Vec<Key>) -> Self {
        Self { own, set, generation: 0 }
    }

    /// The same with the set that there is now.
    pub(super) fn with(&self, set: Vec<Key>) -> Self {
        Self { own: self.own.clone(), set, generation: self.generation + 1 }
    }

    /// The key for a token: that of its `kid`. A token without one is judged by the only key of its algorithm, and if
    /// there are several by none: trying them all would cost whoever likes to a signature each.
    pub(super) fn find(&self, header: &Header) -> Result<&Key, Invalid> {
        let mut all = self.own.iter().chain(&self.set);
        let Some(id) = &header.kid else { return self.only(header.alg) };
        let named = all.find(|key| key.id.as_ref() == Some(id)).ok_or(Invalid::UnknownKey)?;
        if named.algorithm == header.alg { Ok(named) } else { Err(Invalid::Algorithm) }
    }

    fn only(&self, algorithm: Algorithm) -> Result<&Key, Invalid> {
        let mut fitting = self.own.iter().chain(&self.set).filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Invalid::Algorithm),
            (Some(_), Some(_)) => Err(Invalid::UnnamedKey),
        }
    }
}
