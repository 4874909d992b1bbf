//! From the configuration to where objects are kept.

mod bucket;
mod directory;

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, sync::Arc};

use object_store::{ObjectStore, memory::InMemory};

use super::{Error, described::Descriptions};
use crate::config;

/// Where objects are kept.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// An object that is written here survives the machine's power cut.
    pub(super) objects: Arc<dyn ObjectStore>,
    /// An object that is written here is whole or not there, but may be gone after a power cut.
    pub(super) hasty: Arc<dyn ObjectStore>,
    pub(super) descriptions: Descriptions,
    /// A file that is there as long as the directory is the one that it was: not an empty one in which a disk is mounted
    /// no more.
    pub(super) witness: Option<PathBuf>,
    /// The directory, if it is one.
    pub(super) root: Option<PathBuf>,
    /// Where the bucket is, if it is one.
    address: Option<String>,
}

impl Place {
    pub(super) fn open(config: &config::Store) -> Result<Self, Error> {
        let url = &config.url;
        match url.split_once("://") {
            Some(("memory", _)) => Ok(Self::of(Arc::new(InMemory::new()), Descriptions::default())),
            Some(("file", path)) => directory::open(path),
            Some(("s3" | "gs" | "az", _)) => {
                let bucket::Bucket { storage_class, tags, .. } = config.bucket.clone();
                let descriptions = Descriptions { none: false, storage_class, tags };
                let address = Some(bucket::address(config));
                Ok(Self { address, ..Self::of(bucket::open(config)?, descriptions) })
            }
            Some(_) => Err(Error::Unsupported { url: url.clone() }),
            None => directory::open(url),
        }
    }

    pub(super) fn of(objects: Arc<dyn ObjectStore>, descriptions: Descriptions) -> Self {
        let hasty = objects.clone();
        Self { hasty, objects, descriptions, witness: None, root: None, address: None }
    }

    /// What no other place is called on this machine. A directory may have the same path in two containers, and two in one.
    pub(super) fn identity(&self) -> Option<String> {
        let Some(root) = &self.root else { return self.address.clone() };
        fs::metadata(root).ok().map(|known| format!("{}:{}", known.dev(), known.ino()))
    }

    /// Fails if `path` leads through a symbolic link: what lies outside of the directory is nobody's to ask for.
    pub(super) async fn is_within(&self, path: &str) -> Result<(), Error> {
        let Some(root) = &self.root else { return Ok(()) };
        let mut file = root.clone();
        for name in path.split('/') {
            file.push(name);
            if tokio::fs::symlink_metadata(&file).await.is_ok_and(|found| found.is_symlink()) {
                tracing::warn!(file = %file.display(), "a link in the store's directory is not followed");
                return Err(Error::NotFound { path: path.to_owned() });
            }
        }
        Ok(())
    }

    /// True if it is a disk of this machine.
    pub(super) fn is_local(&self) -> bool {
        self.descriptions.none
    }
}
