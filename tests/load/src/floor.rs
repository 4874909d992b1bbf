//! What serving costs at least: hyper alone, on one thread, which hands out shared bytes and knows nothing else.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::{child::Line, server::say};

/// No body is longer than this.
const LONGEST: usize = 64 << 20;

/// Serves `/N` as N bytes, over HTTP/1.1, or over TLS with HTTP/1.1 and HTTP/2.
#[derive(Debug, Args)]
pub(crate) struct Floor {
    /// Where to listen; a loopback address.
    #[arg(long)]
    listen: SocketAddr,
    /// PEM file with the certificate, to serve over TLS.
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// PEM file with its key.
    #[arg(long, requires = "certificate")]
    key: Option<PathBuf>,
}

impl Floor {
    /// Serves until the process is ended.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        super::on_this_machine(&[self.listen])?;
        let tls = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(acceptor(certificate, key)?),
            _ => None,
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(accept(self.listen, tls))
    }
}

fn acceptor(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<_> = chain.with_context(|| format!("no certificate in {}", certificate.display()))?;
    let key =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("no private key in {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = versions.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(address: SocketAddr, tls: Option<TlsAcceptor>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    say(Line::Listening(listener.local_addr()?));
    let bodies = Bodies::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, tls.clone(), bodies.clone()));
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, bodies: Bodies) {
    let Some(tls) = tls else { return over_http1(stream, bodies).await };
    // Who cannot agree with us goes away.
    let Ok(stream) = tls.accept(stream).await else { return };
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Box::pin(over_http2(stream, bodies)).await,
        _ => over_http1(stream, bodies).await,
    }
}

async fn over_http1(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, bodies: Bodies) {
    let answer = service_fn(move |request| std::future::ready(Ok::<_, Infallible>(bodies.answer(&request))));
    let served =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), answer);
    // A client that goes away has what it wanted.
    let _ = served.await;
}

async fn over_http2(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, bodies: Bodies) {
    let answer = service_fn(move |request| std::future::ready(Ok::<_, Infallible>(bodies.answer(&request))));
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
}

/// Bodies that were asked for, by length.
#[derive(Clone, Default)]
struct Bodies(Arc<Mutex<HashMap<usize, Bytes>>>);

impl Bodies {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let length = request.uri().path().strip_prefix('/').and_then(|length| length.parse().ok());
        let Some(length) = length.filter(|length| *length <= LONGEST) else {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        };
        let mut response = Response::new(Full::new(self.of(length)));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("video/iso.segment"));
        response
    }

    fn of(&self, length: usize) -> Bytes {
        let mut bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Written, so that every page is one of its own.
        let made = || (0..length).map(|at| at as u8).collect::<Vec<_>>().into();
        bodies.entry(length).or_insert_with(made).clone()
    }
}
