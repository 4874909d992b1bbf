//! A running `headwater serve` with its own ports and data, stopped with the test.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use headwater::channel::journal::Runtime;
use headwater_test_support::ports;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};

pub(crate) struct Served {
    pub(crate) directory: TempDir,
    media: u16,
    control: u16,
    child: Child,
    http: reqwest::Client,
    environment: Vec<(&'static str, OsString)>,
    descriptors: Option<u32>,
}

impl Served {
    /// Starts a server with these channels, in TOML, and waits until it answers.
    pub(crate) async fn start(channels: &str) -> Self {
        Self::launch(channels, Vec::new(), None, None, "").await
    }

    /// The same with a log filter.
    pub(crate) async fn logging(channels: &str, filter: Option<&'static str>) -> Self {
        let environment = filter.into_iter().map(|filter| ("RUST_LOG", filter.into())).collect();
        Self::launch(channels, environment, None, None, "").await
    }

    /// The same with another `[store]` table.
    pub(crate) async fn storing(store: &str, channels: &str) -> Self {
        Self::launch(channels, Vec::new(), None, Some(store), "").await
    }

    /// The same that serves what another packages.
    pub(crate) async fn node(store: &str, channels: &str) -> Self {
        Self::node_with("", store, channels).await
    }

    /// The same with more lines in its `[server]` table.
    pub(crate) async fn node_with(server: &str, store: &str, channels: &str) -> Self {
        let role = vec![("HEADWATER_ROLE", "origin".into())];
        Self::launch(channels, role, None, Some(store), server).await
    }

    /// A packager with another `[store]` table, and more variables in its environment.
    pub(crate) async fn storing_amid(
        store: &str,
        channels: &str,
        environment: Vec<(&'static str, OsString)>,
    ) -> Self {
        Self::launch(channels, environment, None, Some(store), "").await
    }

    /// A packager with more lines in its `[server]` table.
    pub(crate) async fn packager_with(server: &str, store: &str, channels: &str) -> Self {
        Self::launch(channels, Vec::new(), None, Some(store), server).await
    }

    /// Kills the server as a crash would.
    pub(crate) fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same that trusts the authorities in this file, and nobody else, for what it fetches.
    pub(crate) async fn trusting(channels: &str, authorities: &Path) -> Self {
        let environment = vec![("SSL_CERT_FILE", authorities.into()), ("SSL_CERT_DIR", OsString::new())];
        Self::launch(channels, environment, None, None, "").await
    }

    /// The same with more variables in its environment.
    pub(crate) async fn amid(channels: &str, environment: Vec<(&'static str, OsString)>) -> Self {
        Self::launch(channels, environment, None, None, "").await
    }

    /// The same with no more than so many open files.
    pub(crate) async fn within(channels: &str, descriptors: u32) -> Self {
        Self::launch(channels, Vec::new(), Some(descriptors), None, "").await
    }

    async fn launch(
        channels: &str,
        environment: Vec<(&'static str, OsString)>,
        descriptors: Option<u32>,
        store: Option<&str>,
        server: &str,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let [media, control] = [(); 2].map(|()| ports::tcp().unwrap());
        let data = directory.path().join("data");
        let store = store.map_or_else(|| format!("url = {data:?}"), str::to_owned);
        let config = format!(
            "[server]\nmedia = \"127.0.0.1:{media}\"\ncontrol = \"127.0.0.1:{control}\"\n{server}[store]\n{store}\n{channels}"
        );
        std::fs::write(directory.path().join("headwater.toml"), config).unwrap();
        let child = spawn(directory.path(), &environment, descriptors);
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let mut served = Self { directory, media, control, child, http, environment, descriptors };
        served.answers().await;
        served
    }

    /// Stops the server, and starts it again with other channels.
    pub(crate) async fn restart_with(&mut self, before: &str, after: &str) {
        self.stop().await;
        let path = self.directory.path().join("headwater.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        assert!(config.contains(before), "{config}");
        std::fs::write(&path, config.replace(before, after)).unwrap();
        self.child = spawn(self.directory.path(), &self.environment, self.descriptors);
        self.answers().await;
    }

    /// Kills the server as a crash would, and starts it again after `pause`.
    pub(crate) async fn crash_and_restart(&mut self, pause: Duration) {
        self.crash();
        tokio::time::sleep(pause).await;
        self.child = spawn(self.directory.path(), &self.environment, self.descriptors);
        self.answers().await;
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.terminate();
        self.ended().await;
    }

    /// Tells the server to stop.
    pub(crate) fn terminate(&self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits until the server has stopped in good order.
    pub(crate) async fn ended(&mut self) {
        let ended = eventually("the server stops", 20, async || self.child.try_wait().unwrap()).await;
        assert!(ended.success(), "{ended}");
    }

    /// What it has written into its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The media listener.
    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.media).into()
    }

    /// Whether the control listener says that viewers may be sent; `None` if it says nothing.
    pub(crate) async fn readiness(&self) -> Option<u16> {
        let url = format!("http://127.0.0.1:{}/readyz", self.control);
        Some(self.http.get(url).send().await.ok()?.status().as_u16())
    }

    async fn answers(&mut self) {
        let url = format!("http://127.0.0.1:{}/healthz", self.control);
        eventually("the server answers", 10, async || self.http.get(&url).send().await.ok()).await;
    }

    /// The control listener's metrics, and their type.
    pub(crate) async fn metrics(&self) -> (String, String) {
        let url = format!("http://127.0.0.1:{}/metrics", self.control);
        let response = self.http.get(url).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (kind, response.text().await.unwrap())
    }

    /// What the control listener says of a channel.
    pub(crate) async fn status(&self, channel: &str) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/channels", self.control);
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let list: Value = serde_json::from_str(&text).unwrap();
        let named = |each: &&Value| each["name"] == channel;
        list["channels"].as_array().unwrap().iter().find(named).unwrap().clone()
    }

    /// Runs `headwater check` against a channel for so long; gives what it calls violations.
    pub(crate) fn check(&self, channel: &str, seconds: u64) -> JoinHandle<Vec<Value>> {
        let documents =
            ["index.m3u8", "manifest.mpd"].map(|file| self.url(&format!("live/{channel}/{file}")));
        check(&documents, seconds)
    }

    /// A number on the control listener, of a family and with these labels.
    pub(crate) async fn measured(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        let (_, text) = self.metrics().await;
        let is_it = |line: &&str| {
            let has = |(name, value): &(&str, &str)| line.contains(&format!("{name}=\"{value}\""));
            line.starts_with(&format!("{family}{{")) && labels.iter().all(has)
        };
        let line = text.lines().find(is_it).unwrap_or_else(|| panic!("{family} {labels:?}: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until a channel is in `state`.
    pub(crate) async fn in_state(&self, channel: &str, state: &str, seconds: u64) -> Value {
        let check = async || Some(self.status(channel).await).filter(|status| status["state"] == state);
        eventually(&format!("{channel} is {state}"), seconds, check).await
    }

    /// The URL of a path on the media listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.media)
    }

    /// The answer to a GET, whatever it is.
    pub(crate) async fn answer(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    /// An object below `/`, if it is there.
    pub(crate) async fn get(&self, path: &str) -> Option<bytes::Bytes> {
        let response = self.http.get(self.url(path)).send().await.ok()?;
        if response.status().is_success() { response.bytes().await.ok() } else { None }
    }

    /// A media playlist, as m3u8-rs understands it.
    pub(crate) async fn playlist(&self, track: &str) -> Option<m3u8_rs::MediaPlaylist> {
        // With a query, if it is to be another stretch.
        let (track, query) = track.split_once('?').unwrap_or((track, ""));
        let bytes = self.get(&format!("live/{track}/index.m3u8?{query}")).await?;
        Some(m3u8_rs::parse_media_playlist_res(&bytes).unwrap())
    }

    /// Waits until a track's playlist satisfies `wanted`.
    pub(crate) async fn playlist_with(
        &self,
        track: &str,
        seconds: u64,
        wanted: impl Fn(&m3u8_rs::MediaPlaylist) -> bool,
    ) -> m3u8_rs::MediaPlaylist {
        let check = async || self.playlist(track).await.filter(&wanted);
        eventually(&format!("the playlist of {track} is as wanted"), seconds, check).await
    }

    /// Everything that a track's playlist lists, init segment first, in one file.
    pub(crate) async fn listed(&self, track: &str) -> PathBuf {
        let playlist = self.playlist(track).await.unwrap();
        let init = playlist.segments[0].map.as_ref().unwrap().uri.clone();
        let mut whole = self.get(&format!("live/{track}/{init}")).await.unwrap().to_vec();
        for segment in &playlist.segments {
            whole.extend(self.get(&format!("live/{track}/{}", segment.uri)).await.unwrap());
        }
        let path = self.directory.path().join(format!("{}.mp4", track.replace('/', "-")));
        std::fs::write(&path, whole).unwrap();
        path
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &Path, environment: &[(&'static str, OsString)], descriptors: Option<u32>) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
    let program = env!("CARGO_BIN_EXE_headwater");
    let mut command = Command::new(if descriptors.is_some() { "sh" } else { program });
    if let Some(descriptors) = descriptors {
        // With one process number, that of the server in the end.
        command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &descriptors.to_string(), program]);
    }
    command
        .args(["serve", "--config"])
        .arg(directory.join("headwater.toml"))
        // Whatever session this runs in.
        .env_remove("XDG_RUNTIME_DIR")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// A directory in memory, whose files outlive a process; `None`, and a word of it, where the system has none.
pub(crate) fn in_memory() -> Option<TempDir> {
    let directory = TempDir::new_in("/dev/shm").ok().filter(|it| Runtime::open(it.path()).is_ok());
    if directory.is_none() {
        headwater_test_support::skip("what outlives a process in memory: there is no /dev/shm");
    }
    directory
}

/// Runs `headwater check` against these documents for so long; gives what it calls violations.
pub(crate) fn check(documents: &[String], seconds: u64) -> JoinHandle<Vec<Value>> {
    let run = tokio::process::Command::new(env!("CARGO_BIN_EXE_headwater"))
        .arg("check")
        .args(documents)
        .args(["--json", "--seconds", &seconds.to_string()])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::spawn(async move {
        let run = timeout(Duration::from_secs(seconds + 60), run).await;
        let output = run.expect("the checker ends").unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let findings = report["findings"].as_array().unwrap().iter();
        findings.filter(|each| each["level"] == "violation").cloned().collect()
    })
}

/// Asks every 50 ms until there is an answer; fails with `what` after `seconds`.
pub(crate) async fn eventually<T>(what: &str, seconds: u64, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    #[expect(clippy::disallowed_methods, reason = "a test's own deadline")]
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
