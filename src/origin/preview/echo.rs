//! How long what was sent is on its way. The system takes what a line does not carry, and so do a proxy and the peer's own
//! system: of what waits there, nothing is seen here but that the answer to a ping, which waits behind it, comes late.

use std::time::{Duration, Instant};

/// How often a ping goes out while there is something to see.
const EVERY: Duration = Duration::from_secs(1);

/// Pings and their answers.
#[derive(Debug)]
pub(super) struct Echo {
    next: Instant,
    /// The ping that has no answer yet.
    sent: Option<Instant>,
    /// The shortest way that was seen, there and back.
    least: Option<Duration>,
    last: Duration,
}

impl Echo {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now, sent: None, least: None, last: Duration::ZERO }
    }

    /// True if a ping is to be sent now.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.sent.is_none() && self.next <= now;
        if due {
            (self.sent, self.next) = (Some(now), now + EVERY);
        }
        due
    }

    /// An answer has come.
    pub(super) fn heard(&mut self, now: Instant) {
        if let Some(sent) = self.sent.take() {
            self.last = now.saturating_duration_since(sent);
            self.least = Some(self.least.map_or(self.last, |least| least.min(self.last)));
        }
    }

    /// How much longer than it has to be what is sent is on its way. Nothing is known before the first answer.
    pub(super) fn delay(&self, now: Instant) -> Duration {
        let Some(least) = self.least else { return Duration::ZERO };
        let pending = self.sent.map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent));
        self.last.max(pending).saturating_sub(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_goes_out_once_a_second_and_never_two_at_once() {
        let start = crate::clock::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut echo = Echo::new(start);
        assert!(echo.is_due(at(0)) && !echo.is_due(at(1)) && !echo.is_due(at(2000)));
        echo.heard(at(2001));
        assert!(echo.is_due(at(2001)));
        echo.heard(at(2010));
        assert!(!echo.is_due(at(3000)) && echo.is_due(at(3001)));
    }

    #[test]
    fn what_is_longer_than_the_shortest_way_is_delay() {
        let start = crate::clock::now();
        let at = |millis| start + Duration::from_millis(millis);
        let delay = |echo: &Echo, millis| echo.delay(at(millis)).as_millis();
        let mut echo = Echo::new(start);
        echo.is_due(at(0));
        assert_eq!(delay(&echo, 500), 0, "a distant peer is no slow one");
        echo.heard(at(200));
        assert_eq!(delay(&echo, 900), 0);
        echo.is_due(at(1000));
        assert_eq!((delay(&echo, 1100), delay(&echo, 1600)), (0, 400));
        echo.heard(at(1700));
        assert_eq!(delay(&echo, 1900), 500, "until the next one is heard");
        echo.is_due(at(2000));
        echo.heard(at(2190));
        assert_eq!(delay(&echo, 2200), 0);
    }
}
