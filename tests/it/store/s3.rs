//! A real S3 server (s3s-fs) in this process, on loopback, with moods.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use headwater::{config, store::Store};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use s3s::{
    Body, HttpResponse,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::RwLock, task::JoinHandle};

const BUCKET: &str = "bucket";
const ID: &str = "id-of-the-key";
const SECRET: &str = "secret-of-the-key";

/// What happens to the next so many writes, or reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    Well,
    /// 503.
    Failing(usize),
    /// 500, every fifth; the number is how many are still well.
    Often(usize),
    /// They are done, and the connection is closed without an answer.
    Deaf(usize),
    /// 409, and nothing is done.
    Conflicting(usize),
    /// Of five one is done without an answer and one gets a 409; the number is how many of them are over.
    Unsure(usize),
    /// They take so long.
    Slow(usize, Duration),
    /// Reads take so long, and writes are well.
    SlowReads(Duration),
}

struct State {
    mood: Mutex<Mood>,
    reads: Mutex<Mood>,
    puts: Mutex<Vec<(String, HeaderMap)>>,
    gets: Mutex<Vec<String>>,
    /// s3s-fs replaces an object and what is said of it one after the other, which a bucket does as one.
    whole: RwLock<()>,
}

/// Stopped when it is dropped.
pub(crate) struct S3 {
    directory: TempDir,
    endpoint: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl S3 {
    pub(crate) async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::create_dir_all(directory.path().join("s3").join(BUCKET)).unwrap();
        std::fs::write(directory.path().join("id"), ID).unwrap();
        std::fs::write(directory.path().join("secret"), SECRET).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(directory.path().join("s3")).unwrap());
        builder.set_auth(SimpleAuth::from_single(ID, SECRET));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let [mood, reads] = [(); 2].map(|()| Mutex::new(Mood::Well));
        let state = Arc::new(State {
            mood,
            reads,
            puts: Mutex::default(),
            gets: Mutex::default(),
            whole: RwLock::default(),
        });
        let readers = S3ServiceBuilder::new(FileSystem::new(directory.path().join("s3")).unwrap()).build();
        let doors = Doors { signed: builder.build(), readers };
        let server = tokio::spawn(serve(listener, doors, state.clone()));
        Self { directory, endpoint, state, server }
    }

    pub(crate) fn config(&self, prefix: &str) -> config::Store {
        let mut config = config::Store::at(format!("s3://{BUCKET}{prefix}"));
        config.bucket = config::Bucket {
            endpoint: Some(self.endpoint.clone()),
            region: Some("eu-central-1".into()),
            key_files: Some((self.file("id"), self.file("secret"))),
            allow_http: true,
            ..config::Bucket::default()
        };
        config
    }

    pub(crate) fn store(&self, prefix: &str) -> Store {
        Store::of(&self.config(prefix)).unwrap()
    }

    /// The `[store]` table of a server that keeps everything here.
    pub(crate) fn toml(&self, prefix: &str) -> String {
        format!(
            "url = \"s3://{BUCKET}{prefix}\"\nendpoint = {:?}\nregion = \"eu-central-1\"\n\
             access_key_id_file = {:?}\nsecret_access_key_file = {:?}\n",
            self.endpoint,
            self.file("id"),
            self.file("secret"),
        )
    }

    pub(crate) fn url(&self) -> String {
        format!("s3://{BUCKET}")
    }

    /// The URL by which anybody may read an object, as the bucket of a presentation allows it.
    pub(crate) fn public(&self, path: &str) -> String {
        format!("{}/{BUCKET}/{path}", self.endpoint)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.trim_start_matches("http://").parse().unwrap()
    }

    /// Where the bucket's objects are files.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("s3").join(BUCKET)
    }

    /// The same for who is told by variables.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 3] {
        [("S3_ENDPOINT", &self.endpoint), ("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET)]
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Another client of the same bucket.
    pub(crate) fn client(&self) -> AmazonS3 {
        let builder = AmazonS3Builder::new().with_bucket_name(BUCKET).with_endpoint(&self.endpoint);
        let builder = builder.with_access_key_id(ID).with_secret_access_key(SECRET).with_allow_http(true);
        builder.build().unwrap()
    }

    pub(crate) fn turn(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// The same for what is read.
    pub(crate) fn turn_reads(&self, mood: Mood) {
        *self.state.reads.lock().unwrap() = mood;
    }

    /// How many writes have come.
    pub(crate) fn puts(&self) -> usize {
        self.state.puts.lock().unwrap().len()
    }

    /// How often what ends in `path` has been read.
    pub(crate) fn gets(&self, path: &str) -> usize {
        self.state.gets.lock().unwrap().iter().filter(|get| get.ends_with(path)).count()
    }

    /// A field of the last request that wrote what ends in `path`.
    pub(crate) fn put_header(&self, path: &str, name: &str) -> Option<String> {
        let puts = self.state.puts.lock().unwrap();
        let (_, headers) = puts.iter().rev().find(|(put, _)| put.ends_with(path)).expect(path);
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

impl Mood {
    fn next(&mut self) -> Mood {
        let now = *self;
        match self {
            Mood::Often(left) => {
                *left = left.checked_sub(1).unwrap_or(4);
                if *left == 4 { now } else { Mood::Well }
            }
            Mood::Unsure(over) => {
                *over = (*over + 1) % 5;
                match *over {
                    1 => Mood::Deaf(1),
                    3 => Mood::Conflicting(1),
                    _ => Mood::Well,
                }
            }
            Mood::Failing(0)
            | Mood::Deaf(0)
            | Mood::Conflicting(0)
            | Mood::Slow(0, _)
            | Mood::SlowReads(_)
            | Mood::Well => Mood::Well,
            Mood::Failing(left) | Mood::Deaf(left) | Mood::Conflicting(left) | Mood::Slow(left, _) => {
                *left -= 1;
                now
            }
        }
    }
}

/// Who signs may write, and all may read.
#[derive(Clone)]
struct Doors {
    signed: S3Service,
    readers: S3Service,
}

impl Doors {
    fn of(&self, request: &Request<Incoming>) -> &S3Service {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let signs = request.headers().contains_key(header::AUTHORIZATION);
        if reads && !signs { &self.readers } else { &self.signed }
    }
}

async fn serve(listener: TcpListener, doors: Doors, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (doors, state) = (doors.clone(), state.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, doors.clone(), state.clone()));
            let builder = auto::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    doors: Doors,
    state: Arc<State>,
) -> Result<HttpResponse, std::io::Error> {
    let mut mood = Mood::Well;
    if request.method() == Method::PUT {
        mood = state.mood.lock().unwrap().next();
        state.puts.lock().unwrap().push((request.uri().path().to_owned(), request.headers().clone()));
    }
    if [Method::GET, Method::HEAD].contains(request.method()) {
        mood = state.reads.lock().unwrap().next();
    }
    if request.method() == Method::GET {
        state.gets.lock().unwrap().push(request.uri().path().to_owned());
        let writes = *state.mood.lock().unwrap();
        if let Mood::SlowReads(time) = writes {
            tokio::time::sleep(time).await;
        }
    }
    let broken = || std::io::Error::other("in a mood");
    let status = |status| Response::builder().status(status).body(Body::empty()).map_err(|_| broken());
    match mood {
        Mood::Failing(_) => return status(StatusCode::SERVICE_UNAVAILABLE),
        Mood::Often(_) | Mood::Unsure(_) => return status(StatusCode::INTERNAL_SERVER_ERROR),
        Mood::Conflicting(_) => return status(StatusCode::CONFLICT),
        Mood::Slow(_, time) => tokio::time::sleep(time).await,
        Mood::Deaf(_) | Mood::SlowReads(_) | Mood::Well => {}
    }
    let s3 = doors.of(&request).clone();
    let writes = request.method() == Method::PUT;
    let answer = s3.call(request.map(Body::from));
    let answer = match writes {
        true => (state.whole.write().await, answer.await).1,
        false => (state.whole.read().await, answer.await).1,
    };
    let answer = answer.map_err(|_| broken())?;
    if matches!(mood, Mood::Deaf(_)) { Err(broken()) } else { Ok(answer) }
}
