//! Segments of one track on their way to the store, one after another.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use super::{
    Body, News, Work,
    room::{Room, Where},
};
use crate::{
    channel::fence::Tenure,
    store::{Effort, Error, Store},
};

/// Where segments go, and for how long they may.
pub(super) struct To {
    pub(super) effort: Effort,
    pub(super) tenure: Tenure,
}

/// A queue of which the oldest can be taken out again.
#[derive(Debug, Default)]
pub(super) struct Lane {
    queue: Mutex<Queue>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Parcel>,
    bytes: u64,
}

#[derive(Debug)]
struct Parcel {
    track: String,
    number: i64,
    path: String,
    content: Content,
    length: u64,
    rewrites: bool,
    /// Where its room is. What is to lie on the disk is in memory until it does.
    place: Where,
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Arc<Body>),
    Disk(PathBuf),
}

impl Lane {
    /// Queues a segment. Gives the numbers of those that are lost for it, or its own if nothing helps.
    pub(super) fn submit(&self, work: Work, room: &Room) -> Vec<i64> {
        let Work::Segment { track, number, path, body, rewrites } = work else { return Vec::new() };
        let mut lost = Vec::new();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(place) = room.take(body.length) {
                let (length, content) = (body.length, Content::Memory(body));
                queue.bytes += length;
                queue.waiting.push_back(Parcel { track, number, path, content, length, rewrites, place });
                break;
            }
            // The first is being written.
            let Some(oldest) = queue.waiting.pop_front() else {
                lost.push(number);
                break;
            };
            lost.push(oldest.number);
            queue.give_up(&oldest, room);
            oldest.forget();
        }
        self.more.notify_one();
        lost
    }

    /// Bytes that wait, with those that are being written.
    pub(super) fn bytes(&self) -> u64 {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Moves a segment that has its room on the disk from memory to a file in `directory`, if it still waits.
    pub(super) async fn spill(self: Arc<Self>, number: i64, directory: PathBuf) {
        let Some((track, body)) = self.to_spill(number) else { return };
        let file = directory.join(format!("{track}-{number}.m4s"));
        if let Err(error) = save(&directory, &file, &body).await {
            tracing::warn!(%error, file = %file.display(), "a segment that waits for the store stays in memory");
            return;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.waiting.iter_mut().find(|parcel| parcel.number == number) {
            Some(parcel) => parcel.content = Content::Disk(file),
            None => discard(&file),
        }
    }

    fn to_spill(&self, number: i64) -> Option<(String, Arc<Body>)> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let parcel =
            queue.waiting.iter().find(|parcel| parcel.number == number && parcel.place == Where::Disk)?;
        match &parcel.content {
            Content::Memory(body) => Some((parcel.track.clone(), body.clone())),
            Content::Disk(_) => None,
        }
    }

    async fn next(&self) -> Parcel {
        loop {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_front();
            match next {
                Some(parcel) => return parcel,
                None => self.more.notified().await,
            }
        }
    }

    /// Writes one segment after another, each until it is done.
    pub(super) async fn run(self: Arc<Self>, to: To, room: Room, tell: mpsc::Sender<News>) {
        loop {
            let parcel = self.next().await;
            let stored = parcel.deliver(&to, &tell).await;
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).give_up(&parcel, &room);
            parcel.forget();
            let Parcel { track, number, .. } = parcel;
            let news = if stored { News::Stored { track, number } } else { News::Lost { track, number } };
            let _ = tell.send(news).await;
        }
    }
}

/// Why a segment is not in the store.
enum Failure {
    Store(Error),
    Spool(io::Error),
}

impl Queue {
    fn give_up(&mut self, parcel: &Parcel, room: &Room) {
        self.bytes -= parcel.length;
        room.free(parcel.place, parcel.length);
    }
}

impl Parcel {
    /// Tries until it is in the store, or never will be: then false.
    async fn deliver(&self, to: &To, tell: &mpsc::Sender<News>) -> bool {
        let whose = format!("track {}", self.track);
        let mut failures = 0;
        let stored = loop {
            let store = to.tenure.permit().await;
            match self.write(self.given_time(store, failures)).await {
                Ok(()) => break true,
                Err(Failure::Store(error @ Error::Taken { .. })) => {
                    tracing::error!(%error, "a segment is lost to the store");
                    break false;
                }
                Err(Failure::Spool(error)) => {
                    tracing::error!(%error, path = self.path, "a segment is lost from the spool, and to the store");
                    break false;
                }
                Err(Failure::Store(error)) => {
                    let why = Some(error.to_string());
                    let _ = tell.send(News::Trouble { whose: whose.clone(), why }).await;
                    sleep(to.effort.pause_after(failures)).await;
                    failures += 1;
                }
            }
        };
        if failures > 0 {
            let _ = tell.send(News::Trouble { whose, why: None }).await;
        }
        stored
    }

    /// What may write over something has to be done before another packager can be at it.
    fn given_time(&self, store: Store, failures: u32) -> Store {
        let effort = store.effort();
        if self.rewrites { store } else { store.spending(effort.after_failures(failures)) }
    }

    async fn write(&self, store: Store) -> Result<(), Failure> {
        let pieces: Vec<Bytes> = match &self.content {
            Content::Memory(body) => body.chunks.clone(),
            Content::Disk(file) => vec![tokio::fs::read(file).await.map_err(Failure::Spool)?.into()],
        };
        let written = if self.rewrites {
            store.put_media(&self.path, pieces).await
        } else {
            store.create(&self.path, pieces).await
        };
        written.map_err(Failure::Store)
    }

    /// It waits no more.
    fn forget(&self) {
        if let Content::Disk(file) = &self.content {
            discard(file);
        }
    }
}

async fn save(directory: &Path, file: &Path, body: &Body) -> io::Result<()> {
    tokio::fs::create_dir_all(directory).await?;
    let saved = tokio::fs::write(file, body.chunks.concat()).await;
    if saved.is_err() {
        discard(file);
    }
    saved
}

fn discard(file: &Path) {
    // What stays is removed at the next start.
    let _ = std::fs::remove_file(file);
}
