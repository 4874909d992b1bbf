//! Asks for what is hinted before it exists (rfc8216bis 6.2.6).

use std::{sync::Arc, time::Duration};

use reqwest::Url;
use tokio::{
    sync::{mpsc::Receiver, watch},
    task::JoinSet,
};

use super::{Run, hls::Presentation, lock};
use crate::check::{
    client::{Ask, Failure},
    finding::{Check, Place},
    hls::{Edge, Playlist, Resource},
    rules::{hints, reload},
};

/// So many are held at once: the next part, and what a slow reply is about still.
const AT_ONCE: usize = 4;
/// So long a playlist may be on its way.
const WAY: Duration = Duration::from_secs(1);

/// A hinted part.
pub(super) struct Hinted {
    pub(super) url: Url,
    pub(super) resource: Resource,
    /// Of the list that hints it.
    pub(super) edge: Edge,
    pub(super) target: u64,
}

/// The newest list of a rendition.
pub(super) type Lists = watch::Receiver<Option<Arc<Playlist>>>;

/// Asks for each hint until nothing more comes.
pub(super) async fn run(
    run: Arc<Run>,
    presentation: Arc<Presentation>,
    mut hints: Receiver<Hinted>,
    lists: Lists,
) {
    let mut held = JoinSet::new();
    let mut last = None;
    loop {
        tokio::select! {
            hint = hints.recv() => {
                let Some(hint) = hint else { break };
                let key = (hint.url.clone(), hint.resource.range);
                if held.len() < AT_ONCE && last.as_ref() != Some(&key) {
                    last = Some(key);
                    held.spawn(ask(run.clone(), presentation.clone(), hint, lists.clone()));
                }
            }
            Some(_) = held.join_next() => {}
        }
    }
    while held.join_next().await.is_some() {}
}

async fn ask(run: Arc<Run>, presentation: Arc<Presentation>, hint: Hinted, lists: Lists) {
    let Hinted { url, resource, edge, target } = hint;
    let (range, place) = (resource.range, Place::part(edge.number, edge.parts));
    let ask = Ask { range, ..Ask::new(url.clone(), reload::deadline(target)) };
    let started = run.now();
    let reply = run.ask(&ask).await;
    let waited = run.now().saturating_sub(started);
    let mut judge = run.judge(&url);
    match reply {
        Err(Failure::Stopped) => return,
        Err(failure) => judge.holds(Check::HintUnanswered, place, false, || failure.to_string()),
        Ok(reply) => {
            // One that never came may be given up in the end.
            let mut excused = waited >= 2 * Duration::from_secs(target);
            if !reply.is_ok() && !excused {
                // Where nothing follows, the playlists say so at the same moment.
                run.sleep(WAY).await;
                excused = presentation.has_ended();
            }
            if reply.status == 404 && !excused {
                let Some(withdrawn) = is_withdrawn(&run, lists, edge, &resource, target).await else {
                    return;
                };
                judge.holds(Check::HintWithdrawn, place, !withdrawn, || "it is not listed either".into());
                excused = withdrawn;
            }
            judge.holds(Check::HintUnanswered, place, reply.is_ok() || excused, || {
                format!("status {} after {:.2} s", reply.status, waited.as_secs_f64())
            });
            if reply.is_ok() && range.is_none() {
                lock(&run.bodies).meet(&mut judge, place, None, &reply);
            }
        }
    }
    run.ledger.take(judge);
}

/// True if the lists come to be without it; `None` if it is over before they have come so far.
async fn is_withdrawn(
    run: &Run,
    mut lists: Lists,
    edge: Edge,
    hinted: &Resource,
    target: u64,
) -> Option<bool> {
    let comes = async {
        loop {
            let list = lists.borrow_and_update().clone();
            if let Some(came) = list.and_then(|list| hints::came(&list, edge, hinted)) {
                return !came;
            }
            if lists.changed().await.is_err() {
                return false;
            }
        }
    };
    tokio::select! {
        withdrawn = comes => Some(withdrawn),
        goes_on = run.sleep(reload::deadline(target)) => goes_on.then_some(false),
    }
}
