//! The example configuration in cdn-config/nginx, run by a real nginx in front of a real origin.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    sync::atomic::{AtomicUsize, Ordering},
};

use headwater::{clock, origin::body};
use headwater_test_support::skip;
use tokio::net::{TcpSocket, TcpStream};

use super::{
    low_latency::{Live, all},
    preview::{MANY, Studio, Viewer, studio_server},
    *,
};

/// Counts what reaches the origin.
struct Counted {
    origin: Origin,
    requests: Arc<AtomicUsize>,
}

impl Service for Counted {
    const NAME: &'static str = "counted";

    async fn answer(
        &self,
        request: &http::request::Parts,
        connection: &Waiting,
    ) -> http::Response<body::Body> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.origin.answer(request, connection).await
    }
}

/// nginx on a free port, with its files in a directory of its own.
struct Nginx {
    process: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
    _port: TcpSocket,
}

impl Nginx {
    /// `None`, and a line that says so, where there is no nginx.
    async fn start(origin: SocketAddr) -> Option<Self> {
        let lua = Path::new("/usr/lib/nginx/modules/ngx_http_lua_module.so");
        if Command::new("nginx").arg("-v").output().is_err() || !lua.exists() {
            skip("cdn-config/nginx is not tried, for want of nginx or its Lua module (see deploy/setup.sh)");
            return None;
        }
        // Holds the port without listening on it, so that nobody else is given it before nginx has it.
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseport(true).unwrap();
        port.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = port.local_addr().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("cdn-config/nginx/nginx.conf");
        let example = fs::read_to_string(example).unwrap();
        // Started by root, workers would be another user, who may not enter the directory.
        let user =
            if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
                "user root;\n"
            } else {
                ""
            };
        let configuration = user.to_owned()
            + &example
                .replace("server 127.0.0.1:8080;", &format!("server {origin};"))
                .replace("listen 8000;", &format!("listen {address} reuseport;"));
        let path = directory.path().join("nginx.conf");
        fs::write(&path, configuration).unwrap();
        let process = Command::new("nginx")
            .args(["-e", "stderr", "-g", "daemon off;"])
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(&path)
            .spawn()
            .unwrap();
        let nginx = Self { process, address, _directory: directory, _port: port };
        let answers = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, answers).await.expect("nginx takes its configuration and listens");
        Some(nginx)
    }

    async fn get(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = http1().get(format!("http://{}{path}", self.address));
        sent(fields.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM lets the master take its workers with it.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_nginx_example_caches_what_it_may_and_asks_once() {
    let requests = Arc::new(AtomicUsize::new(0));
    // Nothing expires during the test, however slow the machine is.
    let edge = Edge { target_duration: Duration::from_secs(600), ..edge("demo") };
    let channels = Arc::new([("demo".to_owned(), reader(edge, State::Live))].into());
    let origin = Origin::new(channels, memory(), admission(waiters()));
    let server = Server::start(Counted { origin, requests: requests.clone() });
    let Some(nginx) = Nginx::start(server.address).await else { return };
    let count = || requests.swap(0, Ordering::Relaxed);

    let path = "/live/demo/720p/933000004.m4s";
    let all = whole("demo/720p/933000004");
    let crowd = futures_util::future::join_all((0..50).map(|_| nginx.get(path, &[]))).await;
    for response in crowd {
        assert_eq!(bytes(response).await, all);
    }
    assert_eq!(count(), 1, "fifty viewers, one request");
    let part = nginx.get(path, &[("range", "bytes=20-70")]).await;
    assert_eq!((part.status().as_u16(), field(part.headers(), "x-cache-status")), (206, "HIT"));
    assert_eq!(bytes(part).await, all[20..=70]);
    let again = nginx.get(&format!("{path}?session=1"), &[]).await;
    assert_eq!(field(again.headers(), "x-cache-status"), "HIT");
    assert_eq!(field(again.headers(), "access-control-allow-origin"), "*");
    assert_eq!(count(), 0);

    let playlist = "/live/demo/720p/index.m3u8";
    for (coding, packed) in
        [("gzip, br", "gzip"), ("deflate, gzip;q=0.5", "gzip"), ("gzip;q=0", ""), ("br", "")]
    {
        let response = nginx.get(playlist, &[("accept-encoding", coding)]).await;
        assert_eq!(field(response.headers(), "content-encoding"), packed, "{coding}");
    }
    assert_eq!(count(), 2, "one request for each form");

    for status in [404, 404] {
        assert_eq!(nginx.get("/live/demo/999p/index.m3u8", &[]).await.status(), status);
    }
    assert_eq!(count(), 1, "refusals are kept for as long as they say");
    for _ in 0..2 {
        assert_eq!(nginx.get("/live/%64emo/720p/index.m3u8", &[]).await.status(), 200, "from the cache");
        assert_eq!(nginx.get("/live/%64emo/index.m3u8", &[]).await.status(), 400);
        assert_eq!(nginx.get("/time", &[]).await.status(), 200);
    }
    assert_eq!(count(), 4, "neither times nor refusals of one spelling are kept");
    assert_eq!(nginx.get("/live/demo/index.m3u8", &[]).await.status(), 200, "nor do they poison the other");
}

/// A channel that is published by hand behind nginx, and what reaches it.
async fn live() -> Option<(Live, Arc<AtomicUsize>, Nginx)> {
    let requests = Arc::new(AtomicUsize::new(0));
    let limits = Limits { all: 1000, of_connection: 100 };
    let live = Live::behind(limits, |origin| Counted { origin, requests: requests.clone() });
    let nginx = Nginx::start(live.address()).await?;
    Some((live, requests, nginx))
}

impl Nginx {
    /// The same object, through here.
    fn of(&self, live: &Live, url: &str) -> String {
        url.replace(&live.address().to_string(), &self.address.to_string())
    }
}

#[tokio::test]
async fn two_hundred_players_that_wait_cost_one_request_an_update_and_hear_of_it_at_once() {
    const PLAYERS: usize = 200;
    /// nginx's own lock would be looked at half a second after a request came.
    const SOON: Duration = Duration::from_millis(300);
    let Some((live, requests, nginx)) = live().await else { return };
    let client = http1();
    let mut delays = Vec::new();
    for part in 1..=5 {
        let url = nginx.of(&live, &live.blocking_url(part));
        let players: Vec<_> = (0..PLAYERS)
            .map(|_| {
                let request = client.get(&url);
                tokio::spawn(async move {
                    let response = sent(request).await;
                    assert_eq!(response.status(), 200);
                    (text(response).await, clock::now())
                })
            })
            .collect();
        live.waiting(1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let published = clock::now();
        live.publish(part + 1, false);
        let mut slowest = Duration::ZERO;
        for player in players {
            let (playlist, at) = player.await.unwrap();
            assert!(playlist.contains(&format!("has {} parts", part + 1)), "{playlist}");
            slowest = slowest.max(at.saturating_duration_since(published));
        }
        assert_eq!(requests.swap(0, Ordering::Relaxed), 1, "update {part}");
        delays.push(slowest);
    }
    delays.sort();
    assert!(delays[2] < SOON, "the last player heard of an update after {delays:?}");
}

#[tokio::test]
async fn what_only_looks_like_a_directive_is_not_kept_for_those_who_wait() {
    let Some((live, _, nginx)) = live().await else { return };
    let url = nginx.of(&live, &live.blocking_url(1));
    let early = sent(http1().get(url.replace("_HLS_", "_hls_"))).await;
    assert_eq!(early.status(), 200, "the origin ignores what it does not know");
    let player = tokio::spawn(sent(http1().get(&url)));
    live.waiting(1).await;
    live.publish(2, false);
    let playlist = text(player.await.unwrap()).await;
    assert!(playlist.contains("has 2 parts"), "{playlist}");
}

#[tokio::test]
async fn an_open_segment_goes_through_nginx_as_it_comes_and_is_kept_when_it_is_whole() {
    const PLAYERS: usize = 50;
    let Some((live, requests, nginx)) = live().await else { return };
    let (client, url) = (http1(), nginx.of(&live, &live.segment_url()));
    let mut players = Vec::new();
    for parts in 1..=2 {
        live.publish(parts, false);
        let joining = (0..PLAYERS / 2).map(|_| sent(client.get(&url)));
        players.extend(futures_util::future::join_all(joining).await);
    }
    let mut got = vec![Vec::new(); PLAYERS];
    for parts in 2..=4 {
        live.publish(parts, false);
        for (player, got) in players.iter_mut().zip(&mut got) {
            while got.len() < all(parts).len() {
                let piece =
                    timeout(PATIENCE, player.chunk()).await.expect("a piece while the segment is open");
                got.extend(piece.unwrap().expect("more to come"));
            }
            assert_eq!(got, all(parts).as_bytes());
        }
    }
    live.publish(4, true);
    for player in players {
        assert!(bytes(player).await.is_empty(), "and then it ends");
    }
    requests.store(0, Ordering::Relaxed);
    for _ in 0..2 {
        let crowd = futures_util::future::join_all((0..PLAYERS).map(|_| sent(client.get(&url)))).await;
        for response in crowd {
            assert_eq!(text(response).await, all(4));
        }
    }
    assert_eq!(requests.load(Ordering::Relaxed), 1, "one request for all who come later");
}

#[tokio::test]
async fn the_nginx_example_lets_viewers_over_websockets_through() {
    let (mut studio, reader) = Studio::open();
    studio.publish();
    let server = studio_server(reader, MANY);
    let Some(nginx) = Nginx::start(server.address).await else { return };
    let mut viewer = Viewer::join(nginx.address, "?audio=none").await;
    assert_eq!(viewer.media().await, (0, 0, true));
    studio.publish();
    assert_eq!(viewer.media().await, (0, 1, false), "as it comes");
    let fields = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "headwater.v1"),
    ];
    let own = format!("http://{}", nginx.address);
    for (origin, status) in [(&own[..], 101), ("https://evil.example", 403)] {
        let fields = [&fields[..], &[("origin", origin)]].concat();
        assert_eq!(nginx.get("/live/demo/ws", &fields).await.status(), status, "{origin}");
    }
    server.stop.cancel();
    assert_eq!(viewer.closed().await, 1001);
}
