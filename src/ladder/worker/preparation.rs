//! What is done before there is media: plan, trial encodes, catalog and filler.

use std::{collections::BTreeSet, thread};

use headwater_packager::{
    sample::Sample,
    time::Timescale,
    track::{self, Colour, Track},
};

use crate::{
    ladder::{
        aac, encoder,
        filler::run_lengths,
        job::{Job, Timing},
        outlet::Outlet,
        pipeline::{AudioTrack, Tracks, VideoTrack},
        rungs::{self, Picture, PlannedAudio, PlannedRung, Sound},
        trial::{self, Trial},
        wire::{Catalog, Event, Media, Message},
    },
    source::{SAMPLE_RATE, Source, VideoFormat},
};

/// All that is known before the first frame.
pub(super) struct Prepared {
    pub(super) tracks: Tracks,
    catalog: Catalog,
    /// By index in the catalog.
    fillers: Vec<Vec<Vec<Sample>>>,
}

impl Prepared {
    /// Plans the tracks and tries an encoder for each, all at the same time.
    pub(super) fn new(job: &Job, source: &Source) -> Result<Self, String> {
        let picture = source.video.as_ref().map(picture);
        let plan = picture.as_ref().map(|picture| rungs::plan(&job.ladder, picture)).transpose();
        let plan = plan.map_err(|error| error.to_string())?.unwrap_or_default();
        let plan = if job.low_latency { plan.without_delay() } else { plan };
        let sounds: Vec<Sound> = source
            .audio
            .iter()
            .map(|format| Sound { language: format.language.clone(), channels: format.channels })
            .collect();
        let (audio, notes) = rungs::plan_audio(&job.ladder, &sounds);
        plan.notes.iter().chain(&notes).for_each(|note| tracing::warn!("{note}"));
        if plan.rungs.is_empty() && audio.is_empty() {
            return Err("of this source and ladder nothing is left to encode".into());
        }
        let cores = thread::available_parallelism().map_or(1, Into::into);
        let threads = encoder::threads(&plan.rungs, cores);
        let lengths = match job.timing {
            Timing::Live | Timing::Source => {
                picture.map(|picture| run_lengths(&job.grid, picture.frame_rate)).unwrap_or_default()
            }
            // A file needs no filler; two key frames show that an encoder does what it is told.
            Timing::File => BTreeSet::from([2, 3]),
        };
        let insisted = job.ladder.encoder.as_deref();
        let (video, audio) = try_all(plan.rungs, &threads, insisted, &lengths, audio)?;
        Ok(Self::assemble(job, picture, video, audio))
    }

    fn assemble(job: &Job, picture: Option<Picture>, video: Vec<TriedRung>, audio: Vec<TriedAudio>) -> Self {
        let mut tracks = Tracks { grid: job.grid, picture, video: Vec::new(), audio: Vec::new() };
        let mut catalog = Catalog { tracks: Vec::new() };
        let mut fillers = Vec::new();
        for TriedRung { rung, threads, trial } in video {
            let (index, codec) = (catalog.tracks.len() as u8, trial.codec);
            catalog.tracks.push(video_track(&rung, codec.clone()));
            fillers.push(trial.filler);
            tracks.video.push(VideoTrack { index, rung, encoder: trial.encoder, threads, codec });
        }
        for TriedAudio { audio, trial } in audio {
            let (index, codec) = (catalog.tracks.len() as u8, trial.codec);
            catalog.tracks.push(audio_track(&audio, codec.clone()));
            fillers.push(trial.filler);
            tracks.audio.push(AudioTrack { index, audio, encoder: trial.encoder, codec });
        }
        Self { tracks, catalog, fillers }
    }

    /// Tells the server the encoders, the tracks, and, in a live channel, the filler.
    pub(super) fn announce(&self, timing: Timing, outlet: &Outlet) {
        let video = self.tracks.video.iter().map(|track| (&track.rung.name, track.encoder.element));
        let audio = self.tracks.audio.iter().map(|track| (&track.audio.name, track.encoder.element));
        for (track, element) in video.chain(audio) {
            tracing::info!(track, element, "encoder chosen");
            outlet.event(Event::Encoder { track: track.clone(), element: element.into() });
        }
        outlet.send(&Message::Catalog(self.catalog.clone()));
        if timing.is_live() {
            self.fill(outlet);
        }
    }

    fn fill(&self, outlet: &Outlet) {
        for (index, (track, runs)) in self.catalog.tracks.iter().zip(&self.fillers).enumerate() {
            for sample in runs.iter().flatten().cloned() {
                let (track, video) = (index as u8, track.video().is_some());
                outlet.send(&Message::Media(Media { track, filler: true, video, sample }));
            }
        }
    }
}

struct TriedRung {
    rung: PlannedRung,
    threads: u32,
    trial: Trial<encoder::Candidate>,
}

struct TriedAudio {
    audio: PlannedAudio,
    trial: Trial<aac::Candidate>,
}

fn try_all(
    rungs: Vec<PlannedRung>,
    threads: &[u32],
    insisted: Option<&str>,
    lengths: &BTreeSet<u32>,
    audio: Vec<PlannedAudio>,
) -> Result<(Vec<TriedRung>, Vec<TriedAudio>), String> {
    thread::scope(|scope| {
        let try_rung = |rung: PlannedRung, threads| {
            let trial = trial::video(&rung, threads, insisted, lengths).map_err(|error| error.to_string())?;
            Ok(TriedRung { rung, threads, trial })
        };
        let video: Vec<_> = rungs
            .into_iter()
            .zip(threads)
            .map(|(rung, &threads)| scope.spawn(move || try_rung(rung, threads)))
            .collect();
        let audio: Result<_, String> = audio.into_iter().map(try_sound).collect();
        let broke = |_| Err("a trial encode broke off".to_owned());
        let video: Result<_, String> =
            video.into_iter().map(|tried| tried.join().unwrap_or_else(broke)).collect();
        Ok((video?, audio?))
    })
}

fn try_sound(audio: PlannedAudio) -> Result<TriedAudio, String> {
    let trial = trial::audio(&audio).map_err(|error| error.to_string())?;
    Ok(TriedAudio { audio, trial })
}

fn picture(format: &VideoFormat) -> Picture {
    Picture {
        width: format.width,
        height: format.height,
        sample_aspect: format.sample_aspect,
        frame_rate: format.frame_rate,
        colour: Some(format.colour.unwrap_or_else(|| customary_colour(format.height))),
    }
}

/// What decoders assume where nothing is said: BT.709 from HD on, BT.601 below. Said aloud, all of them agree.
fn customary_colour(height: u32) -> Colour {
    let code = if height > 576 { 1 } else { 6 };
    Colour { primaries: code, transfer: code, matrix: code, full_range: false }
}

fn video_track(rung: &PlannedRung, codec: headwater_packager::codec::CodecConfig) -> Track {
    Track {
        name: rung.name.clone(),
        timescale: rung.frame_rate.timescale().0,
        codec,
        media: track::Media::Video(track::Video {
            width: rung.width,
            height: rung.height,
            sample_aspect: rung.sample_aspect,
            frame_rate: Some(rung.frame_rate),
            colour: rung.colour,
        }),
        bitrate: rung.bitrate,
        edit_start: 0,
    }
}

fn audio_track(audio: &PlannedAudio, codec: headwater_packager::codec::CodecConfig) -> Track {
    Track {
        name: audio.name.clone(),
        timescale: AUDIO_TIMESCALE,
        codec,
        media: track::Media::Audio(track::Audio {
            sample_rate: SAMPLE_RATE,
            channels: audio.channels,
            language: audio.language.clone(),
        }),
        bitrate: audio.bitrate,
        edit_start: 0,
    }
}

const AUDIO_TIMESCALE: Timescale = match Timescale::new(SAMPLE_RATE) {
    Some(timescale) => timescale,
    None => unreachable!(),
};
