//! Keys that others keep, in a file or at a URL.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use headwater::{
    access::{Access, Denial},
    config::{self, Config, KeySet},
};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::served::eventually;

const NOW: i64 = 1_800_000_000;

/// A set with the keys of these names, which are secrets.
fn set(names: &[&str]) -> String {
    let keys: Vec<_> = names
        .iter()
        .map(|name| json!({ "kty": "oct", "kid": name, "k": "QUJD".repeat(12) + "AA" }))
        .collect();
    json!({ "keys": keys }).to_string()
}

/// A token of a key of [`set`].
fn token(kid: &str) -> String {
    let secret = [b"ABC".repeat(12).as_slice(), &[0]].concat();
    let header = Header { kid: Some(kid.to_owned()), ..Header::default() };
    encode(&header, &json!({ "exp": NOW + 60, "paths": "/" }), &EncodingKey::from_secret(&secret)).unwrap()
}

/// Access by the keys of a set, which is followed until this is dropped.
fn followed(set: KeySet) -> (Access, DropGuard) {
    let access = config::Access { jwks: Some(set), ..Default::default() };
    let (access, follower) = Access::of(&Config { access, ..Config::default() }).unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(follower.unwrap().run(stop.clone()));
    (access, stop.drop_guard())
}

fn check(access: &Access, token: &str) -> Result<i64, Denial> {
    access.check("/live/demo/index.m3u8", Some(token), NOW)
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes_and_a_broken_one_keeps_the_keys_before() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("jwks.json");
    fs::write(&path, set(&["a"])).unwrap();
    let (access, _stop) = followed(KeySet::File(path.clone()));
    assert!(check(&access, &token("a")).is_ok());
    fs::write(&path, "{").unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(check(&access, &token("a")).is_ok(), "broken");
    fs::remove_file(&path).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(check(&access, &token("a")).is_ok(), "away");
    // As mounted secrets are changed: a link leads elsewhere.
    fs::write(directory.path().join("next"), set(&["b"])).unwrap();
    std::os::unix::fs::symlink("next", &path).unwrap();
    eventually("the new key counts", 10, async || check(&access, &token("b")).ok()).await;
    assert_eq!(check(&access, &token("a")), Err(Denial::Invalid), "and the old one no longer");
}

/// Answers every request with what is in it, and counts.
async fn server(answer: Arc<Mutex<String>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            counted.fetch_add(1, Ordering::Relaxed);
            let body = answer.lock().unwrap().clone();
            let reply = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    (url, count)
}

#[tokio::test]
async fn a_url_is_asked_again_when_a_key_is_not_known_but_not_by_every_request() {
    let ed = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let answer = Arc::new(Mutex::new(" ".repeat(300 << 10)));
    let (url, count) = server(answer.clone()).await;
    let (access, _stop) = followed(KeySet::Url(url));
    // Too much is not taken, nor is a secret that went over the network; it is tried again soon.
    eventually("it is asked for the first time", 5, async || {
        (count.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    *answer.lock().unwrap() = set(&["a"]);
    eventually("it is asked again", 5, async || (count.load(Ordering::Relaxed) > 1).then_some(())).await;
    assert_eq!(check(&access, &token("a")), Err(Denial::Invalid));
    *answer.lock().unwrap() = ed.to_owned();
    // RFC 8037 A.4: signed with that key, though it is no claims; so it is known when there is no wish for it any more.
    eventually("it is asked until it answers", 10, async || {
        (count.load(Ordering::Relaxed) > 2).then_some(())
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let asked = count.load(Ordering::Relaxed);
    for _ in 0..1000 {
        assert_eq!(check(&access, &token("b")), Err(Denial::Invalid));
    }
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(count.load(Ordering::Relaxed), asked, "not at once");
    eventually("but in a while", 20, async || (count.load(Ordering::Relaxed) > asked).then_some(())).await;
}
