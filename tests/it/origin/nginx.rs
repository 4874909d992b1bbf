//! The example configuration in cdn-config/nginx, run by a real nginx in front of a real origin.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    sync::atomic::{AtomicUsize, Ordering},
};

use headwater::origin::body;
use headwater_test_support::skip;
use tokio::net::{TcpSocket, TcpStream};

use super::*;

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
        if Command::new("nginx").arg("-v").output().is_err() {
            skip("nginx is not installed, so cdn-config/nginx is not tried (apt-get install nginx)");
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
                .replace("listen 8000;", &format!("listen {address} reuseport;"))
                .replace("worker_processes auto;", "worker_processes 1;");
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
    let origin = Origin::new(channels, memory(), waiters());
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
