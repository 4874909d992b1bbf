//! Entries as they are written: a row for each, and what they have in common once.

use std::{collections::BTreeMap, sync::Arc};

use headwater_packager::{
    time::Ticks,
    window::{Era, Segment},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Entry;

/// Number, start, duration, bytes, index of the era, time of capture, and the entity tag without its quotes.
#[derive(Serialize, Deserialize)]
struct Row(i64, Ticks, Ticks, u64, usize, i64, String);

#[derive(Default, Serialize, Deserialize)]
struct Listing {
    eras: Vec<Arc<Era>>,
    rows: Vec<Row>,
}

impl Listing {
    fn add(&mut self, Entry { segment, etag }: &Entry) {
        if self.eras.last() != Some(&segment.era) {
            self.eras.push(segment.era.clone());
        }
        self.rows.push(Row(
            segment.number,
            segment.start,
            segment.duration,
            segment.size,
            self.eras.len() - 1,
            segment.captured_at,
            etag.trim_matches('"').to_owned(),
        ));
    }

    fn entries(self) -> Result<BTreeMap<i64, Entry>, String> {
        let entry = |Row(number, start, duration, size, era, captured_at, tag)| {
            let era = self.eras.get(era).cloned().ok_or_else(|| format!("there is no era {era}"))?;
            let segment = Segment { number, start, duration, size, parts: Vec::new(), era, captured_at };
            let etag = if tag.is_empty() { tag } else { format!("\"{tag}\"") };
            Ok((number, Entry { segment, etag }))
        };
        self.rows.into_iter().map(entry).collect()
    }
}

pub(super) fn serialize<S: Serializer>(
    entries: &BTreeMap<i64, Entry>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut listing = Listing::default();
    entries.values().for_each(|entry| listing.add(entry));
    listing.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<i64, Entry>, D::Error> {
    Listing::deserialize(deserializer)?.entries().map_err(D::Error::custom)
}
