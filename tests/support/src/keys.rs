//! Key pairs that live as long as a test.
#![allow(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// A key pair in PEM.
pub struct Pair {
    /// PKCS #8.
    pub private: String,
    /// SubjectPublicKeyInfo.
    pub public: String,
}

/// For EdDSA.
pub fn ed25519() -> Pair {
    let pair = Ed25519KeyPair::generate().unwrap();
    pem(pair.to_pkcs8v1().unwrap().as_ref(), pair.public_key().as_der().unwrap().as_ref())
}

/// For ES256.
pub fn p256() -> Pair {
    elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING)
}

/// For ES384, which is not one of ours.
pub fn p384() -> Pair {
    elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING)
}

fn elliptic(algorithm: &'static EcdsaSigningAlgorithm) -> Pair {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    pem(pair.to_pkcs8v1().unwrap().as_ref(), public.as_ref())
}

fn pem(private: &[u8], public: &[u8]) -> Pair {
    let wrapped = |label: &str, der: &[u8]| {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    };
    Pair { private: wrapped("PRIVATE KEY", private), public: wrapped("PUBLIC KEY", public) }
}
