//! Long lists: what has come to rest is not made anew.

use super::*;

fn rig(window: u64) -> Rig {
    let config = config::Channel { window: Duration::from_secs(window), ..config() };
    let mut rig = Rig::configured(&config, None, START);
    rig.encoder_begins(30);
    rig
}

#[test]
fn a_part_takes_over_all_that_has_come_to_rest() {
    let mut rig = rig(600);
    rig.plays(START, START + 150);
    let past = |rig: &Rig| rig.track("180p").playlist.clone().unwrap().whole.past().unwrap().clone();
    rig.plays_samples(5);
    let before = (past(&rig), rig.playlist("180p"));
    rig.plays_samples(4);
    assert!(Arc::ptr_eq(&past(&rig), &before.0), "no part more");
    rig.plays_samples(1);
    assert_ne!(rig.playlist("180p"), before.1);
    // Of the blocks in the middle each is where it was.
    let pointers = |past: &hls::Past| past.pieces().skip(1).map(|piece| piece.as_ptr()).collect::<Vec<_>>();
    let (old, new) = (pointers(&before.0), pointers(&past(&rig)));
    assert!(old.len() >= 2 && old[..old.len() - 1] == new[..old.len() - 1]);
}

#[test]
fn the_list_in_the_store_goes_on_from_the_one_before_and_begins_anew_after_a_restart() {
    let mut rig = rig(600);
    rig.plays(START, START + 150);
    let paper = |rig: &mut Rig| {
        let works = rig.records();
        let papers = works.into_iter().find_map(|work| match work {
            Work::Documents(papers) => Some(papers),
            _ => None,
        });
        papers.unwrap().into_iter().find(|paper| paper.path == "live/a/180p/index.m3u8").unwrap()
    };
    let step = |rig: &mut Rig, number| {
        rig.store_hangs = true;
        rig.plays(number, number + 1);
        rig.presentation.commits();
        rig.presentation.stored("180p", number);
        paper(rig)
    };
    let (one, two) = (step(&mut rig, START + 150), step(&mut rig, START + 151));
    let shared =
        one.text.iter().filter(|piece| two.text.iter().any(|other| other.as_ptr() == piece.as_ptr()));
    assert!(shared.filter(|piece| !piece.is_empty()).count() >= 1, "a block");
    let view = rig.presentation.stored_view(rig.now);
    let writer = rig.presentation.writers.iter().find(|writer| writer.name() == "180p").unwrap();
    let anew = render::stored_playlist(writer, &view, None);
    assert_eq!(two.text.concat(), anew.joined());
}
