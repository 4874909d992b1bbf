//! Fetches what a media playlist lists, and judges what is in it.

use std::{sync::Arc, time::Duration};

use reqwest::Url;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Receiver;

use super::{
    PATIENCE, Run, Wanted,
    hls::Presentation,
    jobs::{Job, What},
    lock,
    track::Track,
};
use crate::check::{
    boxes::Init,
    client::Reply,
    finding::{Check, Place},
    judge::Judge,
    rules::{
        bodies::Protocol,
        media::{self, Chain, Piece},
    },
};

/// Every so many segments and parts are fetched a second time, so long after the first.
const AGAIN: (u64, usize) = (2, 4);
const LATER: Duration = Duration::from_secs(2);

/// The media of one rendition.
pub(super) struct Media {
    run: Arc<Run>,
    presentation: Arc<Presentation>,
    /// What URIs are relative to.
    base: Url,
    name: String,
    track: Track,
    chain: Chain,
    assembly: Assembly,
}

/// The parts of one segment, hashed one behind the other.
#[derive(Default)]
struct Assembly {
    number: u64,
    parts: usize,
    hash: Sha256,
}

impl Assembly {
    /// Takes a part, if it is the first of a segment or follows the one before.
    fn add(&mut self, number: u64, index: usize, reply: &Reply) {
        if index == 0 {
            *self = Self { number, ..Self::default() };
        }
        if (self.number, self.parts) == (number, index) {
            self.hash.update(&reply.body);
            self.parts += 1;
        }
    }

    /// The hash of all parts of a segment, if all were seen.
    fn finish(&mut self, number: u64, parts: usize) -> Option<[u8; 32]> {
        let whole = parts > 0 && (self.number, self.parts) == (number, parts);
        let hash = std::mem::take(self).hash;
        whole.then(|| hash.finalize().into())
    }
}

impl Media {
    pub(super) fn new(run: Arc<Run>, presentation: Arc<Presentation>, base: Url) -> Self {
        let track = Track::new(run.clone());
        let name = base.to_string();
        Self { run, presentation, base, name, track, chain: Chain::default(), assembly: Assembly::default() }
    }

    /// Works through what is listed, until nothing more comes.
    pub(super) async fn run(mut self, mut jobs: Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            self.job(&job).await;
        }
    }

    async fn job(&mut self, job: &Job) {
        let Ok(url) = self.base.join(&job.resource.uri) else { return };
        let (place, missing) = match job.what {
            What::Part { index, .. } => (Place::part(job.number, index), Check::PartMissing),
            What::Segment { .. } => (Place::segment(job.number), Check::SegmentMissing),
        };
        let wanted = Wanted { url, range: job.resource.range, place, missing, listed: Some(job.listed) };
        let Some(reply) = self.run.fetch(&wanted, PATIENCE).await else { return };
        let again = match job.what {
            What::Part { index, .. } => index % AGAIN.1 == 1,
            What::Segment { .. } => job.number.is_multiple_of(AGAIN.0),
        };
        if again {
            self.run.rechecks.at(wanted.clone(), self.run.now() + LATER);
        }
        lock(&self.run.bodies).named(wanted.url.as_str(), Protocol::Hls);
        let mut judge = self.run.judge(&wanted.url);
        let init = self.init(job).await;
        match job.what {
            What::Part { index, independent } => {
                self.assembly.add(job.number, index, &reply);
                if let Some(init) = init {
                    self.part(&mut judge, job, &wanted, &init, &reply, independent);
                }
            }
            What::Segment { parts, .. } => {
                self.compare(&mut judge, place, job.number, parts, &reply);
                if let Some(init) = init {
                    self.segment(&mut judge, job, &wanted, &init, &reply);
                }
            }
        }
        self.run.ledger.take(judge);
    }

    async fn init(&mut self, job: &Job) -> Option<Init> {
        if matches!(job.what, What::Segment { sealed: true, .. }) {
            return None;
        }
        let Some(map) = &job.map else {
            self.track.no_boxes();
            return None;
        };
        let url = self.base.join(&map.uri).ok()?;
        self.track.init(url, map.range, job.listed).await
    }

    fn part(
        &self,
        judge: &mut Judge,
        job: &Job,
        wanted: &Wanted,
        init: &Init,
        reply: &Reply,
        independent: bool,
    ) {
        let Some(chunks) = self.track.chunks(judge, wanted, init, reply) else { return };
        let piece = Piece { place: wanted.place, init, chunks: &chunks };
        media::inner(judge, piece);
        media::printed(judge, piece, job.duration);
        if independent {
            media::independent(judge, piece);
        }
    }

    /// I-07: the parts, one behind the other, are the segment.
    fn compare(&mut self, judge: &mut Judge, place: Place, number: u64, parts: usize, reply: &Reply) {
        let Some(of_parts) = self.assembly.finish(number, parts) else { return };
        let whole: [u8; 32] = Sha256::digest(&reply.body).into();
        judge.holds(Check::PartsNotSegment, place, of_parts == whole, || {
            format!(
                "its {parts} parts, one behind the other, are other bytes than the {} of it",
                reply.body.len()
            )
        });
    }

    fn segment(&mut self, judge: &mut Judge, job: &Job, wanted: &Wanted, init: &Init, reply: &Reply) {
        let Some(chunks) = self.track.chunks(judge, wanted, init, reply) else { return };
        let piece = Piece { place: wanted.place, init, chunks: &chunks };
        media::inner(judge, piece);
        media::printed(judge, piece, job.duration);
        media::starts_with_idr(judge, piece);
        self.chain.follow(judge, piece, job.number, job.discontinuities);
        if let What::Segment { date: Some(date), .. } = job.what {
            self.chain.date(judge, piece, job.discontinuities, date);
        }
        lock(&self.presentation.starts).meet(judge, piece, job.number, &self.name);
    }
}
