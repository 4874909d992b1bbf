//! Chapters of the archive: written when they are complete, weighed, and deleted with their segments. Nobody who watches
//! live waits for any of it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{sync::mpsc, time::sleep};

use super::{News, Papers, Work, write_over};
use crate::{
    channel::{
        archive::{self, Chapter, Errand, Fate, LENGTH},
        fence::Tenure,
    },
    policy::CachePolicy,
    store::{Effort, Error, Store},
};

/// How many objects are deleted at once.
const AT_ONCE: usize = 4;

/// Does errands in their order. What fails is given back, and comes again.
pub(super) async fn work(
    effort: Effort,
    tenure: Tenure,
    papers: Arc<Papers>,
    mut errands: mpsc::Receiver<Work>,
    tell: mpsc::Sender<News>,
) {
    let mut failures = 0;
    while let Some(work) = errands.recv().await {
        let Work::Chapter { prefix, track, chapter, errand } = work else { continue };
        if matches!(errand, Errand::Delete | Errand::Clear) {
            // Only now, as lists that have them may lie there until now.
            papers.written().await;
        }
        let store = tenure.permit().await;
        let fate = match attend(&store, &tenure, &prefix, &track, chapter, &errand).await {
            Ok(fate) => fate,
            Err(error) => {
                // The live edge goes on without it, so the store is not degraded; and one that never lets us delete says
                // so each time.
                if failures == 0 {
                    tracing::warn!(%error, track, chapter, "the archive is not in order, which is tried again");
                }
                sleep(effort.pause_after(failures)).await;
                Fate::Failed
            }
        };
        failures = if fate == Fate::Failed { failures + 1 } else { 0 };
        let _ = tell.send(News::Chapter { track, chapter, fate }).await;
    }
}

async fn attend(
    store: &Store,
    tenure: &Tenure,
    prefix: &str,
    track: &str,
    chapter: i64,
    errand: &Errand,
) -> Result<Fate, Error> {
    let path = archive::path_in(prefix, track, chapter);
    match errand {
        Errand::Write(text) => match store.create(&path, vec![text.clone()]).await {
            // No record names it yet.
            Err(Error::Taken { .. }) => {
                write_over(store, tenure, &path, vec![text.clone()], CachePolicy::Immutable).await?;
            }
            other => other?,
        },
        Errand::Weigh => return weigh(store, &path, chapter).await,
        Errand::Delete | Errand::Clear => {
            if *errand == Errand::Clear {
                store.delete(&format!("{prefix}/{track}/index.m3u8")).await?;
            }
            delete(store, prefix, track, chapter).await?;
            store.delete(&path).await?;
            return Ok(Fate::Deleted);
        }
    }
    Ok(Fate::Written)
}

/// One that is damaged goes like others.
async fn weigh(store: &Store, path: &str, chapter: i64) -> Result<Fate, Error> {
    let read =
        |bytes: Bytes| Chapter::read(path, &bytes, chapter).map(|chapter| Fate::Weighed(chapter.weight()));
    match store.get(path).await {
        Ok(bytes) => Ok(read(bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, "a chapter cannot be read, and goes unweighed when it is old");
            Fate::Unreadable
        })),
        Err(Error::NotFound { .. } | Error::Damaged { .. }) => Ok(Fate::Unreadable),
        Err(error) => Err(error),
    }
}

/// All segments that it can have, whether or not it has them: numbers that a killed server left and no record knows go
/// with the others.
async fn delete(store: &Store, prefix: &str, track: &str, chapter: i64) -> Result<(), Error> {
    let numbers = chapter * LENGTH..(chapter + 1) * LENGTH;
    let delete = |number| async move { store.delete(&format!("{prefix}/{track}/{number}.m4s")).await };
    stream::iter(numbers).map(delete).buffer_unordered(AT_ONCE).try_collect::<()>().await
}
