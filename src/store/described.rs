//! What a bucket tells clients of an object, so that with a CDN in front it is a presentation without us.

use std::collections::BTreeMap;

use object_store::{Attribute, Attributes, PutMode, PutOptions, TagSet};

use crate::{media_type, policy::CachePolicy};

/// Name of the metadata in which an object carries the hash of its content. A letter or digit is in all of it, as Azure
/// wants an identifier, and some proxies drop underscores.
const HASH: &str = "contenthash";

/// What a place can be told of its objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Descriptions {
    /// Nothing at all: a directory has no place for it.
    pub(super) none: bool,
    pub(super) storage_class: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

impl Descriptions {
    /// How an object is put at `path`. Class and tags are for segments alone: rules of the bucket may delete by them, and
    /// init segments and chapters are needed for as long as any list names them.
    pub(super) fn options(&self, path: &str, etag: &str, cache: CachePolicy, mode: PutMode) -> PutOptions {
        if self.none {
            return PutOptions { mode, ..PutOptions::default() };
        }
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, media_type::of_path(path).into());
        attributes.insert(Attribute::CacheControl, said(cache).into());
        attributes.insert(Attribute::Metadata(HASH.into()), etag.trim_matches('"').to_owned().into());
        let mut tags = TagSet::default();
        if path.ends_with(".m4s") {
            self.storage_class.iter().for_each(|class| {
                attributes.insert(Attribute::StorageClass, class.clone().into());
            });
            self.tags.iter().for_each(|(key, value)| tags.push(key, value));
        }
        PutOptions { mode, tags, attributes, ..PutOptions::default() }
    }
}

/// The entity tag of what was written, if the object says so.
pub(super) fn etag_of(attributes: &Attributes) -> Option<String> {
    attributes.get(&Attribute::Metadata(HASH.into())).map(|hash| format!("\"{}\"", hash.as_ref()))
}

fn said(cache: CachePolicy) -> String {
    // All policies say what is visible ASCII.
    cache.header().to_str().unwrap_or("no-store").to_owned()
}
