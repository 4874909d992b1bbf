//! Files that may be replaced while the program runs.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use tokio::time::sleep;

/// How often they are looked at. Asked, not told: a directory that is mounted, or a link that is moved to another
/// directory, as Kubernetes does it, tells nobody.
const PAUSE: Duration = Duration::from_secs(2);

/// Files, as they were before they were read first.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    seen: Vec<Look>,
}

/// What changes with a file, where there is one.
type Look = Option<(u64, u64, i64, i64, u64)>;

impl Files {
    /// Looks at `paths`, which are to be read after this.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self { seen: look(&paths), paths }
    }

    /// Calls `changed` whenever one of the paths leads to another file than before, or to one that was written to.
    pub async fn follow(&self, mut changed: impl FnMut()) {
        let mut seen = self.seen.clone();
        loop {
            sleep(PAUSE).await;
            let now = look(&self.paths);
            if now != seen {
                seen = now;
                changed();
            }
        }
    }
}

fn look(paths: &[PathBuf]) -> Vec<Look> {
    let of = |file: fs::Metadata| (file.dev(), file.ino(), file.mtime(), file.mtime_nsec(), file.size());
    paths.iter().map(|path| fs::metadata(path).ok().map(of)).collect()
}
