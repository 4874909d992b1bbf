//! From the configuration to where objects are kept.

mod bucket;
mod directory;

use std::{path::PathBuf, sync::Arc};

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
                Ok(Self::of(bucket::open(config)?, descriptions))
            }
            Some(_) => Err(Error::Unsupported { url: url.clone() }),
            None => directory::open(url),
        }
    }

    pub(super) fn of(objects: Arc<dyn ObjectStore>, descriptions: Descriptions) -> Self {
        Self { hasty: objects.clone(), objects, descriptions, witness: None, root: None }
    }

    /// True if it is a disk of this machine.
    pub(super) fn is_local(&self) -> bool {
        self.descriptions.none
    }
}
