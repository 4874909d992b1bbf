//! Loads a media playlist again and again, as a player does: blocking where that is offered, polling where not.

mod read;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use reqwest::Url;
use tokio::sync::{mpsc::Sender, watch};

pub(super) use self::read::Document;
use super::{
    PATIENCE, Run, Wanted as Media,
    hints::Hinted,
    hls::Presentation,
    jobs::{self, Job},
    lock,
};
use crate::check::{
    client::{Ask, Failure, Reply},
    exact::Seconds,
    finding::{Check, Place},
    hls::{Edge, Playlist},
    invariant::Invariant,
    judge::Judge,
    rules::{
        alike::{self, Head},
        cache,
        cadence::Cadence,
        clocks, delta, hints as hint_rules, list, reload,
        reload::{Outcome, Wanted},
        reports, succession,
    },
    watch::span,
};

/// Every so many blocking reloads, a delta update is asked for beside it.
const DELTAS: u64 = 5;
/// After a failure, a player waits for a moment.
const PAUSE: Duration = Duration::from_millis(500);

/// The lists of one rendition.
pub(super) struct Playlists {
    run: Arc<Run>,
    presentation: Arc<Presentation>,
    url: Url,
    name: String,
    /// In the whole presentation.
    renditions: usize,
    known: Option<Arc<Playlist>>,
    document: Document,
    cadence: Cadence,
    /// When a list came last, and whether one that was asked for since did not.
    looked_at: Duration,
    missed: bool,
    /// When there was a part last.
    parts_at: Duration,
    /// The longest that a list went for.
    longest: Duration,
    rounds: u64,
}

type Answer = Result<Reply, Failure>;

/// Where what was found goes.
struct Outlets {
    jobs: Sender<Job>,
    hints: Sender<Hinted>,
    latest: watch::Sender<Option<Arc<Playlist>>>,
}

impl Playlists {
    pub(super) fn new(run: Arc<Run>, presentation: Arc<Presentation>, url: Url, renditions: usize) -> Self {
        let (name, parts_at) = (name(&url), run.now());
        Self {
            run,
            presentation,
            url,
            name,
            renditions,
            known: None,
            document: Document::default(),
            cadence: Cadence::default(),
            looked_at: parts_at,
            missed: false,
            parts_at,
            longest: Duration::ZERO,
            rounds: 0,
        }
    }

    /// Loads lists until the run is over or the list has ended.
    pub(super) async fn run(
        mut self,
        jobs: Sender<Job>,
        hints: Sender<Hinted>,
        latest: watch::Sender<Option<Arc<Playlist>>>,
    ) {
        let outlets = Outlets { jobs, hints, latest };
        while !self.run.stop.is_cancelled() {
            let pause = match self.known.clone() {
                Some(known) if known.ended => return,
                Some(known) if known.can_block() => self.blocking(&known, &outlets).await,
                _ => self.polling(&outlets).await,
            };
            self.missed |= pause.is_none();
            let pause = pause.unwrap_or(PAUSE);
            if !self.run.sleep(pause).await {
                return;
            }
        }
    }

    fn ask(&self, within: Duration) -> Ask {
        Ask::new(self.url.clone(), within)
    }

    /// Without blocking: gives the pause until the next time.
    async fn polling(&mut self, outlets: &Outlets) -> Option<Duration> {
        let asked = self.presentation.edges();
        let reply = self.run.ask(&self.ask(PATIENCE)).await;
        let reply = self.present(reply)?;
        let list = self.read(&reply)?;
        let target = Duration::from_secs(list.target);
        let pause =
            list.part_target.map_or(target / 2, |part| span(part.nanos())).max(Duration::from_millis(100));
        let mut judge = self.run.judge(&self.url);
        if list.is_live() {
            cache::document(&mut judge, cache::Document::Playlist, target, &reply);
            self.run.ledger.reason(Invariant::I10, "the server does not offer CAN-BLOCK-RELOAD");
        }
        self.missed = true;
        self.take(judge, &reply, list, &asked, outlets);
        // The first list is followed at once where the next one may be asked for blocking.
        let blocks = self.known.as_ref().is_some_and(|known| known.can_block());
        Some(if blocks { Duration::ZERO } else { pause })
    }

    /// Asks for what comes next, and sometimes for a delta update as well.
    async fn blocking(&mut self, known: &Arc<Playlist>, outlets: &Outlets) -> Option<Duration> {
        let wanted = Wanted::after(known);
        let asked = self.presentation.edges();
        let ask = Ask { url: blocking_url(&self.url, wanted), ..self.ask(reload::deadline(known.target)) };
        let (reply, delta, waited) = self.ask_blocking(&ask, known).await;
        let mut judge = self.run.judge(&ask.url);
        let refused = match &reply {
            Err(Failure::Silent(_)) => Some(Outcome::Silent),
            Ok(reply) if (400..500).contains(&reply.status) => {
                cache::error(&mut judge, wanted.place(), 4 * Duration::from_secs(known.target), reply);
                Some(Outcome::Refused(reply.status))
            }
            _ => None,
        };
        if let Some(outcome) = refused {
            reload::next(&mut judge, wanted, outcome, waited, known.target);
            self.run.ledger.take(judge);
            return None;
        }
        let reply = self.present(reply)?;
        let list = self.read(&reply)?;
        reload::next(&mut judge, wanted, Outcome::Listed(&list), waited, known.target);
        let target = Duration::from_secs(list.target);
        cache::document(&mut judge, cache::Document::BlockedPlaylist, target, &reply);
        if let Some(Ok(delta)) = delta {
            self.compare_delta(&mut judge, known, &delta, &list);
        }
        let lacks = list.edge() <= known.edge();
        self.take(judge, &reply, list, &asked, outlets);
        // A server that answers too early would otherwise be asked as often as the network allows.
        Some(if lacks { Duration::from_millis(100) } else { Duration::ZERO })
    }

    /// The reply, that of a delta update if it is its turn, and how long the first took.
    async fn ask_blocking(&mut self, ask: &Ask, known: &Playlist) -> (Answer, Option<Answer>, Duration) {
        self.rounds += 1;
        let boundary = known.control.as_ref().and_then(|control| control.can_skip_until);
        let started = self.run.now();
        // Of a list that is older, what was skipped may be more than is known (rfc8216bis 6.3.7).
        let is_fresh =
            |boundary: Seconds| started.saturating_sub(self.looked_at) <= span(boundary.nanos()) / 2;
        let (reply, delta) = if boundary.is_some_and(is_fresh) && self.rounds.is_multiple_of(DELTAS) {
            let mut skip = ask.clone();
            skip.url.query_pairs_mut().append_pair("_HLS_skip", self.skip_word(known));
            let (reply, delta) = tokio::join!(self.run.ask(ask), self.run.ask(&skip));
            (reply, Some(delta))
        } else {
            (self.run.ask(ask).await, None)
        };
        let waited = match &reply {
            Ok(reply) => reply.waited(),
            Err(_) => self.run.now().saturating_sub(started),
        };
        (reply, delta, waited)
    }

    /// `v2` skips date ranges too; it is tried where it is offered.
    fn skip_word(&self, known: &Playlist) -> &'static str {
        let dateranges = known.control.as_ref().is_some_and(|control| control.can_skip_dateranges);
        if dateranges && self.rounds.is_multiple_of(2 * DELTAS) { "v2" } else { "YES" }
    }

    fn compare_delta(&self, judge: &mut Judge, known: &Playlist, reply: &Reply, full: &Playlist) {
        if !reply.is_ok() {
            let status = reply.status;
            judge.holds(Check::DeltaDiffers, Place::WHOLE, false, || {
                format!("_HLS_skip is answered with status {status}")
            });
            return;
        }
        if let Some(delta) = read::list(judge, reply) {
            delta::delta(judge, known, &delta, full);
        }
    }

    /// Judges whether there is a playlist.
    fn present(&self, reply: Result<Reply, Failure>) -> Option<Reply> {
        let mut judge = self.run.judge(&self.url);
        let reply = match reply {
            Err(Failure::Stopped) => return None,
            Err(failure) => {
                let torn = matches!(failure, Failure::Broken { .. });
                let check = if torn { Check::Torn } else { Check::PlaylistMissing };
                judge.holds(check, Place::WHOLE, false, || failure.to_string());
                self.run.ledger.take(judge);
                return None;
            }
            Ok(reply) => reply,
        };
        judge.holds(Check::PlaylistMissing, Place::WHOLE, reply.is_ok(), || {
            format!("status {}", reply.status)
        });
        if !reply.is_ok() {
            let target = self.known.as_ref().map_or(1, |known| known.target);
            cache::error(&mut judge, Place::WHOLE, 4 * Duration::from_secs(target), &reply);
        }
        self.run.ledger.take(judge);
        reply.is_ok().then_some(reply)
    }

    /// Reads a list; one that cannot be read is a finding.
    fn read(&mut self, reply: &Reply) -> Option<Playlist> {
        let mut judge = self.run.judge(&self.url);
        self.document.meet(&mut judge, reply);
        let list = read::list(&mut judge, reply);
        self.run.ledger.take(judge);
        list
    }

    /// Judges a list, and hands on what is new in it.
    fn take(
        &mut self,
        mut judge: Judge,
        reply: &Reply,
        list: Playlist,
        asked: &BTreeMap<String, Edge>,
        outlets: &Outlets,
    ) {
        let before = self.known.clone();
        // A reply that was held came when there was something new; else, it may have been there since the last look.
        let unseen = match self.missed {
            true => reply.head.saturating_sub(self.looked_at),
            false => self.run.lag.between(self.looked_at, reply.head),
        };
        (self.looked_at, self.missed) = (reply.head, false);
        list::list(&mut judge, before.as_deref(), &list);
        if let Some(before) = &before {
            succession::succession(&mut judge, before, &list);
            hint_rules::hints(&mut judge, before, &list);
        }
        self.presentation.meet(&mut judge, &self.name, Head::of(&list));
        if list.is_live() {
            self.judge_live(&mut judge, reply, &list, asked, unseen);
        } else {
            self.run.ledger.reason(Invariant::I11, "the list has ended");
        }
        self.run.ledger.take(judge);
        self.presentation.moved(&self.name, list.edge(), reply.head);
        self.longest = self.longest.max(span(list.whole_duration()));
        self.hand_on(reply, before.as_deref(), list, outlets);
    }

    fn judge_live(
        &mut self,
        judge: &mut Judge,
        reply: &Reply,
        list: &Playlist,
        asked: &BTreeMap<String, Edge>,
        unseen: Duration,
    ) {
        let target = Duration::from_secs(list.target);
        self.cadence.look(judge, reply.head, list.next_number(), target, unseen);
        let has_some =
            !list.open.is_empty() || list.segments.last().is_some_and(|last| !last.parts.is_empty());
        if has_some {
            self.parts_at = reply.head;
        }
        alike::has_parts(judge, list, reply.head.saturating_sub(self.parts_at));
        let clock = lock(&self.run.clock).dates();
        if let (Some(clock), Some(end)) = (clock, list.end_date()) {
            clocks::end_date(judge, clock, self.run.client.watch().unix(reply.done), end, list.target);
        }
        if list.has_parts() && self.renditions > 1 {
            let resolve = |uri: &str| Some(name(&reply.url.join(uri).ok()?));
            let others = self.presentation.others(&self.name, asked, reply.head.saturating_sub(target));
            reports::reports(judge, list, &others, resolve);
        }
    }

    fn hand_on(&mut self, reply: &Reply, before: Option<&Playlist>, list: Playlist, outlets: &Outlets) {
        if let Some(before) = before {
            self.recheck_what_left(before, &list);
        }
        for job in jobs::jobs(before, &list) {
            if outlets.jobs.try_send(job).is_err() {
                let mut judge = self.run.judge(&self.url);
                judge.holds(Check::FellBehind, Place::WHOLE, false, || {
                    "not all that is listed was fetched".into()
                });
                self.run.ledger.take(judge);
            }
        }
        if list.is_live() {
            let edge = list.edge();
            for hint in list.hints.iter().filter(|hint| hint.is_part) {
                let Ok(url) = reply.url.join(&hint.resource.uri) else { continue };
                let hinted = Hinted { url, resource: hint.resource.clone(), edge, target: list.target };
                // A hint that finds no room is left out; the part is fetched when it is listed.
                let _ = outlets.hints.try_send(hinted);
            }
        }
        let list = Arc::new(list);
        outlets.latest.send_replace(Some(list.clone()));
        self.known = Some(list);
    }

    /// I-05: what left the list stays for a while.
    fn recheck_what_left(&self, before: &Playlist, list: &Playlist) {
        let now = self.run.now();
        let left = jobs::left(before, list);
        let wanted = |uri: &str, range, place, missing| {
            Some(Media { url: self.url.join(uri).ok()?, range, place, missing, listed: None })
        };
        for (number, resource, duration) in left.segments {
            let place = Place::segment(number);
            if let Some(wanted) = wanted(&resource.uri, resource.range, place, Check::SegmentGone) {
                self.run.rechecks.before(wanted, now + span(duration.nanos()) + self.longest);
            }
        }
        for (number, index, resource) in left.parts {
            let place = Place::part(number, index);
            if let Some(wanted) = wanted(&resource.uri, resource.range, place, Check::PartGone) {
                self.run.rechecks.before(wanted, now + 3 * Duration::from_secs(list.target));
            }
        }
    }
}

/// With the directives of a blocking reload (rfc8216bis 6.2.5.2).
pub(super) fn blocking_url(url: &Url, wanted: Wanted) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("_HLS_msn", &wanted.number.to_string());
    if let Some(part) = wanted.part {
        url.query_pairs_mut().append_pair("_HLS_part", &part.to_string());
    }
    url
}

/// A rendition's name: its URL without the directives, whose replies are versions of the same list.
fn name(url: &Url) -> String {
    let pairs = || url.query_pairs().filter(|(name, _)| !name.starts_with("_HLS_"));
    let mut named = url.clone();
    named.set_query(None);
    if pairs().next().is_some() {
        named.query_pairs_mut().extend_pairs(pairs());
    }
    named.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_no_part_of_a_name_and_all_else_is() {
        let url = |text: &str| Url::parse(text).unwrap();
        let plain = url("http://host/a.m3u8");
        let wanted = Wanted { number: 7, part: Some(1) };
        let asked = blocking_url(&plain, wanted);
        assert_eq!(asked.as_str(), "http://host/a.m3u8?_HLS_msn=7&_HLS_part=1");
        assert_eq!(name(&asked), name(&plain));
        let token = url("http://host/a.m3u8?token=x");
        assert_eq!(name(&blocking_url(&token, wanted)), "http://host/a.m3u8?token=x");
    }
}
