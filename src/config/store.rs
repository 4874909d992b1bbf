//! Where everything is kept: what is written of it, and what it means.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use reqwest::Url;
use serde::Deserialize;

use super::{
    Bucket, Cache, Encryption, Fence, Spool, Store, check::Refusal, defaults, file, mistake::without_secrets,
    unit::Size,
};

/// What a bucket's objects can be told apart by (S3: Object tagging): at most so many, so long.
const MOST_TAGS: usize = 10;
const LONGEST_TAG: (usize, usize) = (128, 256);

/// What a URL is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A directory, or memory.
    Here,
    /// `s3://`.
    S3,
    /// `gs://`.
    Google,
    /// `az://`.
    Azure,
}

/// How a bucket's name is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Addressing {
    #[default]
    Path,
    VirtualHost,
}

/// Who encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encrypted {
    S3,
    Kms,
}

pub(super) fn check(written: file::Store) -> Result<Store, Refusal> {
    let within = |(key, reason): (&str, String)| (format!("store.{key}"), reason);
    let url = written.url.clone().unwrap_or_else(|| defaults::STORE.into());
    let kind = kind(&url).map_err(|reason| within(("url", reason)))?;
    belongs(&written, kind, &url).map_err(within)?;
    let spool = spool(&written).map_err(within)?;
    let cache = cache(&written).map_err(within)?;
    let manifests = written.manifests.unwrap_or(true);
    let fence = written.fence;
    let bucket = bucket(written).map_err(within)?;
    Ok(Store { url, bucket, spool, cache, manifests, fence })
}

fn kind(url: &str) -> Result<Kind, String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Ok(Kind::Here) };
    let kind = match scheme {
        "s3" => Kind::S3,
        "gs" => Kind::Google,
        "az" => Kind::Azure,
        // Of others, the store itself says what it has.
        _ => return Ok(Kind::Here),
    };
    let name = rest.split('/').next().unwrap_or_default();
    if name.is_empty() || name.contains(['@', ':', '?', '#']) {
        return Err(format!("{url:?} names no bucket; write for example \"{scheme}://BUCKET/PREFIX\""));
    }
    Ok(kind)
}

/// Whether each key that is there means something for such a URL.
fn belongs(written: &file::Store, kind: Kind, url: &str) -> Result<(), (&'static str, String)> {
    let of_s3 = [
        ("region", written.region.is_some()),
        ("addressing", written.addressing.is_some()),
        ("access_key_id_file", written.access_key_id_file.is_some()),
        ("secret_access_key_file", written.secret_access_key_file.is_some()),
        ("encryption", written.encryption.is_some()),
        ("kms_key", written.kms_key.is_some()),
    ];
    let of_buckets = [
        ("endpoint", written.endpoint.is_some()),
        ("allow_http", written.allow_http),
        ("storage_class", written.storage_class.is_some()),
    ];
    let mut stray = Vec::new();
    if kind != Kind::S3 {
        stray.extend(of_s3.map(|key| (key, "s3://BUCKET/PREFIX")));
    }
    if !matches!(kind, Kind::Google | Kind::Azure) {
        stray.push((("credentials_file", written.credentials_file.is_some()), "gs:// or az://"));
    }
    if kind != Kind::Azure {
        stray.push((("account", written.account.is_some()), "az://"));
    }
    // Google's objects have none that lifecycle rules could go by.
    if !matches!(kind, Kind::S3 | Kind::Azure) {
        stray.push((("tags", !written.tags.is_empty()), "s3:// or az://"));
    }
    if kind == Kind::Here {
        stray.extend(of_buckets.map(|key| (key, "a bucket: s3://, gs:// or az://")));
    }
    let found = stray.into_iter().find(|((_, is_there), _)| *is_there);
    found.map_or(Ok(()), |((key, _), whose)| {
        Err((key, format!("means nothing for {url:?}, as it belongs to a URL of {whose}; leave it out")))
    })
}

fn bucket(written: file::Store) -> Result<Bucket, (&'static str, String)> {
    let key_files = match (written.access_key_id_file, written.secret_access_key_file) {
        (None, None) => None,
        (Some(id), Some(secret)) => Some((id, secret)),
        (Some(_), None) => return Err(missing("secret_access_key_file", "access_key_id_file")),
        (None, Some(_)) => return Err(missing("access_key_id_file", "secret_access_key_file")),
    };
    let encryption = match (written.encryption, written.kms_key) {
        (None, None) => None,
        (Some(Encrypted::S3), None) => Some(Encryption::S3),
        (Some(Encrypted::Kms), key) => Some(Encryption::Kms { key }),
        (_, Some(_)) => {
            return Err((
                "kms_key",
                "goes with encryption = \"kms\"; write that too, or leave it out".into(),
            ));
        }
    };
    let endpoint = written.endpoint;
    endpoint.iter().try_for_each(|url| self::endpoint(url, written.allow_http))?;
    tags(&written.tags)?;
    Ok(Bucket {
        // Keys cannot be read, and pictures not be changed, on the way to this machine itself.
        allow_http: written.allow_http || endpoint.as_deref().is_some_and(|url| url.starts_with("http:")),
        endpoint,
        region: written.region,
        virtual_host: written.addressing.unwrap_or_default() == Addressing::VirtualHost,
        key_files,
        credentials_file: written.credentials_file,
        account: written.account,
        encryption,
        storage_class: written.storage_class,
        tags: written.tags,
    })
}

fn missing(key: &'static str, other: &str) -> (&'static str, String) {
    let reason = format!(
        "is missing: it comes with {other}; without both, credentials are those of the environment or the machine"
    );
    (key, reason)
}

fn endpoint(written: &str, allow_http: bool) -> Result<(), (&'static str, String)> {
    let refused = |reason: String| Err(("endpoint", reason));
    let url = Url::parse(written).ok().filter(|url| url.has_host() && url.username().is_empty());
    match url.as_ref().map(|url| (url.scheme(), is_here(url))) {
        Some(("https", _)) | Some(("http", true)) => Ok(()),
        Some(("http", false)) if allow_http => Ok(()),
        Some(("http", false)) => refused(format!(
            "{:?} sends everything in the clear; give an https:// URL, or write allow_http = true as well",
            without_secrets(written)
        )),
        _ => refused(format!(
            "{:?} is no URL of a server; write for example \"https://s3.example.com\"",
            without_secrets(written)
        )),
    }
}

fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn tags(tags: &BTreeMap<String, String>) -> Result<(), (&'static str, String)> {
    if tags.len() > MOST_TAGS {
        return Err(("tags", format!("{} are too many; at most {MOST_TAGS} are possible", tags.len())));
    }
    let (key_length, value_length) = LONGEST_TAG;
    let fits = |(key, value): &(&String, &String)| {
        !key.is_empty() && key.chars().count() <= key_length && value.chars().count() <= value_length
    };
    tags.iter().find(|tag| !fits(tag)).map_or(Ok(()), |(key, _)| {
        let reason = format!(
            "{key:?} does not fit; a key has 1 to {key_length} characters, a value up to {value_length}"
        );
        Err(("tags", reason))
    })
}

fn spool(written: &file::Store) -> Result<Spool, (&'static str, String)> {
    let usual = Spool::default();
    let disk = disk(&written.spool_directory, written.spool_disk, defaults::SPOOL_DISK)
        .ok_or(("spool_disk", "needs a place; write spool_directory as well".into()))?;
    Ok(Spool { memory: written.spool_memory.map_or(usual.memory, |Size(size)| size), disk })
}

fn cache(written: &file::Store) -> Result<Cache, (&'static str, String)> {
    let disk = disk(&written.cache_directory, written.cache_disk, defaults::CACHE_DISK)
        .ok_or(("cache_disk", "needs a place; write cache_directory as well".into()))?;
    Ok(Cache { memory: written.cache_memory.map_or(defaults::CACHE_MEMORY, |Size(size)| size), disk })
}

/// A directory and how much may lie there, if one is wanted; nothing if there is a size without a place.
fn disk(directory: &Option<PathBuf>, size: Option<Size>, usual: u64) -> Option<Option<(PathBuf, u64)>> {
    match (directory, size) {
        (None, None) => Some(None),
        (Some(directory), size) => Some(Some((directory.clone(), size.map_or(usual, |Size(size)| size)))),
        (None, Some(_)) => None,
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { memory: defaults::CACHE_MEMORY, disk: None }
    }
}

impl Default for Spool {
    fn default() -> Self {
        Self { memory: defaults::SPOOL_MEMORY, disk: None }
    }
}

impl Store {
    /// What keeps everything at `url`, with nothing said about it.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            bucket: Bucket::default(),
            spool: Spool::default(),
            cache: Cache::default(),
            manifests: true,
            fence: Fence::default(),
        }
    }
}

/// Two files: of the id of an access key, and of its secret.
pub type KeyFiles = (PathBuf, PathBuf);
