//! Credentials of the machine, as a container's agent hands them out.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, SecondsFormat, Utc};
use headwater::clock;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::s3::S3;
use crate::served::{Served, eventually};

/// An agent that gives the keys of `s3` for a few seconds at a time. Gives its URL, and counts how often it was asked by
/// who has the token.
async fn agent(s3: &S3, token: &'static str) -> (String, Arc<AtomicUsize>) {
    let [_, (_, id), (_, secret)] = s3.environment();
    let (id, secret) = (id.to_owned(), secret.to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/credentials", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (id, secret, count) = (id.clone(), secret.clone(), count.clone());
            let answer = service_fn(move |request: Request<Incoming>| {
                let is_it = request.headers().get("authorization").is_some_and(|said| said == token);
                count.fetch_add(usize::from(is_it), Ordering::SeqCst);
                let until = DateTime::<Utc>::from_timestamp(clock::wall_seconds() + 8, 0).unwrap();
                let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                let text = format!(
                    "{{\"AccessKeyId\":{id:?},\"SecretAccessKey\":{secret:?},\"Token\":\"t\",\"Expiration\":{until:?}}}"
                );
                let answer = Response::builder().status(if is_it { 200 } else { 403 }).body(text).unwrap();
                async move { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    (url, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_keys_takes_those_of_its_machine_and_new_ones_when_they_expire() {
    let s3 = S3::start().await;
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "of-the-container").unwrap();
    let (url, asked) = agent(&s3, "of-the-container").await;
    let environment = vec![
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.into()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.into()),
    ];
    let channel = "[channel.a]\nsource = \"test:?size=320x180&rate=30\"\nsegment = \"1s\"\npart = \"200ms\"\nwindow = \"10s\"\n\
                   [[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n";
    let store = s3.toml("/role");
    let store: String =
        store.lines().filter(|line| !line.contains("_file")).map(|line| line.to_owned() + "\n").collect();
    let server = Served::storing_amid(&store, channel, environment).await;
    server.playlist_with("a/180p", 60, |list| list.segments.len() >= 4).await;
    let renewed = async || (asked.load(Ordering::SeqCst) >= 2).then_some(());
    eventually("the keys are renewed", 40, renewed).await;
    let before = s3.puts();
    let written = async || (s3.puts() > before + 10).then_some(());
    eventually("it goes on writing", 20, written).await;
    assert!(server.status("a").await["store_degraded"].is_null());
    assert!(s3.root().join("role/live/a/state.json").exists());
}
