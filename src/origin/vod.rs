//! Files of packaged assets, from the store.

use std::sync::Arc;

use moka::future::Cache;

use super::{
    error::HttpError,
    media_type,
    policy::CachePolicy,
    refusal::Refusal,
    respond::{Content, Representation},
    route::{File, Resource, TrackFile},
};
use crate::{
    channel::edge::Document,
    store::{self, Object, Store},
};

/// Playlists and MPDs of this many bytes are kept compressed.
const CAPACITY: u64 = 32 << 20;

/// The packaged assets of a store.
#[derive(Clone, Debug)]
pub struct Assets {
    store: Store,
    /// By entity tag, so that a document that changes is another entry.
    documents: Cache<String, Arc<Document>>,
}

impl Assets {
    /// The assets in `store`.
    pub fn new(store: Store) -> Self {
        let documents = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(|_: &String, document: &Arc<Document>| {
                u32::try_from(document.body.len() + document.gzip.len()).unwrap_or(u32::MAX)
            })
            .build();
        Self { store, documents }
    }

    /// What `path`, which is that of `resource`, leads to: the store has the layout of the URLs.
    pub async fn find(&self, resource: Resource<'_>, path: &str) -> Result<Representation, HttpError> {
        if let File::Track { file: TrackFile::Part(..), .. } = resource.file {
            return Err(Refusal::UnknownPart.into());
        }
        let object = match self.store.object(path.trim_start_matches('/')).await {
            Ok(object) => object,
            Err(store::Error::NotFound { .. }) => return Err(Refusal::UnknownAsset.into()),
            Err(reason) => {
                tracing::debug!(%reason, path, "the store did not give it");
                return Err(Refusal::StoreUnavailable.into());
            }
        };
        let media_type = match resource.file {
            File::Mpd => media_type::DASH,
            File::Multivariant | File::Track { file: TrackFile::Playlist(_), .. } => media_type::HLS,
            File::Track { track, .. } => {
                let media_type = media_type::of_track(track);
                let content = Content::Object(object);
                return Ok(Representation { content, media_type, cache: CachePolicy::Immutable });
            }
        };
        let content = Content::Document(self.document(object).await);
        Ok(Representation { content, media_type, cache: CachePolicy::VodManifest })
    }

    async fn document(&self, object: Arc<Object>) -> Arc<Document> {
        let body = object.body.clone();
        let make = async { Arc::new(Document::new(body)) };
        // Boxed for the sake of requests that wait, as in the store.
        Box::pin(self.documents.get_with_by_ref(&object.etag, make)).await
    }
}
