//! Makes tokens.

use std::path::Path;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;
use thiserror::Error;

use super::{
    Error as Unreadable,
    key::{Key, trimmed},
    keys::Keys,
    load,
    token::{Expected, LONGEST, verify},
};
use crate::config::KeyFile;

/// Why no token was made.
#[derive(Debug, Error)]
pub enum Error {
    /// The key cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The private key is none.
    #[error(
        "{0}: holds no private key of P-256 or Ed25519 in PKCS #8 and PEM; openssl genpkey -algorithm ed25519 makes one"
    )]
    NotPrivate(String),
    /// The private key has another public key than the configuration.
    #[error(
        "{file}: is not the private key of access.key.{name}.public_key_file, so no server would take the token"
    )]
    OtherKey {
        /// The file.
        file: String,
        /// The key's name.
        name: String,
    },
    /// It would not be taken.
    #[error("the token would have {0} bytes; at most {LONGEST} are taken: give it fewer or shorter paths")]
    TooLong(usize),
    /// The library refused.
    #[error("cannot sign: {0}")]
    Sign(jsonwebtoken::errors::Error),
}

/// What a token shall say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wish {
    /// What it opens.
    pub paths: Vec<String>,
    /// Until when, in seconds since the Unix epoch.
    pub exp: i64,
    /// From when on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// For whom.
    #[serde(rename = "aud", skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// From whom.
    #[serde(rename = "iss", skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// What signs: a key with its private part.
#[derive(Debug)]
pub struct Signer {
    name: String,
    algorithm: Algorithm,
    private: EncodingKey,
    /// What the token is judged by in the end, if it is known.
    public: Option<Key>,
    /// The file, as it was given.
    file: String,
}

impl Signer {
    /// Signs with the secret of a file.
    ///
    /// # Errors
    /// If it is none.
    pub fn secret(name: &str, path: &Path) -> Result<Self, Error> {
        let public = load::key(name, &KeyFile::Secret(path.into()))?;
        let private = EncodingKey::from_secret(trimmed(&load::read("secret_file", path)?));
        let (name, file) = (name.to_owned(), path.display().to_string());
        Ok(Self { name, algorithm: Algorithm::HS256, private, public: Some(public), file })
    }

    /// Signs with the private key of a file, which has to be that of `public` if that is given.
    ///
    /// # Errors
    /// If it is none.
    pub fn private(name: &str, path: &Path, public: Option<&KeyFile>) -> Result<Self, Error> {
        let pem = load::read("--private-key-file", path)?;
        let edwards = EncodingKey::from_ed_pem(&pem).ok().map(|key| (Algorithm::EdDSA, key));
        let either = edwards.or_else(|| Some((Algorithm::ES256, EncodingKey::from_ec_pem(&pem).ok()?)));
        let file = path.display().to_string();
        let (algorithm, private) = either.ok_or_else(|| Error::NotPrivate(file.clone()))?;
        let public = public.map(|public| load::key(name, public)).transpose()?;
        Ok(Self { name: name.to_owned(), algorithm, private, public, file })
    }

    /// The token.
    ///
    /// # Errors
    /// If no server that has this key would take it.
    pub fn sign(self, wish: &Wish) -> Result<String, Error> {
        let header = Header { kid: Some(self.name.clone()), ..Header::new(self.algorithm) };
        let token = encode(&header, wish, &self.private).map_err(Error::Sign)?;
        if token.len() > LONGEST {
            return Err(Error::TooLong(token.len()));
        }
        let expected = Expected { audience: wish.audience.clone(), issuer: wish.issuer.clone() };
        let judge = |public| verify(&token, &Keys::new(vec![public], Vec::new()), &expected);
        match self.public.map(judge) {
            Some(Err(_)) => Err(Error::OtherKey { file: self.file, name: self.name }),
            _ => Ok(token),
        }
    }
}
