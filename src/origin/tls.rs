//! TLS of the media listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, a certificate for each name, and files that may be
//! replaced while it runs. Early data (RFC 8446 2.3) is never accepted, so no request can be replayed and none has to be
//! refused with 425.

mod error;
mod identity;

use std::sync::{Arc, PoisonError, RwLock};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ProducesTickets, WebPkiClientVerifier},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub use self::error::Error;
use self::identity::{Identities, certificates};
use crate::{config, follow::Files, metrics};

/// In the order in which we prefer them (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificates of a listener, as their files now are.
#[derive(Debug)]
pub struct Tls {
    config: config::Tls,
    files: Files,
    provider: Arc<CryptoProvider>,
    /// Shared by all that follow each other, so that a client may resume what it began before a change.
    tickets: Arc<dyn ProducesTickets>,
    current: RwLock<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    config: Arc<ServerConfig>,
    identities: Arc<Identities>,
}

/// A connection behind its handshake.
pub(super) struct Secured {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) speaks_http2: bool,
    pub(super) shown: Shown,
}

/// Which certificate a client was shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    identities: Arc<Identities>,
    index: usize,
}

impl Tls {
    /// Reads what `config` names.
    ///
    /// # Errors
    /// Says which file cannot be used, and why.
    pub fn load(config: config::Tls) -> Result<Self, Error> {
        let pairs = config.pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        let files = Files::new(pairs.chain(&config.client_ca).cloned().collect());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tickets = aws_lc_rs::Ticketer::new().map_err(Error::System)?;
        let current = read(&config, &provider, &tickets)?;
        Ok(Self { config, files, provider, tickets, current: RwLock::new(current) })
    }

    /// Reads the files again. Connections that are open keep what they have, and all keep it if the files cannot be used.
    ///
    /// # Errors
    /// Says which file cannot be used, and why.
    pub fn reload(&self) -> Result<(), Error> {
        let next = read(&self.config, &self.provider, &self.tickets)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Reads the files again whenever they change, for ever.
    pub(super) async fn follow(&self, metrics: &metrics::Listener) {
        let changed = || {
            let outcome = self.reload();
            metrics.reloaded(outcome.is_ok());
            match outcome {
                Ok(()) => tracing::info!("the certificates have changed"),
                Err(error) => tracing::error!(%error, "the certificates have changed and are not used"),
            }
        };
        self.files.follow(changed).await;
    }

    /// Shakes hands with a client.
    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<Secured> {
        let Current { config, identities } =
            self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let (_, session) = stream.get_ref();
        let speaks_http2 = session.alpn_protocol() == Some(PROTOCOLS[0]);
        let index = session.server_name().and_then(|name| identities.of(name)).unwrap_or(0);
        Ok(Secured { stream, speaks_http2, shown: Shown { identities, index } })
    }
}

impl Shown {
    /// True if `host` is a name of another certificate of ours than the one that was shown: the client, or a proxy, uses
    /// one connection for what needs two (RFC 9110 7.4). A name that we do not know is a CDN's, and is answered.
    pub(super) fn misdirects(&self, host: &str) -> bool {
        self.identities.are_several() && self.identities.of(host).is_some_and(|index| index != self.index)
    }
}

fn read(
    config: &config::Tls,
    provider: &Arc<CryptoProvider>,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<Current, Error> {
    let identities = Arc::new(Identities::read(&config.pairs, provider)?);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(Error::System)?;
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let refused = |reason: String| Error::Authorities { path: path.clone(), reason };
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| refused(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
            builder.with_client_cert_verifier(verifier.build().map_err(|error| refused(error.to_string()))?)
        }
    };
    let mut config = builder.with_cert_resolver(identities.clone());
    config.alpn_protocols = PROTOCOLS.map(Vec::from).into();
    config.ticketer = tickets.clone();
    Ok(Current { config: Arc::new(config), identities })
}
