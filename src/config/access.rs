//! Whose tokens are believed: what is written of it, and what it means.

use std::path::Path;

use reqwest::Url;

use super::{
    Access, KeyFile, KeySet, Who,
    check::{Refusal, is_name},
    file,
};

/// Hosts of this machine, from which keys cannot be changed on their way.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

pub(super) fn check(written: file::Access) -> Result<Access, Refusal> {
    let within = |(key, reason): Refusal| (format!("access.{key}"), reason);
    let keys = written.key.into_iter().map(|(name, key)| Ok((name.clone(), self::key(&name, key)?)));
    let keys = keys.collect::<Result<_, _>>().map_err(within)?;
    let jwks = written.jwks.map(|place| key_set(&place)).transpose().map_err(within)?;
    let file::Access { vod, audience, issuer, .. } =
        file::Access { key: Default::default(), jwks: None, ..written };
    let access = Access { keys, jwks, vod, audience, issuer };
    has_key(&access, vod, "access.vod")?;
    Ok(access)
}

/// Whether who may watch what `key` says can be told from others.
pub(super) fn has_key(access: &Access, who: Who, key: &str) -> Result<(), Refusal> {
    if who == Who::Open || !access.keys.is_empty() || access.jwks.is_some() {
        return Ok(());
    }
    let reason = "\"signed\" needs a key to know tokens by, and there is none; \
                  add a table [access.key.NAME] with secret_file or public_key_file, or access.jwks";
    Err((key.into(), reason.into()))
}

fn key(name: &str, written: file::Key) -> Result<KeyFile, Refusal> {
    if !is_name(name) {
        let reason =
            "a key's name has up to 64 letters, digits, '_', '-' and '.', and does not begin with '.'";
        return Err((format!("key.{name:?}"), reason.into()));
    }
    match (written.secret_file, written.public_key_file) {
        (Some(path), None) => Ok(KeyFile::Secret(path)),
        (None, Some(path)) => Ok(KeyFile::Public(path)),
        _ => {
            let reason = "a key has either secret_file (HS256) or public_key_file (ES256 or EdDSA, in PEM)";
            Err((format!("key.{name}"), reason.into()))
        }
    }
}

fn key_set(place: &str) -> Result<KeySet, Refusal> {
    if !place.contains("://") {
        return Ok(KeySet::File(Path::new(place).into()));
    }
    let url = Url::parse(place).ok();
    let is_safe = |url: &Url| match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(|host| LOOPBACK.contains(&host)),
        _ => false,
    };
    match url.filter(is_safe) {
        Some(_) => Ok(KeySet::Url(place.to_owned())),
        None => {
            let reason = "is neither https nor on this machine, so anybody on the way could put keys in; \
                          give an https:// URL or the path of a file";
            Err(("jwks".into(), format!("{place:?} {reason}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_files_and_from_where_nobody_can_change_them() {
        for (place, set) in [
            ("keys/jwks.json", Some(KeySet::File("keys/jwks.json".into()))),
            ("https://id.example/jwks", Some(KeySet::Url("https://id.example/jwks".into()))),
            ("http://127.0.0.1:9/jwks", Some(KeySet::Url("http://127.0.0.1:9/jwks".into()))),
            ("http://[::1]/jwks", Some(KeySet::Url("http://[::1]/jwks".into()))),
            ("http://localhost.example/jwks", None),
            ("http://localhost@evil.example/jwks", None),
            ("http://localhost:1@evil.example/jwks", None),
        ] {
            assert_eq!(key_set(place).ok(), set, "{place}");
        }
    }
}
