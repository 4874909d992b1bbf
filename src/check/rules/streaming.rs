//! Segments that are announced before they are whole (availabilityTimeComplete="false").

use std::time::Duration;

use crate::check::{
    client::Reply,
    finding::{Check, Place},
    judge::Judge,
};

/// Judges a segment that was asked for when it was due: bytes come before its end, which is at `end` on the checker's
/// own watch.
pub(in crate::check) fn streamed(judge: &mut Judge, place: Place, reply: &Reply, end: Duration) {
    if reply.sent >= end {
        return;
    }
    let first = reply.arrivals.first().map(|arrival| arrival.at);
    judge.holds(Check::NotStreamed, place, first.is_some_and(|first| first < end), || match first {
        Some(first) => {
            format!("its first bytes came {:.3} s after its end", first.saturating_sub(end).as_secs_f64())
        }
        None => "no bytes came".into(),
    });
}

/// Judges a segment that was asked for in its middle: what existed by then comes at once, which is well before the
/// segment is whole.
pub(in crate::check) fn joined(judge: &mut Judge, place: Place, reply: &Reply, end: Duration) {
    let left = end.saturating_sub(reply.sent);
    let waited = reply.arrivals.first().map_or(reply.done, |arrival| arrival.at).saturating_sub(reply.sent);
    judge.holds(Check::JoinStalls, place, left.is_zero() || waited <= left / 2, || {
        let (waited, left) = (waited.as_secs_f64(), left.as_secs_f64());
        format!("asked for {left:.2} s before its end, its first bytes came after {waited:.2} s")
    });
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::{Url, header::HeaderMap};

    use super::*;
    use crate::check::{client::Arrival, rules::made::judge};

    fn reply(first: u64, last: u64) -> Reply {
        let at = Duration::from_millis;
        Reply {
            url: Url::parse("http://host/1.m4s").unwrap(),
            status: 200,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            sent: at(1000),
            head: at(1010),
            arrivals: vec![Arrival { end: 1, at: at(first) }, Arrival { end: 2, at: at(last) }],
            done: at(last),
        }
    }

    #[test]
    fn bytes_come_before_the_end() {
        for (first, end, expected) in
            [(1100, 3000, &[][..]), (3001, 3000, &[Check::NotStreamed]), (1100, 900, &[])]
        {
            let mut judge = judge();
            streamed(&mut judge, Place::WHOLE, &reply(first, 3010), Duration::from_millis(end));
            assert_eq!(judge.found(), expected);
        }
        for (first, end, expected) in
            [(1100, 3000, &[][..]), (2100, 3000, &[Check::JoinStalls]), (2100, 900, &[])]
        {
            let mut judge = judge();
            joined(&mut judge, Place::WHOLE, &reply(first, 3010), Duration::from_millis(end));
            assert_eq!(judge.found(), expected);
        }
    }
}
