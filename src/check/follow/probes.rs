//! Asks what players rarely ask, and servers get wrong: old numbers, numbers far ahead, parts behind the last one,
//! compressed forms.

use std::{sync::Arc, time::Duration};

use reqwest::Url;
use tokio::sync::watch::Receiver;

use super::{PATIENCE, Run, playlists::blocking_url};
use crate::check::{
    client::{Ask, Failure, Reply},
    finding::{Check, Place},
    hls::{self, Playlist},
    rules::{
        cache,
        forms::{self, Compared, Forms},
        reload::{self, Outcome, Wanted},
    },
};

/// What has to come at once has so many tries: one may be held up on its way.
const TRIES: usize = 3;
/// No longer is waited for a cache.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Far above all that may be asked for.
const FAR: u64 = 20;

type Lists = Receiver<Option<Arc<Playlist>>>;

/// Probes until the run is over.
pub(super) async fn run(run: Arc<Run>, url: Url, mut lists: Lists) {
    let Ok(first) = lists.wait_for(Option::is_some).await.map(|list| list.clone()) else { return };
    let pause = first.as_ref().map_or(1, |list| list.target.max(1));
    let ended = first.is_some_and(|list| list.ended);
    let mut forms = if ended { Forms::of_the_ended() } else { Forms::default() };
    for round in 0.. {
        gzip(&run, &url, &mut forms).await;
        let Some(list) = lists.borrow().clone() else { return };
        if list.can_block() {
            block(&run, &url, &list, round).await;
        }
        if list.ended || lists.has_changed().is_err() || !run.sleep(Duration::from_millis(700 * pause)).await
        {
            return;
        }
    }
}

/// One of those that need blocking reload, by turns.
async fn block(run: &Run, url: &Url, list: &Playlist, round: u64) {
    let edge = list.edge();
    let last = edge.number.saturating_sub(1);
    let part = |number, part| Wanted { number, part: Some(part) };
    let whole = |number| Wanted { number, part: None };
    match round % 6 {
        0 => old(run, url, list, whole(last)).await,
        1 => far_ahead(run, url, list, whole(edge.number + FAR)).await,
        2 if list.has_parts() => {
            old(run, url, list, part(last, 0)).await;
            part_alone(run, url, list).await;
        }
        // A segment that is whole, and one that is still open: players ask so as they do not know that it ends there.
        3 => rollover(run, url, list, last).await,
        4 => rollover(run, url, list, edge.number).await,
        5 => old(run, url, list, whole(list.sequence.saturating_sub(2))).await,
        _ => {}
    }
}

/// A reply as the rules want it; `None` when the run is over or there was no connection, which is told elsewhere.
struct Probed {
    list: Option<Playlist>,
    refusal: Option<Reply>,
    waited: Duration,
}

impl Probed {
    fn outcome(&self) -> Outcome<'_> {
        match (&self.list, &self.refusal) {
            (Some(list), _) => Outcome::Listed(list),
            (None, Some(reply)) => Outcome::Refused(reply.status),
            (None, None) => Outcome::Silent,
        }
    }
}

async fn probe(run: &Run, url: Url, target: u64) -> Option<Probed> {
    let within = reload::deadline(target);
    match run.ask(&Ask::new(url, within)).await {
        Ok(reply) if reply.is_ok() => {
            let list = hls::read(&reply.body).ok()?;
            Some(Probed { waited: run.waited(&reply), list: Some(list), refusal: None })
        }
        Ok(reply) => Some(Probed { waited: run.waited(&reply), list: None, refusal: Some(reply) }),
        Err(Failure::Silent(waited)) => Some(Probed { waited, list: None, refusal: None }),
        Err(_) => None,
    }
}

/// What comes at once comes within this.
fn at_once(list: &Playlist) -> Duration {
    Duration::from_millis(500 * list.target).max(Duration::from_millis(500))
}

/// Asks until one reply comes in time, as the network may hold up one.
async fn quick(run: &Run, url: &Url, list: &Playlist) -> Option<Probed> {
    let mut probed = probe(run, url.clone(), list.target).await?;
    for _ in 1..TRIES {
        if probed.waited <= at_once(list) {
            break;
        }
        probed = probe(run, url.clone(), list.target).await?;
    }
    Some(probed)
}

async fn old(run: &Run, url: &Url, list: &Playlist, wanted: Wanted) {
    let url = blocking_url(url, wanted);
    if let Some(probed) = quick(run, &url, list).await {
        let mut judge = run.judge(&url);
        reload::old(&mut judge, wanted, probed.outcome(), probed.waited, at_once(list));
        run.ledger.take(judge);
    }
}

async fn far_ahead(run: &Run, url: &Url, list: &Playlist, wanted: Wanted) {
    let url = blocking_url(url, wanted);
    if let Some(probed) = quick(run, &url, list).await {
        let mut judge = run.judge(&url);
        reload::far_ahead(&mut judge, wanted, probed.outcome(), probed.waited, at_once(list));
        if let Some(refusal) = &probed.refusal {
            cache::error(&mut judge, wanted.place(), 4 * Duration::from_secs(list.target), refusal);
        }
        run.ledger.take(judge);
    }
}

async fn part_alone(run: &Run, url: &Url, list: &Playlist) {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("_HLS_part", "0");
    if let Some(probed) = probe(run, url.clone(), list.target).await {
        let mut judge = run.judge(&url);
        reload::part_alone(&mut judge, probed.outcome());
        run.ledger.take(judge);
    }
}

/// Asks for the part behind the last of a segment: of one that is open, as many as the one before had are taken for
/// all.
async fn rollover(run: &Run, url: &Url, list: &Playlist, number: u64) {
    let known = list.segment(number).or(list.segments.last());
    let Some(parts) = known.map(|segment| segment.parts.len()).filter(|parts| *parts > 0) else { return };
    if number == list.next_number() && parts > list.open.len() + advance(list) {
        return;
    }
    let wanted = Wanted { number, part: Some(parts) };
    let url = blocking_url(url, wanted);
    if let Some(probed) = probe(run, url.clone(), list.target).await {
        let mut judge = run.judge(&url);
        reload::rollover(&mut judge, wanted, probed.outcome(), probed.waited, list.target);
        run.ledger.take(judge);
    }
}

/// By so many a part that is asked for may exceed the last one: the Advance Part Limit (rfc8216bis 6.2.5.2).
fn advance(list: &Playlist) -> usize {
    let target = list.part_target.map_or(1.0, |part| part.seconds());
    if target < 1.0 { (3.0 / target.max(0.01)) as usize } else { 3 }
}

/// Asks for the plain form, the compressed one and the plain one again: if both plain ones are of one moment, so is
/// the one between. Where a cache may have kept one of them for longer, they are asked for again until it has both anew.
pub(super) async fn gzip(run: &Run, url: &Url, forms: &mut Forms) {
    let mut last = Compared::Unknown;
    for _ in 0..TRIES {
        let Some(compared) = compared(run, url).await else { return };
        let pause = match &compared {
            Compared::Apart(_, kept) => (*kept / 2).min(LONGEST_PAUSE),
            Compared::Unknown => Duration::ZERO,
            Compared::Same | Compared::Differ(_) => return told(run, url, forms, compared),
        };
        if compared != Compared::Unknown {
            last = compared;
        }
        if !run.sleep(pause).await {
            return;
        }
    }
    told(run, url, forms, last);
}

/// `None` if nothing came.
async fn compared(run: &Run, url: &Url) -> Option<Compared> {
    let ask = Ask::new(url.clone(), PATIENCE);
    let zipped = Ask { gzip: true, ..ask.clone() };
    let first = run.ask(&ask).await.ok()?;
    let compressed = run.ask(&zipped).await;
    let second = run.ask(&ask).await.ok()?;
    let comparable = first.is_ok() && second.is_ok() && first.body == second.body;
    Some(if comparable { forms::compare(&first, &compressed) } else { Compared::Unknown })
}

fn told(run: &Run, url: &Url, forms: &mut Forms, compared: Compared) {
    let mut judge = run.judge(url);
    if let Some(same) = forms.learn(compared) {
        judge.holds(Check::GzipDiffers, Place::WHOLE, same.is_ok(), || same.err().unwrap_or_default());
    }
    run.ledger.take(judge);
}
