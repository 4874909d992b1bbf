//! Signed access as the program does it: what it makes, what it takes, and what it never writes down.

mod https;
mod oracle;
mod rotation;

use std::{fs, path::Path, process::Command};

use headwater_test_support::keys::{ed25519, p256};
use tempfile::TempDir;

use crate::served::Served;

const SECRET: &str = "a secret that is long enough for HS256\n";

/// What `headwater token` prints.
fn mint(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let ended = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .arg("token")
        .args(arguments)
        .current_dir(directory)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let said = |bytes| String::from_utf8(bytes).unwrap();
    if ended.status.success() { Ok(said(ended.stdout)) } else { Err(said(ended.stderr)) }
}

/// A directory with a key of each kind, and a configuration that names them.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("shared.secret", SECRET);
    for (name, pair) in [("ed", ed25519()), ("ec", p256())] {
        write(&format!("{name}.pem"), &pair.private);
        write(&format!("{name}.pub.pem"), &pair.public);
    }
    write("headwater.toml", &format!("[channel.demo]\nsource = \"test:\"\naccess = \"signed\"\n{ACCESS}"));
    directory
}

const ACCESS: &str = "[access.key.shared]\nsecret_file = \"shared.secret\"\n\
    [access.key.ed]\npublic_key_file = \"ed.pub.pem\"\n[access.key.ec]\npublic_key_file = \"ec.pub.pem\"\n";

const DEMO: [&str; 4] = ["--path", "/live/demo", "--for", "6h"];

#[test]
fn a_token_that_no_server_would_take_is_not_made_and_the_reason_is_told() {
    let directory = directory();
    let config = ["--config", "headwater.toml", "--key"];
    for (arguments, why) in [
        (vec!["nobody"], "there is no key \"nobody\" among ec, ed, shared"),
        (vec!["ed"], "--private-key-file FILE signs with the other half"),
        (
            vec!["ed", "--private-key-file", "ec.pem"],
            "is not the private key of access.key.ed.public_key_file",
        ),
        (vec!["ed", "--private-key-file", "ed.pub.pem"], "holds no private key"),
        (vec!["ed", "--private-key-file", "none.pem"], "--private-key-file: cannot read none.pem"),
        (vec!["shared", "--private-key-file", "ec.pem"], "leave --private-key-file out"),
    ] {
        let refused = mint(directory.path(), &[&config[..], &arguments, &DEMO].concat()).unwrap_err();
        assert!(refused.contains(why), "{arguments:?}: {refused}");
    }
    for (from, to, why) in [
        ("/live/demo", "live/demo", "such as /live/demo"),
        ("6h", "400d", "366d"),
        ("6h", "0s", "366d"),
        ("6h", "soon", "write for example"),
    ] {
        let changed = DEMO.map(|word| if word == from { to } else { word });
        let refused = mint(directory.path(), &[&config[..], &["shared"], &changed].concat()).unwrap_err();
        assert!(refused.contains(why), "{to}: {refused}");
    }
    fs::write(directory.path().join("shared.secret"), "short").unwrap();
    let refused = mint(directory.path(), &[&config[..], &["shared"], &DEMO].concat()).unwrap_err();
    assert!(
        refused.contains("access.key.shared.secret_file: shared.secret: 5 bytes are too short"),
        "{refused}"
    );
}

#[test]
fn a_url_is_printed_with_the_token_in_it() {
    let arguments =
        ["--config", "headwater.toml", "--key", "shared", "--url", "https://h/live/demo/index.m3u8"];
    let said = mint(directory().path(), &[&arguments[..], &DEMO].concat()).unwrap();
    let token = said.trim_end().strip_prefix("https://h/live/demo/index.m3u8?token=").unwrap();
    assert_eq!(token.split('.').count(), 3);
}

/// No piece of a token is in anything that a server writes, at the most talkative.
#[tokio::test]
async fn a_token_is_in_no_log_no_metric_and_no_body() {
    let keys = directory();
    let path = |name: &str| keys.path().join(name).display().to_string();
    let socket = path("encoder.sock");
    let secret = path("shared.secret");
    let config = format!(
        "[access]\nvod = \"signed\"\n[access.key.shared]\nsecret_file = {secret:?}\n\
         [channel.demo]\nsource = \"test:\"\naccess = \"signed\"\nencoder_socket = {socket:?}\n"
    );
    let server = Served::logging(&config, Some("trace")).await;
    let clip = server.directory.path().join("data/vod/clip/360p");
    fs::create_dir_all(&clip).unwrap();
    fs::write(clip.join("index.m3u8"), "#EXTM3U\n").unwrap();
    fs::write(clip.join("1.m4s"), "media").unwrap();
    let mint = |key: &[&str], span| {
        let arguments =
            [&["--config", "headwater.toml", "--key"], key, &["--path", "/", "--for", span]].concat();
        mint(keys.path(), &arguments).unwrap().trim_end().to_owned()
    };
    let good = mint(&["shared"], "1h");
    let unknown = mint(&["ed", "--private-key-file", "ed.pem"], "1h");
    let forged = format!("{good}A");

    let mut seen = String::new();
    let clients =
        [reqwest::Client::builder().http1_only(), reqwest::Client::builder().http2_prior_knowledge()]
            .map(|builder| builder.redirect(reqwest::redirect::Policy::none()).build().unwrap());
    let mut statuses = Vec::new();
    for client in &clients {
        for token in [&good, &unknown, &forged] {
            let targets = [
                format!("vod/clip/360p/index.m3u8?token={token}"),
                format!("vod/clip/360p/1.m4s?token={token}"),
                format!("t/{token}/vod/clip/360p/1.m4s"),
                format!("t/{token}/vod/clip/360p/9.m4s"),
                format!("t/{token}/live/demo/index.m3u8"),
                format!("t/{token}/live/demo/ws"),
                format!("t/{token}"),
                format!("t/{token}/"),
                format!("t/{token}/t/{token}/live/demo/ws"),
                format!("t/{token}/nothing/of/ours"),
                format!("T/{token}/live/demo/index.m3u8"),
                format!("live/{token}/index.m3u8"),
                format!("live/demo/{token}%20/index.m3u8"),
                format!("?token={token}&token={token}"),
            ];
            for target in targets {
                let response = client.get(server.url(&target)).bearer_auth(token).send().await.unwrap();
                statuses.push(response.status().as_u16());
                seen += &response.text().await.unwrap();
            }
        }
    }
    for status in [200, 307, 400, 401, 404] {
        assert!(statuses.contains(&status), "{status} in {statuses:?}");
    }
    let (_, metrics) = server.metrics().await;
    seen += &metrics;
    let log = fs::read_to_string(server.directory.path().join("log")).unwrap();
    for word in
        ["access", "/vod/clip/360p/1.m4s", "invalid-token", "a token was refused", "/live/…/index.m3u8"]
    {
        assert!(log.contains(word), "the log tells of requests: {word}");
    }
    for token in [&good, &unknown] {
        for piece in token.split('.') {
            assert!(!seen.contains(piece), "an answer or a metric has {piece}");
            let line = log.lines().find(|line| line.contains(piece));
            assert_eq!(line, None, "the log has a piece of a token");
        }
    }
}
