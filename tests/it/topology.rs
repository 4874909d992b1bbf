//! What deploy/topology sets up, by its own script: a packager, two origin nodes and nginx, over a bucket.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use headwater_test_support::ports;
use m3u8_rs::MediaPlaylist;
use reqwest::Client;
use tempfile::TempDir;

use crate::{served::eventually, store::s3::S3};

const NAMES: [&str; 3] = ["packager", "origin-1", "origin-2"];
const TRACK: &str = "live/demo/360p";

/// All of them are stopped with the test, by what stops them for a user.
struct Topology {
    directory: TempDir,
    script: Child,
    nginx: u16,
    http: Client,
}

impl Topology {
    fn start(s3: &S3) -> Self {
        let directory = TempDir::new().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/topology");
        let config = std::fs::read_to_string(root.join("headwater.toml")).unwrap();
        let ours = directory.path().join("ours.toml");
        std::fs::write(&ours, config.replace("s3://headwater", "s3://bucket")).unwrap();
        let ports = [(); 3].map(|()| port());
        let nginx = ports::tcp().unwrap();
        let script = Command::new(root.join("run.sh"))
            .arg(directory.path())
            .envs(s3.environment())
            .env("HEADWATER", env!("CARGO_BIN_EXE_headwater"))
            .env("CONFIG", &ours)
            .envs(["PACKAGER", "ORIGIN_1", "ORIGIN_2"].into_iter().zip(ports.map(|port| port.to_string())))
            .env("NGINX", nginx.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let http = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        Self { directory, script, nginx, http }
    }

    async fn get(&self, path: &str) -> Option<Vec<u8>> {
        let url = format!("http://127.0.0.1:{}/{path}", self.nginx);
        let answer = self.http.get(url).send().await.ok().filter(|answer| answer.status().is_success())?;
        answer.bytes().await.ok().map(Into::into)
    }

    async fn list(&self) -> Option<MediaPlaylist> {
        let text = self.get(&format!("{TRACK}/index.m3u8")).await?;
        m3u8_rs::parse_media_playlist_res(&text).ok()
    }

    /// A list that goes on beyond `number`, all of which can be had.
    async fn goes_on(&self, number: u64) -> u64 {
        let what = format!("a list beyond {number}; {}", self.said());
        let list = eventually(&what, 60, async || {
            let list = self.list().await?;
            let newest = list.media_sequence + list.segments.len() as u64;
            (newest > number && list.segments.len() >= 4).then_some(list)
        })
        .await;
        for segment in list.segments.iter().skip(1) {
            let path = format!("{TRACK}/{}", segment.uri);
            assert!(
                self.get(&path).await.is_some_and(|body| !body.is_empty()),
                "{path} is listed and not there"
            );
        }
        list.media_sequence + list.segments.len() as u64
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn said(&self) -> String {
        NAMES
            .iter()
            .map(|name| std::fs::read_to_string(self.file(&format!("{name}.log"))).unwrap_or_default())
            .collect()
    }

    fn pid(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(&format!("{name}.pid"))).unwrap().trim().to_owned()
    }

    fn is_running(&self, name: &str) -> bool {
        // Who has ended and was not waited for has no command line any more.
        std::fs::read(format!("/proc/{}/cmdline", self.pid(name))).is_ok_and(|line| !line.is_empty())
    }
}

/// One that is free, as is that of its control listener.
fn port() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    std::iter::repeat_with(|| ports::tcp().unwrap()).find(|port| is_free(port + 1000)).unwrap()
}

impl Drop for Topology {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.script.id().to_string()]).status();
        let _ = self.script.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_starts_all_of_it_and_a_node_that_dies_is_not_missed() {
    if Command::new("nginx").arg("-v").output().is_err() {
        headwater_test_support::skip("the topology behind nginx: it is not installed");
        return;
    }
    let s3 = S3::start().await;
    let mut all = Topology::start(&s3);
    let before = all.goes_on(0).await;
    assert!(NAMES.iter().all(|name| all.is_running(name)));
    for index in ["index.m3u8", "manifest.mpd"] {
        assert!(all.get(&format!("live/demo/{index}")).await.is_some(), "{index}");
    }
    let has_parts = async || {
        let list = String::from_utf8(all.get(&format!("{TRACK}/index.m3u8")).await?).unwrap();
        list.contains("#EXT-X-PART:").then_some(())
    };
    eventually("the nodes are told the edge", 20, has_parts).await;
    assert!(Command::new("kill").args(["-KILL", &all.pid("origin-1")]).status().unwrap().success());
    let between = all.goes_on(before + 2).await;
    all.goes_on(between).await;

    Command::new("kill").args(["-TERM", &all.script.id().to_string()]).status().unwrap();
    eventually("the script has ended", 30, async || all.script.try_wait().unwrap()).await;
    assert!(NAMES.iter().all(|name| !all.is_running(name)), "nothing is left running");
}
