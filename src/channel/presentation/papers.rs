//! The documents that the store has, which list what lies there and promise nothing else.

use super::{Presentation, View, Writer, is_long_enough};
use crate::{
    channel::{commit::Paper, render},
    policy::CachePolicy,
};

impl Presentation {
    /// What the store is to say: only of what lies there.
    pub(super) fn stored_view(&self, now: i128) -> View {
        View { low_latency: None, ended: self.is_over(), ..self.view(now) }
    }

    /// What it is to say of tracks.
    pub(super) fn playlist_papers(&mut self, tracks: &[String], now: i128) -> Vec<Paper> {
        let view = self.stored_view(now);
        let cache = CachePolicy::LivePlaylist { target: render::target_duration(self.grid) };
        let due = self.writers.iter().filter(|writer| tracks.iter().any(|track| track == writer.name()));
        let due = due.filter(|_| self.stores_manifests);
        let mut papers = Vec::new();
        for writer in due.filter(|writer| is_long_enough(writer.shelf().stored(), &view)) {
            let track = writer.name();
            let list = render::stored_playlist(writer, &view, self.stored_lists.get(track));
            let path = format!("{}/{track}/index.m3u8", self.prefix);
            papers.push(Paper { path, text: list.pieces().collect(), cache });
            self.stored_lists.insert(track.to_owned(), list.past);
        }
        papers
    }

    /// What it is to say of the whole.
    pub(super) fn manifest_papers(&self, now: i128) -> Vec<Paper> {
        let view = self.stored_view(now);
        let ready = |writer: &Writer| is_long_enough(writer.shelf().stored(), &view);
        if !self.stores_manifests || self.writers.is_empty() || !self.writers.iter().all(ready) {
            return Vec::new();
        }
        let paper = |file: &str, text: String| Paper {
            path: format!("{}/{file}", self.prefix),
            text: vec![text.into()],
            cache: CachePolicy::LiveManifest,
        };
        vec![
            paper("index.m3u8", render::multivariant(&self.writers, &view)),
            paper("manifest.mpd", render::stored_mpd(&self.writers, &view)),
        ]
    }
}
