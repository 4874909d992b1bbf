//! An HLS presentation: what its renditions have to have in common.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::Url;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{Run, hints, lock, media::Media, playlists::Playlists, probes};
use crate::check::{
    hls::{Edge, Named},
    judge::Judge,
    rules::{
        alike::{self, Head},
        media::Starts,
        reports::Other,
    },
};

/// So much may be waiting to be fetched; what comes beyond is noted and left out.
const JOBS: usize = 512;
const HINTS: usize = 8;

/// What is known of all renditions together.
#[derive(Default)]
pub(in crate::check) struct Presentation {
    heads: Mutex<BTreeMap<String, Head>>,
    edges: Mutex<BTreeMap<String, (Edge, Duration)>>,
    pub(super) starts: Mutex<Starts>,
}

impl Presentation {
    /// Follows all renditions until the run is over.
    pub(in crate::check) async fn follow(self: Arc<Self>, run: Arc<Run>, base: Url, named: Vec<Named>) {
        let mut tasks = JoinSet::new();
        let count = named.len();
        for each in named {
            if let Ok(url) = base.join(&each.uri) {
                tasks.spawn(rendition(self.clone(), run.clone(), url, count));
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Judges what a rendition's list says of itself against what all others say.
    pub(super) fn meet(&self, judge: &mut Judge, name: &str, head: Head) {
        let mut heads = lock(&self.heads);
        for (other, theirs) in heads.iter().filter(|(other, _)| *other != name) {
            alike::alike(judge, &head, other, theirs);
        }
        heads.insert(name.to_owned(), head);
    }

    /// True if nothing is added to a rendition any more: they end one after another.
    pub(super) fn has_ended(&self) -> bool {
        lock(&self.heads).values().any(|head| !head.live)
    }

    /// How far each rendition is.
    pub(super) fn edges(&self) -> BTreeMap<String, Edge> {
        lock(&self.edges).iter().map(|(name, (edge, _))| (name.clone(), *edge)).collect()
    }

    /// Notes how far a rendition is at `at`.
    pub(super) fn moved(&self, name: &str, edge: Edge, at: Duration) {
        lock(&self.edges).insert(name.to_owned(), (edge, at));
    }

    /// The renditions but `name`, as they were when its list was asked for, and as they are if this was seen at `since`
    /// or later.
    pub(super) fn others(&self, name: &str, asked: &BTreeMap<String, Edge>, since: Duration) -> Vec<Other> {
        let now = lock(&self.edges);
        let fresh = |url: &String| now.get(url).filter(|(_, at)| *at >= since).map(|(edge, _)| *edge);
        let others = asked.iter().filter(|(other, _)| *other != name);
        others.map(|(url, asked)| Other { url: url.clone(), asked: *asked, read: fresh(url) }).collect()
    }
}

async fn rendition(presentation: Arc<Presentation>, run: Arc<Run>, url: Url, renditions: usize) {
    let (jobs, to_fetch) = mpsc::channel(JOBS);
    let (hints, hinted) = mpsc::channel(HINTS);
    let (latest, lists) = watch::channel(None);
    let media = Media::new(run.clone(), presentation.clone(), url.clone());
    let playlists = Playlists::new(run.clone(), presentation.clone(), url.clone(), renditions);
    tokio::join!(
        playlists.run(jobs, hints, latest),
        media.run(to_fetch),
        hints::run(run.clone(), presentation, hinted, lists.clone()),
        probes::run(run.clone(), url, lists),
    );
}
