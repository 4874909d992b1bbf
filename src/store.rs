//! The store: segments, playlists and state records in a directory, in memory or in a bucket, through object_store.
//!
//! Its layout equals that of the URLs, so a directory behind any static web server is a valid presentation, and so is a
//! bucket behind a CDN.

mod blocks;
mod cache;
mod described;
mod effort;
mod error;
mod hashes;
mod hold;
mod holdings;
mod large;
mod listed;
mod place;
mod probe;
mod revise;
mod room;

use std::{fs, io, sync::Arc};

use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

pub use self::{
    blocks::Blocks,
    effort::Effort,
    error::Error,
    hold::Lock,
    listed::{Hashed, LIST, Tag},
    probe::Unfenced,
    revise::{Seen, Version},
};
use self::{
    cache::{Cache, Disk, Entry},
    described::Descriptions,
    hashes::Hashes,
    holdings::{Holdings, Writing},
    place::Place,
    room::Room,
};
use crate::{
    config::{self, Spool},
    policy::CachePolicy,
};

/// An object of which it is known what it has to be is read as a whole if it is no more than this part of the cache.
const COMPARED: u64 = 4;

/// A whole object, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub body: Bytes,
    /// Its strong entity tag, quoted: a hash of the content.
    pub etag: String,
}

/// What is found under a name.
#[derive(Clone, Debug)]
pub enum Stored {
    /// An object, as read.
    Whole(Arc<Object>),
    /// A large one, which is read while it is sent.
    Blocks(Box<Blocks>),
}

impl Stored {
    /// Its strong entity tag, quoted.
    pub fn etag(&self) -> &str {
        match self {
            Self::Whole(object) => &object.etag,
            Self::Blocks(blocks) => blocks.etag(),
        }
    }
}

/// A handle on the store. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    holdings: Holdings,
    cache: Cache,
    url: Arc<str>,
    spool: Arc<Spool>,
    effort: Effort,
    manifests: bool,
    fence: config::Fence,
    /// Whether it keeps to conditions, once that is known.
    keeps: Arc<OnceCell<bool>>,
}

impl Store {
    /// Opens what the configuration says.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::Directory`], [`Error::Local`], [`Error::Bucket`] and [`Error::Credentials`]. That a
    /// bucket is there and lets us in is seen when it is used.
    pub fn of(config: &config::Store) -> Result<Self, Error> {
        if let Some((directory, _)) = &config.spool.disk {
            usable("spool_directory", directory)?;
        }
        let disk =
            config.cache.disk.as_ref().map(|(directory, bytes)| disk(directory, *bytes)).transpose()?;
        Ok(Self::new(Place::open(config)?, config, disk))
    }

    /// Opens a directory (created if absent), a `file://` URL or `memory://`; or a bucket, with what the environment says.
    ///
    /// # Errors
    /// As [`Store::of`].
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::of(&config::Store::at(url))
    }

    /// Opens what lies beside the store of the configuration: a bucket of the same kind is spoken to as that says, but its tags
    /// are for rules about segments of channels.
    ///
    /// # Errors
    /// As [`Store::of`].
    pub fn beside(config: &config::Store, url: &str) -> Result<Self, Error> {
        let kind = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_owned());
        let other = config::Store::at(url);
        if kind(&config.url) != kind(url) {
            return Self::of(&other);
        }
        let bucket = config::Bucket { tags: Default::default(), ..config.bucket.clone() };
        Self::of(&config::Store { bucket, ..other })
    }

    /// Anything that object_store has, for tests of what goes wrong.
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self::over_as(objects, &config::Store::at("memory://"))
    }

    /// The same with a cache as the configuration says.
    pub fn over_as(objects: Arc<dyn ObjectStore>, config: &config::Store) -> Self {
        Self::new(Place::of(objects, Descriptions::default()), config, None)
    }

    fn new(place: Place, config: &config::Store, disk: Option<Disk>) -> Self {
        let room = Room::beside(config.cache.memory);
        let largest_compared = config.cache.memory / COMPARED;
        let holdings = Holdings { place, hashes: Hashes::default(), hold: None, room, largest_compared };
        Self {
            cache: Cache::new(holdings.clone(), config.cache.memory, disk),
            holdings,
            url: config.url.as_str().into(),
            spool: config.spool.clone().into(),
            effort: Effort::archive(),
            manifests: config.manifests,
            fence: config.fence,
            keeps: Arc::default(),
        }
    }

    /// How much of a channel may wait for it.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// True if it is to have playlists and MPDs too.
    pub fn takes_manifests(&self) -> bool {
        self.manifests
    }

    /// What is spent on what is written.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// The same store, which spends this on what is written.
    #[must_use]
    pub fn spending(self, effort: Effort) -> Self {
        Self { effort, ..self }
    }

    /// The same store, for which so much may wait.
    #[must_use]
    pub fn spooling(self, spool: Spool) -> Self {
        Self { spool: spool.into(), ..self }
    }

    /// What no other store is called on this machine; `None` if it ends with the process, or is not there.
    pub fn identity(&self) -> Option<String> {
        self.holdings.place.identity()
    }

    /// As it was opened.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Writes an object that nobody but us reads, over what is there.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::Denied`] and [`Error::Unavailable`].
    pub async fn put(&self, path: &str, pieces: Vec<Bytes>) -> Result<(), Error> {
        self.write(&Writing::new(path, pieces, CachePolicy::NoStore), true).await
    }

    /// Writes a document that lists what is kept, over what is there. A reader never sees a part of it. After a power cut
    /// it may be gone: it is made again with the next segment.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn put_document(&self, path: &str, text: Bytes, cache: CachePolicy) -> Result<(), Error> {
        self.write(&Writing::new(path, vec![text], cache), false).await
    }

    /// Writes a segment under a name that may have been given to something that nobody was ever told of.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn put_media(&self, path: &str, pieces: Vec<Bytes>) -> Result<(), Error> {
        let writing = Writing::new(path, pieces, CachePolicy::Immutable);
        self.write(&writing, true).await?;
        self.holdings.hashes.expect(path, &writing.etag);
        Ok(())
    }

    /// Writes a segment under a name that has never had a body. If it has this very body already, that is as good.
    ///
    /// # Errors
    /// [`Error::Taken`] if it has another, which then stays; else as [`Store::put`].
    pub async fn create(&self, path: &str, pieces: Vec<Bytes>) -> Result<(), Error> {
        let writing = Writing::new(path, pieces, CachePolicy::Immutable);
        self.holdings.create(&writing, self.effort).await?;
        self.cache.arrive(path);
        self.holdings.hashes.expect(path, &writing.etag);
        Ok(())
    }

    async fn write(&self, writing: &Writing<'_>, durable: bool) -> Result<(), Error> {
        self.holdings.hashes.forget(writing.path);
        let written = self.holdings.replace(writing, durable, self.effort).await;
        self.cache.forget(writing.path).await;
        written
    }

    /// The object at `path` has this entity tag, and is not believed if it has another.
    pub fn expect(&self, path: &str, etag: &str) {
        self.holdings.hashes.expect(path, etag);
    }

    /// True if it is known what the object at `path` has to be, or if it says so itself, as those in a bucket do.
    pub fn knows(&self, path: &str) -> bool {
        !self.holdings.place.is_local() || self.holdings.hashes.of(path).is_some()
    }

    /// Nothing is known any more of what the object at `path` has to be.
    pub fn disown(&self, path: &str) {
        self.holdings.hashes.forget(path);
    }

    /// Reads an object, past the cache.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::NotFound`], [`Error::Denied`], [`Error::Damaged`] and [`Error::Unavailable`].
    pub async fn get(&self, path: &str) -> Result<Bytes, Error> {
        self.holdings.read(path).await.map(|object| object.body)
    }

    /// What is new at `path` since it was `known`: its bytes, past the cache, and the version by which they are known from
    /// then on. Asked once; who looks again and again has no need of more.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn poll(&self, path: &str, known: Option<&str>) -> Result<Option<(Bytes, String)>, Error> {
        self.holdings.poll(path, known).await
    }

    /// Finds an object through the cache. However many ask at once, the store is asked once. One of more than 8 MiB is read
    /// in blocks while it is sent, unless it is known what it has to be and it is no more than a quarter of the cache.
    ///
    /// # Errors
    /// As [`Store::get`], and [`Error::Busy`].
    pub async fn find(&self, path: &str) -> Result<Stored, Error> {
        // Boxed, because moka's futures are large, and a request that waits for something else is as large as they are.
        Ok(match Box::pin(self.cache.find(path)).await? {
            Entry::Object(object) => Stored::Whole(object),
            Entry::Large(large) => Stored::Blocks(Blocks::new(large, self.cache.clone()).into()),
        })
    }

    /// Reads all of an object through the cache, for what is small.
    ///
    /// # Errors
    /// As [`Store::find`], and [`Error::Changed`].
    pub async fn object(&self, path: &str) -> Result<Arc<Object>, Error> {
        match self.find(path).await? {
            Stored::Whole(object) => Ok(object),
            Stored::Blocks(blocks) => blocks.whole().await.map(Arc::new),
        }
    }

    /// What was read at `path` is no use: whoever asks next has it read anew.
    pub async fn reread(&self, path: &str) {
        self.cache.forget(path).await;
    }

    /// How often the store was asked for what the cache did not have.
    pub fn fills(&self) -> u64 {
        self.cache.fills()
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        self.cache.forget(path).await;
        self.holdings.hashes.forget(path);
        let location = location(path)?;
        let objects = &self.holdings.place.objects;
        let delete = || async { objects.delete(&location).await.map_err(|error| Error::of(path, error)) };
        match self.effort.spend(path, delete).await {
            Err(Error::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Names of the packaged assets under `vod/`, sorted.
    ///
    /// # Errors
    /// [`Error::Denied`] and [`Error::Unavailable`].
    pub async fn assets(&self) -> Result<Vec<String>, Error> {
        let prefix = Path::from("vod");
        let list = || async {
            let listing = self.holdings.place.objects.list_with_delimiter(Some(&prefix)).await;
            listing.map_err(|error| Error::of("vod", error))
        };
        let listing = Effort::viewer().spend("vod", list).await?;
        let mut names: Vec<String> =
            listing.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }
}

/// Strong entity tag of the concatenation of `pieces`, quoted: 128 bits of SHA-256.
pub fn etag<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    pieces.into_iter().for_each(|piece| hash.update(piece));
    tag(hash)
}

fn tag(hash: Sha256) -> String {
    let hex: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn location(path: &str) -> Result<Path, Error> {
    Path::parse(path).map_err(|_| Error::Path { path: path.to_owned() })
}

/// It is needed when the store fails, which is no time to find out that it cannot be had.
fn usable(key: &'static str, directory: &std::path::Path) -> Result<(), Error> {
    let error = |reason: io::Error| unusable(key, directory, &reason);
    let probe = directory.join(format!(".headwater-{}", std::process::id()));
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&probe, []))
        .and_then(|()| fs::remove_file(&probe))
        .map_err(error)
}

fn unusable(key: &'static str, directory: &std::path::Path, reason: &io::Error) -> Error {
    Error::Local { key, directory: directory.into(), reason: reason.to_string() }
}

fn disk(directory: &std::path::Path, bytes: u64) -> Result<Disk, Error> {
    const KEY: &str = "cache_directory";
    usable(KEY, directory)?;
    Disk::open(directory, bytes).map_err(|reason| unusable(KEY, directory, &reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_that_cannot_be_written_to_is_refused_before_it_is_needed() {
        let at = |directory: &std::path::Path| {
            let disk = Some((directory.to_owned(), 1 << 20));
            let spool = Spool { disk, ..Spool::default() };
            Store::of(&config::Store { spool, ..config::Store::at("memory://") })
        };
        let error = at(std::path::Path::new("/dev/null/spool")).unwrap_err().to_string();
        assert!(
            error.contains("store.spool_directory: /dev/null/spool") && error.contains("may write"),
            "{error}"
        );
        let directory = tempfile::tempdir().unwrap();
        at(&directory.path().join("new")).unwrap();
        assert_eq!(fs::read_dir(directory.path().join("new")).unwrap().count(), 0, "nothing is left in it");
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_in_words() {
        let error = Store::open("ftp://host/").unwrap_err().to_string();
        assert!(error.contains("ftp://host/") && error.contains("directory"), "{error}");
        let error = Store::open("/dev/null/data").unwrap_err().to_string();
        assert!(error.contains("/dev/null/data") && error.contains("may write"), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_is_not_there_is_asked_for_once_a_second_and_is_there_when_it_is_written() {
        let store = Store::open("memory://").unwrap();
        for _ in 0..100 {
            assert!(matches!(store.object("vod/a/1.m4s").await, Err(Error::NotFound { .. })));
        }
        assert_eq!(store.fills(), 1);
        store.create("vod/a/1.m4s", vec![Bytes::from("x")]).await.unwrap();
        assert_eq!(store.object("vod/a/1.m4s").await.unwrap().body, "x");
        for number in 0..50_000 {
            assert!(store.object(&format!("vod/{number}/index.m3u8")).await.is_err());
        }
        assert!(store.cache.names() <= 10_001, "{}", store.cache.names());
    }

    #[tokio::test]
    async fn a_name_that_a_record_has_is_asked_for_though_it_was_not_there_a_moment_ago() {
        let objects = Arc::new(object_store::memory::InMemory::new());
        let [node, packager] = [(); 2].map(|()| Store::over(objects.clone()));
        let path = "live/a/360p/1.m4s";
        assert!(node.object(path).await.is_err());
        packager.create(path, vec![Bytes::from("x")]).await.unwrap();
        assert!(node.object(path).await.is_err(), "nobody has said that it is there");
        node.expect(path, &etag([&b"x"[..]]));
        assert_eq!(node.object(path).await.unwrap().body, "x");
        // What a record has and the store has lost is asked for once a second as well.
        node.expect("live/a/360p/2.m4s", &etag([&b"y"[..]]));
        let before = node.fills();
        for _ in 0..100 {
            assert!(node.object("live/a/360p/2.m4s").await.is_err());
        }
        assert_eq!(node.fills(), before + 1);
    }

    #[tokio::test]
    async fn what_memory_has_no_room_for_comes_from_the_disk_and_not_from_the_store_again() {
        let directory = tempfile::tempdir().unwrap();
        let cache = config::Cache { memory: 0, disk: Some((directory.path().into(), 1 << 20)) };
        let store = Store::of(&config::Store { cache, ..config::Store::at("memory://") }).unwrap();
        store.create("vod/a/1.m4s", vec![Bytes::from("x")]).await.unwrap();
        let read = async || store.object("vod/a/1.m4s").await.unwrap().body.clone();
        assert_eq!(read().await, "x");
        // It is written beside those who read.
        let kept = async {
            loop {
                let before = store.fills();
                assert_eq!(read().await, "x");
                if store.fills() == before {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), kept).await.expect("it is on the disk");
        store.put_media("vod/a/1.m4s", vec![Bytes::from("y")]).await.unwrap();
        assert_eq!(read().await, "y", "what is written over is not on the disk any more");
    }

    #[tokio::test]
    async fn a_thousand_readers_of_a_cold_object_cost_one_read_even_if_all_but_one_give_up() {
        let store = Store::open("memory://").unwrap();
        store.put("vod/a/1.m4s", vec![Bytes::from("x")]).await.unwrap();
        let readers: Vec<_> = (0..1000)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.object("vod/a/1.m4s").await })
            })
            .collect();
        readers.iter().skip(1).for_each(|reader| reader.abort());
        let first = readers.into_iter().next().unwrap();
        assert!(first.await.unwrap().is_ok());
        assert_eq!(store.fills(), 1);
    }
}
