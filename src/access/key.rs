//! One key, which is bound to one algorithm, whatever a token says of itself (RFC 8725 3.1).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use thiserror::Error;

/// RFC 7518 3.2: a secret has at least as many bytes as what it makes.
const SHORTEST_SECRET: usize = 32;

/// Why something is no key.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    /// The secret can be guessed.
    #[error(
        "{0} bytes are too short for a secret; at least {SHORTEST_SECRET} are needed: openssl rand -base64 48 makes them"
    )]
    Short(usize),
    /// Not a public key that we know.
    #[error(
        "holds no public key for ES256 or EdDSA in PEM; openssl pkey -in PRIVATE -pubout writes that of a P-256 or Ed25519 key"
    )]
    NotPublic,
}

/// A key that tokens are judged by.
#[derive(Clone, Debug)]
pub struct Key {
    /// The `kid` of tokens that it is for.
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) material: DecodingKey,
}

impl Key {
    /// A secret for HS256. A line break at its end, which editors leave there, is not part of it.
    ///
    /// # Errors
    /// [`Unusable::Short`].
    pub fn secret(id: &str, bytes: &[u8]) -> Result<Self, Unusable> {
        let secret = trimmed(bytes);
        if secret.len() < SHORTEST_SECRET {
            return Err(Unusable::Short(secret.len()));
        }
        let material = DecodingKey::from_secret(secret);
        Ok(Self { id: Some(id.to_owned()), algorithm: Algorithm::HS256, material })
    }

    /// A public key in PEM, whose kind decides between ES256 and EdDSA.
    ///
    /// # Errors
    /// [`Unusable::NotPublic`].
    pub fn public(id: &str, pem: &[u8]) -> Result<Self, Unusable> {
        // In a certificate, the first thing that looks like a key need not be one.
        if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
            return Err(Unusable::NotPublic);
        }
        let edwards = DecodingKey::from_ed_pem(pem).ok().map(|key| (Algorithm::EdDSA, key));
        let either = edwards.or_else(|| Some((Algorithm::ES256, DecodingKey::from_ec_pem(pem).ok()?)));
        either
            .and_then(|(algorithm, material)| Self::checked(Some(id.to_owned()), algorithm, material))
            .ok_or(Unusable::NotPublic)
    }

    /// A key of a set (RFC 7517); `None` if it is not for us. Secrets are taken only if they are `secret`.
    pub(super) fn of_set(jwk: &Jwk, secret: bool) -> Option<Self> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::OctetKey(_) if secret => Algorithm::HS256,
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            _ => return None,
        };
        let common = &jwk.common;
        let signs = common.public_key_use.as_ref().is_none_or(|its| *its == PublicKeyUse::Signature);
        let is_meant = common.key_algorithm.is_none_or(|its| its.to_string() == format!("{algorithm:?}"));
        if !signs || !is_meant {
            return None;
        }
        let material = DecodingKey::from_jwk(jwk).ok()?;
        Self::checked(common.key_id.clone(), algorithm, material)
    }

    /// The same, if the bytes are what the algorithm works with: the library finds out only with the first token.
    fn checked(id: Option<String>, algorithm: Algorithm, material: DecodingKey) -> Option<Self> {
        let bytes = material.try_get_as_bytes().ok()?;
        let is_point = |of: &'static dyn VerificationAlgorithm| ParsedPublicKey::new(of, bytes).is_ok();
        let is_sound = match algorithm {
            Algorithm::HS256 => bytes.len() >= SHORTEST_SECRET,
            Algorithm::ES256 => is_point(&ECDSA_P256_SHA256_FIXED),
            Algorithm::EdDSA => is_point(&ED25519),
            _ => false,
        };
        is_sound.then_some(Self { id, algorithm, material })
    }
}

const BEGIN: &[u8] = b"-----BEGIN PUBLIC KEY-----";

/// Without the line break at the end.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use headwater_test_support::keys::{ed25519, p256, p384};

    use super::*;

    #[test]
    fn the_kind_of_a_key_decides_its_algorithm() {
        let algorithm = |pem: &str| Key::public("a", pem.as_bytes()).map(|key| key.algorithm);
        assert_eq!(algorithm(&ed25519().public), Ok(Algorithm::EdDSA));
        assert_eq!(algorithm(&p256().public), Ok(Algorithm::ES256));
        for pem in [
            &p384().public,
            &ed25519().private,
            "",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ] {
            assert_eq!(algorithm(pem), Err(Unusable::NotPublic), "{pem}");
        }
    }

    #[test]
    fn a_secret_is_long_and_ends_before_the_line_break() {
        let secret = |bytes: &[u8]| {
            Key::secret("a", bytes).map(|key| key.material.try_get_as_bytes().unwrap().to_vec())
        };
        assert_eq!(secret(&[b'x'; 31]), Err(Unusable::Short(31)));
        assert_eq!(secret(&[&[b'x'; 31][..], b"\n"].concat()), Err(Unusable::Short(31)));
        assert_eq!(secret(&[&[b'x'; 32][..], b"\r\n"].concat()), Ok(vec![b'x'; 32]));
    }
}
