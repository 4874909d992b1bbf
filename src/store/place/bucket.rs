//! Buckets: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.

use std::{fs, path::Path, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::MicrosoftAzureBuilder,
    gcp::GoogleCloudStorageBuilder,
    path::Path as Location,
    prefix::PrefixStore,
};

pub(super) use crate::config::Bucket;
use crate::{
    config::{self, Encryption},
    store::Error,
};

/// Of a connection. A server that is there answers within a round trip.
const CONNECT: Duration = Duration::from_secs(1);
/// Of a request, above everything that [`super::super::effort`] gives one.
const REQUEST: Duration = Duration::from_secs(90);

pub(super) fn open(config: &config::Store) -> Result<Arc<dyn ObjectStore>, Error> {
    let url = &config.url;
    let refused = |reason: String| Error::Bucket { url: url.clone(), reason };
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = Location::parse(prefix.trim_end_matches('/'))
        .map_err(|_| refused(format!("{prefix:?} cannot be what all names in it begin with")))?;
    let built = match scheme {
        "s3" => s3(name, &config.bucket)?.build().map(shared),
        "gs" => google(name, &config.bucket).build().map(shared),
        _ => azure(name, &config.bucket)?.build().map(shared),
    };
    let objects = built.map_err(|error| refused(error.to_string()))?;
    Ok(if prefix.is_root() { objects } else { Arc::new(PrefixStore::new(objects, prefix)) })
}

/// What tells a bucket from one of the same name.
pub(super) fn address(config: &config::Store) -> String {
    let Bucket { endpoint, account, .. } = &config.bucket;
    format!("{} {endpoint:?} {account:?}", config.url)
}

fn shared(objects: impl ObjectStore) -> Arc<dyn ObjectStore> {
    Arc::new(objects)
}

/// What the environment says, and above it what the configuration does.
fn s3(name: &str, bucket: &Bucket) -> Result<AmazonS3Builder, Error> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(name)
        .with_virtual_hosted_style_request(bucket.virtual_host)
        .with_client_options(client(bucket))
        .with_retry(never());
    if let Some((id, secret)) = &bucket.key_files {
        builder = builder
            .with_access_key_id(secret_of("access_key_id_file", id)?)
            .with_secret_access_key(secret_of("secret_access_key_file", secret)?);
    }
    if let Some(endpoint) = &bucket.endpoint {
        // The key for S3 alone, as a variable of that name would otherwise count for more than the configuration.
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, server(endpoint, name, bucket));
    }
    if let Some(region) = &bucket.region {
        builder = builder.with_region(region);
    }
    let encryption = match &bucket.encryption {
        None => return Ok(builder),
        Some(Encryption::Kms { key: Some(key) }) => return Ok(builder.with_sse_kms_encryption(key)),
        Some(Encryption::Kms { key: None }) => "aws:kms",
        Some(Encryption::S3) => "AES256",
    };
    let key = "aws_server_side_encryption".parse::<AmazonS3ConfigKey>();
    let key = key.map_err(|error| Error::Bucket { url: name.to_owned(), reason: error.to_string() })?;
    Ok(builder.with_config(key, encryption))
}

/// The endpoint as object_store wants it: where the bucket is named in the host, with that name.
fn server(endpoint: &str, name: &str, bucket: &Bucket) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://").filter(|_| bucket.virtual_host) {
        Some((scheme, host)) => format!("{scheme}://{name}.{host}"),
        None => endpoint.to_owned(),
    }
}

fn google(name: &str, bucket: &Bucket) -> GoogleCloudStorageBuilder {
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(name)
        .with_client_options(client(bucket))
        .with_retry(never());
    if let Some(path) = &bucket.credentials_file {
        builder = builder.with_service_account_path(path.to_string_lossy());
    }
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    builder
}

fn azure(name: &str, bucket: &Bucket) -> Result<MicrosoftAzureBuilder, Error> {
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(name)
        .with_client_options(client(bucket))
        .with_retry(never());
    if let Some(account) = &bucket.account {
        builder = builder.with_account(account);
    }
    if let Some(path) = &bucket.credentials_file {
        builder = builder.with_access_key(secret_of("credentials_file", path)?);
    }
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    Ok(builder)
}

fn client(bucket: &Bucket) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(bucket.allow_http)
        .with_connect_timeout(CONNECT)
        .with_timeout(REQUEST)
}

/// How often something is tried is decided in one place, and that is [`super::super::effort`].
fn never() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: REQUEST, backoff: BackoffConfig::default() }
}

/// The text of a file of one line.
fn secret_of(key: &'static str, path: &Path) -> Result<String, Error> {
    let refused = |reason: String| Error::Credentials { key, path: path.into(), reason };
    let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(refused("has to have one line, and nothing else in it".into()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use object_store::signer::Signer;

    use super::*;

    fn refusal(config: &config::Store) -> String {
        open(config).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_bucket_is_named_where_the_configuration_says() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        fs::write(&file, "AKIA\n").unwrap();
        for (endpoint, virtual_host, expected) in [
            (None, false, "https://s3.eu-central-1.amazonaws.com/films/live/a"),
            (None, true, "https://films.s3.eu-central-1.amazonaws.com/live/a"),
            (Some("https://s3.example.com/"), false, "https://s3.example.com/films/live/a"),
            (Some("https://s3.example.com:9000"), true, "https://films.s3.example.com:9000/live/a"),
        ] {
            let bucket = Bucket {
                endpoint: endpoint.map(str::to_owned),
                region: Some("eu-central-1".into()),
                virtual_host,
                key_files: Some((file.clone(), file.clone())),
                ..Bucket::default()
            };
            let s3 = s3("films", &bucket).unwrap().build().unwrap();
            let url = s3.signed_url(http::Method::GET, &"live/a".into(), CONNECT).await.unwrap();
            assert_eq!(url.as_str().split('?').next(), Some(expected));
        }
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused_in_words() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("id"), "AKIA\n").unwrap();
        fs::write(path("empty"), "\n").unwrap();
        let mut config = config::Store::at("s3://bucket/a");
        config.bucket.key_files = Some((path("id"), path("empty")));
        assert!(refusal(&config).contains("secret_access_key_file"), "{}", refusal(&config));
        assert!(refusal(&config).contains("one line"), "{}", refusal(&config));
        config.bucket.key_files = Some((path("id"), path("absent")));
        assert!(refusal(&config).contains("No such file"), "{}", refusal(&config));
        assert!(refusal(&config::Store::at("s3://bucket/a//b")).contains("a//b"));
    }

    #[test]
    fn every_kind_of_bucket_can_be_opened() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        fs::write(&key, "c2VjcmV0").unwrap();
        let mut config = config::Store::at("az://container/a");
        (config.bucket.account, config.bucket.credentials_file) = (Some("account".into()), Some(key));
        assert!(open(&config).is_ok());
        assert!(open(&config::Store::at("gs://bucket/a/")).is_ok());
        let mut config = config::Store::at("s3://bucket");
        config.bucket.encryption = Some(Encryption::Kms { key: None });
        assert!(open(&config).is_ok());
    }
}
