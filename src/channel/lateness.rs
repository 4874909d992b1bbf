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

/// The latest of the recent samples, in nanoseconds from the end of a sample to its arrival.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lateness(Option<i128>);

impl Lateness {
    /// A sample came this long after its end.
    pub(super) fn observe(&mut self, late: i128) {
        let late = late.clamp(0, MAX);
        self.0 = Some(match self.0 {
            Some(recent) if recent > late => recent - (recent - late) / DECAY,
            _ => late,
        });
    }

    /// How long after its end a part is waited for, longer if its encoder seems to live.
    pub(super) fn allowance(&self, alive: bool) -> i128 {
        self.0.unwrap_or(UNKNOWN) + MARGIN + if alive { PATIENCE } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_sample_counts_at_once_and_is_forgotten_slowly() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.allowance(false), UNKNOWN + MARGIN);
        lateness.observe(100 * MILLI);
        lateness.observe(900 * MILLI);
        assert_eq!(lateness.allowance(true), 900 * MILLI + MARGIN + PATIENCE);
        (0..3000).for_each(|_| lateness.observe(100 * MILLI));
        assert!(lateness.allowance(false) < 110 * MILLI + MARGIN);
        lateness.observe(3_600_000 * MILLI);
        assert_eq!(lateness.allowance(false), MAX + MARGIN);
    }
}
