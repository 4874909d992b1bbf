//! Segments of one track on their way to the store, one after another.

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use super::{
    Body, News, Work,
    room::{Room, Where, discard},
    write_over,
};
use crate::{
    channel::fence::Tenure,
    clock,
    policy::CachePolicy,
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
        let Work::Segment { track, number, path, body } = work else { return Vec::new() };
        let mut lost = Vec::new();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(place) = room.take(body.length) {
                let (length, content) = (body.length, Content::Memory(body));
                queue.bytes += length;
                queue.waiting.push_back(Parcel { track, number, path, content, length, place });
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

    /// Moves a segment that has its room on the disk from memory to a file there, if it still waits.
    pub(super) async fn spill(self: Arc<Self>, number: i64, room: Room) {
        let Some((track, body)) = self.to_spill(number) else { return };
        let saved = room.save(&format!("{track}-{number}.m4s"), &body).await;
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = queue.waiting.iter_mut().find(|parcel| parcel.number == number);
        match (saved, waiting) {
            (Ok(file), Some(parcel)) => parcel.content = Content::Disk(file),
            (Ok(file), None) => discard(&file),
            (Err(error), waiting) => {
                tracing::warn!(%error, track, number, "a segment that waits for the store stays in memory");
                if let Some(parcel) = waiting {
                    room.keep_in_memory(parcel.length);
                    parcel.place = Where::Memory;
                }
            }
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
        let mut pace = Pace::default();
        loop {
            let parcel = self.next().await;
            let stored = parcel.deliver(&to, &mut pace, &tell).await;
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).give_up(&parcel, &room);
            parcel.forget();
            let Parcel { track, number, .. } = parcel;
            let news = if stored { News::Stored { track, number } } else { News::Lost { track, number } };
            let _ = tell.send(news).await;
        }
    }
}

/// How long requests take: over a thin line each does, and the next need not find that out anew.
#[derive(Debug, Default)]
struct Pace {
    failures: u32,
}

impl Pace {
    /// A request has come through, in so much time.
    fn succeed(&mut self, took: Duration, usual: Effort) {
        if took <= usual.attempt {
            self.failures = 0;
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
    async fn deliver(&self, to: &To, pace: &mut Pace, tell: &mpsc::Sender<News>) -> bool {
        let whose = format!("track {}", self.track);
        let mut troubled = false;
        let stored = loop {
            let store = to.tenure.permit().await;
            let asked = clock::now();
            match self.write(to, store, pace.failures).await {
                Ok(()) => {
                    pace.succeed(clock::now() - asked, to.effort);
                    break true;
                }
                Err(Failure::Spool(error)) => {
                    tracing::error!(%error, path = self.path, "a segment is lost from the spool, and to the store");
                    break false;
                }
                Err(Failure::Store(error)) => {
                    troubled = true;
                    let why = Some(error.to_string());
                    let _ = tell.send(News::Trouble { whose: whose.clone(), why }).await;
                    sleep(to.effort.pause_after(pace.failures)).await;
                    pace.failures = pace.failures.saturating_add(1);
                }
            }
        };
        if troubled {
            let _ = tell.send(News::Trouble { whose, why: None }).await;
        }
        stored
    }

    async fn write(&self, to: &To, store: Store, failures: u32) -> Result<(), Failure> {
        let pieces: Vec<Bytes> = match &self.content {
            Content::Memory(body) => body.chunks.clone(),
            Content::Disk(file) => vec![tokio::fs::read(file).await.map_err(Failure::Spool)?.into()],
        };
        let store = store.clone().spending(store.effort().after_failures(failures));
        let written = match store.create(&self.path, pieces.clone()).await {
            Err(Error::Taken { .. }) => {
                write_over(&store, &to.tenure, &self.path, pieces, CachePolicy::Immutable).await
            }
            other => other,
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
