//! Objects as they lie in their place, past the cache: reading what is true of them, and writing so that it stays true.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use object_store::{
    GetOptions, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
};
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    Effort, Error, Object, described, etag,
    hashes::{self, Hashes},
    hold::Hold,
    large::{BLOCK, LARGEST_WHOLE, Large},
    location,
    place::Place,
    room::Room,
};
use crate::policy::CachePolicy;

/// What is larger takes its time on a slow line.
const LARGE: usize = 256 << 10;

/// For so long nothing may come of a body that has begun. Of all of it nothing is said: over a thin line it takes its time.
const STALL: Duration = Duration::from_secs(3);

/// What is kept. Cloning is cheap.
#[derive(Clone, Debug)]
pub(super) struct Holdings {
    pub(super) place: Place,
    pub(super) hashes: Hashes,
    /// Of a directory, for a writer that may be succeeded.
    pub(super) hold: Option<Hold>,
    /// For what is read for the cache.
    pub(super) room: Room,
    /// What is no larger is read as a whole, if it is known what it has to be: so it is compared before anything is sent.
    pub(super) largest_compared: u64,
}

/// Something to be written.
pub(super) struct Writing<'a> {
    pub(super) path: &'a str,
    pub(super) payload: PutPayload,
    pub(super) etag: String,
    pub(super) cache: CachePolicy,
}

impl<'a> Writing<'a> {
    pub(super) fn new(path: &'a str, pieces: Vec<Bytes>, cache: CachePolicy) -> Self {
        let etag = etag(pieces.iter().map(|piece| &piece[..]));
        Self { path, payload: PutPayload::from_iter(pieces), etag, cache }
    }
}

/// What one request tells of an object.
pub(super) enum Opening {
    /// All of it.
    Whole(Object),
    /// What it is, and its first blocks.
    Large(Box<Large>, Vec<Object>),
}

impl Holdings {
    /// Reads an object whose content is what was written, as far as that is known.
    pub(super) async fn read(&self, path: &str) -> Result<Object, Error> {
        let ask = || self.ask(path, GetOptions::default());
        self.reading().take(path, ask, |found| self.whole(path, found)).await
    }

    /// Reads an object, or only the beginning of a large one.
    pub(super) async fn open(&self, path: &str) -> Result<Opening, Error> {
        let looked = AtomicBool::new(false);
        let ask = || self.ask_for_beginning(path, &looked);
        self.reading().take(path, ask, |found| self.opening(path, found)).await
    }

    /// Reads a block of an object that is still the one that was opened.
    pub(super) async fn block(&self, large: &Large, index: u64) -> Result<Object, Error> {
        let ask = || self.ask_for_block(large, index);
        self.reading().take(&large.path, ask, |found| self.block_of(large, index, found)).await
    }

    fn reading(&self) -> Effort {
        if self.place.is_local() { Effort::viewer().once() } else { Effort::viewer() }
    }

    /// Asks for an object, of which nothing is read yet.
    async fn ask(&self, path: &str, options: GetOptions) -> Result<GetResult, Error> {
        self.place.is_within(path).await?;
        let found = self.place.objects.get_opts(&location(path)?, options).await;
        found.map_err(|error| Error::of(path, error))
    }

    async fn whole(&self, path: &str, found: GetResult) -> Result<Object, Error> {
        let (size, said) = (found.meta.size, described::etag_of(&found.attributes));
        let body = body(path, found).await?;
        let tag = etag([&body[..]]);
        let expected = self.hashes.of(path).or(said);
        let is_it = expected.is_none_or(|expected| expected == tag) && hashes::fits_name(path, &tag);
        if size != body.len() as u64 || !is_it {
            return Err(Error::Damaged { path: path.to_owned() });
        }
        Ok(Object { body, etag: tag })
    }

    async fn opening(&self, path: &str, found: GetResult) -> Result<Opening, Error> {
        let size = found.meta.size;
        let (known, said) = (self.hashes.of(path), described::etag_of(&found.attributes));
        let is_compared = size <= self.largest_compared && (known.is_some() || said.is_some());
        let length = if is_compared { size } else { length_of(&found) };
        let _room = self.room.bytes(path, length).await?;
        if size <= LARGEST_WHOLE {
            return self.whole(path, found).await.map(Opening::Whole);
        }
        let (version, modified) = (found.meta.e_tag.clone(), modified(&found));
        let head = body(path, found).await?;
        let differ = known.as_ref().zip(said.as_ref()).is_some_and(|(known, said)| known != said);
        if differ || head.len() as u64 != LARGEST_WHOLE {
            return Err(Error::Damaged { path: path.to_owned() });
        }
        if is_compared {
            let large = Large::new(path, size, version, known.or(said)).written_at(modified);
            return self.compared(&large, head).await.map(Opening::Whole);
        }
        let blocks = head
            .chunks(BLOCK as usize)
            .map(|block| Object { body: head.slice_ref(block), etag: etag([block]) });
        let large = Large::new(path, size, version, known.or(said)).written_at(modified);
        Ok(Opening::Large(large.into(), blocks.collect()))
    }

    /// What is empty has no range that could be asked for (RFC 9110 14.1.2), and each place says so with an error of its own: so
    /// when one has come, it is `looked` once whether it is that.
    async fn ask_for_beginning(&self, path: &str, looked: &AtomicBool) -> Result<GetResult, Error> {
        let beginning = GetOptions::new().with_range(Some(0..LARGEST_WHOLE));
        match self.ask(path, beginning).await {
            Err(Error::Unavailable { .. })
                if !looked.swap(true, Ordering::Relaxed) && self.is_empty(path).await =>
            {
                self.ask(path, GetOptions::default()).await
            }
            asked => asked,
        }
    }

    /// All of an object of which `head` has come: it is what was written.
    async fn compared(&self, large: &Large, head: Bytes) -> Result<Object, Error> {
        let path = &large.path;
        let unavailable = |reason: String| Error::Unavailable { path: path.clone(), reason };
        let span = head.len() as u64..large.length;
        let ask = || self.ask_for_span(large, span.clone());
        let rest = self.reading().take(path, ask, |found| body(path, found)).await;
        let rest = rest.map_err(|error| match error {
            // It is to be had anew, from its beginning.
            Error::Changed { .. } => unavailable(error.to_string()),
            other => other,
        })?;
        // It takes longer than others on this thread should wait.
        let hash = move || {
            let whole = [head, rest].concat();
            (etag([&whole[..]]), whole)
        };
        let (tag, whole) =
            spawn_blocking(hash).await.map_err(|panicked| unavailable(panicked.to_string()))?;
        if !large.is_expected(&tag) {
            return Err(Error::Damaged { path: path.clone() });
        }
        Ok(Object { body: whole.into(), etag: tag })
    }

    async fn ask_for_block(&self, large: &Large, index: u64) -> Result<GetResult, Error> {
        self.ask_for_span(large, large.span(index)).await
    }

    /// Asks for bytes of an object that is still the one that was opened.
    async fn ask_for_span(&self, large: &Large, span: Range<u64>) -> Result<GetResult, Error> {
        let path = &large.path;
        self.place.is_within(path).await?;
        let changed = || Error::Changed { path: path.clone() };
        let options = GetOptions::new().with_range(Some(span));
        let options = options.with_if_match(large.condition());
        let found = match self.place.objects.get_opts(&location(path)?, options).await {
            Err(object_store::Error::Precondition { .. }) => return Err(changed()),
            found => found.map_err(|error| Error::of(path, error))?,
        };
        // A server that takes no conditions tells all the same what it gives.
        if large.is(found.meta.size, found.meta.e_tag.as_deref()) { Ok(found) } else { Err(changed()) }
    }

    async fn block_of(&self, large: &Large, index: u64, found: GetResult) -> Result<Object, Error> {
        let (path, span) = (&large.path, large.span(index));
        let _room = self.room.bytes(path, length_of(&found)).await?;
        let body = body(path, found).await?;
        if body.len() as u64 != span.end - span.start {
            return Err(Error::Damaged { path: path.clone() });
        }
        Ok(Object { etag: etag([&body[..]]), body })
    }

    /// True if what was opened once is still what lies there, and still has to be the same.
    pub(super) async fn is_unchanged(&self, large: &Large) -> Result<bool, Error> {
        // Not a HEAD, as places need not say the same of an object there.
        let ask = || self.ask(&large.path, GetOptions::new().with_range(Some(0..1)));
        let found = self.reading().spend(&large.path, ask).await?;
        let expected = self.hashes.of(&large.path).or(described::etag_of(&found.attributes));
        let is_same =
            large.is(found.meta.size, found.meta.e_tag.as_deref()) && large.was_written_at(modified(&found));
        Ok(is_same && expected.is_none_or(|tag| large.is_expected(&tag)))
    }

    async fn is_empty(&self, path: &str) -> bool {
        let Ok(location) = location(path) else { return false };
        self.place.objects.head(&location).await.is_ok_and(|found| found.size == 0)
    }

    /// Reads an object that is not `known` already, and gives it with the version that it then has.
    pub(super) async fn poll(
        &self,
        path: &str,
        known: Option<&str>,
    ) -> Result<Option<(Bytes, String)>, Error> {
        let ask = || self.ask_for_news(path, known);
        Effort::look().take(path, ask, |found| self.news(path, known, found)).await
    }

    async fn ask_for_news(&self, path: &str, known: Option<&str>) -> Result<Option<GetResult>, Error> {
        let options = GetOptions { if_none_match: known.map(str::to_owned), ..GetOptions::default() };
        match self.place.objects.get_opts(&location(path)?, options).await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotModified { .. }) => Ok(None),
            Err(error) => Err(Error::of(path, error)),
        }
    }

    async fn news(
        &self,
        path: &str,
        known: Option<&str>,
        found: Option<GetResult>,
    ) -> Result<Option<(Bytes, String)>, Error> {
        let Some(found) = found else { return Ok(None) };
        let (size, said) = (found.meta.size, described::etag_of(&found.attributes));
        let version = found.meta.e_tag.clone();
        let body = body(path, found).await?;
        let tag = etag([&body[..]]);
        if size != body.len() as u64 || said.is_some_and(|said| said != tag) {
            return Err(Error::Damaged { path: path.to_owned() });
        }
        // A server that takes no conditions gives the same again.
        let version = version.unwrap_or(tag);
        Ok((known != Some(version.as_str())).then_some((body, version)))
    }

    /// Writes an object over whatever is there, in whole or not at all. One that is not `durable` may be gone after a
    /// power cut.
    pub(super) async fn replace(
        &self,
        writing: &Writing<'_>,
        durable: bool,
        effort: Effort,
    ) -> Result<(), Error> {
        let location = location(writing.path)?;
        let objects = if durable { &self.place.objects } else { &self.place.hasty };
        let put = || async {
            self.is_present(writing.path).await?;
            let put = match (&self.hold, &self.place.root) {
                (Some(hold), Some(root)) => {
                    let pieces = writing.payload.iter().cloned().collect();
                    hold.write(root.join(writing.path), pieces, durable).await
                }
                _ => {
                    let options = self.options(writing, PutMode::Overwrite);
                    let put = objects.put_opts(&location, writing.payload.clone(), options).await;
                    put.map(drop).map_err(|error| Error::of(writing.path, error))
                }
            };
            // First: where a disk is mounted no more, nothing of ours is found, and nobody has succeeded us.
            self.is_present(writing.path).await?;
            put
        };
        self.writing(effort).unhedged().spend(writing.path, put).await
    }

    /// Writes an object whose name nothing has had before: one name, one body, for ever.
    pub(super) async fn create(&self, writing: &Writing<'_>, effort: Effort) -> Result<(), Error> {
        let location = location(writing.path)?;
        let put = || async {
            self.is_present(writing.path).await?;
            let options = self.options(writing, PutMode::Create);
            match self.place.objects.put_opts(&location, writing.payload.clone(), options).await {
                // It may have gone between the look and the write, which then went where nobody will find it.
                Ok(_) => self.is_present(writing.path).await,
                Err(object_store::Error::AlreadyExists { .. }) => self.is_ours(writing).await,
                Err(error) => Err(Error::of(writing.path, error)),
            }
        };
        let effort = self.writing(effort);
        let is_large = writing.payload.content_length() > LARGE;
        if is_large { effort.hedged_late() } else { effort }.spend(writing.path, put).await
    }

    /// What lies there decides whether we were first: an answer may have been lost, and object_store reads a 409, which
    /// S3 gives while others write under the name, as "already exists" although nothing may have landed.
    async fn is_ours(&self, writing: &Writing<'_>) -> Result<(), Error> {
        let path = writing.path;
        let found = match self.place.objects.get(&location(path)?).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                let reason = "said to be there already, and is not there".to_owned();
                return Err(Error::Unavailable { path: path.to_owned(), reason });
            }
            Err(error) => return Err(Error::of(path, error)),
        };
        let said = described::etag_of(&found.attributes);
        let body = found.bytes().await.map_err(|error| Error::of(path, error))?;
        let is_it = etag([&body[..]]) == writing.etag;
        match said {
            // What it says of itself is of what was written; what is read may be damaged on its way.
            Some(said) if said == writing.etag && !is_it => Err(Error::Damaged { path: path.to_owned() }),
            _ if is_it => Ok(()),
            _ => Err(Error::Taken { path: path.to_owned() }),
        }
    }

    pub(super) fn options(&self, writing: &Writing<'_>, mode: PutMode) -> object_store::PutOptions {
        self.place.descriptions.options(writing.path, &writing.etag, writing.cache, mode)
    }

    fn writing(&self, effort: Effort) -> Effort {
        if self.place.is_local() { effort.however_long() } else { effort }
    }

    /// Where a disk was mounted, there is a directory without it, and whatever is written there is in the way later.
    pub(super) async fn is_present(&self, path: &str) -> Result<(), Error> {
        let Some(witness) = &self.place.witness else { return Ok(()) };
        if tokio::fs::try_exists(witness).await.unwrap_or(false) {
            return Ok(());
        }
        let reason = format!("{} is gone, and with it what was mounted there", witness.display());
        Err(Error::Unavailable { path: path.to_owned(), reason })
    }
}

fn modified(found: &GetResult) -> Option<i64> {
    found.meta.last_modified.timestamp_nanos_opt()
}

/// Bytes of its body.
fn length_of(found: &GetResult) -> u64 {
    found.range.end.saturating_sub(found.range.start)
}

/// The body of an answer, however slowly it comes.
async fn body(path: &str, found: GetResult) -> Result<Bytes, Error> {
    let failed = |error| Error::of(path, error);
    let stalled = |_| {
        let reason = format!("nothing more came within {} s", STALL.as_secs());
        Error::Unavailable { path: path.to_owned(), reason }
    };
    if matches!(found.payload, GetResultPayload::File(..)) {
        return timeout(STALL, found.bytes()).await.map_err(stalled)?.map_err(failed);
    }
    let mut body = BytesMut::with_capacity(usize::try_from(length_of(&found)).unwrap_or_default());
    let mut pieces = found.into_stream();
    while let Some(piece) = timeout(STALL, pieces.next()).await.map_err(stalled)? {
        body.extend_from_slice(&piece.map_err(failed)?);
    }
    Ok(body.freeze())
}
