//! Loads an MPD again and again, and follows all that is in it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use reqwest::Url;
use tokio::{sync::watch, task::JoinSet};

use super::{
    PATIENCE, Run,
    playlists::Document,
    probes,
    representation::{self, Common},
    utc,
};
use crate::check::{
    client::{Ask, Failure, Reply},
    dash::{self, Mpd},
    finding::{Check, Place},
    rules::{cache, forms::Forms, mpd as rules},
    watch::span,
};

const SHORTEST_PERIOD: Duration = Duration::from_millis(500);
const LONGEST_PERIOD: Duration = Duration::from_secs(10);
/// Every so many updates, the clock is asked and the compressed form compared.
const PROBES: u64 = 4;
/// So many representations are followed over all Periods.
const MOST: usize = 256;

/// Follows an MPD until the run is over; `first` is how it was found.
pub(in crate::check) async fn follow(run: Arc<Run>, url: Url, first: Reply) {
    let mut mpds = Mpds { run, url, document: Document::default(), known: None };
    let Some(mpd) = mpds.take(&first) else { return };
    if mpd.is_dynamic {
        utc::ask(&mpds.run, &mpd, &first).await;
    }
    let (latest, following) = watch::channel(mpd.clone());
    let common = Arc::new(Common::default());
    let mut tasks = JoinSet::new();
    let mut followed = HashSet::new();
    let (mut rounds, mut forms) = (0, Forms::default());
    loop {
        let current = latest.borrow().clone();
        for each in &current.representations {
            let key = (each.period.clone(), each.id.clone());
            if followed.len() < MOST && followed.insert(key.clone()) {
                tasks.spawn(representation::follow(mpds.run.clone(), following.clone(), key, common.clone()));
            }
        }
        let Some(pause) = pause(&current) else { break };
        if !mpds.run.sleep(pause).await {
            break;
        }
        rounds += 1;
        if let Some((mpd, reply)) = mpds.next().await {
            latest.send_replace(mpd.clone());
            if rounds % PROBES == 0 {
                utc::ask(&mpds.run, &mpd, &reply).await;
                probes::gzip(&mpds.run, &mpds.url, &mut forms).await;
            }
        }
    }
    drop(latest);
    while tasks.join_next().await.is_some() {}
}

/// How long until an MPD is to be loaded again; never, if it does not change.
fn pause(mpd: &Mpd) -> Option<Duration> {
    let period = mpd.update_period.filter(|_| mpd.is_dynamic)?;
    Some(span(period).clamp(SHORTEST_PERIOD, LONGEST_PERIOD))
}

/// The versions of one MPD.
struct Mpds {
    run: Arc<Run>,
    url: Url,
    document: Document,
    known: Option<Arc<Mpd>>,
}

impl Mpds {
    async fn next(&mut self) -> Option<(Arc<Mpd>, Reply)> {
        let reply = self.run.ask(&Ask::new(self.url.clone(), PATIENCE)).await;
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
        self.run.ledger.take(judge);
        let mpd = if reply.is_ok() { self.take(&reply) } else { None };
        mpd.map(|mpd| (mpd, reply))
    }

    /// Judges an MPD; `None` if it cannot be read.
    fn take(&mut self, reply: &Reply) -> Option<Arc<Mpd>> {
        let mut judge = self.run.judge(&self.url);
        self.document.meet(&mut judge, reply);
        let text = std::str::from_utf8(&reply.body).map_err(|_| "it is not UTF-8".to_owned());
        let read = text.and_then(|text| dash::read(text, &reply.url).map_err(|error| error.to_string()));
        judge.holds(Check::Torn, Place::WHOLE, read.is_ok(), || {
            format!("of {} bytes, {}", reply.body.len(), read.as_ref().err().map_or("", String::as_str))
        });
        let mpd = read.ok().map(Arc::new);
        if let Some(mpd) = &mpd {
            if let Some(before) = &self.known {
                rules::succession(&mut judge, before, mpd);
            } else {
                rules::alone(&mut judge, mpd);
            }
            if let Some(pause) = pause(mpd) {
                cache::document(&mut judge, cache::Document::Mpd, pause, reply);
            }
            self.known = Some(mpd.clone());
        }
        self.run.ledger.take(judge);
        mpd
    }
}
