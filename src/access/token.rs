//! From a token to what it says, if one of our keys has signed it. Pure, and total.

use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use thiserror::Error;

use super::{claims::Claims, keys::Keys};

/// Bytes of a token. What is longer is not looked at.
pub const LONGEST: usize = 2048;

/// Why a token is worth nothing. Nobody but the log is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    /// Too long, or not three pieces of base64url with a header that we know.
    #[error(
        "it is no JWT of at most {LONGEST} bytes in the compact form of JWS, signed with HS256, ES256 or EdDSA"
    )]
    Malformed,
    /// Its header demands what we do not understand (RFC 7515 4.1.11).
    #[error("its header has crit, and nothing that could be in it is known here")]
    Critical,
    /// No key has its kid.
    #[error("no key here has its kid")]
    UnknownKey,
    /// It names no key, and several could be meant.
    #[error("it has no kid, and several keys here are for its algorithm")]
    UnnamedKey,
    /// Its key is for another algorithm, or none is for its.
    #[error("its alg is not that of its key")]
    Algorithm,
    /// It was not made with its key, or was changed.
    #[error("its signature is not that of its key")]
    Signature,
    /// It is for somebody else.
    #[error("its aud or iss is not what access.audience and access.issuer say")]
    Audience,
    /// It does not say what it has to.
    #[error(
        "its claims are not understood: exp is a number and required, nbf a number, paths a string or strings"
    )]
    Claims,
}

/// What a token has to say of who it is from and for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its `aud`; `None` for tokens that have none.
    pub audience: Option<String>,
    /// Its `iss`; `None` for any.
    pub issuer: Option<String>,
}

/// What `token` says, if one of `keys` has signed it. When it counts is for [`Claims`] to say.
///
/// # Errors
/// Why it is worth nothing.
pub fn verify(token: &str, keys: &Keys, expected: &Expected) -> Result<Claims, Invalid> {
    if !is_token(token) {
        return Err(Invalid::Malformed);
    }
    // Its algorithms are an enum without `none`.
    let header = decode_header(token).map_err(|_| Invalid::Malformed)?;
    if header.crit.is_some() {
        return Err(Invalid::Critical);
    }
    let key = keys.find(&header)?;
    let decoded = decode(token, &key.material, &validation(key.algorithm, expected));
    decoded.map(|data| data.claims).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => Invalid::Signature,
        ErrorKind::InvalidAudience | ErrorKind::InvalidIssuer | ErrorKind::MissingRequiredClaim(_) => {
            Invalid::Audience
        }
        ErrorKind::InvalidAlgorithm => Invalid::Algorithm,
        ErrorKind::Json(_) => Invalid::Claims,
        _ => Invalid::Malformed,
    })
}

/// True if it is not too long, and of the letters that a token is made of.
pub fn is_token(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(letter)
}

fn validation(algorithm: Algorithm, expected: &Expected) -> Validation {
    let mut validation = Validation::new(algorithm);
    // The library would look at a clock of its own.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let mut required = Vec::new();
    if let Some(audience) = &expected.audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    if let Some(issuer) = &expected.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.set_required_spec_claims(&required);
    validation
}

#[cfg(test)]
mod tests;
