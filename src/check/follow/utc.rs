//! Asks the clocks that an MPD names (ISO/IEC 23009-1 5.8.4.11).

use crate::check::{
    client::{Ask, Failure, Reply},
    dash::{Clock, Mpd},
    exact::{Date, NANOS},
    finding::{Check, Place},
    rules::clocks::{self, Offset},
};

use super::{PATIENCE, Run, lock};

/// Asks the first clock that can be asked, judges it, and goes by it. `came` is the reply with the MPD.
pub(super) async fn ask(run: &Run, mpd: &Mpd, came: &Reply) {
    for clock in &mpd.clocks {
        let Some(way) = way(&clock.scheme) else { continue };
        let url = clock.value.split_whitespace().next().and_then(|value| clock.base.join(value).ok());
        let told = match (way, url) {
            (Way::Direct, _) => Ok(offset(run, &clock.value, came)),
            (way, Some(url)) => over_http(run, way, &url).await,
            (_, None) => Ok(None),
        };
        let mut judge = run.judge(&came.url);
        match told {
            Err(Failure::Stopped) => return,
            Err(failure) => judge
                .holds(Check::ClockSilent, Place::WHOLE, false, || format!("{}: {failure}", words(clock))),
            Ok(told) => {
                judge.holds(Check::ClockSilent, Place::WHOLE, told.is_some(), || {
                    format!("{} gives no time", words(clock))
                });
                if let Some(told) = told {
                    lock(&run.clock).told(&mut judge, told);
                }
            }
        }
        return run.ledger.take(judge);
    }
}

fn words(clock: &Clock) -> String {
    format!("{} {:?}", clock.scheme, clock.value)
}

#[derive(Clone, Copy)]
enum Way {
    /// The time is in the MPD.
    Direct,
    /// In the body.
    Body,
    /// In the Date of the reply.
    Head,
}

fn way(scheme: &str) -> Option<Way> {
    let name = scheme.strip_prefix("urn:mpeg:dash:utc:")?;
    match name.split(':').next()? {
        "direct" => Some(Way::Direct),
        "http-xsdate" | "http-iso" => Some(Way::Body),
        "http-head" => Some(Way::Head),
        // NTP would need a client of its own.
        _ => None,
    }
}

async fn over_http(run: &Run, way: Way, url: &reqwest::Url) -> Result<Option<Offset>, Failure> {
    let reply = run.ask(&Ask::new(url.clone(), PATIENCE)).await?;
    if !reply.is_ok() {
        return Ok(None);
    }
    if let Way::Head = way {
        let date = reply.header("date").and_then(clocks::http_date);
        // It has whole seconds.
        return Ok(date.map(|date| between(run, date, &reply, NANOS)));
    }
    let text = String::from_utf8_lossy(&reply.body);
    Ok(offset(run, &text, &reply))
}

fn offset(run: &Run, text: &str, reply: &Reply) -> Option<Offset> {
    Date::parse(text).map(|date| between(run, date.nanos(), reply, date.slack()))
}

/// The server wrote `said`, which may be a later moment of the same `unit`, between the request and its reply.
fn between(run: &Run, said: i64, reply: &Reply, unit: i64) -> Offset {
    let watch = run.client.watch();
    Offset { least: said - watch.unix(reply.done), most: said + unit - watch.unix(reply.sent) }
}
