//! A set in a file, which is read again when it has changed.

use std::{os::unix::fs::MetadataExt, path::Path, time::Duration};

use tokio::time::sleep;

use crate::access::{jwks, key::Key};

/// How often it is looked at whether the file has changed.
const EVERY: Duration = Duration::from_secs(2);

/// What tells one version of a file from another: links of mounted secrets lead to another inode, editors to another time.
type Version = (u64, u64, i64, i64);

pub(super) async fn follow(path: &Path, publish: impl Fn(Vec<Key>)) {
    // Read once more than needed, rather than miss what changed while the server started.
    let mut known = None;
    loop {
        let version = version(path).await;
        if version != known {
            known = version;
            match read(path).await {
                Ok(keys) => publish(keys),
                Err(reason) => {
                    tracing::warn!(path = %path.display(), reason, "the key set is not taken; the keys before stay")
                }
            }
        }
        sleep(EVERY).await;
    }
}

async fn version(path: &Path) -> Option<Version> {
    let its = tokio::fs::metadata(path).await.ok()?;
    Some((its.ino(), its.size(), its.mtime(), its.mtime_nsec()))
}

async fn read(path: &Path) -> Result<Vec<Key>, String> {
    let text = tokio::fs::read(path).await.map_err(|reason| reason.to_string())?;
    if text.len() > jwks::LONGEST {
        return Err(format!("it has more than {} bytes", jwks::LONGEST));
    }
    jwks::parse(&text, true).map_err(|reason| reason.to_string())
}
