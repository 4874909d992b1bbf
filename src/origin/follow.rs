//! Files that may be replaced while the program runs.

use std::{fs::Metadata, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use tokio::{fs, time::sleep};

/// How often they are looked at. Asked, not told: a directory that is mounted, or a link that is moved to another
/// directory, as Kubernetes does it, tells nobody.
const PAUSE: Duration = Duration::from_secs(2);

/// Calls `changed` whenever one of `paths` leads to another file than before, or to one that was written to.
pub(super) async fn follow(paths: Vec<PathBuf>, mut changed: impl FnMut()) {
    let mut seen = look(&paths).await;
    loop {
        sleep(PAUSE).await;
        let now = look(&paths).await;
        if now != seen {
            seen = now;
            changed();
        }
    }
}

/// What changes with a file, where there is one.
type Look = Option<(u64, u64, i64, i64, u64)>;

async fn look(paths: &[PathBuf]) -> Vec<Look> {
    let mut looks = Vec::with_capacity(paths.len());
    for path in paths {
        looks.push(
            fs::metadata(path)
                .await
                .ok()
                .map(|file: Metadata| (file.dev(), file.ino(), file.mtime(), file.mtime_nsec(), file.size())),
        );
    }
    looks
}
