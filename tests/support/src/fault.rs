//! A store that goes wrong in all the ways that stores go wrong, by a seed: the same seed, the same faults.

use std::{
    collections::HashMap,
    fmt::{self, Display},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream, stream::BoxStream};
use object_store::{
    Attributes, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, memory::InMemory, path::Path,
};
use tokio::sync::watch;

/// What was written: where, and what.
type Landed = (String, Bytes);

/// An object as it was before it was written over or deleted.
#[derive(Clone, Debug)]
struct Version {
    meta: ObjectMeta,
    attributes: Attributes,
    body: Bytes,
}

impl Version {
    fn answer(self, options: &GetOptions) -> Result<GetResult> {
        options.check_preconditions(&self.meta)?;
        let Self { meta, attributes, body } = self;
        let range = match &options.range {
            Some(range) => range.as_range(meta.size).map_err(|error| failed(&error.to_string()))?,
            None => 0..meta.size,
        };
        let bytes = usize::try_from(range.start).unwrap_or(0)..usize::try_from(range.end).unwrap_or(0);
        let payload = GetResultPayload::Stream(stream::iter([Ok(body.slice(bytes))]).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
    }
}

/// What may happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 503, and nothing was done.
    Refused,
    /// It was done, and the answer was lost.
    LostAnswer,
    /// 409 of a conditional create, which object_store reads as "already exists", and nothing was done.
    Conflict,
    /// A read or a list that does not see what was written last: it gets what was there before, and 404 if nothing was.
    Stale,
    /// A body that ends too early.
    Short,
    /// A body in which a bit is another.
    Flipped,
    /// It takes so long.
    Slow(Duration),
    /// A body that comes in four pieces, before each of which nothing comes for so long.
    Thin(Duration),
    /// Nothing is done and nothing answered, ever.
    Hung,
}

/// Of a thousand requests, so many meet each fault.
#[derive(Clone, Debug, Default)]
pub struct Odds(pub Vec<(Fault, u64)>);

/// A store in memory with faults. Cloning is cheap and gives the same.
#[derive(Clone, Debug)]
pub struct FaultStore {
    inner: Arc<InMemory>,
    odds: Arc<Odds>,
    random: Arc<AtomicU64>,
    calm: Arc<AtomicBool>,
    /// Requests left until the process is as good as killed: nothing of what it asks is done any more.
    left: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
    creates: Arc<AtomicU64>,
    hung: Arc<OnceLock<String>>,
    /// All writes that were done, in their order, if they are told.
    history: Option<Arc<Mutex<Vec<Landed>>>>,
    /// What each object was before it was written last.
    older: Arc<Mutex<HashMap<Path, Version>>>,
    /// False while the process that asks is stopped: what is on its way is done, and it neither asks nor hears.
    awake: Arc<watch::Sender<bool>>,
    /// Conditions are accepted, and nothing becomes of them.
    heedless: bool,
}

impl FaultStore {
    /// Faults by `seed`.
    pub fn new(seed: u64, odds: Odds) -> Self {
        Self {
            inner: Arc::default(),
            odds: Arc::new(odds),
            random: Arc::new(AtomicU64::new(seed)),
            calm: Arc::default(),
            left: Arc::new(AtomicU64::new(u64::MAX)),
            asked: Arc::default(),
            creates: Arc::default(),
            hung: Arc::default(),
            history: None,
            older: Arc::default(),
            awake: Arc::new(watch::channel(true).0),
            heedless: false,
        }
    }

    /// The same, which tells all writes, and does them even if who asked for them has given up.
    #[must_use]
    pub fn lingering(self) -> Self {
        Self { history: Some(Arc::default()), ..self }
    }

    /// The same, which writes whatever the condition is, as some stores do that look like S3.
    #[must_use]
    pub fn heedless(self) -> Self {
        Self { heedless: true, ..self }
    }

    /// The same for another process, which can be stopped by itself.
    #[must_use]
    pub fn for_another(&self) -> Self {
        Self { awake: Arc::new(watch::channel(true).0), asked: Arc::default(), ..self.clone() }
    }

    /// The same for a process that meets these faults.
    #[must_use]
    pub fn meeting(self, odds: Odds) -> Self {
        Self { odds: Arc::new(odds), ..self }
    }

    /// How many requests this process has made.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Stops the process that asks, or lets it go on.
    pub fn wake(&self, awake: bool) {
        self.awake.send_replace(awake);
    }

    async fn awake(&self) {
        // The sender is ours.
        let _ = self.awake.subscribe().wait_for(|awake| *awake).await;
    }

    /// All writes so far, in their order.
    pub fn history(&self) -> Vec<(String, Bytes)> {
        let history =
            self.history.as_ref().map(|history| history.lock().unwrap_or_else(PoisonError::into_inner));
        history.map(|history| history.clone()).unwrap_or_default()
    }

    /// From now on nothing goes wrong, or things do again.
    pub fn calm(&self, calm: bool) {
        self.calm.store(calm, Ordering::SeqCst);
    }

    /// From now on no write under `prefix` is done or answered.
    pub fn hang(&self, prefix: &str) {
        self.hung.get_or_init(|| prefix.to_owned());
    }

    /// After so many more requests nothing is done any more.
    pub fn crash_after(&self, requests: u64) {
        self.left.store(requests, Ordering::SeqCst);
    }

    /// What lies there, past all faults.
    pub fn truth(&self) -> Arc<InMemory> {
        self.inner.clone()
    }

    /// How many bodies were landed by conditional creates.
    pub fn created(&self) -> u64 {
        self.creates.load(Ordering::SeqCst)
    }

    /// splitmix64.
    fn random(&self) -> u64 {
        let mut z = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn draw(&self) -> Option<Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let dead = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            Some(if left == u64::MAX { left } else { left.saturating_sub(1) })
        });
        if dead == Ok(0) {
            return Some(Fault::Hung);
        }
        let mut drawn = self.random() % 1000;
        if self.calm.load(Ordering::SeqCst) {
            return None;
        }
        for (fault, odds) in &self.odds.0 {
            if drawn < *odds {
                return Some(*fault);
            }
            drawn -= odds;
        }
        None
    }

    /// What is not done, and what takes its time before it is.
    async fn before(&self, fault: Option<Fault>) -> Result<()> {
        match fault {
            Some(Fault::Refused) => Err(failed("503 Service Unavailable")),
            Some(Fault::Slow(time)) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Some(Fault::Hung) => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

impl FaultStore {
    async fn current(&self, path: &Path) -> Option<Version> {
        let got = self.inner.get(path).await.ok()?;
        let (meta, attributes) = (got.meta.clone(), got.attributes.clone());
        Some(Version { meta, attributes, body: got.bytes().await.ok()? })
    }

    fn reads_the_past(&self) -> bool {
        self.odds.0.iter().any(|(fault, _)| *fault == Fault::Stale)
    }

    fn outdate(&self, path: &Path, before: Option<Version>) {
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        match before {
            Some(before) => drop(older.insert(path.clone(), before)),
            None => drop(older.remove(path)),
        }
    }

    fn older(&self, path: &Path) -> Option<Version> {
        self.older.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    async fn put_once(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let hangs = self.hung.get().is_some_and(|prefix| path.as_ref().starts_with(prefix));
        let fault = if hangs { Some(Fault::Hung) } else { self.draw() };
        self.before(fault).await?;
        let creates = options.mode == PutMode::Create;
        let mode = if self.heedless { PutMode::Overwrite } else { options.mode.clone() };
        let options = PutOptions { mode, ..options };
        if fault == Some(Fault::Conflict) && creates {
            let source = "409 Conflict".into();
            return Err(object_store::Error::AlreadyExists { path: path.to_string(), source });
        }
        let before = if self.reads_the_past() { self.current(path).await } else { None };
        let put = self.inner.put_opts(path, payload.clone(), options).await;
        if put.is_ok() {
            self.outdate(path, before);
        }
        if let (Ok(_), Some(history)) = (&put, &self.history) {
            let landed = (path.to_string(), payload.into());
            history.lock().unwrap_or_else(PoisonError::into_inner).push(landed);
        }
        if put.is_ok() && creates {
            self.creates.fetch_add(1, Ordering::SeqCst);
        }
        if fault == Some(Fault::LostAnswer) { Err(failed("connection reset by peer")) } else { put }
    }
}

fn failed(reason: &str) -> object_store::Error {
    object_store::Error::Generic { store: "fault", source: reason.into() }
}

impl Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store with faults")
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.awake().await;
        if self.history.is_none() {
            return self.put_once(path, payload, options).await;
        }
        let (store, path) = (self.clone(), path.clone());
        let put = tokio::spawn(async move { store.put_once(&path, payload, options).await });
        let put = put.await.unwrap_or_else(|_| Err(failed("the store is gone")));
        self.awake().await;
        put
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.awake().await;
        let fault = self.draw();
        self.before(fault).await?;
        if fault == Some(Fault::Stale) {
            let missing = || object_store::Error::NotFound { path: path.to_string(), source: "404".into() };
            return self.older(path).ok_or_else(missing)?.answer(&options);
        }
        let mut got = self.inner.get_opts(path, options).await?;
        if matches!(fault, Some(Fault::Short | Fault::Flipped)) {
            let (meta, range, attributes) = (got.meta.clone(), got.range.clone(), got.attributes.clone());
            let mut body = got.bytes().await?.to_vec();
            if fault == Some(Fault::Short) {
                body.pop();
            } else if let Some(byte) = body.first_mut() {
                *byte ^= 1;
            }
            let payload = GetResultPayload::Stream(stream::iter([Ok(Bytes::from(body))]).boxed());
            got = GetResult { payload, meta, range, attributes, extensions: Default::default() };
        }
        if let Some(Fault::Thin(pause)) = fault {
            let (meta, range, attributes) = (got.meta.clone(), got.range.clone(), got.attributes.clone());
            let body = got.bytes().await?;
            let quarter = body.len().div_ceil(4).max(1);
            let pieces: Vec<Bytes> = body.chunks(quarter).map(|piece| body.slice_ref(piece)).collect();
            let slowly = stream::iter(pieces).then(move |piece| async move {
                tokio::time::sleep(pause).await;
                Ok(piece)
            });
            let payload = GetResultPayload::Stream(slowly.boxed());
            return Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() });
        }
        if fault == Some(Fault::LostAnswer) { Err(failed("connection reset by peer")) } else { Ok(got) }
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        paths
            .then(move |path| {
                let store = store.clone();
                async move {
                    let (path, fault) = (path?, store.draw());
                    store.before(fault).await?;
                    let before = store.current(&path).await;
                    store.inner.delete(&path).await?;
                    store.outdate(&path, before);
                    let lost = fault == Some(Fault::LostAnswer);
                    if lost { Err(failed("connection reset by peer")) } else { Ok(path) }
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let fault = self.draw();
        self.before(fault).await?;
        let mut found = self.inner.list_with_delimiter(prefix).await?;
        match fault {
            Some(Fault::LostAnswer | Fault::Short) => return Err(failed("connection reset by peer")),
            Some(Fault::Stale) => drop(found.objects.pop()),
            _ => {}
        }
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.before(self.draw()).await?;
        self.inner.copy_opts(from, to, options).await
    }
}
