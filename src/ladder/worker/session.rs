//! One job from the source's opening to its end.

use std::{sync::Arc, time::Duration};

use super::{fail, preparation::Prepared};
use crate::{
    ladder::{
        job::{Job, Timing},
        outlet::Outlet,
        pipeline::{KeyRequests, Pipeline, Tracks},
        wire::Event,
    },
    source::{self, Item, Pace, Source},
};

/// How long encoders may take, in a live channel, to give what they still hold when the source stalls.
const DRAIN: Duration = Duration::from_secs(10);

/// A job being done.
pub(super) struct Session {
    job: Job,
    outlet: Outlet,
    /// Shared with who listens to the server.
    pub(super) keys: Arc<KeyRequests>,
}

impl Session {
    pub(super) fn new(job: Job, outlet: Outlet) -> Self {
        Self { job, outlet, keys: Arc::default() }
    }

    /// Works until the source's end; the error says in words why it did not come so far.
    pub(super) fn run(self) -> Result<(), String> {
        let source = self.open()?;
        let prepared = Prepared::new(&self.job, &source)?;
        prepared.announce(self.job.timing, &self.outlet);
        self.encode(&source, &prepared.tracks)
    }

    fn open(&self) -> Result<Source, String> {
        let request = source::Request {
            name: self.job.name.clone(),
            uri: self.job.source.clone(),
            file_root: self.job.file_root.clone(),
            grid: self.job.grid,
            pace: match self.job.timing {
                Timing::Live => Pace::Live,
                Timing::Source => Pace::Source,
                Timing::File => Pace::Asap,
            },
            frame_rate: self.job.ladder.frame_rate,
            audio_languages: Vec::new(),
        };
        let mut waiting = |why| self.outlet.event(Event::Stalled { why });
        source::open(request, &mut waiting).map_err(|error| error.to_string())
    }

    fn encode(&self, source: &Source, tracks: &Tracks) -> Result<(), String> {
        let mut pipeline = None;
        for item in source.media.iter() {
            match item {
                Item::Live => {
                    self.finish(pipeline.take())?;
                    pipeline = Some(self.start(tracks)?);
                    let duration = source.duration.and_then(|it| u64::try_from(it.as_nanos()).ok());
                    self.outlet.event(Event::Live { duration });
                }
                Item::Video { frame, buffer, captured_at } => {
                    pipeline.as_ref().map_or(Ok(()), |to| to.video(frame, buffer, captured_at))?;
                }
                Item::Audio { stream, block, buffer, captured_at } => {
                    pipeline.as_ref().map_or(Ok(()), |to| to.audio(stream, block, &buffer, captured_at))?;
                }
                Item::Stalled { why } => {
                    self.finish(pipeline.take())?;
                    self.outlet.event(Event::Stalled { why });
                }
                Item::Ended => return self.finish(pipeline.take()),
                Item::Failed(error) => {
                    self.finish(pipeline.take())?;
                    return Err(error.to_string());
                }
            }
        }
        Err("the source stopped without a word".into())
    }

    fn start(&self, tracks: &Tracks) -> Result<Pipeline, String> {
        let outlet = self.outlet.clone();
        Pipeline::start(tracks, &self.outlet, &self.keys, move |why| fail(&outlet, why))
    }

    /// Ends a stretch of media: what comes after a gap is encoded anew, from a segment line on.
    fn finish(&self, pipeline: Option<Pipeline>) -> Result<(), String> {
        let deadline = self.job.timing.is_live().then_some(DRAIN);
        pipeline.map_or(Ok(()), |pipeline| pipeline.finish(deadline))
    }
}
