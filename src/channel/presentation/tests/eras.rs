//! Eras, and what they are counted as.

use super::*;

#[test]
fn discontinuities_are_counted_alike_in_all_tracks_also_over_restarts_and_by_who_comes_later() {
    let mut rig = Rig::new(None, START);
    let eras = |rig: &Rig| {
        let of = |writer: &Writer| (writer.name().to_owned(), writer.era().sequence);
        rig.presentation.writers.iter().map(of).collect::<Vec<_>>()
    };
    let both = |sequence: u64| ["180p", "audio-und"].map(|name| (name.to_owned(), sequence)).to_vec();
    for (level, sequence) in [(30, 0), (31, 1), (30, 2)] {
        let from = START + 4 * (sequence as i64);
        rig.encoder_begins(level);
        rig.plays(from, from + 4);
        assert_eq!(eras(&rig), both(sequence));
        rig.restarts();
        assert_eq!(eras(&rig), both(sequence), "after a restart");
    }
    let mut tracks = tracks(31);
    tracks.push(Track { name: "90p".into(), ..tracks[0].clone() });
    rig.presentation.open(Catalog { tracks });
    rig.presentation.begin();
    let joined = eras(&rig).into_iter().find(|(name, _)| name == "90p");
    assert_eq!(joined, Some(("90p".into(), 3)), "as those will be that are there");
}
