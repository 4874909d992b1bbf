//! Why the store did not do what was asked.

use std::path::PathBuf;

use thiserror::Error;

/// What S3 and Google, and Azure, say besides 404.
const NO_BUCKET: [&str; 2] = ["<Code>NoSuchBucket</Code>", "<Code>ContainerNotFound</Code>"];

/// Why the store did not do what was asked.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// The URL's scheme is none that this build has.
    #[error(
        "store {url:?}: this build keeps its data in a directory (a path or file:// URL), in memory (memory://) or in a \
         bucket (s3://, gs:// or az://)"
    )]
    Unsupported {
        /// As configured.
        url: String,
    },
    /// The directory cannot be used.
    #[error("store {}: {reason}; give a directory that this user may write to", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// What waits for the store, or was read from it, cannot lie there.
    #[error("store.{key}: {}: {reason}; give a directory that this user may write to", directory.display())]
    Local {
        /// The key that names it.
        key: &'static str,
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The bucket cannot be spoken to.
    #[error("store {url:?}: {reason}")]
    Bucket {
        /// As configured.
        url: String,
        /// What is missing.
        reason: String,
    },
    /// A file with credentials cannot be used.
    #[error("store.{key}: {}: {reason}", path.display())]
    Credentials {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A path that cannot name an object.
    #[error("{path:?} cannot name an object")]
    Path {
        /// As asked for.
        path: String,
    },
    /// There is no such object.
    #[error("there is no {path}")]
    NotFound {
        /// As asked for.
        path: String,
    },
    /// The store does not let us.
    #[error("{path}: the store refuses it, so credentials or rights are not as they have to be: {reason}")]
    Denied {
        /// The object.
        path: String,
        /// What the store said.
        reason: String,
    },
    /// There is nothing to write into.
    #[error("{path}: the store has no such bucket or container: make it, or mend url or endpoint of [store]")]
    NoBucket {
        /// The object.
        path: String,
    },
    /// The name has another body already, and a name has one body for ever.
    #[error("{path}: something else is kept under this name, and stays; is another server writing here?")]
    Taken {
        /// The object.
        path: String,
    },
    /// Somebody else has written there since, or has taken it over.
    #[error("{path}: another server has taken over here, and what this one writes does not count any more")]
    Superseded {
        /// The object.
        path: String,
    },
    /// It was written anew while it was read.
    #[error("{path}: something else was written there while it was read")]
    Changed {
        /// The object.
        path: String,
    },
    /// What is kept is not what was written.
    #[error("{path}: damaged: its content is not what was written")]
    Damaged {
        /// The object.
        path: String,
    },
    /// As much is read as may be at once, and as many wait.
    #[error("{path}: as much as may be read of the store at once is on its way; ask again")]
    Busy {
        /// The object.
        path: String,
    },
    /// The store failed or was too slow.
    #[error("{path}: {reason}")]
    Unavailable {
        /// The object.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

impl Error {
    /// What is meant by what object_store says of `path`.
    pub(super) fn of(path: &str, error: object_store::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        match error {
            object_store::Error::NotFound { .. } if NO_BUCKET.iter().any(|code| reason.contains(code)) => {
                Self::NoBucket { path }
            }
            object_store::Error::NotFound { .. } => Self::NotFound { path },
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                Self::Denied { path, reason }
            }
            _ => Self::Unavailable { path, reason },
        }
    }

    /// True if it may be over at the next try. Damage may have come about on the way.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Damaged { .. } | Self::NoBucket { .. })
    }

    /// True if it is the configuration that is wrong, and not the store.
    pub fn is_of_configuration(&self) -> bool {
        matches!(self, Self::Unsupported { .. } | Self::Bucket { .. } | Self::Credentials { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_is_not_there_is_told_from_an_object_that_is_not() {
        let said = |code: &str| {
            let source =
                format!("status 404 Not Found: <Error><Code>{code}</Code><BucketName>b</BucketName></Error>");
            Error::of("a", object_store::Error::NotFound { path: "a".into(), source: source.into() })
        };
        assert!(matches!(said("NoSuchKey"), Error::NotFound { .. }));
        for code in ["NoSuchBucket", "ContainerNotFound"] {
            assert!(said(code).to_string().contains("no such bucket"), "{code}");
        }
    }
}
