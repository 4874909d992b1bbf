//! A large object on its way to a reader, block by block.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::task::JoinHandle;

use super::{
    Error, Object,
    cache::Cache,
    large::{BLOCK, Large},
};

/// An object that is read in blocks, of which nothing but its length and its version is known yet.
#[derive(Clone, Debug)]
pub struct Blocks {
    large: Arc<Large>,
    cache: Cache,
}

/// Some of its bytes on their way.
struct Progress {
    blocks: Blocks,
    /// Of the next byte.
    position: u64,
    end: u64,
    /// The next block, while the one before is sent.
    ahead: Option<JoinHandle<Result<Bytes, Error>>>,
}

impl Blocks {
    pub(super) fn new(large: Arc<Large>, cache: Cache) -> Self {
        Self { large, cache }
    }

    /// Its strong entity tag, quoted.
    pub fn etag(&self) -> &str {
        &self.large.etag
    }

    /// Bytes of all of it.
    pub fn length(&self) -> u64 {
        self.large.length
    }

    /// `length` bytes from the one at `first`, as far as there are so many. What cannot be had, or is found not to be what
    /// was written, is an error, behind which nothing comes.
    pub fn read(self, first: u64, length: u64) -> BoxStream<'static, Result<Bytes, Error>> {
        let end = first.saturating_add(length).min(self.length());
        let progress = Progress { blocks: self, position: first, end, ahead: None };
        stream::try_unfold(progress, Progress::advance).boxed()
    }

    /// All of it in memory, for what is never that large.
    pub(super) async fn whole(self) -> Result<Object, Error> {
        let (etag, length) = (self.etag().to_owned(), self.length());
        let mut pieces = self.read(0, length);
        let mut body = Vec::new();
        while let Some(piece) = pieces.next().await {
            body.extend_from_slice(&piece?);
        }
        Ok(Object { body: body.into(), etag })
    }

    async fn block(self, index: u64) -> Result<Bytes, Error> {
        self.cache.block(&self.large, index).await
    }
}

impl Progress {
    async fn advance(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        if self.position >= self.end {
            return Ok(None);
        }
        let index = self.position / BLOCK;
        let block = match self.ahead.take() {
            Some(ahead) => ahead.await.unwrap_or_else(|stopped| Err(self.blocks.stopped(&stopped)))?,
            None => self.blocks.clone().block(index).await?,
        };
        let within = |position: u64| ((position - index * BLOCK) as usize).min(block.len());
        let piece = block.slice(within(self.position)..within(self.end));
        self.position = (index + 1) * BLOCK;
        if self.position < self.end {
            self.ahead = Some(tokio::spawn(self.blocks.clone().block(index + 1)));
        }
        Ok(Some((piece, self)))
    }
}

impl Blocks {
    fn stopped(&self, reason: &tokio::task::JoinError) -> Error {
        Error::Unavailable { path: self.large.path.clone(), reason: reason.to_string() }
    }
}
