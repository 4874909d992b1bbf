//! Segments of one track on their way to the store, one after another.

use std::{
    collections::VecDeque,
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
use crate::store::{Effort, Error, Store};

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
    body: Arc<Body>,
    rewrites: bool,
    place: Where,
}

impl Lane {
    /// Queues a segment. Gives the numbers of those that are lost for it, or its own if nothing helps.
    pub(super) fn submit(&self, work: Work, room: &Room) -> Vec<i64> {
        let Work::Segment { track, number, path, body, rewrites } = work else { return Vec::new() };
        let mut lost = Vec::new();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(place) = room.take(body.length) {
                queue.bytes += body.length;
                queue.waiting.push_back(Parcel { track, number, path, body, rewrites, place });
                break;
            }
            // The first is being written.
            let Some(oldest) = queue.waiting.pop_front() else {
                lost.push(number);
                break;
            };
            lost.push(oldest.number);
            queue.give_up(&oldest, room);
        }
        self.more.notify_one();
        lost
    }

    /// Bytes that wait, with those that are being written.
    pub(super) fn bytes(&self) -> u64 {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).bytes
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
    pub(super) async fn run(
        self: Arc<Self>,
        store: Store,
        room: Room,
        effort: Effort,
        tell: mpsc::Sender<News>,
    ) {
        loop {
            let parcel = self.next().await;
            let whose = format!("track {}", parcel.track);
            let mut failures = 0;
            let stored = loop {
                match parcel.write(&store).await {
                    Ok(()) => break true,
                    Err(Error::Taken { path }) => {
                        tracing::error!(
                            path,
                            "the name has another body, so this segment is lost to the store"
                        );
                        break false;
                    }
                    Err(error) => {
                        let why = Some(error.to_string());
                        let _ = tell.send(News::Trouble { whose: whose.clone(), why }).await;
                        sleep(effort.pause_after(failures)).await;
                        failures += 1;
                    }
                }
            };
            if failures > 0 {
                let _ = tell.send(News::Trouble { whose, why: None }).await;
            }
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).give_up(&parcel, &room);
            let Parcel { track, number, .. } = parcel;
            let news = if stored { News::Stored { track, number } } else { News::Lost { track, number } };
            let _ = tell.send(news).await;
        }
    }
}

impl Queue {
    fn give_up(&mut self, parcel: &Parcel, room: &Room) {
        self.bytes -= parcel.body.length;
        room.free(parcel.place, parcel.body.length);
    }
}

impl Parcel {
    async fn write(&self, store: &Store) -> Result<(), Error> {
        let pieces: Vec<Bytes> = self.body.chunks.clone();
        if self.rewrites {
            store.put_media(&self.path, pieces).await
        } else {
            store.create(&self.path, pieces).await
        }
    }
}
