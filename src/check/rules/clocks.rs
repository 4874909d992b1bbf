//! Whose clock says what: the server's Date, UTCTiming, and dates in playlists, against this machine's clock.

use crate::check::{
    client::Reply,
    exact::{NANOS, in_seconds},
    finding::{Check, Place},
    judge::Judge,
    watch::Watch,
};

/// How far UTCTiming may be off (what players and their conformance tools allow).
const HONEST: i64 = 300_000_000;
/// What is dated into the future by less may be rounding and the way of the reply.
const PROMPT: i64 = 500_000_000;

/// By how much the server's clock is ahead of this machine's, in nanoseconds: somewhere in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) struct Offset {
    pub(in crate::check) least: i64,
    pub(in crate::check) most: i64,
}

impl Offset {
    fn middle(self) -> i64 {
        self.least + (self.most - self.least) / 2
    }

    /// How far another clock is from all that this one may be.
    fn distance(self, other: Offset) -> i64 {
        (self.least - other.most).max(other.least - self.most).max(0)
    }

    /// What both allow; `None` if they contradict each other.
    fn both(self, other: Offset) -> Option<Offset> {
        let both = Offset { least: self.least.max(other.least), most: self.most.min(other.most) };
        (both.least <= both.most).then_some(both)
    }
}

/// What is known of the server's clock. Each Date says the second in which it was written, between request and reply:
/// a few of them, at different parts of a second, say it to some milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct ServerClock {
    dates: Option<Offset>,
    told: Option<Offset>,
}

impl ServerClock {
    /// Takes the Date of a reply; not of one that a cache has kept, as its Date is older.
    pub(in crate::check) fn learn(&mut self, watch: &Watch, reply: &Reply) {
        if reply.header("age").is_some_and(|age| age.trim() != "0") {
            return;
        }
        let Some(date) = reply.header("date").and_then(http_date) else { return };
        let next =
            Offset { least: date - watch.unix(reply.head), most: date + NANOS - watch.unix(reply.sent) };
        // Servers behind one name may have different clocks: then the newest counts.
        self.dates = Some(self.dates.and_then(|known| known.both(next)).unwrap_or(next));
    }

    /// Judges what UTCTiming said, and goes by that from now on, as players do.
    pub(in crate::check) fn told(&mut self, judge: &mut Judge, told: Offset) {
        if let Some(dates) = self.dates {
            let off = dates.distance(told);
            judge.holds(Check::ClockWrong, Place::WHOLE, off <= HONEST, || {
                format!("it is {:.3} s from the Date of the same server", in_seconds(off))
            });
        }
        self.told = Some(told);
    }

    /// What may be true of the server's clock.
    pub(in crate::check) fn offset(&self) -> Option<Offset> {
        self.told.or(self.dates)
    }

    /// How to turn Unix time here into the server's, in nanoseconds to add; nothing while nothing is known.
    pub(in crate::check) fn ahead(&self) -> i64 {
        self.offset().map_or(0, Offset::middle)
    }

    /// What Date says, as UTCTiming may be wrong.
    pub(in crate::check) fn dates(&self) -> Option<Offset> {
        self.dates
    }
}

/// Judges the date at the end of a list that was here when it was `unix` nanoseconds on this machine.
pub(in crate::check) fn end_date(judge: &mut Judge, clock: Offset, unix: i64, end: i64, target: u64) {
    let ahead = end - (unix + clock.most);
    judge.holds(Check::DateAhead, Place::WHOLE, ahead <= PROMPT, || {
        format!("by their dates, its last media end {:.2} s after they were read", in_seconds(ahead))
    });
    let behind = unix + clock.least - end;
    let limit = 10 * NANOS + 3 * i64::try_from(target).unwrap_or(0) * NANOS;
    judge.holds(Check::DateBehind, Place::WHOLE, behind <= limit, || {
        format!("by their dates, its last media ended {:.1} s before they were read", in_seconds(behind))
    });
}

/// `Tue, 15 Nov 1994 08:12:31 GMT` (RFC 9110 5.6.7), in nanoseconds since the Unix epoch.
pub(in crate::check) fn http_date(text: &str) -> Option<i64> {
    let date = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
    date.timestamp().checked_mul(NANOS)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use reqwest::{Url, header::HeaderMap};

    use super::*;
    use crate::check::rules::made::judge;

    #[test]
    fn dates_narrow_the_offset_down() {
        let watch = Watch::start();
        let mut clock = ServerClock::default();
        // The server is 10.3 s ahead, and each reply takes 20 ms.
        for millis in [0, 130, 260, 390, 520, 650, 780, 910] {
            let (sent, head) = (Duration::from_millis(millis), Duration::from_millis(millis + 20));
            let there = watch.unix(sent) + 10_310_000_000;
            let text = chrono::DateTime::from_timestamp(there.div_euclid(NANOS), 0).unwrap().to_rfc2822();
            let mut headers = HeaderMap::new();
            headers.insert("date", text.replace("+0000", "GMT").parse().unwrap());
            let url = Url::parse("http://host/").unwrap();
            let reply = Reply {
                url,
                status: 200,
                headers,
                body: Bytes::new(),
                sent,
                head,
                arrivals: vec![],
                done: head,
            };
            clock.learn(&watch, &reply);
        }
        let known = clock.offset().unwrap();
        assert!((known.least..=known.most).contains(&10_300_000_000), "{known:?}");
        assert!(known.most - known.least < 200_000_000, "{known:?}");
        let said = |off: i64| Offset { least: off - 5_000_000, most: off + 5_000_000 };
        for (off, expected) in [
            (10_300_000_000, &[][..]),
            (10_900_000_000, &[Check::ClockWrong]),
            (9_000_000_000, &[Check::ClockWrong]),
        ] {
            let mut judge = judge();
            clock.told(&mut judge, said(off));
            assert_eq!(judge.found(), expected, "{off}");
            assert_eq!(clock.ahead(), off);
        }
    }

    #[test]
    fn the_end_of_a_list_is_of_now() {
        let clock = Offset { least: -100_000_000, most: 100_000_000 };
        for (seconds, expected) in
            [(-1, &[][..]), (0, &[]), (9, &[Check::DateAhead]), (-15, &[]), (-17, &[Check::DateBehind])]
        {
            let mut judge = judge();
            end_date(&mut judge, clock, 1000 * NANOS, (1000 + seconds) * NANOS, 2);
            assert_eq!(judge.found(), expected, "{seconds}");
        }
    }

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:05 GMT"), Some(5 * NANOS));
        assert_eq!(http_date("today"), None);
    }
}
