//! Which audio renditions a source gets.

use super::Names;
use crate::config::{AudioRung, Ladder};

const AUTOMATIC: AudioRung = AudioRung { bitrate: 128_000, language: None, channels: 2 };

/// One sound of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// RFC 5646 tag, `und` if unknown.
    pub language: String,
    /// Channels.
    pub channels: u16,
}

/// An audio rendition with everything decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAudio {
    /// Track name.
    pub name: String,
    /// Index of the source's sound.
    pub stream: usize,
    /// RFC 5646 tag.
    pub language: String,
    /// Bits per second.
    pub bitrate: u32,
    /// Channels to mix to.
    pub channels: u16,
}

/// Plans the audio renditions: as configured, else one per language; and notes on what could not be had.
pub fn plan_audio(ladder: &Ladder, sounds: &[Sound]) -> (Vec<PlannedAudio>, Vec<String>) {
    let configured = if ladder.audio.is_empty() { &[AUTOMATIC][..] } else { &ladder.audio };
    let mut names = Names::default();
    let mut notes = Vec::new();
    let mut planned = Vec::new();
    for rung in configured {
        let streams = streams(rung, sounds);
        if let (Some(language), true) = (&rung.language, streams.is_empty() && !sounds.is_empty()) {
            let spoken: Vec<&str> = sounds.iter().map(|sound| sound.language.as_str()).collect();
            notes.push(format!("audio in {language:?} is left out: the source has {}", spoken.join(", ")));
        }
        planned.extend(streams.into_iter().map(|stream| {
            let language = rung.language.as_ref().unwrap_or(&sounds[stream].language).clone();
            let name = names.unique(&format!("audio-{}", tidy(&language)));
            PlannedAudio { name, stream, language, bitrate: rung.bitrate, channels: rung.channels.max(1) }
        }));
    }
    (planned, notes)
}

/// The sounds that a rung takes: the first in its language, or the first in each.
fn streams(rung: &AudioRung, sounds: &[Sound]) -> Vec<usize> {
    let first_in = |language: &str| sounds.iter().position(|sound| sound.language == language);
    match &rung.language {
        Some(language) => first_in(language).or_else(|| untold(sounds)).into_iter().collect(),
        None => (0..sounds.len()).filter(|&at| first_in(&sounds[at].language) == Some(at)).collect(),
    }
}

/// The only sound, if the source does not say what its language is: then the configuration knows better.
fn untold(sounds: &[Sound]) -> Option<usize> {
    matches!(sounds, [only] if only.language == "und").then_some(0)
}

/// The part of a language tag that may stand in a URL.
fn tidy(language: &str) -> String {
    let kept = language.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(32);
    Some(kept.collect::<String>()).filter(|kept| !kept.is_empty()).unwrap_or_else(|| "und".into())
}
