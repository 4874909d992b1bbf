//! Structured fields, as the parsers read them that players are made with.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use headwater_test_support::skip;
use serde_json::{Value, json};

use super::{low_latency::Live, *};

/// Decodes lines of kind and value. The packages come along with dash.js.
const DECODER: &str = "
import { readFileSync } from 'node:fs';
import { decodeCmsdStatic } from '@svta/cml-cmsd';
import { decodeSfDict } from '@svta/cml-structured-field-values';
const plain = (value) => typeof value === 'symbol' ? value.description : value;
const decoded = readFileSync(0, 'utf8').split('\\n').filter(Boolean).map((line) => {
  const [kind, text] = line.split('\\t');
  const dictionary = kind === 'cmsd' ? decodeCmsdStatic(text) : decodeSfDict(text, { useSymbol: true });
  return Object.fromEntries(Object.entries(dictionary).map(([key, item]) => [key, plain(item?.value ?? item)]));
});
console.log(JSON.stringify(decoded));
";

/// What these fields say; `None`, and a loud word, without a parser.
fn decoded(fields: &[(&str, String)]) -> Option<Vec<Value>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    if !directory.join("node_modules/@svta/cml-cmsd").exists() {
        skip(
            "CMSD and CDN-Cache-Control are not judged, because there is no @svta/cml-cmsd (see deploy/setup.sh --test)",
        );
        return None;
    }
    let mut child = Command::new("node")
        .args(["--input-type=module", "--eval", DECODER])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = fields.iter().map(|(kind, value)| format!("{kind}\t{value}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{lines}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn cmsd_tells_of_each_object_what_is_known_of_it() {
    let server = serve_demo().await;
    let (path, described) = [
        ("/vod/clip/index.m3u8", json!({"ot": "m", "sf": "h", "st": "v"})),
        ("/vod/clip/manifest.mpd", json!({"ot": "m", "sf": "d", "st": "v"})),
        ("/vod/clip/360p/index.m3u8", json!({"ot": "m", "sf": "h", "st": "v"})),
        ("/vod/clip/360p/init-ab.mp4", json!({"ot": "i", "st": "v"})),
        ("/vod/clip/360p/1.m4s", json!({"ot": "v", "st": "v"})),
    ]
    .into_iter()
    .unzip::<_, _, Vec<_>, Vec<_>>();
    let mut fields = Vec::new();
    for path in path {
        let response = server.get(path).await;
        fields.push(("cmsd", field(response.headers(), "cmsd-static").to_owned()));
        assert!(field(response.headers(), "access-control-expose-headers").contains("CMSD-Static"));
        let etag = field(response.headers(), "etag").to_owned();
        let again = sent(server.request(Method::GET, path).header("if-none-match", etag)).await;
        assert_eq!(field(again.headers(), "cmsd-static"), fields.last().unwrap().1, "{path}");
    }
    let refused = server.get("/vod/clip/360p/7.m4s").await;
    assert_eq!(field(refused.headers(), "cmsd-static"), "", "there is no object");
    assert!(decoded(&fields).is_none_or(|told| told == described));
}

#[tokio::test]
async fn a_part_a_segment_and_one_that_grows_have_what_their_owner_says() {
    let live = Live::start();
    for (url, cmsd) in
        [(live.part_url(0), "ot=v,st=l,d=400,br=700"), (live.segment_url(), "ot=v,st=l,br=700")]
    {
        assert_eq!(field(sent(http1().get(url)).await.headers(), "cmsd-static"), cmsd);
    }
}

#[tokio::test]
async fn cdns_can_read_what_is_for_them() {
    let server = serve_demo().await;
    let mut fields = Vec::new();
    for path in ["/live/demo/720p/index.m3u8", "/vod/clip/index.m3u8"] {
        fields.push(("dictionary", field(server.get(path).await.headers(), "cdn-cache-control").to_owned()));
    }
    let described = [(3, 3, 0), (600, 600, 86_400)].map(|(age, meanwhile, error)| {
        json!({"max-age": age, "stale-while-revalidate": meanwhile, "stale-if-error": error})
    });
    assert!(decoded(&fields).is_none_or(|told| told == described));
}
