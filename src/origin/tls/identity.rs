//! Certificates with their keys, and which of them is for which name.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use webpki::EndEntityCert;

use super::error::Error;
use crate::config::Pair;

/// All certificates of a listener. The first is for everybody else.
#[derive(Debug)]
pub(super) struct Identities {
    keys: Vec<Arc<CertifiedKey>>,
    /// The name, in lower case and as the certificate has it (`*.example.com`), and where its certificate stands.
    names: HashMap<String, usize>,
}

impl Identities {
    pub(super) fn read(pairs: &[Pair], provider: &CryptoProvider) -> Result<Self, Error> {
        let mut identities = Self { keys: Vec::new(), names: HashMap::new() };
        for pair in pairs {
            let key = read(pair, provider)?;
            for name in names(&key, &pair.certificate)? {
                // Of two certificates for one name, the one that stands first in the configuration is shown.
                identities.names.entry(name).or_insert(identities.keys.len());
            }
            identities.keys.push(Arc::new(key));
        }
        Ok(identities)
    }

    pub(super) fn are_several(&self) -> bool {
        self.keys.len() > 1
    }

    /// Where the certificate for `name` stands, if there is one: that of the name itself, else that of all names beside it
    /// (RFC 9525 6.3).
    pub(super) fn of(&self, name: &str) -> Option<usize> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let beside = || self.names.get(&format!("*.{}", name.split_once('.')?.1));
        self.names.get(&name).or_else(beside).copied()
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let index = hello.server_name().and_then(|name| self.of(name)).unwrap_or(0);
        self.keys.get(index).cloned()
    }
}

/// The certificates of a file, in its order.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refused = |reason: String| Error::NoCertificate { path: path.into(), reason };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(path)?).collect();
    match found {
        Ok(found) if found.is_empty() => Err(refused("nothing of the kind is in it".into())),
        Ok(found) => Ok(found),
        Err(error) => Err(refused(error.to_string())),
    }
}

fn read(pair: &Pair, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    let chain = certificates(&pair.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes(&pair.key)?)
        .map_err(|error| Error::NoKey { path: pair.key.clone(), reason: error.to_string() })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| Error::NoPair {
        certificate: pair.certificate.clone(),
        key: pair.key.clone(),
        reason: error.to_string(),
    })
}

fn names(key: &CertifiedKey, path: &Path) -> Result<Vec<String>, Error> {
    let refused = |reason: String| Error::NoCertificate { path: path.into(), reason };
    let end = key.end_entity_cert().map_err(|error| refused(error.to_string()))?;
    let end = EndEntityCert::try_from(end).map_err(|error| refused(error.to_string()))?;
    Ok(end.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Unreadable { path: path.into(), source })
}
