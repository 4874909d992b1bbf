//! A set in a file, which is read again when it has changed.

use std::{fs, path::Path};

use crate::{
    access::{jwks, key::Key},
    follow::Files,
};

pub(super) async fn follow(path: &Path, publish: impl Fn(Vec<Key>)) {
    let files = Files::new(vec![path.into()]);
    let take = || match read(path) {
        Ok(keys) => publish(keys),
        Err(reason) => {
            tracing::warn!(path = %path.display(), reason, "the key set is not taken; the keys before stay");
        }
    };
    // Read once more than needed, rather than miss what changed while the server started.
    take();
    files.follow(take).await;
}

fn read(path: &Path) -> Result<Vec<Key>, String> {
    let text = fs::read(path).map_err(|reason| reason.to_string())?;
    if text.len() > jwks::LONGEST {
        return Err(format!("it has more than {} bytes", jwks::LONGEST));
    }
    jwks::parse(&text, true).map_err(|reason| reason.to_string())
}
