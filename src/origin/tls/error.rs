//! Why a listener has no TLS.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why certificates cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file has no certificate in it, or something that is none.
    #[error("{} has no certificate in PEM, with BEGIN CERTIFICATE: {reason}", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },
    /// A file has no key in it, or one that has a password.
    #[error("{} has no private key in PEM without a password: {reason}", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },
    /// A certificate and a key do not belong together, or are of a kind that TLS does not have.
    #[error("{} and {} are no pair: {reason}", certificate.display(), key.display())]
    NoPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// The authorities of clients cannot be used.
    #[error("{} has no authorities for clients: {reason}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// The system gives no randomness, or the like.
    #[error("TLS is not to be had: {0}")]
    System(#[source] rustls::Error),
}
