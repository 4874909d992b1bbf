//! Files of packaged assets, from the store.

mod lists;

use std::{sync::Arc, time::Duration};

use moka::{future, sync};

use self::lists::Lists;
use super::{
    error::HttpError,
    media_type,
    policy::CachePolicy,
    public,
    refusal::Refusal,
    respond::{Content, Representation},
    route::{File, Resource, TrackFile},
};
use crate::{
    channel::{
        cmsd::{self, Format},
        edge::Document,
    },
    store::{self, Object, Store, Stored},
};

/// Playlists and MPDs of this many bytes are kept compressed.
const CAPACITY: u64 = 32 << 20;
/// For so long, and so many of them, documents are not looked for in the store's cache again.
const LIFETIME: Duration = Duration::from_secs(1);
const RECENT: u64 = 1000;

/// A document, and its media type.
type Found = (Arc<Document>, &'static str);

/// The packaged assets of a store.
#[derive(Clone, Debug)]
pub struct Assets {
    store: Store,
    lists: Lists,
    /// By entity tag, so that a document that changes is another entry.
    documents: future::Cache<String, Arc<Document>>,
    /// By path, for a moment: one look instead of two for what is asked for all the time.
    recent: sync::Cache<String, Found>,
}

impl Assets {
    /// The assets in `store`.
    pub fn new(store: Store) -> Self {
        let documents = future::Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(|_: &String, document: &Arc<Document>| {
                // Coded, each is shorter than its body.
                u32::try_from(3 * document.length()).unwrap_or(u32::MAX)
            })
            .build();
        let recent = sync::Cache::builder().max_capacity(RECENT).time_to_live(LIFETIME).build();
        Self { lists: Lists::new(store.clone()), store, documents, recent }
    }

    /// What `path` leads to, if that was found a moment ago.
    pub fn at_once(&self, path: &str) -> Option<Representation> {
        self.recent.get(path).map(representation)
    }

    /// What `path`, which is that of `resource`, leads to: the store has the layout of the URLs.
    pub async fn find(&self, resource: Resource<'_>, path: &str) -> Result<Representation, HttpError> {
        if let File::Track { file: TrackFile::Part(..), .. } = resource.file {
            return Err(Refusal::UnknownPart.into());
        }
        let name = path.trim_start_matches('/');
        let found = match resource.file {
            File::Track { file: TrackFile::Segment(_), .. } => self.segment(name).await,
            _ => self.store.find(name).await,
        };
        let stored = match found {
            Ok(stored) => stored,
            Err(store::Error::NotFound { .. }) => return Err(Refusal::UnknownAsset.into()),
            Err(reason) => {
                tracing::debug!(%reason, path, "the store did not give it");
                return Err(public::not_given(&reason).into());
            }
        };
        let (format, media_type) = match resource.file {
            File::Mpd => (Format::Dash, media_type::DASH),
            File::Multivariant | File::Track { file: TrackFile::Playlist(_), .. } => {
                (Format::Hls, media_type::HLS)
            }
            File::Track { track, file } => {
                let media_type = media_type::of_track(track);
                let cmsd = match file {
                    TrackFile::Init(_) => cmsd::init(false),
                    _ => cmsd::packaged(media_type::is_audio(track)),
                };
                let content = Content::Stored(stored, Some(cmsd));
                return Ok(Representation { content, media_type, cache: CachePolicy::Immutable });
            }
        };
        // Documents are read as a whole, whatever they weigh.
        let Stored::Whole(object) = stored else { return Err(Refusal::StoreUnavailable.into()) };
        let found = (self.document(object, format).await, media_type);
        self.recent.insert(path.to_owned(), found.clone());
        Ok(representation(found))
    }

    /// A segment that is what its list says, if there is one.
    async fn segment(&self, path: &str) -> Result<Stored, store::Error> {
        match self.compared(path).await {
            Err(store::Error::Damaged { .. }) if self.lists.says_otherwise(path).await => {
                self.store.disown(path);
                self.compared(path).await
            }
            found => found,
        }
    }

    async fn compared(&self, path: &str) -> Result<Stored, store::Error> {
        let found = self.store.find(path).await?;
        match self.lists.tag_of(path).await? {
            Some(tag) if found.etag() != tag => {
                self.store.expect(path, &tag);
                self.store.reread(path).await;
                self.store.find(path).await
            }
            _ => Ok(found),
        }
    }

    async fn document(&self, object: Arc<Object>, format: Format) -> Arc<Document> {
        let body = object.body.clone();
        let make = async { Arc::new(Document::new(body).described(cmsd::manifest(format, false))) };
        // Boxed for the sake of requests that wait, as in the store.
        Box::pin(self.documents.get_with_by_ref(&object.etag, make)).await
    }
}

fn representation((document, media_type): Found) -> Representation {
    Representation { content: Content::Document(document), media_type, cache: CachePolicy::VodManifest }
}
