//! By which certificates packagers are known over https, and which one a node shows them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use reqwest::{Certificate, ClientBuilder, Identity};
use thiserror::Error;

use crate::config::{EdgeFeed, Pair};

/// Why packagers cannot be asked.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("server.{key}: cannot read {}: {source}", path.display())]
    Unreadable {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It has no authorities in it.
    #[error("server.edge_ca_file: {} has no certificate of an authority in PEM, with BEGIN CERTIFICATE", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// They cannot be used together.
    #[error("server.edge_key_file: {} and {} are no certificate and key in PEM, the key without a password", certificate.display(), key.display())]
    NoPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The system has no certificates to know others by, or those that were given are of no use.
    #[error("server.edge_from: no connections over https can be made: {0}")]
    Client(reqwest::Error),
}

/// Who connects as `feed` says.
pub(super) fn configured(mut client: ClientBuilder, feed: &EdgeFeed) -> Result<ClientBuilder, Error> {
    if let Some(path) = &feed.ca {
        let authorities = Certificate::from_pem_bundle(&read("edge_ca_file", path)?).unwrap_or_default();
        if authorities.is_empty() {
            return Err(Error::NoAuthority { path: path.clone() });
        }
        client = client.tls_certs_only(authorities);
    }
    if let Some(Pair { certificate, key }) = &feed.identity {
        let both = [read("edge_certificate_file", certificate)?, b"\n".to_vec(), read("edge_key_file", key)?]
            .concat();
        let no_pair = |_| Error::NoPair { certificate: certificate.clone(), key: key.clone() };
        client = client.identity(Identity::from_pem(&both).map_err(no_pair)?);
    }
    Ok(client)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Unreadable { key, path: path.into(), source })
}
