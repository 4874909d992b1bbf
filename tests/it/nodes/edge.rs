//! Nodes that are told the edge by their packager.

use std::{fs, path::Path, time::Duration};

use futures_util::future::join_all;
use headwater::clock;
use reqwest::{Client, StatusCode};

use super::*;
use crate::{openmetrics::Metrics, origin::tls::Authority};

const SECRET: &str = "what only our servers know";

/// Parts of a fifth of a second.
pub(super) fn low_latency(source: &str) -> String {
    channel(source).replace("low_latency = false\n", "")
}

pub(super) fn secret(directory: &Path, words: &str) -> String {
    let file = directory.join(format!("{}.secret", words.len()));
    fs::write(&file, words.replace(' ', "-")).unwrap();
    format!("edge_secret_file = {file:?}\n")
}

/// A directory that all of them have, and the lines of `[server]` with the secret.
pub(super) struct Site {
    directory: tempfile::TempDir,
    /// What outlives a packager, if anything does.
    memory: Option<tempfile::TempDir>,
    /// How long segments are, in seconds.
    segment: u32,
}

impl Site {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::TempDir::new().unwrap(), memory: None, segment: 1 }
    }

    /// Packagers are started again on a machine that remembers what they have told, and segments are so long; `None` where the
    /// system cannot do that.
    pub(super) fn remembering(segment: u32) -> Option<Self> {
        Some(Self { memory: Some(in_memory()?), segment, ..Self::new() })
    }

    fn channel(&self, source: &str) -> String {
        let (segment, window) = (self.segment, 10 * self.segment);
        let ours = low_latency(source).replace("segment = \"1s\"", &format!("segment = \"{segment}s\""));
        ours.replace("window = \"10s\"", &format!("window = \"{window}s\""))
    }

    fn store(&self) -> String {
        format!("url = {:?}", self.directory.path().join("data"))
    }

    fn secret(&self) -> String {
        secret(self.directory.path(), SECRET)
    }

    pub(super) async fn packager(&self) -> Served {
        let memory = self.memory.iter().map(|it| format!("runtime_directory = {:?}\n", it.path()));
        let server: String = memory.chain([self.secret()]).collect();
        Served::packager_with(&server, &self.store(), &self.channel(TEST)).await
    }

    pub(super) async fn node(&self, packagers: &[&Served]) -> Served {
        let from: Vec<_> = packagers.iter().map(|it| it.url("").trim_end_matches('/').to_owned()).collect();
        let server = format!("{}edge_from = {from:?}\n", self.secret());
        Served::node_with(&server, &self.store(), &self.channel("")).await
    }
}

/// Why the node has no parts, once it has or has not.
pub(super) async fn parts(node: &Served, are_there: bool) -> String {
    let why = async || match (&node.status("a").await["low_latency_off"], are_there) {
        (serde_json::Value::Null, true) => Some(String::new()),
        (serde_json::Value::String(why), false) => Some(why.clone()),
        _ => None,
    };
    eventually(&format!("parts are told: {are_there}"), 20, why).await
}

/// Waits until a node says why it has no parts in these words. It asks again and again, and who is refused over TLS 1.3 may find
/// the connection closed before it has read why.
async fn says(node: &Served, words: [&str; 2]) {
    let said = async || {
        let status = node.status("a").await;
        let why = status["low_latency_off"].as_str()?;
        words.iter().all(|words| why.contains(words)).then_some(())
    };
    eventually(&format!("a node without parts says {words:?}"), 20, said).await;
}

async fn text(server: &Served, path: &str) -> String {
    String::from_utf8(server.get(path).await.unwrap_or_default().to_vec()).unwrap()
}

/// Segment and index of the part that comes next.
fn hinted(list: &str) -> Option<(i64, i64)> {
    let hint = list.lines().find(|line| line.starts_with("#EXT-X-PRELOAD-HINT"))?;
    let name = hint.split("URI=\"").nth(1)?.split(".m4s").next()?;
    let (segment, part) = name.split_once('.')?;
    Some((segment.parse().ok()?, part.parse().ok()?))
}

pub(super) async fn lists_parts(server: &Served) {
    lists_parts_behind(server, 0).await;
}

/// Waits for parts of a segment behind `number`.
async fn lists_parts_behind(server: &Served, number: i64) {
    let hint = async || hinted(&text(server, "live/a/180p/index.m3u8").await).filter(|hint| hint.0 > number);
    eventually(&format!("parts behind {number} are listed"), 60, hint).await;
}

pub(super) fn signal(server: &Served, which: &str) {
    assert!(Command::new("kill").args([which, &server.pid().to_string()]).status().unwrap().success());
}

/// Asks all servers for what comes next, at once; gives the bodies, and how much later the second had it.
async fn next(servers: [&Served; 2], path: &str) -> ([(Bytes, String); 2], f64) {
    let one = async |server: &Served| (tagged(server, path).await, clock::now());
    let ((first, at), (second, later)) = tokio::join!(one(servers[0]), one(servers[1]));
    let ahead = if later > at { (later - at).as_secs_f64() } else { -(at - later).as_secs_f64() };
    ([first, second], ahead)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_serves_parts_and_what_is_being_made_as_its_packager_does_and_at_once() {
    let site = Site::new();
    let packager = site.packager().await;
    let node = site.node(&[&packager]).await;
    lists_parts(&node).await;
    begun(&node).await;
    parts(&node, true).await;
    let servers = [&packager, &node];
    let mut later = Vec::new();
    let mut alike = 0;
    for _ in 0..20 {
        let (msn, part) = hinted(&text(&packager, "live/a/180p/index.m3u8").await).unwrap();
        // Held until the part is there, on both (rfc8216bis 6.2.5.2).
        let list = format!("live/a/180p/index.m3u8?_HLS_msn={msn}&_HLS_part={part}");
        let delta = format!("{list}&_HLS_skip=YES");
        let media = format!("live/a/180p/{msn}.{part}.m4s");
        let ((lists, after), (deltas, _), (bodies, _)) =
            tokio::join!(next(servers, &list), next(servers, &delta), next(servers, &media));
        later.push(after * 1000.0);
        assert_eq!(bodies[0], bodies[1], "{media}");
        // Whoever is asked a moment later may have the next one already.
        alike += u32::from(lists[0] == lists[1] && deltas[0] == deltas[1]);
    }
    assert!(alike >= 10, "{alike} of 20 lists are the same");
    later.sort_by(f64::total_cmp);
    println!("a part is at the node {:.1} ms later (median), {:.1} ms at most", later[10], later[19]);
    for track in TRACKS {
        agreed(&servers, &format!("live/a/{track}/index.m3u8")).await;
    }
    agreed(&servers, "live/a/manifest.mpd").await;
    agreed(&servers, "live/a/index.m3u8").await;
    let (open, _) = hinted(&text(&node, "live/a/90p/index.m3u8").await).unwrap();
    let path = format!("live/a/90p/{open}.m4s");
    let (one, other) = tokio::join!(packager.get(&path), node.get(&path));
    assert!(one.is_some() && one == other, "a segment that is streamed while it is made");
    let urls = ["index.m3u8", "manifest.mpd"].map(|file| node.url(&format!("live/a/{file}"))).to_vec();
    let options = Options { urls, span: Duration::from_secs(10), http2: false };
    let report = check::run(&options, CancellationToken::new()).await.unwrap();
    assert_eq!(report.violations, 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_viewers_of_a_node_are_one_request_to_the_packager() {
    let site = Site::new();
    let packager = site.packager().await;
    let node = site.node(&[&packager]).await;
    lists_parts(&node).await;
    let asked = async || {
        let metrics = packager.metrics().await.1;
        let counts = metrics.lines().filter(|line| {
            line.starts_with("headwater_http_requests_total") && line.contains("listener=\"media\"")
        });
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    let before = asked().await;
    let (msn, _) = hinted(&text(&node, "live/a/180p/index.m3u8").await).unwrap();
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let viewer = |number: i64| {
        let client = client.clone();
        let urls = ["index.m3u8?_HLS_msn=", ""].map(|of| match of {
            "" => node.url(&format!("live/a/180p/{number}.0.m4s")),
            of => node.url(&format!("live/a/180p/{of}{number}&_HLS_part=0")),
        });
        async move {
            for url in urls {
                let request = client.get(url).timeout(Duration::from_secs(20));
                request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
            }
        }
    };
    for number in msn + 1..msn + 4 {
        join_all((0..60).map(|_| viewer(number))).await;
    }
    assert_eq!(asked().await, before, "the one request goes on, and there is no other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_on_from_the_store_and_has_parts_again_when_a_packager_has() {
    let site = Site::new();
    let mut packager = site.packager().await;
    let node = site.node(&[&packager]).await;
    lists_parts(&node).await;
    // Killed before all tracks have a list, it leaves no multivariant playlist to stand still with.
    begun(&node).await;
    let (before, _) = hinted(&text(&node, "live/a/180p/index.m3u8").await).unwrap();
    packager.crash();
    let why = parts(&node, false).await;
    assert!(why.contains(packager.url("").trim_end_matches('/')), "{why}");
    packager.crash_and_restart(Duration::ZERO).await;
    parts(&node, true).await;
    // What the one that was killed has hinted at never comes.
    lists_parts_behind(&node, before + 1).await;
    let urls = vec![node.url("live/a/index.m3u8")];
    let options = Options { urls, span: Duration::from_secs(8), http2: false };
    let report = check::run(&options, CancellationToken::new()).await.unwrap();
    assert_eq!(report.violations, 0, "{report}");

    // A packager that hangs keeps the connection open.
    signal(&packager, "-STOP");
    let why = parts(&node, false).await;
    signal(&packager, "-CONT");
    assert!(why.contains("nothing was heard for 2s"), "{why}");
    parts(&node, true).await;

    // Another packager has stood by meanwhile, and takes over.
    let other = site.packager().await;
    let node = site.node(&[&packager, &other]).await;
    lists_parts(&node).await;
    let before = node.playlist("a/180p").await.unwrap();
    packager.crash();
    let reached = before.media_sequence + before.segments.len() as u64 + 4;
    lists_parts_behind(&node, reached as i64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_says_the_secret_is_told_and_who_is_not_says_why() {
    let site = Site::new();
    let packager = site.packager().await;
    lists_parts(&packager).await;
    let client = Client::new();
    let asked = async |secret: Option<&str>, query: &str| {
        let request = client.get(packager.url(&format!("live/a/edge{query}")));
        let request = secret.iter().fold(request, |request, secret| request.bearer_auth(secret));
        request.send().await.unwrap()
    };
    let right = SECRET.replace(' ', "-");
    for (secret, query) in [(None, String::new()), (Some("what-others-say"), String::new())] {
        let answer = asked(secret, &query).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(answer.headers()["headwater-reason"], "not-a-node");
    }
    let in_the_url = asked(None, &format!("?token={right}")).await;
    assert_eq!(in_the_url.status(), StatusCode::FORBIDDEN, "where caches would see it");
    let told = asked(Some(&right), "").await;
    assert_eq!(
        (told.status(), &told.headers()["cache-control"]),
        (StatusCode::OK, &"no-store".parse().unwrap())
    );
    assert_eq!(told.headers()["x-accel-buffering"], "no", "a proxy on the way passes parts on at once");
    drop(told);

    let wrong = secret(site.directory.path(), "what only other servers know");
    let from = packager.url("").trim_end_matches('/').to_owned();
    let server = format!("{wrong}edge_from = {from:?}\n");
    let node = Served::node_with(&server, &site.store(), &low_latency("")).await;
    let why = parts(&node, false).await;
    assert!(why.contains("another secret in edge_secret_file"), "{why}");
    begun(&node).await;
    assert!(hinted(&text(&node, "live/a/180p/index.m3u8").await).is_none(), "whole segments, from the store");

    let silent = Served::storing(&site.store().replace("data", "other"), &low_latency(TEST)).await;
    let answer = client.get(silent.url("live/a/edge")).bearer_auth(&right).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND, "there is nothing where no secret is set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edge_is_told_over_https_between_those_whom_an_authority_vouches_for() {
    let site = Site::new();
    let (authority, another) = (Authority::new(), Authority::new());
    let pair = authority.pair("packager", &["127.0.0.1"]);
    let (certificate, key, ca) = (&pair.certificate, &pair.key, authority.file());
    let tls = format!("[server.tls]\ncertificate = {certificate:?}\nkey = {key:?}\nclient_ca = {ca:?}\n");
    let packager = Served::packager_with(&(site.secret() + &tls), &site.store(), &low_latency(TEST)).await;
    let from = format!("https://{}", packager.address());
    let node = async |ca: &Path, pair: Option<&headwater::config::Pair>| {
        let shown = pair.map_or_else(String::new, |pair| {
            let (certificate, key) = (&pair.certificate, &pair.key);
            format!("edge_certificate_file = {certificate:?}\nedge_key_file = {key:?}\n")
        });
        let lines = format!("{}edge_from = {from:?}\nedge_ca_file = {ca:?}\n{shown}", site.secret());
        Served::node_with(&lines, &site.store(), &low_latency("")).await
    };
    let ours = authority.pair("node", &["node.example"]);
    let stranger = node(&another.file(), Some(&ours)).await;
    says(&stranger, [&from, "invalid peer certificate"]).await;
    let nobody = node(&ca, None).await;
    says(&nobody, [&from, "CertificateRequired"]).await;
    drop((stranger, nobody));

    let node = node(&ca, Some(&ours)).await;
    lists_parts(&node).await;
    assert_eq!(node.status("a").await["edge_from"], from.as_str());
    let listening = async || {
        let (_, text) = packager.metrics().await;
        // It says loudly that it has no parser.
        let Some(told) = Metrics::parse(&text) else { return Some(()) };
        let of = [("channel", "a")];
        let bytes = told.value("headwater_edge_told_bytes_total", &of);
        (told.value("headwater_edge_listening_nodes", &of) == 1.0 && bytes > 1000.0).then_some(())
    };
    eventually("the packager counts its node", 10, listening).await;
}
