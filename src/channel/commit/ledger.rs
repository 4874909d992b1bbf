//! The state record, one version after another, and what has to be in the store before it.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use super::{News, Work, write_over};
use crate::{
    channel::fence::{Pen, Tenure},
    policy::CachePolicy,
    store::{Effort, Error, Store},
};

const WHOSE: &str = "state record";

/// What waits to be written, in its order. There is one record at a time, and of encoders that begin while the store is
/// away only the last opening is needed, so it does not grow.
#[derive(Debug, Default)]
pub(super) struct Entries {
    waiting: Mutex<VecDeque<Work>>,
    more: Notify,
}

impl Entries {
    /// Puts one behind all others.
    pub(super) fn put(&self, work: Work) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match (waiting.back_mut(), work) {
            (Some(Work::Foundation { opening, inits }), Work::Foundation { opening: newer, inits: more }) => {
                *opening = newer;
                let known = mem::take(inits).into_iter();
                let known: Vec<_> = known.filter(|init| !more.contains(init)).collect();
                *inits = known.into_iter().chain(more).collect();
            }
            (_, work) => waiting.push_back(work),
        }
        self.more.notify_one();
    }

    async fn next(&self) -> Work {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match next {
                Some(next) => return next,
                None => self.more.notified().await,
            }
        }
    }
}

/// Writes entries in their order, each until it is done, or until somebody else writes records. That the source has ended is tried once before players are told.
pub(super) async fn write(mut pen: Pen, effort: Effort, entries: Arc<Entries>, tell: mpsc::Sender<News>) {
    let mut troubled = false;
    loop {
        let entry = entries.next().await;
        let mut failures = 0;
        let durable = loop {
            let Err(error) = enter(&mut pen, &entry).await else { break true };
            if matches!(error, Error::Superseded { .. }) {
                pen.tenure().lose();
                let _ = tell.send(News::Superseded).await;
                return;
            }
            troubled = true;
            let why = Some(error.to_string());
            let _ = tell.send(News::Trouble { whose: WHOSE.into(), why }).await;
            if matches!(entry, Work::Record { ended: true, .. }) || matches!(error, Error::Taken { .. }) {
                break false;
            }
            sleep(effort.pause_after(failures)).await;
            failures += 1;
        };
        if durable && mem::take(&mut troubled) {
            let _ = tell.send(News::Trouble { whose: WHOSE.into(), why: None }).await;
        }
        let news = match entry {
            Work::Record { ended: true, .. } => News::Ended { durable },
            Work::Record { .. } => News::Recorded,
            _ => continue,
        };
        let _ = tell.send(news).await;
    }
}

async fn enter(pen: &mut Pen, entry: &Work) -> Result<(), Error> {
    match entry {
        Work::Record { path, record, .. } => pen.write(path, record.clone()).await,
        Work::Foundation { opening: (path, pieces), inits } => {
            let store = &pen.permit().await?;
            // First: whoever goes on from an opening lists its init segments.
            for (path, pieces) in inits {
                init(store, path, pieces).await?;
            }
            opening(store, pen.tenure(), path, pieces).await
        }
        _ => Ok(()),
    }
}

/// One of an encoder before is written over, as [`write_over`] does. That another was quicker says nothing yet of who goes on.
async fn opening(store: &Store, tenure: &Tenure, path: &str, pieces: &[Bytes]) -> Result<(), Error> {
    match write_over(store, tenure, path, pieces.to_vec(), CachePolicy::NoStore).await {
        Err(Error::Superseded { path }) => {
            Err(Error::Unavailable { path, reason: "somebody else has written it meanwhile".into() })
        }
        other => other,
    }
}

/// Its name is the hash of its content: what lies there under it is it, or damaged.
async fn init(store: &Store, path: &str, pieces: &[Bytes]) -> Result<(), Error> {
    match store.create(path, pieces.to_vec()).await {
        Err(Error::Taken { .. }) => store.put_media(path, pieces.to_vec()).await,
        other => other,
    }
}
