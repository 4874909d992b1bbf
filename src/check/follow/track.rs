//! Reads the media of one track: its init segments, and what is in its segments.

use std::{collections::HashMap, sync::Arc, time::Duration};

use reqwest::Url;

use super::{PATIENCE, Run, Wanted};
use crate::check::{
    boxes::{self, Chunk, Init},
    client::Reply,
    finding::{Check, Place},
    hls::Range,
    invariant::Invariant,
    judge::Judge,
};

/// So many init segments are kept; a track has one for each change of its codec.
const MOST: usize = 32;

pub(super) struct Track {
    run: Arc<Run>,
    inits: HashMap<(Url, Option<Range>), Option<Init>>,
}

impl Track {
    pub(super) fn new(run: Arc<Run>) -> Self {
        Self { run, inits: HashMap::new() }
    }

    /// The init segment at a URL, fetched once. `None` if it cannot be fetched or read.
    pub(super) async fn init(&mut self, url: Url, range: Option<Range>, listed: Duration) -> Option<Init> {
        let key = (url.clone(), range);
        if let Some(known) = self.inits.get(&key) {
            return *known;
        }
        let wanted =
            Wanted { url, range, place: Place::WHOLE, missing: Check::InitMissing, listed: Some(listed) };
        let reply = self.run.fetch(&wanted, PATIENCE).await;
        let init = reply.and_then(|reply| self.read_init(&wanted.url, &reply));
        self.run.rechecks.at(wanted, self.run.now() + Duration::from_secs(2));
        if self.inits.len() == MOST {
            self.inits.clear();
        }
        self.inits.insert(key, init);
        init
    }

    fn read_init(&self, url: &Url, reply: &Reply) -> Option<Init> {
        let read = boxes::init(&reply.body);
        if let Err(boxes::Error::Foreign(_)) = read {
            self.no_boxes();
            return None;
        }
        let mut judge = self.run.judge(url);
        judge.holds(Check::InitMissing, Place::WHOLE, read.is_ok(), || words(read.as_ref().err()));
        self.run.ledger.take(judge);
        read.ok()
    }

    /// Says that media is of another kind than this checker reads.
    pub(super) fn no_boxes(&self) {
        for invariant in [Invariant::I13, Invariant::I15] {
            self.run.ledger.reason(invariant, "the media is not fragmented MP4");
        }
    }

    /// The chunks in a body; those of a body that cannot be read are a finding.
    pub(super) fn chunks(
        &self,
        judge: &mut Judge,
        wanted: &Wanted,
        init: &Init,
        reply: &Reply,
    ) -> Option<Vec<Chunk>> {
        let read = boxes::chunks(&reply.body, init);
        judge.holds(wanted.missing, wanted.place, read.is_ok(), || words(read.as_ref().err()));
        read.ok().filter(|chunks| !chunks.is_empty())
    }
}

fn words(error: Option<&boxes::Error>) -> String {
    error.map(|error| format!("its bytes cannot be read: {error}")).unwrap_or_default()
}
