//! Documents in the store, of which only the newest counts, and objects that are to go.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use super::{News, Paper};
use crate::store::{Effort, Store};

const WHOSE: &str = "documents";
/// Objects that nobody may ask for are in nobody's way: beyond so many, they stay.
const DOOMED: usize = 10_000;

/// What is to be written and deleted. A store that is behind is told the newest of each document only.
#[derive(Debug, Default)]
pub(super) struct Papers {
    desk: Mutex<Desk>,
    more: Notify,
    done: Notify,
}

#[derive(Debug, Default)]
struct Desk {
    documents: VecDeque<Paper>,
    doomed: Vec<String>,
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

    pub(super) fn remove(&self, paths: Vec<String>) {
        self.desk(|desk| {
            let room = DOOMED.saturating_sub(desk.doomed.len());
            desk.doomed.extend(paths.into_iter().take(room));
        });
        self.more.notify_one();
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
    pub(super) async fn write(self: Arc<Self>, store: Store, effort: Effort, tell: mpsc::Sender<News>) {
        let mut failures = 0;
        loop {
            while let Some(document) = self.desk(Desk::next) {
                let Paper { path, cache, .. } = &document;
                if let Err(error) = store.put_document(path, document.body(), *cache).await {
                    self.desk(|desk| desk.put_back(document));
                    let why = Some(error.to_string());
                    let _ = tell.send(News::Trouble { whose: WHOSE.into(), why }).await;
                    sleep(effort.pause_after(failures)).await;
                    failures += 1;
                } else if mem::take(&mut failures) > 0 {
                    let _ = tell.send(News::Trouble { whose: WHOSE.into(), why: None }).await;
                }
            }
            // Only now, as lists that had them may have lain there until now.
            for path in self.desk(|desk| mem::take(&mut desk.doomed)) {
                if let Err(error) = store.delete(&path).await {
                    tracing::warn!(%error, "the store did not delete an object");
                }
            }
            self.desk(|desk| desk.busy = false);
            self.done.notify_waiters();
            self.more.notified().await;
        }
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
        self.busy = next.is_some() || !self.doomed.is_empty();
        next
    }

    fn is_clear(&self) -> bool {
        !self.busy && self.documents.is_empty() && self.doomed.is_empty()
    }
}
