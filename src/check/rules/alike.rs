//! What all renditions have in common (I-03, I-09).

use crate::check::{
    exact::Seconds,
    finding::{Check, Place},
    hls::Playlist,
    judge::Judge,
};

/// What a list says of itself that all renditions have to say alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Head {
    /// It goes on.
    pub(in crate::check) live: bool,
    target: u64,
    /// PART-TARGET in nanoseconds.
    part_target: Option<i64>,
    control: Option<Control>,
}

/// SERVER-CONTROL: flags, and times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Control {
    can_block_reload: bool,
    can_skip_dateranges: bool,
    can_skip_until: Option<i64>,
    hold_back: Option<i64>,
    part_hold_back: Option<i64>,
}

impl Head {
    pub(in crate::check) fn of(list: &Playlist) -> Self {
        let nanos = |value: Option<Seconds>| value.map(Seconds::nanos);
        let control = list.control.as_ref().map(|control| Control {
            can_block_reload: control.can_block_reload,
            can_skip_dateranges: control.can_skip_dateranges,
            can_skip_until: nanos(control.can_skip_until),
            hold_back: nanos(control.hold_back),
            part_hold_back: nanos(control.part_hold_back),
        });
        Self { live: list.is_live(), target: list.target, part_target: nanos(list.part_target), control }
    }
}

/// Judges a rendition's head against that of another one, whose URL is `other`.
pub(in crate::check) fn alike(judge: &mut Judge, mine: &Head, other: &str, theirs: &Head) {
    judge.holds(Check::TargetDiffers, Place::WHOLE, mine.target == theirs.target, || {
        format!("EXT-X-TARGETDURATION is {}, and {} in {other}", mine.target, theirs.target)
    });
    if mine.live != theirs.live {
        // One has ended and the other not yet: what helps with reloads is in one of them only.
        return;
    }
    let (here, there) = (mine.part_target.is_some(), theirs.part_target.is_some());
    judge.holds(Check::PartsAbsent, Place::WHOLE, here || !there, || {
        format!("there is no EXT-X-PART-INF, but in {other} there is")
    });
    if here == there {
        let same = mine.part_target == theirs.part_target && mine.control == theirs.control;
        judge.holds(Check::ControlDiffers, Place::WHOLE, same, || {
            format!("it has {}, and {other} has {}", mine.words(), theirs.words())
        });
    }
}

/// Judges whether a list with PART-INF had a part in the last two target durations: `silent` is how long it had none.
pub(in crate::check) fn has_parts(judge: &mut Judge, list: &Playlist, silent: std::time::Duration) {
    if list.has_parts() && list.is_live() {
        let limit = 2 * std::time::Duration::from_secs(list.target);
        judge.holds(Check::PartsAbsent, Place::WHOLE, silent <= limit, || {
            format!("it has EXT-X-PART-INF, but no part since {:.1} s", silent.as_secs_f64())
        });
    }
}

impl Head {
    fn words(&self) -> String {
        let seconds =
            |nanos: Option<i64>| nanos.map_or("-".to_owned(), |nanos| format!("{}", nanos as f64 / 1e9));
        match &self.control {
            None => format!("PART-TARGET {} and no SERVER-CONTROL", seconds(self.part_target)),
            Some(control) => format!(
                "PART-TARGET {}, CAN-BLOCK-RELOAD {}, CAN-SKIP-UNTIL {}, HOLD-BACK {}, PART-HOLD-BACK {}",
                seconds(self.part_target),
                if control.can_block_reload { "YES" } else { "NO" },
                seconds(control.can_skip_until),
                seconds(control.hold_back),
                seconds(control.part_hold_back),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::rules::made::{LIST, judge, playlist};

    #[test]
    fn renditions_that_differ_are_told_apart() {
        let other = Head::of(&playlist(LIST));
        for (from, to, expected) in [
            ("TARGETDURATION:2", "TARGETDURATION:2", &[][..]),
            ("CAN-SKIP-UNTIL=12,HOLD-BACK=6", "HOLD-BACK=6.0,CAN-SKIP-UNTIL=12.00", &[]),
            ("TARGETDURATION:2", "TARGETDURATION:3", &[Check::TargetDiffers]),
            ("PART-TARGET=1", "PART-TARGET=1.1", &[Check::ControlDiffers]),
            ("CAN-SKIP-UNTIL=12,", "", &[Check::ControlDiffers]),
            ("#EXT-X-PART-INF:PART-TARGET=1\n", "", &[Check::PartsAbsent]),
        ] {
            let mut judge = judge();
            alike(&mut judge, &Head::of(&playlist(&LIST.replacen(from, to, 1))), "b.m3u8", &other);
            assert_eq!(judge.found(), expected, "{to}");
        }
    }

    #[test]
    fn a_list_that_promises_parts_has_some() {
        for (seconds, expected) in [(0, &[][..]), (4, &[]), (5, &[Check::PartsAbsent])] {
            let mut judge = judge();
            has_parts(&mut judge, &playlist(LIST), Duration::from_secs(seconds));
            assert_eq!(judge.found(), expected);
        }
    }
}
