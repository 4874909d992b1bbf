use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use headwater_packager::{
    chunk::Chunk,
    window::{Era, Open},
};
use tempfile::TempDir;

use super::*;
use crate::store::Store;

const PART: Duration = Duration::from_millis(500);

fn chunk(word: &str) -> Chunk {
    Chunk {
        start: 0,
        duration: 5,
        independent: word.len().is_multiple_of(2),
        captured_at: 7,
        samples: 1,
        header: Bytes::new(),
        payload: vec![Bytes::copy_from_slice(word.as_bytes())],
    }
}

fn segment(number: i64) -> Open {
    let era = Era { first: 1, init: "init-5f.mp4".into(), sequence: 3 };
    Open { number, start: number * 10, parts: Vec::new(), era: Arc::new(era) }
}

/// Writes down words, each a part.
fn tells(log: &mut Log, number: i64, words: &[&str]) {
    words.iter().for_each(|word| log.add(&segment(number), true, &chunk(word), word.as_bytes()));
}

/// Who publishes in this epoch.
fn by(epoch: u64) -> Stamp {
    Stamp { epoch, writer: format!("the one of {epoch}"), ..Stamp::default() }
}

/// Takes over in `epoch` from the record of another.
fn takes_over(room: &TempDir, epoch: u64, recorded: Option<u64>) -> Inherited {
    Journal::take_over(room.path(), &by(epoch), recorded.map(by).as_ref()).unwrap()
}

fn log_of(journal: &Arc<Journal>, track: &str, most: i64) -> Log {
    Log::new(journal, track, PART, most)
}

/// What an epoch is told, in words by track and number.
fn words(told: Option<Tracks>) -> Option<Vec<(String, i64, Vec<String>)>> {
    let word = |chunk: &Chunk| String::from_utf8(chunk.to_bytes().to_vec()).unwrap();
    let of = |(track, told): (String, Vec<Told>)| {
        told.into_iter()
            .map(move |told| (track.clone(), told.number, told.chunks.iter().map(word).collect()))
            .collect::<Vec<_>>()
    };
    told.map(|told| told.into_iter().flat_map(of).collect())
}

fn is(number: i64, words: &[&str]) -> (String, i64, Vec<String>) {
    ("v".into(), number, words.iter().map(|&word| word.to_owned()).collect())
}

#[test]
fn what_was_told_is_read_by_the_next_to_the_last_whole_part() {
    let room = TempDir::new().unwrap();
    let Inherited { journal, told } = takes_over(&room, 1, None);
    assert!(told.is_none(), "nobody was there");
    let mut log = log_of(&journal, "v", 8);
    tells(&mut log, 41, &["one", "two\n{}"]);
    tells(&mut log, 42, &["three"]);
    let file = room.path().join("1/v/42");
    let torn = fs::read(&file).unwrap();
    fs::File::options().append(true).open(&file).unwrap().write_all(&torn[..torn.len() - 1]).unwrap();

    let Inherited { journal, told } = takes_over(&room, 2, Some(1));
    let mut tracks = told.unwrap();
    let last = tracks.get_mut("v").unwrap().pop().unwrap();
    assert_eq!((last.number, last.start, last.end()), (42, 420, 425));
    assert_eq!((&last.era, last.has_parts), (&*segment(42).era, true));
    assert_eq!((last.chunks[0].captured_at, last.chunks[0].independent), (7, false));
    assert_eq!(words(Some(tracks)).unwrap(), [is(41, &["one", "two\n{}"])]);

    // Who was only stopped writes on where nobody looks.
    tells(&mut log, 42, &["late"]);
    tells(&mut log_of(&journal, "v", 8), 42, &["four"]);
    let told = takes_over(&room, 3, Some(2)).told;
    assert_eq!(words(told).unwrap(), [is(41, &["one", "two\n{}"]), is(42, &["three", "four"])]);
}

#[test]
fn what_was_told_before_somebody_else_recorded_counts_for_nothing() {
    for (recorded, is_known) in [(None, false), (Some(4), true), (Some(5), true), (Some(6), false)] {
        let room = TempDir::new().unwrap();
        let first = takes_over(&room, 5, Some(4)).journal;
        tells(&mut log_of(&first, "v", 8), 41, &["one"]);
        let told = takes_over(&room, 7, recorded).told;
        assert_eq!(told.is_some(), is_known, "{recorded:?}");
        assert!(!room.path().join("5").exists());
        // An epoch of which nothing was told does not tell what was told before.
        let told = takes_over(&room, 8, Some(7)).told;
        assert_eq!(words(told).is_some_and(|words| !words.is_empty()), is_known, "{recorded:?}");
    }
}

#[test]
fn what_another_has_told_in_the_same_epoch_counts_for_nothing() {
    for (writer, is_known) in [("the one of 5", true), ("of another store", false)] {
        let room = TempDir::new().unwrap();
        tells(&mut log_of(&takes_over(&room, 5, None).journal, "v", 8), 41, &["one"]);
        let recorded = Stamp { writer: writer.to_owned(), ..by(5) };
        let told = Journal::take_over(room.path(), &by(6), Some(&recorded)).unwrap().told;
        assert_eq!(told.is_some(), is_known, "{writer}");
    }
}

#[test]
fn tracks_that_are_no_more_go() {
    let room = TempDir::new().unwrap();
    let journal = takes_over(&room, 1, None).journal;
    for track in ["v", "a"] {
        tells(&mut log_of(&journal, track, 8), 41, &["one"]);
    }
    journal.keep_only(&BTreeSet::from(["v"]));
    let told = takes_over(&room, 2, Some(1)).told;
    assert_eq!(words(told).unwrap(), [is(41, &["one"])]);
}

#[test]
fn only_the_newest_segments_are_kept() {
    let room = TempDir::new().unwrap();
    let journal = takes_over(&room, 1, None).journal;
    let mut log = log_of(&journal, "v", 2);
    (40..45).for_each(|number| tells(&mut log, number, &["one"]));
    let mut log = log_of(&journal, "v", 2);
    tells(&mut log, 45, &["one"]);
    let told = takes_over(&room, 2, Some(1)).told;
    assert_eq!(words(told).unwrap(), [is(44, &["one"]), is(45, &["one"])]);
}

#[test]
fn what_could_not_be_written_down_leaves_nothing() {
    let room = TempDir::new().unwrap();
    let journal = takes_over(&room, 1, None).journal;
    let (mut video, mut sound) = (log_of(&journal, "v", 8), log_of(&journal, "a", 8));
    tells(&mut video, 41, &["one"]);
    fs::write(room.path().join("1/a"), "in the way").unwrap();
    tells(&mut sound, 41, &["one"]);
    tells(&mut video, 41, &["two"]);
    tells(&mut video, 42, &["three"]);
    assert!(takes_over(&room, 2, Some(1)).told.is_none());
}

/// A directory in memory, where the system has one.
fn in_memory() -> Option<TempDir> {
    let directory = TempDir::new_in("/dev/shm").ok().filter(|it| Runtime::open(it.path()).is_ok());
    if directory.is_none() {
        headwater_test_support::skip("what outlives a process in memory: there is no /dev/shm");
    }
    directory
}

#[test]
fn what_lies_on_a_disk_or_cannot_be_written_to_is_refused() {
    let refusal = |directory: &Path| Runtime::open(directory).unwrap_err().to_string();
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/runtime");
    let refused = refusal(&target);
    assert!(
        refused.contains("target/runtime\" lies on a disk") && refused.contains("/run/headwater"),
        "{refused}"
    );
    assert!(!target.exists(), "nothing is left of what was refused");
    let refused = refusal(Path::new("/dev/null/headwater"));
    assert!(refused.contains("/dev/null/headwater") && refused.contains("may write"), "{refused}");
}

#[test]
fn nobody_else_can_read_it_and_what_is_old_goes() {
    let Some(directory) = in_memory() else { return };
    let runtime = directory.path().join("headwater");
    let store = Store::open(directory.path().join("data").to_str().unwrap()).unwrap();
    let journal =
        |prefix| Runtime::open(&runtime).unwrap().journal(&store, prefix, &by(1), None).unwrap().journal;
    let (old, new) = (journal("live/a"), journal("live/b"));
    for journal in [&old, &new] {
        tells(&mut log_of(journal, "v", 8), 41, &["one"]);
    }
    let mode = fs::metadata(&runtime).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    for path in [&old.directory.join("v"), &old.directory, old.directory.parent().unwrap()] {
        fs::File::open(path).unwrap().set_modified(UNIX_EPOCH).unwrap();
    }
    Runtime::open(&runtime).unwrap();
    assert_eq!((old.directory.exists(), new.directory.exists()), (false, true));
    let memory = Store::open("memory://").unwrap();
    assert!(Runtime::open(&runtime).unwrap().journal(&memory, "live/a", &by(1), None).is_none());
}
