//! A ladder of renditions, encoded by a child process.

use std::{path::Path, time::Duration};

use headwater_packager::segmenter::Cut;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Error, Request, Summary, copy, input,
    output::{Destination, Output, Rendition},
    progress::Progress,
};
use crate::{
    config::Ladder,
    ladder::{
        job::{Job, Timing},
        process::Encoder,
        wire::{Catalog, Event, Media, Message},
    },
};

/// An encoder that gives nothing for so long hangs; looking ahead in large pictures takes a slow machine a few seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// Encodes until the source's end or until `stop` says so.
pub(super) async fn run(
    request: &Request,
    ladder: &Ladder,
    program: &Path,
    stop: &CancellationToken,
) -> Result<Summary, Error> {
    let job = job(request, ladder)?;
    let destination = Destination::new(&request.out)?;
    let mut encoder = Encoder::spawn(&job, program).await?;
    let mut packaging = Packaging {
        request,
        destination: Some(destination),
        output: None,
        renditions: Vec::new(),
        progress: Progress::start(),
    };
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Err(Error::Interrupted),
        outcome = packaging.take_all(&mut encoder) => outcome,
    };
    encoder.stop().await;
    outcome.and_then(|()| packaging.finish())
}

fn job(request: &Request, ladder: &Ladder) -> Result<Job, Error> {
    let input = match &request.inputs[..] {
        [] => return Err(Error::NoInput),
        [input] => input,
        several => return Err(Error::SeveralInputs(several.len())),
    };
    input::check_file(input)?;
    let path = input.canonicalize().map_err(|source| Error::Read { path: input.clone(), source })?;
    let path = path.to_str().ok_or_else(|| Error::Name(input.clone()))?;
    let name = input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Job {
        name,
        source: format!("file:{path}"),
        file_root: None,
        grid: request.grid,
        ladder: ladder.clone(),
        low_latency: false,
        timing: Timing::File,
    })
}

/// What the encoder says, becoming a presentation.
struct Packaging<'a> {
    request: &'a Request,
    destination: Option<Destination>,
    output: Option<Output>,
    /// In the order of the catalog.
    renditions: Vec<Rendition>,
    progress: Progress,
}

impl Packaging<'_> {
    /// Takes messages until the encoder says that the source has ended.
    async fn take_all(&mut self, encoder: &mut Encoder) -> Result<(), Error> {
        loop {
            let message = timeout(SILENCE, encoder.next()).await;
            match message.map_err(|_| Error::Silent(SILENCE.as_secs()))?? {
                Message::Catalog(catalog) => self.open(catalog)?,
                Message::Media(media) if !media.filler => self.take(media)?,
                Message::Event(Event::Ended) => return Ok(()),
                Message::Event(Event::Failed { why }) => return Err(Error::Refused(why)),
                Message::Event(Event::Live { duration: Some(nanos) }) => {
                    self.progress.of(Duration::from_nanos(nanos));
                }
                _ => {}
            }
        }
    }

    fn open(&mut self, catalog: Catalog) -> Result<(), Error> {
        let Some(destination) = self.destination.take() else { return Ok(()) };
        let output = self.output.insert(destination.create()?);
        for track in catalog.tracks {
            self.renditions.push(Rendition::create(output, track, Cut::Grid(self.request.grid))?);
        }
        Ok(())
    }

    fn take(&mut self, media: Media) -> Result<(), Error> {
        let Some(rendition) = self.renditions.get_mut(usize::from(media.track)) else { return Ok(()) };
        let nanos = rendition.track().timescale.nanos(media.sample.end());
        rendition.push(media.sample)?;
        self.progress.at(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)));
        Ok(())
    }

    fn finish(mut self) -> Result<Summary, Error> {
        self.renditions.iter_mut().try_for_each(Rendition::finish)?;
        let mut notes = Vec::new();
        // A stream that is announced but has nothing in it is not worth a playlist.
        let (kept, empty): (Vec<_>, Vec<_>) =
            self.renditions.into_iter().partition(|each| !each.window().segments().is_empty());
        for rendition in empty {
            notes.push(format!("{} is left out, as the source has nothing for it", rendition.track().name));
            rendition.delete();
        }
        match self.output {
            Some(output) if !kept.is_empty() => {
                copy::finish(output, kept, notes, &self.progress, self.request)
            }
            _ => Err(Error::NothingEncoded(self.request.inputs.first().cloned().unwrap_or_default())),
        }
    }
}
