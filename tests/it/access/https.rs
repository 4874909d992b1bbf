//! A key set at an https URL: who vouches for its server decides whether its keys are believed.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::served::eventually;

/// An authority, with the settings of a server on this machine that it vouches for.
fn authority() -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (issuer.pem(), config.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

/// Answers all who believe its certificate with `set`, and gives its URL.
async fn server(config: ServerConfig, set: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/jwks.json", listener.local_addr().unwrap());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", set.len());
            let _ = stream.write_all(format!("{head}{set}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    url
}

/// A set with one key of Ed25519 (RFC 8037 2), and a token that is signed by it.
fn set_and_token() -> (String, String) {
    let pair = ed25519();
    let public = rustls::pki_types::SubjectPublicKeyInfoDer::from_pem_slice(pair.public.as_bytes()).unwrap();
    let x = URL_SAFE_NO_PAD.encode(&public[public.len() - 32..]);
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": x }] });
    let header = Header { kid: Some("ed".to_owned()), ..Header::new(Algorithm::EdDSA) };
    let key = EncodingKey::from_ed_pem(pair.private.as_bytes()).unwrap();
    let claims = json!({ "exp": headwater::clock::wall_seconds() + 600, "paths": "/" });
    (set.to_string(), encode(&header, &claims, &key).unwrap())
}

async fn reason(server: &Served, token: &str) -> String {
    let request = reqwest::Client::new().get(server.url("live/demo/index.m3u8")).bearer_auth(token);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(10), request.send()).await;
    let answer = answer.expect("an answer in time").unwrap();
    answer.headers()["headwater-reason"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn keys_come_over_https_from_whom_a_trusted_authority_vouches_for_and_from_nobody_else() {
    let directory = TempDir::new().unwrap();
    let (ca, config) = authority();
    let (set, token) = set_and_token();
    let url = server(config, set).await;
    let socket = directory.path().join("encoder.sock");
    let signed = format!(
        "[access]\njwks = {url:?}\n[channel.demo]\nsource = \"test:\"\naccess = \"signed\"\nencoder_socket = {socket:?}\n"
    );
    let file = directory.path().join("authorities.pem");
    // Another one has the same name, which must not be enough.
    fs::write(&file, authority().0).unwrap();
    let doubtful = Served::trusting(&signed, &file).await;
    eventually("the log tells why there are no keys", 20, async || {
        let log = doubtful.log();
        (log.contains("cannot be had") && log.contains(&url)).then_some(())
    })
    .await;
    assert_eq!(reason(&doubtful, &token).await, "invalid-token");
    drop(doubtful);

    fs::write(&file, ca).unwrap();
    let trusting = Served::trusting(&signed, &file).await;
    eventually("its keys are believed", 20, async || {
        (reason(&trusting, &token).await == "not-yet-published").then_some(())
    })
    .await;
}
