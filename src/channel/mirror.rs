//! A channel that another server packages, shown as far as its record in the store goes: whole segments, and documents
//! that are rendered from the record and so are the same on every server that does this.

use std::{sync::Arc, time::Instant};

use headwater_packager::time::Grid;
use tokio::sync::watch;

use super::{
    archive,
    edge::Edge,
    presentation::Presentation,
    record::{self, Error, Record, TrackRecord},
};
use crate::{
    clock, config,
    ladder::wire::Message,
    store::{self, Store},
};

/// For how many segments a record that is older than the one that is shown, or has an opening that it does not name, is taken for
/// an answer from the past, as caches and copies of a bucket may give them. What stays for longer is a channel that was begun
/// afresh, or one whose packager was killed between the two.
const PAST: u32 = 6;

/// What was seen when the record was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// There is no record: nobody has packaged the channel yet.
    Nothing,
    /// It has the segments that it had.
    Same,
    /// It has more of them.
    More {
        /// All tracks have come equally far.
        level: bool,
        /// Nothing will be added.
        ended: bool,
    },
}

/// Shows what others package.
pub struct Mirror {
    prefix: String,
    store: Store,
    grid: Grid,
    presentation: Presentation,
    edge: watch::Sender<Arc<Edge>>,
    record: Option<Record>,
    /// Since when the store has answered with what cannot come next.
    odd_since: Option<Instant>,
    /// As the store tells it from others.
    version: Option<String>,
    opening: Option<Arc<Opening>>,
}

/// What an encoder has said first.
#[derive(Debug)]
struct Opening {
    etag: String,
    said: Vec<Message>,
}

impl Opening {
    /// True if `record` names another. One without a name is of an earlier version of this program.
    fn is_of_another(&self, record: &Record) -> bool {
        record.opening.as_ref().is_some_and(|named| *named != self.etag)
    }
}

impl Mirror {
    /// Shows the channel that is kept as `name` in `store`. Nothing is shown before the first look.
    pub fn new(name: &str, config: &config::Channel, store: Store) -> (Self, watch::Receiver<Arc<Edge>>) {
        let prefix = format!("live/{name}");
        let presentation = Presentation::new(prefix.clone(), config);
        let (edge, edges) = watch::channel(presentation.edge());
        let mirror = Self {
            prefix,
            store,
            grid: config.grid,
            presentation,
            edge,
            record: None,
            odd_since: None,
            version: None,
            opening: None,
        };
        (mirror, edges)
    }

    /// The same channel in another store, for tests of stores that change.
    #[cfg(test)]
    pub(super) fn over(self, store: Store) -> Self {
        Self { store, ..self }
    }

    /// Looks once whether more is recorded, and shows it.
    ///
    /// # Errors
    /// When the store does not answer, or what it has cannot be used. What was shown stays.
    pub async fn look(&mut self) -> Result<Sight, Error> {
        let path = record::path_in(&self.prefix);
        let (bytes, version) = match self.store.poll(&path, self.version.as_deref()).await {
            Ok(Some(read)) => read,
            Ok(None) => {
                // What is shown is what lies there.
                self.odd_since = None;
                return Ok(Sight::Same);
            }
            Err(store::Error::NotFound { .. }) => return Ok(Sight::Nothing),
            Err(error) => return Err(error.into()),
        };
        let mut record = record::decode(&path, &bytes)?;
        record.fits(&self.grid, &path)?;
        // It is written before a record that names it, so it is read behind it.
        let Some(opening) = self.opening_of(&record).await? else { return Ok(Sight::Nothing) };
        let is_past = self.record.as_ref().is_some_and(|shown| record.fence.is_before(&shown.fence));
        if self.is_doubtful(is_past || opening.is_of_another(&record)) {
            return Ok(Sight::Same);
        }
        let anew = self.presentation.advance(&record, &opening.said);
        self.opening = Some(opening);
        for (name, track) in record.tracks.iter_mut().filter(|(name, _)| anew.contains(name)) {
            track.read_bound(&self.store, &self.prefix, name).await?;
        }
        self.version = Some(version);
        let is_new = self.record.as_ref().is_none_or(|before| !before.is_as_far_as(&record));
        self.show(record, &anew);
        if !is_new {
            return Ok(Sight::Same);
        }
        let ended = self.edge.borrow().ended;
        Ok(Sight::More { level: self.presentation.is_level(), ended })
    }

    /// True for a while if what was seen is not what has to come next, and something is shown already.
    fn is_doubtful(&mut self, is_odd: bool) -> bool {
        if !is_odd || self.record.is_none() {
            self.odd_since = None;
            return false;
        }
        let now = clock::now();
        now - *self.odd_since.get_or_insert(now) < self.grid.segment * PAST
    }

    /// What lies there as the opening of `record`, if anything does: read once, as each has its own.
    async fn opening_of(&self, record: &Record) -> Result<Option<Arc<Opening>>, Error> {
        let known = self.opening.iter().find(|opening| record.opening.as_ref() == Some(&opening.etag));
        if let Some(known) = known {
            return Ok(Some(known.clone()));
        }
        let path = record::opening_path_in(&self.prefix);
        match self.store.get(&path).await {
            Ok(bytes) => {
                if record.opening.is_some() && !record::is_opening_whole(record, &bytes) {
                    return Err(record::opening_damaged(path));
                }
                let (etag, said) = (store::etag([&bytes[..]]), record::decode_opening(&path, &bytes)?);
                Ok(Some(Arc::new(Opening { etag, said })))
            }
            Err(store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn show(&mut self, record: Record, anew: &[String]) {
        self.vouch(&record);
        let now = clock::unix_nanos();
        let opening = self.opening.as_ref().map_or(&[][..], |opening| &opening.said);
        self.presentation.follow(&record, (opening, anew), self.record.is_none(), now);
        if let Some(edge) = self.presentation.publish(now) {
            self.edge.send_replace(edge);
        }
        self.record = Some(record);
    }

    /// Tells the store what the segments that are new have to be, and that nobody asks any more for those that are gone.
    fn vouch(&self, record: &Record) {
        for (name, TrackRecord { archive, bound, .. }) in &record.tracks {
            let before = self.record.as_ref().and_then(|before| before.tracks.get(name));
            let before = before.and_then(|before| before.archive.numbers());
            let known = before.as_ref().map_or(i64::MIN, |numbers| *numbers.end());
            let listed = bound.iter().chain(archive.tail().values());
            let new = listed.filter(|entry| entry.segment.number > known);
            archive::vouch(&self.store, &self.prefix, name, new);
            let kept = archive.numbers().zip(before);
            for number in kept.iter().flat_map(|(now, before)| *before.start()..*now.start()) {
                self.store.disown(&format!("{}/{name}/{number}.m4s", self.prefix));
            }
        }
    }
}
