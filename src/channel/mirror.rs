//! A channel that another server packages, shown as far as its record in the store goes: whole segments, and documents
//! that are rendered from the record and so are the same on every server that does this.

use std::sync::Arc;

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
    /// As the store tells it from others.
    version: Option<String>,
    opening: Vec<Message>,
    opening_version: Option<String>,
}

impl Mirror {
    /// Shows the channel that is kept as `name` in `store`. Nothing is shown before the first look.
    pub fn new(name: &str, config: &config::Channel, store: Store) -> (Self, watch::Receiver<Arc<Edge>>) {
        let prefix = format!("live/{name}");
        let presentation = Presentation::new(prefix.clone(), config, None, 0);
        let (edge, edges) = watch::channel(presentation.edge());
        let mirror = Self {
            prefix,
            store,
            grid: config.grid,
            presentation,
            edge,
            record: None,
            version: None,
            opening: Vec::new(),
            opening_version: None,
        };
        (mirror, edges)
    }

    /// Looks once whether more is recorded, and shows it.
    ///
    /// # Errors
    /// When the store does not answer, or what it has cannot be used. What was shown stays.
    pub async fn look(&mut self) -> Result<Sight, Error> {
        let path = record::path_in(&self.prefix);
        let (bytes, version) = match self.store.poll(&path, self.version.as_deref()).await {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(Sight::Same),
            Err(store::Error::NotFound { .. }) => return Ok(Sight::Nothing),
            Err(error) => return Err(error.into()),
        };
        let mut record = record::decode(&path, &bytes)?;
        record.fits(&self.grid, &path)?;
        // The opening is written before a record that needs it, so it is read behind it.
        if !self.read_opening().await? {
            return Ok(Sight::Nothing);
        }
        let anew = self.presentation.advance(&record, &self.opening);
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

    async fn read_opening(&mut self) -> Result<bool, Error> {
        let path = record::opening_path_in(&self.prefix);
        match self.store.poll(&path, self.opening_version.as_deref()).await {
            Ok(Some((bytes, version))) => {
                self.opening = record::decode_opening(&path, &bytes)?;
                self.opening_version = Some(version);
                Ok(true)
            }
            Ok(None) => Ok(true),
            Err(store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn show(&mut self, record: Record, anew: &[String]) {
        self.vouch(&record);
        let now = clock::unix_nanos();
        self.presentation.follow(&record, (&self.opening, anew), self.record.is_none(), now);
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
