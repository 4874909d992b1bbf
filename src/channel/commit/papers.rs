//! Documents in the store, of which only the newest counts.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use super::{News, Paper};
use crate::{
    channel::fence::Tenure,
    store::{Effort, Error, Store, Version},
};

const WHOSE: &str = "documents";

/// What is to be written. A store that is behind is told the newest of each document only.
#[derive(Debug, Default)]
pub(super) struct Papers {
    desk: Mutex<Desk>,
    more: Notify,
    done: Notify,
}

#[derive(Debug, Default)]
struct Desk {
    documents: VecDeque<Numbered>,
    /// Number of the one that is being written.
    busy: Option<u64>,
    /// How many were put.
    put: u64,
}

/// A document and which it is of those that were put. One takes the number over of an older version that was not written:
/// until it is, whatever that replaces may lie in the store.
#[derive(Debug)]
struct Numbered(u64, Paper);

impl Papers {
    fn desk<T>(&self, act: impl FnOnce(&mut Desk) -> T) -> T {
        act(&mut self.desk.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn put(&self, documents: Vec<Paper>) {
        self.desk(|desk| documents.into_iter().for_each(|document| desk.put(document)));
        self.more.notify_one();
    }

    /// True if nothing is left to do.
    pub(super) fn is_clear(&self) -> bool {
        self.desk(|desk| desk.is_clear())
    }

    /// Waits until all is written that was put until now, or something newer in its place.
    pub(super) async fn written(&self) {
        let put = self.desk(|desk| desk.put);
        loop {
            let done = self.done.notified();
            if self.desk(|desk| desk.oldest().is_none_or(|oldest| oldest > put)) {
                return;
            }
            done.await;
        }
    }

    /// Writes for ever. What fails is tried again with what has come in the meantime.
    pub(super) async fn write(self: Arc<Self>, effort: Effort, tenure: Tenure, tell: mpsc::Sender<News>) {
        let mut failures = 0;
        let mut known = Known::default();
        loop {
            while let Some(document) = self.desk(Desk::next) {
                let store = tenure.permit().await;
                if let Err(error) = known.write(&store, &document.1, &tenure).await {
                    self.desk(|desk| desk.put_back(document));
                    // It is looked at anew; whether that is still for us to do, the record says.
                    if matches!(error, Error::Superseded { .. }) {
                        sleep(effort.pause_after(0)).await;
                        continue;
                    }
                    let why = Some(error.to_string());
                    let _ = tell.send(News::Trouble { whose: WHOSE.into(), why }).await;
                    sleep(effort.pause_after(failures)).await;
                    failures += 1;
                } else if mem::take(&mut failures) > 0 {
                    let _ = tell.send(News::Trouble { whose: WHOSE.into(), why: None }).await;
                }
                self.done.notify_waiters();
            }
            self.done.notify_waiters();
            self.more.notified().await;
        }
    }
}

/// Versions of documents that were written or seen: each is written over that one, and not over what somebody has written
/// who has taken over in the meantime.
#[derive(Debug, Default)]
struct Known(HashMap<String, Option<Version>>);

impl Known {
    async fn write(&mut self, store: &Store, document: &Paper, tenure: &Tenure) -> Result<(), Error> {
        let Paper { path, cache, .. } = document;
        let over = match self.0.remove(path) {
            Some(over) => over,
            None => store.version(path).await?,
        };
        if !tenure.is_held() {
            // What was seen may be a successor's.
            return Err(Error::Superseded { path: path.clone() });
        }
        let version = store.revise_document(path, document.body(), *cache, over.as_ref()).await?;
        self.0.insert(path.clone(), version);
        Ok(())
    }
}

impl Desk {
    fn put(&mut self, document: Paper) {
        self.put += 1;
        match self.documents.iter_mut().find(|Numbered(_, other)| other.path == document.path) {
            // In its place, too: others would get in front of it for ever.
            Some(before) => before.1 = document,
            None => self.documents.push_back(Numbered(self.put, document)),
        }
    }

    /// What could not be written is the next again, unless there is a newer one.
    fn put_back(&mut self, Numbered(number, document): Numbered) {
        match self.documents.iter_mut().find(|Numbered(_, other)| other.path == document.path) {
            Some(newer) => newer.0 = number,
            None => self.documents.push_front(Numbered(number, document)),
        }
    }

    fn next(&mut self) -> Option<Numbered> {
        let next = self.documents.pop_front();
        self.busy = next.as_ref().map(|Numbered(number, _)| *number);
        next
    }

    /// Number of the oldest that is not written.
    fn oldest(&self) -> Option<u64> {
        self.documents.iter().map(|Numbered(number, _)| *number).chain(self.busy).min()
    }

    fn is_clear(&self) -> bool {
        self.oldest().is_none()
    }
}
