//! What a killed packager has written and not recorded yet: the one that goes on takes it up, or writes its own over it.

use headwater_test_support::fault::{Fault, FaultStore, Odds};
use object_store::{Attribute, Attributes, ObjectStore, PutOptions, path::Path};

use super::{
    killed::{Rig, TRACKS},
    *,
};
use crate::{
    channel::orphans::adopt,
    clock,
    store::{Effort, Store},
};

/// The last that is recorded when the packager is killed.
const LAST: i64 = START + 9;

fn path(track: &str, number: i64) -> String {
    format!("live/a/{track}/{number}.m4s")
}

/// All that a packager has written up to `to` that was not killed.
async fn made(level: u8, to: i64) -> Rig {
    let faults = FaultStore::new(1, Odds::default());
    let mut rig = Rig::start(&faults, &config(), i128::from(START) * NANOS).await;
    rig.encoder_begins(level);
    assert!(rig.plays(to).await);
    rig
}

/// A packager is killed, and another goes on three seconds later, with this in the store beside what is recorded: name, body,
/// and the hash that it says it has, if it says one.
async fn goes_on(left: &[(String, Bytes, Option<String>)]) -> Rig {
    let rig = made(30, LAST + 1).await;
    for (path, body, said) in left {
        let mut attributes = Attributes::new();
        let said = said.as_ref().map(|said| said.trim_matches('"').to_owned());
        said.map(|said| attributes.insert(Attribute::Metadata("contenthash".into()), said.into()));
        let options = PutOptions { attributes, ..PutOptions::default() };
        let put = rig.store().put_opts(&Path::from(path.as_str()), body.clone().into(), options).await;
        put.unwrap();
    }
    rig.restart(Duration::from_secs(3)).await
}

#[tokio::test(start_paused = true)]
async fn whole_segments_right_behind_the_record_are_gone_on_with_as_if_it_had_named_them() {
    let made = made(30, LAST + 4).await;
    for says in [true, false] {
        let mut left = Vec::new();
        for (track, number) in [("180p", LAST + 1), ("180p", LAST + 2), ("audio-und", LAST + 1)] {
            let body = made.truth(&path(track, number)).await.unwrap();
            let said = says.then(|| store::etag([&body[..]]));
            left.push((path(track, number), body, said));
        }
        let mut rig = goes_on(&left).await;
        let named = rig.named().await;
        for (path, body, _) in &left {
            assert_eq!(rig.truth(path).await.as_ref(), Some(body), "{path}");
            assert!(named.contains(path));
        }
        assert_eq!(rig.filler_parts(), 2 + 4, "what nobody has is filled: a second and two");
        rig.encoder_begins(30);
        assert!(rig.plays(LAST + 10).await);
        for track in TRACKS {
            assert_eq!(rig.numbers(track), (START + 1..=LAST + 9).collect::<Vec<_>>());
        }
        for (path, body, _) in &left {
            assert_eq!(rig.truth(path).await.as_ref(), Some(body), "{path}");
        }
        rig.assert_listed_is_there().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_torn_or_of_something_else_gives_way_and_so_does_all_behind_it() {
    let (others, another) = (made(30, LAST + 4).await, made(60, LAST + 4).await);
    let whole = others.truth(&path("180p", LAST + 1)).await.unwrap();
    let next = others.truth(&path("180p", LAST + 2)).await.unwrap();
    let sound = others.truth(&path("audio-und", LAST + 1)).await.unwrap();
    let of_another = another.truth(&path("180p", LAST + 1)).await.unwrap();
    let flipped: Bytes =
        whole.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at + 1 == whole.len())).collect();
    let second = whole.windows(4).rposition(|kind| kind == b"moof").unwrap() - 4;
    let said = Some(store::etag([&whole[..]]));
    for (what, body, said) in [
        ("cut short", whole.slice(..whole.len() - 1), None),
        ("without its last chunk", whole.slice(..second), None),
        ("with more behind it", [&whole[..], &whole[..]].concat().into(), None),
        ("empty", Bytes::new(), None),
        ("a flipped bit", flipped, said.clone()),
        ("the next one", next.clone(), None),
        ("of another track", sound, None),
        ("of another encoder", of_another, None),
        ("something else", Bytes::from("x"), None),
    ] {
        let left =
            [(path("180p", LAST + 1), body.clone(), said), (path("180p", LAST + 2), next.clone(), None)];
        let rig = goes_on(&left).await;
        for (path, body, _) in &left {
            let there = rig.truth(path).await.unwrap();
            assert!(there != *body, "{what}: {path} is as it was");
        }
        assert_eq!(rig.numbers("180p"), (START + 1..=LAST + 3).collect::<Vec<_>>(), "{what}");
        assert_eq!(rig.filler_parts(), 2 * 2 * 3, "{what}");
        rig.assert_listed_is_there().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_holds_nobody_up_for_longer_than_a_write_may_take() {
    let rig = made(30, LAST + 1).await;
    let (mut record, opening) =
        record::read(&Store::over(rig.store()), "live/a").await.unwrap().expect("a record");
    let hung = FaultStore::new(1, Odds(vec![(Fault::Hung, 1000)]));
    let effort = Effort::edge(Duration::from_secs(1));
    let store = Store::over(Arc::new(hung)).spending(effort);
    let began = clock::now();
    let adopted = adopt(&store, "live/a", &config().grid, &mut record, &opening).await;
    assert!(adopted.is_empty() && clock::now() - began <= effort.budget + Duration::from_millis(1));
}
