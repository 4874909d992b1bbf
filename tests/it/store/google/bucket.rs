//! A bucket in this process, on loopback, that keeps to what is documented of Google's XML API: objects with generations,
//! conditions on them, ranges, lists, metadata, and bearer tokens that a service account has signed.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use headwater::{config, store::Store};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use object_store::path::Path;
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

const NAME: &str = "films";
const ACCOUNT: &str = "headwater@project.example";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const MODIFIED: &str = "Fri, 27 Nov 2026 20:00:00 GMT";
/// What is kept of a PUT's fields and said with each answer.
const KEPT: [HeaderName; 3] =
    [header::CONTENT_TYPE, header::CACHE_CONTROL, HeaderName::from_static("x-goog-storage-class")];
const IF_GENERATION: &str = "x-goog-if-generation-match";

/// Stopped when it is dropped.
pub(super) struct Bucket {
    directory: TempDir,
    endpoint: String,
    shelf: Arc<Shelf>,
    server: JoinHandle<()>,
}

struct Shelf {
    key: DecodingKey,
    objects: Mutex<Objects>,
}

#[derive(Default)]
struct Objects {
    newest: u64,
    by_name: BTreeMap<String, Object>,
}

#[derive(Clone)]
struct Object {
    generation: u64,
    fields: HeaderMap,
    body: Bytes,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Bucket {
    pub(super) async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let account = json!({
            "type": "service_account", "client_email": ACCOUNT, "private_key_id": "1", "private_key": pair.serialize_pem()
        });
        std::fs::write(directory.path().join("account.json"), account.to_string()).unwrap();
        let key = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).unwrap();
        let shelf = Arc::new(Shelf { key, objects: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, shelf.clone()));
        Self { directory, endpoint, shelf, server }
    }

    pub(super) fn config(&self, prefix: &str) -> config::Store {
        let mut config = config::Store::at(format!("gs://{NAME}/{prefix}"));
        config.bucket = config::Bucket {
            endpoint: Some(self.endpoint.clone()),
            credentials_file: Some(self.directory.path().join("account.json")),
            allow_http: true,
            ..config::Bucket::default()
        };
        config
    }

    pub(super) fn store(&self, prefix: &str) -> Store {
        Store::of(&self.config(prefix)).unwrap()
    }

    /// The `[store]` table of a server that keeps everything here.
    #[cfg(feature = "encoder")]
    pub(super) fn toml(&self, prefix: &str) -> String {
        let account = self.directory.path().join("account.json");
        format!(
            "url = \"gs://{NAME}/{prefix}\"\nendpoint = {:?}\ncredentials_file = {account:?}\n",
            self.endpoint
        )
    }

    /// A field of what is kept under a name.
    pub(super) fn said(&self, name: &str, field: &str) -> Option<String> {
        let objects = self.shelf.objects.lock().unwrap();
        Some(objects.by_name.get(name)?.fields.get(field)?.to_str().unwrap().to_owned())
    }
}

async fn serve(listener: TcpListener, shelf: Arc<Shelf>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shelf = shelf.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shelf = shelf.clone();
                async move { Ok::<_, Infallible>(shelf.answer(request).await) }
            });
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Answer = Response<Full<Bytes>>;

fn refusal(status: StatusCode, code: &str) -> Answer {
    let text = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    );
    Response::builder().status(status).body(Full::from(text)).unwrap()
}

impl Shelf {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if !self.knows(request.headers()) {
            return refusal(StatusCode::UNAUTHORIZED, "AuthenticationRequired");
        }
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = head.uri.path().trim_start_matches('/');
        let (bucket, name) = path.split_once('/').unwrap_or((path, ""));
        if bucket != NAME {
            return refusal(StatusCode::NOT_FOUND, "NoSuchBucket");
        }
        let name = Path::from_url_path(name).unwrap().to_string();
        let mut objects = self.objects.lock().unwrap();
        match head.method {
            Method::GET if name.is_empty() => objects.list(head.uri.query().unwrap_or_default()),
            Method::GET | Method::HEAD => objects.get(&name, &head.headers),
            Method::PUT => objects.put(name, &head.headers, body),
            Method::DELETE if objects.by_name.remove(&name).is_some() => {
                Response::builder().status(StatusCode::NO_CONTENT).body(Full::default()).unwrap()
            }
            Method::DELETE => refusal(StatusCode::NOT_FOUND, "NoSuchKey"),
            _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    /// True if the account has signed the request's token.
    fn knows(&self, fields: &HeaderMap) -> bool {
        let token = || fields.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
        let mut wanted = Validation::new(Algorithm::RS256);
        wanted.set_issuer(&[ACCOUNT]);
        token()
            .and_then(|token| jsonwebtoken::decode::<Value>(token, &self.key, &wanted).ok())
            .is_some_and(|token| token.claims["scope"] == SCOPE)
    }
}

impl Objects {
    fn put(&mut self, name: String, fields: &HeaderMap, body: Bytes) -> Answer {
        let generation = self.by_name.get(&name).map_or(0, |object| object.generation);
        let wanted = fields.get(IF_GENERATION).map(|wanted| wanted.to_str().unwrap().parse::<u64>().unwrap());
        if wanted.is_some_and(|wanted| wanted != generation) {
            return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        self.newest += 1;
        let kept = fields
            .iter()
            .filter(|(name, _)| KEPT.contains(name) || name.as_str().starts_with("x-goog-meta-"));
        let kept = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        let object = Object { generation: self.newest, fields: kept, body };
        let answer = object.answer(StatusCode::OK, Bytes::new());
        self.by_name.insert(name, object);
        answer
    }

    fn get(&self, name: &str, fields: &HeaderMap) -> Answer {
        let Some(object) = self.by_name.get(name) else { return refusal(StatusCode::NOT_FOUND, "NoSuchKey") };
        let is_other = |condition| fields.get(condition).is_some_and(|tag| tag != object.etag().as_str());
        if is_other(header::IF_MATCH) {
            return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        if fields.contains_key(header::IF_NONE_MATCH) && !is_other(header::IF_NONE_MATCH) {
            return object.answer(StatusCode::NOT_MODIFIED, Bytes::new());
        }
        let length = object.body.len();
        let range = || {
            let (first, last) =
                fields.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
            let (first, last) =
                (first.parse::<usize>().ok()?, last.parse().unwrap_or(length - 1).min(length - 1));
            Some((first, last))
        };
        let Some((first, last)) = range() else { return object.answer(StatusCode::OK, object.body.clone()) };
        let mut answer = object.answer(StatusCode::PARTIAL_CONTENT, object.body.slice(first..=last));
        let said = format!("bytes {first}-{last}/{length}").parse().unwrap();
        answer.headers_mut().insert(header::CONTENT_RANGE, said);
        answer
    }

    fn list(&self, query: &str) -> Answer {
        let query: BTreeMap<String, String> =
            reqwest::Url::parse(&format!("http://a/?{query}")).unwrap().query_pairs().into_owned().collect();
        let of = |key: &str| query.get(key).cloned().unwrap_or_default();
        let (prefix, delimiter) = (of("prefix"), of("delimiter"));
        let (mut contents, mut folders) = (String::new(), BTreeSet::new());
        for (name, object) in self.by_name.iter().filter(|(name, _)| name.starts_with(&prefix)) {
            match name[prefix.len()..].split_once(&*delimiter).filter(|_| !delimiter.is_empty()) {
                Some((folder, _)) => drop(folders.insert(format!("{prefix}{folder}{delimiter}"))),
                None => {
                    contents += &format!(
                        "<Contents><Key>{name}</Key><LastModified>2026-11-27T20:00:00.000Z</LastModified><ETag>{}</ETag>\
                     <Size>{}</Size></Contents>",
                        object.etag(),
                        object.body.len()
                    )
                }
            }
        }
        let folders: String = folders
            .iter()
            .map(|folder| format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"))
            .collect();
        let text = format!(
            "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult>{contents}{folders}</ListBucketResult>"
        );
        Response::new(Full::from(text))
    }
}

impl Object {
    fn etag(&self) -> String {
        format!("\"{:016x}\"", self.generation)
    }

    fn answer(&self, status: StatusCode, body: Bytes) -> Answer {
        let mut answer = Response::builder()
            .status(status)
            .header(header::ETAG, self.etag())
            .header(header::LAST_MODIFIED, MODIFIED)
            .header("x-goog-generation", self.generation)
            .body(Full::from(body))
            .unwrap();
        answer.headers_mut().extend(self.fields.clone());
        answer
    }
}
