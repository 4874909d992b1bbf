use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::{key::Key, *};

const NOW: i64 = 1_800_000_000;

fn secret(name: &str) -> Key {
    Key::secret(name, name.repeat(32).as_bytes()).unwrap()
}

/// A token of the secret `name`.
fn token(name: &str, path: &str, exp: i64) -> String {
    let header = Header { kid: Some(name.to_owned()), ..Header::default() };
    let key = EncodingKey::from_secret(name.repeat(32).as_bytes());
    encode(&header, &json!({ "exp": exp, "paths": path }), &key).unwrap()
}

fn access(names: &[&str]) -> (Access, watch::Sender<Arc<Keys>>) {
    let keys = Keys::new(names.iter().map(|name| secret(name)).collect(), Vec::new());
    let (publish, keys) = watch::channel(Arc::new(keys));
    (Access::new(["demo".to_owned()].into(), false, Expected::default(), keys), publish)
}

#[test]
fn a_good_token_is_remembered_and_judged_by_the_clock_each_time() {
    let (access, _keys) = access(&["a"]);
    let good = token("a", "/live/demo", NOW + 10);
    assert_eq!(access.check("/live/demo/index.m3u8", Some(&good), NOW), Ok(NOW + 15));
    assert_eq!(access.known.len(), 1);
    assert_eq!(access.check("/live/demo/index.m3u8", Some(&good), NOW + 14), Ok(NOW + 15));
    assert_eq!(access.check("/live/demo/index.m3u8", Some(&good), NOW + 15), Err(Denial::OutOfTime));
    assert_eq!(access.check("/live/other/index.m3u8", Some(&good), NOW), Err(Denial::Elsewhere));
    assert_eq!(access.check("/live/demo/index.m3u8", None, NOW), Err(Denial::Absent));
    assert_eq!(access.known.len(), 1);
}

#[test]
fn what_is_no_good_is_not_remembered() {
    let (access, _keys) = access(&["a"]);
    for number in 0..100 {
        let forged = format!("{}{number}", token("b", "/", NOW));
        let wrong = format!("{}A", token("a", "/", NOW + number));
        for token in [&forged, &wrong] {
            assert_eq!(access.check("/live/demo/ws", Some(token), NOW), Err(Denial::Invalid));
        }
    }
    assert_eq!(access.known.len(), 0);
}

#[test]
fn a_key_that_is_taken_away_takes_its_tokens_with_it_and_a_new_one_counts_at_once() {
    let (access, keys) = access(&["own"]);
    let (old, new) = (token("old", "/", NOW + 10), token("new", "/", NOW + 10));
    let check = |token: &str| access.check("/live/demo/ws", Some(token), NOW).is_ok();
    let turn = |name: &str| keys.send_modify(|keys| *keys = Arc::new(keys.with(vec![secret(name)])));
    turn("old");
    assert_eq!((check(&old), check(&new)), (true, false));
    turn("new");
    assert_eq!((check(&old), check(&new)), (false, true));
    assert!(check(&token("own", "/", NOW + 10)), "those of the configuration stay");
}
