//! A cluster of three Garage nodes, which `make test-cluster` starts: by hand, as it takes long to build.

use std::{env, process::Command};

use headwater::check::{self, Options};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::served::{Served, eventually};

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run make test-cluster"))
}

/// The `[store]` table of a prefix in the cluster's bucket. Keys are in the environment.
fn toml(prefix: &str) -> String {
    let endpoint = variable("HEADWATER_CLUSTER_ENDPOINT");
    format!("url = \"s3://headwater/{prefix}\"\nendpoint = {endpoint:?}\nregion = \"garage\"\n")
}

fn store(prefix: &str) -> Store {
    let mut config = config::Store::at(format!("s3://headwater/{prefix}"));
    config.bucket = config::Bucket {
        endpoint: Some(variable("HEADWATER_CLUSTER_ENDPOINT")),
        region: Some("garage".into()),
        allow_http: true,
        ..config::Bucket::default()
    };
    Store::of(&config).unwrap()
}

#[tokio::test]
#[ignore = "make test-cluster starts what it needs"]
async fn a_cluster_behaves_as_every_store_does() {
    let has_conditions = timeout(LIMIT, store("probe").unfenced()).await.unwrap().unwrap().is_none();
    println!("conditional writes: {}", if has_conditions { "yes" } else { "no: a name is written over" });
    let conditions = if has_conditions { Conditions::Kept } else { Conditions::Ignored };
    timeout(LIMIT, behaves_with(store("suite"), conditions)).await.expect("the cluster hangs");
}

#[tokio::test]
#[ignore = "make test-cluster starts what it needs"]
async fn a_large_object_comes_in_blocks() {
    large::comes_in_blocks(store("large")).await;
}

#[cfg(feature = "encoder")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make test-cluster starts what it needs"]
async fn viewers_notice_nothing_of_a_node_that_dies_and_comes_back() {
    let channel = "[channel.a]\nsource = \"test:?size=320x180&rate=30\"\nsegment = \"1s\"\npart = \"200ms\"\nwindow = \"10s\"\n\
                   [[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n";
    let packager = Served::storing(&toml("channel"), channel).await;
    let node = Served::node(&toml("channel"), channel).await;
    for server in [&packager, &node] {
        server.playlist_with("a/180p", 60, |list| list.segments.len() >= 6).await;
    }
    let urls = [&packager, &node].map(|server| server.url("live/a/index.m3u8")).to_vec();
    let options = Options { urls, span: Duration::from_secs(40), http2: false };
    let cluster = variable("HEADWATER_CLUSTER");
    let trouble = async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        let pid = std::fs::read_to_string(format!("{cluster}/3.pid")).unwrap();
        assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert!(Command::new(format!("{cluster}/start")).arg("3").status().unwrap().success());
    };
    let (report, ()) = tokio::join!(check::run(&options, CancellationToken::new()), trouble);
    let report = report.unwrap();
    println!("{report}");
    assert_eq!(report.violations, 0);
    let caught_up = async || packager.status("a").await["store_degraded"].is_null().then_some(());
    eventually("the store is caught up with", 30, caught_up).await;
    let unfenced = timeout(LIMIT, store("probe").unfenced()).await.unwrap().unwrap();
    let said = packager.status("a").await["unfenced"].as_str().map(str::to_owned);
    assert_eq!(said.is_some(), unfenced.is_some(), "{said:?}");
    let record = timeout(LIMIT, store("channel").get("live/a/state.json")).await.unwrap();
    assert!(record.is_ok());
}
