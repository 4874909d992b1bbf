//! TLS: certificates for names, files that change, and who is let in.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use headwater::{config, origin::tls::Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Identity, StatusCode, tls::Version};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

/// An authority of our own, and the files of a listener whose certificates it signs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, directory: TempDir::new().unwrap() }
    }

    /// A certificate for `names`, and its key.
    fn sign(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn pair(&self, file: &str, names: &[&str]) -> config::Pair {
        let pair = config::Pair {
            certificate: self.directory.path().join(format!("{file}.pem")),
            key: self.directory.path().join(format!("{file}.key")),
        };
        let (certificate, key) = self.sign(names);
        fs::write(&pair.certificate, certificate).unwrap();
        fs::write(&pair.key, key).unwrap();
        pair
    }

    /// A file with what it is known by.
    pub(crate) fn file(&self) -> PathBuf {
        let file = self.directory.path().join("authority.pem");
        fs::write(&file, self.issuer.pem()).unwrap();
        file
    }

    fn files(&self) -> config::Tls {
        let pairs = vec![
            self.pair("first", &["one.example"]),
            self.pair("second", &["two.example", "*.two.example"]),
        ];
        config::Tls { pairs, client_ca: None }
    }

    fn root(&self) -> Certificate {
        Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap()
    }

    /// A client that trusts this authority, and finds all of `example` at `address`.
    fn client(&self, address: SocketAddr) -> reqwest::ClientBuilder {
        let names = ["one.example", "two.example", "a.two.example", "other.example"];
        let builder = Client::builder().no_gzip().tls_certs_only([self.root()]).pool_max_idle_per_host(1);
        names.iter().fold(builder, |builder, name| builder.resolve(name, address))
    }
}

async fn serve(files: config::Tls) -> Server {
    let tls = Arc::new(Tls::load(files).unwrap());
    Server::behind(demo(memory()).await, |listener| listener.secured(Some(tls)))
}

fn url(server: &Server, host: &str) -> String {
    format!("https://{host}:{}/time", server.address.port())
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_are_spoken() {
    let authority = Authority::new();
    let server = serve(authority.files()).await;
    for (version, http) in [
        (Version::TLS_1_2, http::Version::HTTP_11),
        (Version::TLS_1_2, http::Version::HTTP_2),
        (Version::TLS_1_3, http::Version::HTTP_11),
        (Version::TLS_1_3, http::Version::HTTP_2),
    ] {
        let client = authority.client(server.address).tls_version_min(version).tls_version_max(version);
        let client = if http == http::Version::HTTP_11 { client.http1_only() } else { client };
        let response = sent(client.build().unwrap().get(url(&server, "one.example"))).await;
        assert_eq!((response.status(), response.version()), (StatusCode::OK, http), "{version:?}");
        assert!(text(response).await.ends_with('Z'));
    }
}

#[tokio::test]
async fn a_connection_that_has_rested_goes_on_over_tls_too() {
    let authority = Authority::new();
    let server = serve(authority.files()).await;
    let client = authority.client(server.address).http1_only().build().unwrap();
    for _ in 0..2 {
        let response = sent(client.get(url(&server, "one.example"))).await;
        assert_eq!(response.status(), StatusCode::OK);
        text(response).await;
        tokio::time::sleep(Duration::from_millis(3500)).await;
    }
}

#[tokio::test]
async fn each_name_has_its_certificate_and_no_other_host_is_answered_over_it() {
    let authority = Authority::new();
    let server = serve(authority.files()).await;
    let client = authority.client(server.address).build().unwrap();
    for host in ["one.example", "two.example", "a.two.example"] {
        assert_eq!(sent(client.get(url(&server, host))).await.status(), StatusCode::OK, "{host}");
    }
    let unknown = client.get(url(&server, "other.example")).send().await.unwrap_err();
    assert!(unknown.is_connect(), "the first certificate is shown, which is not for this name: {unknown:?}");

    // The host of another certificate is misdirected, and one that we do not know is the CDN's business.
    let http1 = authority.client(server.address).http1_only().build().unwrap();
    for (host, status) in
        [("a.two.example", 421), ("one.example:443", 200), ("www.viewers.example", 200), ("", 200)]
    {
        let request = http1.get(url(&server, "one.example")).header("host", host);
        let response = sent(request).await;
        assert_eq!(response.status(), status, "{host:?}");
        if status == 421 {
            assert_eq!(field(response.headers(), "cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn certificates_are_replaced_a_thousand_times_and_no_handshake_fails() {
    let authority = Authority::new();
    let files = authority.files();
    let pair = files.pairs[0].clone();
    let tls = Arc::new(Tls::load(files).unwrap());
    let server = Server::behind(demo(memory()).await, |listener| listener.secured(Some(tls.clone())));
    let kept = authority.client(server.address).build().unwrap();
    let ask = async |client: &Client| {
        let response = sent(client.get(url(&server, "one.example"))).await;
        assert_eq!(response.status(), StatusCode::OK);
    };
    ask(&kept).await;
    // Signing takes longer than anything that is tested here.
    let pairs: Vec<_> = (0..4).map(|_| authority.sign(&["one.example"])).collect();
    for round in 0..1000 {
        let ((certificate, key), (_, other)) = (&pairs[round % 4], &pairs[(round + 1) % 4]);
        let broken = [&certificate[..certificate.len() / 2], "", "no certificate at all"][round % 3];
        for (certificate, key, is_pair) in
            [(broken, key, false), (certificate, other, false), (certificate, key, true)]
        {
            fs::write(&pair.certificate, certificate).unwrap();
            fs::write(&pair.key, key).unwrap();
            assert_eq!(tls.reload().is_ok(), is_pair, "round {round}");
            if round % 20 == 0 {
                ask(&authority.client(server.address).build().unwrap()).await;
            }
        }
    }
    // The connection that was there before them all is still there.
    ask(&kept).await;
}

#[tokio::test]
async fn a_certificate_that_changes_on_the_disk_is_shown_soon() {
    let authority = Authority::new();
    let files = authority.files();
    let pair = files.pairs[0].clone();
    let metrics = Metrics::default();
    let tls = Arc::new(Tls::load(files).unwrap());
    let server =
        Server::behind_measured(demo(memory()).await, &metrics, |listener| listener.secured(Some(tls)));
    let (certificate, key) = authority.sign(&["one.example", "other.example"]);
    fs::write(&pair.key, key).unwrap();
    fs::write(&pair.certificate, certificate).unwrap();
    let shown = async {
        loop {
            let client = authority.client(server.address).build().unwrap();
            if client.get(url(&server, "other.example")).send().await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(20), shown).await.expect("the new certificate within seconds");
    let told = headwater::metrics::Exposition::new(&metrics).text();
    let counted = "headwater_http_certificate_reloads_total{listener=\"media\",outcome=\"used\"} ";
    assert!(told.contains(counted), "{told}");
}

#[tokio::test]
async fn only_who_shows_a_certificate_is_let_in_where_one_is_asked_for() {
    let authority = Authority::new();
    let server = serve(config::Tls { client_ca: Some(authority.file()), ..authority.files() }).await;
    let (certificate, key) = authority.sign(&["cdn.example"]);
    let identity = Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap();
    let known = authority.client(server.address).identity(identity).build().unwrap();
    assert_eq!(sent(known.get(url(&server, "one.example"))).await.status(), StatusCode::OK);

    let (certificate, key) = Authority::new().sign(&["cdn.example"]);
    let forged = Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap();
    let nobody = authority.client(server.address);
    for client in [authority.client(server.address).identity(forged), nobody] {
        let answer = timeout(PATIENCE, client.build().unwrap().get(url(&server, "one.example")).send()).await;
        answer.expect("refused in time").unwrap_err();
    }
}

#[test]
fn files_that_are_no_pair_are_named_with_what_is_wrong() {
    let authority = Authority::new();
    let config::Tls { pairs, .. } = authority.files();
    let refusal = |pair: &config::Pair| {
        let files = config::Tls { pairs: vec![pair.clone()], client_ca: None };
        Tls::load(files)
            .unwrap_err()
            .to_string()
            .replace(&*authority.directory.path().to_string_lossy(), "DIR")
    };
    let of =
        |certificate: &Path, key: &Path| config::Pair { certificate: certificate.into(), key: key.into() };
    let [first, second] = [&pairs[0], &pairs[1]];
    let absent = authority.directory.path().join("absent.pem");
    insta::assert_snapshot!(
        [
            refusal(&of(&first.certificate, &second.key)),
            refusal(&of(&first.key, &first.key)),
            refusal(&of(&first.certificate, &first.certificate)),
            refusal(&of(&absent, &first.key)),
        ]
        .join("\n"),
        @r"
    DIR/first.pem and DIR/second.key are no pair: keys may not be consistent: KeyMismatch
    DIR/first.key has no certificate in PEM, with BEGIN CERTIFICATE: nothing of the kind is in it
    DIR/first.pem has no private key in PEM without a password: no items found
    cannot read DIR/absent.pem: No such file or directory (os error 2)
    "
    );
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_so_and_who_says_nothing_is_gone_soon() {
    let authority = Authority::new();
    let server = serve(authority.files()).await;
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET /time HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    match timeout(PATIENCE, plain.read_to_end(&mut answer)).await.expect("closed in time") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("Write https:// here.\n"), "{answer:?}");

    // T-18: half of a handshake, and nothing at all.
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).await.unwrap();
    let closed = async {
        for stream in [&mut silent, &mut half] {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    };
    timeout(Duration::from_secs(6), closed).await.expect("gone after five seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_half_handshakes_are_gone_soon_and_hold_nobody_up() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let authority = Authority::new();
    let server = serve(authority.files()).await;
    let mut halves = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let mut half = TcpStream::connect(server.address).await.unwrap();
        half.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).await.unwrap();
        halves.spawn(async move { drop(half.read_to_end(&mut Vec::new()).await) });
    }
    let healthy = async {
        for _ in 0..20 {
            let client = authority.client(server.address).build().unwrap();
            let asked = timeout(Duration::from_secs(2), sent(client.get(url(&server, "one.example")))).await;
            assert_eq!(asked.expect("others do not wait").status(), StatusCode::OK);
        }
    };
    healthy.await;
    let gone = async { while halves.join_next().await.is_some() {} };
    timeout(Duration::from_secs(6), gone).await.expect("gone after five seconds");
}
