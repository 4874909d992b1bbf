//! Writes what a channel has made to the store, in an order that survives a kill at any point:
//! segment, then the state record that knows it, then the documents that list it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::edge::Body;
use crate::store::{Error, Store};

/// How much may wait for a slow store before segments are published without it.
const BACKLOG: usize = 128;

/// Something to be written.
#[derive(Debug)]
pub(super) enum Work {
    /// A complete segment, and the record that counts it in.
    Segment { track: String, number: i64, path: String, body: Arc<Body>, record: Bytes },
    /// The record that says that the source has ended.
    End { path: String, record: Bytes },
    /// Objects that stand for themselves, in this order.
    Objects(Vec<(String, Vec<Bytes>)>),
    /// Objects that nobody may ask for any more.
    Delete(Vec<String>),
}

/// Something that may be published now, as it is durable or the store has failed to take it.
#[derive(Debug)]
pub(super) struct Durable {
    pub(super) what: What,
    pub(super) result: Result<(), Error>,
}

/// What may be published.
#[derive(Debug)]
pub(super) enum What {
    /// A segment.
    Segment { track: String, number: i64 },
    /// The end.
    End,
}

/// The channel's end of the queue.
#[derive(Debug)]
pub(super) struct Committer {
    store: Store,
    work: mpsc::Sender<Work>,
    durable: mpsc::Receiver<Durable>,
}

impl Committer {
    /// Starts the writer. It ends when this is dropped and the queue is empty.
    pub(super) fn start(store: Store) -> Self {
        let (work, queue) = mpsc::channel(BACKLOG);
        let (done, durable) = mpsc::channel(BACKLOG);
        tokio::spawn(write(store.clone(), queue, done));
        Self { store, work, durable }
    }

    /// Another one on the same store, for what is left to do after [`Committer::drain`].
    pub(super) fn successor(&self) -> Self {
        Self::start(self.store.clone())
    }

    /// Queues work; gives it back if the store is so far behind that the queue is full.
    pub(super) fn submit(&self, work: Work) -> Result<(), Work> {
        self.work.try_send(work).map_err(|error| match error {
            mpsc::error::TrySendError::Full(work) | mpsc::error::TrySendError::Closed(work) => work,
        })
    }

    /// The next segment that is done with. Dropping the future loses nothing.
    pub(super) async fn durable(&mut self) -> Durable {
        match self.durable.recv().await {
            Some(durable) => durable,
            // The writer lives as long as we do.
            None => std::future::pending().await,
        }
    }

    /// Waits until all that was submitted is done with, and gives what is still to be listed.
    pub(super) async fn drain(self) -> Vec<Durable> {
        let Self { work, mut durable, .. } = self;
        drop(work);
        let mut rest = Vec::new();
        while let Some(done) = durable.recv().await {
            rest.push(done);
        }
        rest
    }
}

async fn write(store: Store, mut queue: mpsc::Receiver<Work>, done: mpsc::Sender<Durable>) {
    while let Some(work) = queue.recv().await {
        match work {
            Work::Segment { track, number, path, body, record } => {
                let result = segment(&store, &path, &body, record).await;
                let _ = done.send(Durable { what: What::Segment { track, number }, result }).await;
            }
            Work::End { path, record } => {
                let result = store.put(&path, vec![record]).await;
                let _ = done.send(Durable { what: What::End, result }).await;
            }
            Work::Objects(objects) => {
                for (path, pieces) in objects {
                    if let Err(error) = store.put(&path, pieces).await {
                        tracing::warn!(%error, "the store did not take an object");
                    }
                }
            }
            Work::Delete(paths) => {
                for path in paths {
                    if let Err(error) = store.delete(&path).await {
                        tracing::warn!(%error, "the store did not delete an object");
                    }
                }
            }
        }
    }
}

async fn segment(store: &Store, path: &str, body: &Body, record: Bytes) -> Result<(), Error> {
    store.put(path, body.chunks.clone()).await?;
    let channel = path.rsplitn(3, '/').last().unwrap_or(path);
    store.put(&super::record::path_in(channel), vec![record]).await
}
