//! Every kind of source, fed by real streams and files.

mod alike;
mod broken;
mod files;
mod network;
mod record;

use headwater::source::{Item, Pace, pattern};

use self::record::{PATIENCE, open};

#[test]
fn the_test_source_starts_on_a_segment_line_and_beeps_while_it_flashes() {
    let source = open("test:?size=640x360&rate=25&seconds=2", Pace::Live);
    let video = source.video.clone().unwrap();
    let (mut frames, mut blocks) = (Vec::new(), Vec::new());
    loop {
        match source.media.recv_timeout(PATIENCE).unwrap() {
            Item::Video { frame, buffer, captured_at } => {
                let picture = buffer.map_readable().unwrap();
                let code = pattern::code::read(&picture, 640, 640, 360);
                assert_eq!(code, Some(frame as u64 * 40), "the picture shows the time of its index");
                assert_eq!(captured_at, frame * 40_000);
                frames.push(frame);
            }
            Item::Audio { block, buffer, captured_at, .. } => {
                assert_eq!(captured_at, (i128::from(block) * 64_000_000 / 3 / 1000) as i64);
                assert_eq!(buffer.size(), 8192);
                let loud = buffer.map_readable().unwrap().iter().any(|byte| *byte != 0);
                let beeps = block * 1024 % 48_000 < 4_800 || (block * 1024 + 1023) % 48_000 < 1024;
                assert_eq!(loud, beeps, "block {block}");
                blocks.push(block);
            }
            Item::Live => {}
            Item::Ended => break,
            item => panic!("{item:?}"),
        }
    }
    assert_eq!((video.width, frames.len(), frames[0] % 50), (640, 50, 0));
    assert!(frames.is_sorted_by(|one, other| one + 1 == *other));
    assert!(blocks.is_sorted_by(|one, other| one + 1 == *other));
    assert!(blocks[0] * 1024 * 25 >= frames[0] * 48_000);
    assert!((blocks[0] - 1) * 1024 * 25 < frames[0] * 48_000);
}
