//! The state record, one version after another, and what has to be in the store before it.

use bytes::Bytes;
use tokio::{sync::mpsc, time::sleep};

use super::{News, Work};
use crate::{
    channel::fence::Pen,
    store::{Effort, Error, Store},
};

const WHOSE: &str = "state record";

/// Writes entries in their order, each until it is done, or until somebody else writes records. That the source has ended is tried once before players are told.
pub(super) async fn write(
    mut pen: Pen,
    effort: Effort,
    mut entries: mpsc::Receiver<Work>,
    tell: mpsc::Sender<News>,
) {
    let mut troubled = false;
    while let Some(entry) = entries.recv().await {
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
        if durable && std::mem::take(&mut troubled) {
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
            store.put(path, pieces.clone()).await
        }
        _ => Ok(()),
    }
}

/// Its name is the hash of its content: what lies there under it is it, or damaged.
async fn init(store: &Store, path: &str, pieces: &[Bytes]) -> Result<(), Error> {
    match store.create(path, pieces.to_vec()).await {
        Err(Error::Taken { .. }) => store.put_media(path, pieces.to_vec()).await,
        other => other,
    }
}
