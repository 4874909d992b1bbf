//! A JSON Web Key Set (RFC 7517 5).

use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use thiserror::Error;

use super::key::Key;

/// Bytes of a set.
pub(super) const LONGEST: usize = 256 << 10;
/// Keys of a set that are looked at.
const MOST: usize = 100;

/// Why a set is none.
#[derive(Debug, Error)]
pub enum Unusable {
    /// It is not JSON of the right shape.
    #[error("it is no JSON Web Key Set, which is an object with \"keys\": {0}")]
    Shape(serde_json::Error),
    /// There is nothing for us in it.
    #[error(
        "none of its {0} keys is for ES256 (P-256) or EdDSA (Ed25519), or, in a file, for HS256 (oct of 32 bytes or more)"
    )]
    NoKey(usize),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// The keys of a set that are for us. Others are passed over, as RFC 7517 5 asks. Secrets are taken from files only.
pub(super) fn parse(text: &[u8], from_file: bool) -> Result<Vec<Key>, Unusable> {
    let set: Set = serde_json::from_slice(text).map_err(Unusable::Shape)?;
    let count = set.keys.len();
    let jwks = set.keys.into_iter().take(MOST).filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    let keys: Vec<Key> = jwks.filter_map(|jwk| Key::of_set(&jwk, from_file)).collect();
    if keys.is_empty() { Err(Unusable::NoKey(count)) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8037 A.2, RFC 7515 A.3.1, RFC 7515 A.1.1.
    const ED: &str =
        r#"{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"ec","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const OCT: &str = r#"{"kty":"oct","kid":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;

    fn ids(keys: &[&str], from_file: bool) -> Vec<String> {
        let text = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        let keys = parse(text.as_bytes(), from_file).unwrap_or_default();
        keys.into_iter().map(|key| key.id.unwrap_or_default()).collect()
    }

    #[test]
    fn what_is_for_us_is_taken_and_all_else_passed_over() {
        let others = [
            r#"{"kty":"RSA","kid":"rsa","n":"AQAB","e":"AQAB"}"#,
            r#"{"kty":"OKP","crv":"X25519","kid":"x","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"quantum"}"#,
            "7",
        ];
        assert_eq!(
            ids(&[others[0], ED, others[1], EC, others[2], OCT, others[3]], true),
            ["ed", "ec", "oct"]
        );
        assert_eq!(ids(&[ED, OCT], false), ["ed"], "a secret that the network has seen is none");
    }

    #[test]
    fn a_key_for_another_purpose_or_of_wrong_bytes_is_none() {
        for (from, to) in [
            ("\"kid\"", "\"use\":\"enc\",\"kid\""),
            ("\"kid\"", "\"alg\":\"ES384\",\"kid\""),
            ("x_FE", "x_FF"),
        ] {
            assert!(ids(&[&EC.replacen(from, to, 1)], true).is_empty(), "{to}");
        }
        assert!(ids(&[r#"{"kty":"oct","k":"c2hvcnQ"}"#], true).is_empty());
        assert!(matches!(parse(b"{\"keys\":[]}", true), Err(Unusable::NoKey(0))));
        assert!(matches!(parse(b"<html>", true), Err(Unusable::Shape(_))));
    }
}
