//! How late samples come, and how long a missing part is waited for.

const MILLI: i128 = 1_000_000;
/// How much later than usual a part may come before it counts as missing.
const MARGIN: i128 = 250 * MILLI;
/// How much longer a silent but living encoder is waited for: its pauses are more often load than loss.
const PATIENCE: i128 = 800 * MILLI;
/// How late samples are taken to come before any has.
const UNKNOWN: i128 = 2_000 * MILLI;
/// Samples later than this count as missing, whatever was seen before.
const MAX: i128 = 5_000 * MILLI;
/// A high lateness is forgotten by this fraction a sample: in some seconds of video.
const DECAY: i128 = 256;
/// As long as nothing of an encoder is on air: what came in a burst when it began says little of how it goes on.
const DECAY_AWAITED: i128 = 16;

/// Where the samples of a track come from at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// The encoder.
    Encoder,
    /// The filler, until the encoder begins a segment behind it.
    Awaited,
    /// The filler, as there is no encoder, or none that has anything to encode.
    Gone,
}

/// The latest of the recent samples, in nanoseconds from the end of a sample to its arrival.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lateness {
    recent: Option<i128>,
    /// How long the filler has waited with each part since the last encoder went.
    pace: Option<i128>,
}

impl Lateness {
    /// A sample came this long after its end, while what is on air came from `feed`.
    pub(super) fn observe(&mut self, late: i128, feed: Feed) {
        let late = late.clamp(0, MAX);
        let decay = if feed == Feed::Encoder { DECAY } else { DECAY_AWAITED };
        self.recent = Some(match self.recent {
            Some(recent) if recent > late => recent - (recent - late) / decay,
            _ => late,
        });
    }

    /// The encoder is gone. Its last samples came late, if that is how it went, and the next one is to be measured by
    /// itself.
    pub(super) fn lose(&mut self) {
        self.pace = Some(self.allowance(Feed::Gone));
        self.recent = None;
    }

    /// How long after its end a part is waited for.
    pub(super) fn allowance(&self, feed: Feed) -> i128 {
        let usual = self.recent.unwrap_or(UNKNOWN);
        match feed {
            Feed::Encoder => usual + MARGIN + PATIENCE,
            // The pace is kept as long as the encoder does not ask for more: whoever plays with low latency has less
            // than a second for a part that is later than the one before.
            Feed::Awaited => match (self.recent, self.pace) {
                (None, Some(pace)) => pace,
                _ => usual + MARGIN,
            },
            // Nothing is waited for. The usual pace is kept.
            Feed::Gone => self.recent.or(self.pace).unwrap_or(UNKNOWN).min(MARGIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_sample_counts_at_once_and_is_forgotten_slowly() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.allowance(Feed::Awaited), UNKNOWN + MARGIN);
        lateness.observe(100 * MILLI, Feed::Encoder);
        lateness.observe(900 * MILLI, Feed::Encoder);
        assert_eq!(lateness.allowance(Feed::Encoder), 900 * MILLI + MARGIN + PATIENCE);
        (0..3000).for_each(|_| lateness.observe(100 * MILLI, Feed::Encoder));
        assert!(lateness.allowance(Feed::Awaited) < 110 * MILLI + MARGIN);
        lateness.observe(3_600_000 * MILLI, Feed::Encoder);
        assert_eq!(lateness.allowance(Feed::Awaited), MAX + MARGIN);
        assert_eq!(lateness.allowance(Feed::Gone), MARGIN);
    }

    #[test]
    fn how_an_encoder_went_does_not_slow_down_the_filler_for_the_next() {
        let mut lateness = Lateness::default();
        lateness.observe(100 * MILLI, Feed::Encoder);
        lateness.observe(700 * MILLI, Feed::Encoder);
        lateness.lose();
        assert_eq!(lateness.allowance(Feed::Gone), MARGIN);
        assert_eq!(lateness.allowance(Feed::Awaited), MARGIN, "nothing has come of it yet");
        lateness.observe(600 * MILLI, Feed::Gone);
        (0..75).for_each(|_| lateness.observe(0, Feed::Awaited));
        assert!(lateness.allowance(Feed::Awaited) < 10 * MILLI + MARGIN, "a burst is over soon");
    }
}
