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
    documents: VecDeque<Paper>,
    /// Something is being written.
    busy: bool,
}

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

    /// Waits until nothing is left to do.
    pub(super) async fn written(&self) {
        loop {
            let done = self.done.notified();
            if self.desk(|desk| desk.is_clear()) {
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
                if let Err(error) = known.write(&store, &document, &tenure).await {
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
            }
            self.desk(|desk| desk.busy = false);
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
        self.documents.retain(|other| other.path != document.path);
        self.documents.push_back(document);
    }

    /// What could not be written is the next again, unless there is a newer one.
    fn put_back(&mut self, document: Paper) {
        if self.documents.iter().all(|other| other.path != document.path) {
            self.documents.push_front(document);
        }
    }

    fn next(&mut self) -> Option<Paper> {
        let next = self.documents.pop_front();
        self.busy = next.is_some();
        next
    }

    fn is_clear(&self) -> bool {
        !self.busy && self.documents.is_empty()
    }
}
