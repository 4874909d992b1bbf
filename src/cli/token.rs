//! `headwater token`.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, bail};
use chrono::DateTime;
use clap::Args;

use crate::{
    access::mint::{Signer, Wish},
    clock,
    config::{Access, Config, KeyFile, unit::Span},
};

/// Seconds. Who needs more than a year means a key, not a token.
const LONGEST: u64 = 366 * 24 * 3600;

#[derive(Debug, Args)]
pub(super) struct Token {
    /// The server's configuration, whose key NAME it is.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of the key, which becomes the token's kid.
    #[arg(long, value_name = "NAME")]
    key: String,
    /// What it opens, such as /live/demo; may be given several times.
    #[arg(long = "path", value_name = "PATH", required = true, value_parser = path)]
    paths: Vec<String>,
    /// How long it counts, such as 6h; a year at most.
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    span: Span,
    /// From when on it counts, as in 2026-12-31T20:00:00Z; without it, at once.
    #[arg(long, value_name = "TIME", value_parser = time)]
    not_before: Option<i64>,
    /// The private key of an ES256 or EdDSA key, in PEM.
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// Print this URL with the token, instead of the token alone.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

fn path(text: &str) -> Result<String, String> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    if text.starts_with('/') && text.bytes().all(word) {
        return Ok(text.to_owned());
    }
    Err("a path is the beginning of a URL's, such as /live/demo, /vod/clip or / for all there is".into())
}

fn span(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if (1..=LONGEST).contains(&span.0.as_secs()) {
        Ok(span)
    } else {
        Err("from 1s to 366d is possible".into())
    }
}

fn time(text: &str) -> Result<i64, String> {
    let parsed = DateTime::parse_from_rfc3339(text).map(|time| time.timestamp());
    parsed.map_err(|_| "write date, time and zone as in 2026-12-31T20:00:00Z".into())
}

/// Prints one token.
pub(super) fn run(arguments: Token) -> anyhow::Result<()> {
    let access = arguments.config.as_deref().map(Config::read).transpose()?.map(|config| config.access);
    let access = access.unwrap_or_default();
    let begins = arguments.not_before.unwrap_or_else(clock::wall_seconds);
    let wish = Wish {
        paths: arguments.paths.clone(),
        exp: begins.saturating_add(i64::try_from(arguments.span.0.as_secs())?),
        nbf: arguments.not_before,
        audience: access.audience.clone(),
        issuer: access.issuer.clone(),
    };
    let token = signer(&arguments, &access)?.sign(&wish)?;
    let said = match arguments.url {
        Some(url) if url.contains('?') => format!("{url}&token={token}"),
        Some(url) => format!("{url}?token={token}"),
        None => token,
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{said}").and_then(|()| out.flush()).context("cannot write to the standard output")
}

fn signer(arguments: &Token, access: &Access) -> anyhow::Result<Signer> {
    let name = &arguments.key;
    Ok(match (access.keys.get(name), &arguments.private_key_file) {
        (Some(KeyFile::Secret(path)), None) => Signer::secret(name, path)?,
        (Some(KeyFile::Secret(_)), Some(_)) => {
            bail!("access.key.{name} has a secret, which signs by itself; leave --private-key-file out")
        }
        (public, Some(path)) => Signer::private(name, path, public)?,
        (Some(KeyFile::Public(_)), None) => {
            bail!(
                "access.key.{name} has only a public key; --private-key-file FILE signs with the other half"
            )
        }
        (None, None) => bail!(
            "there is no key {name:?}{}; give --config FILE with access.key.{name}.secret_file, or --private-key-file FILE",
            known(access)
        ),
    })
}

/// Those that there are.
fn known(access: &Access) -> String {
    let names: Vec<&str> = access.keys.keys().map(String::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" among {}", names.join(", ")) }
}
