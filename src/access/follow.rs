//! Keeps the keys of a set fresh that others keep. Requests never wait for it: they are judged by the keys that there are.

mod file;
mod url;

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{key::Key, keys::Keys};
use crate::config::KeySet;

/// What keeps keys fresh, once it runs.
#[derive(Debug)]
pub struct Follower {
    set: KeySet,
    publish: watch::Sender<Arc<Keys>>,
    wish: Arc<Notify>,
}

impl Follower {
    pub(super) fn new(set: KeySet, publish: watch::Sender<Arc<Keys>>, wish: Arc<Notify>) -> Self {
        Self { set, publish, wish }
    }

    /// Follows the set until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { set, publish, wish } = self;
        let publish = |keys| self::publish(&publish, keys);
        let follow = async {
            match &set {
                KeySet::File(path) => file::follow(path, publish).await,
                KeySet::Url(url) => url::follow(url, publish, &wish).await,
            }
        };
        shutdown.run_until_cancelled(follow).await;
    }
}

fn publish(publish: &watch::Sender<Arc<Keys>>, set: Vec<Key>) {
    publish.send_modify(|keys| *keys = Arc::new(keys.with(set)));
}
