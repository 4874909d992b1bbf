//! Tokens of ours are judged by PyJWT, and its tokens by us.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use headwater::{
    access::{Access, Denial},
    clock,
    config::{self, Config, KeyFile},
};
use headwater_test_support::skip;

use super::*;

const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];
const VERIFY: &str = "
import jwt, sys
token, file, algorithm = sys.argv[1:]
key = open(file).read().rstrip('\\n') if algorithm == 'HS256' else open(file).read()
claims = jwt.decode(token, key, algorithms=[algorithm], options={'require': ['exp']})
print(jwt.get_unverified_header(token)['kid'], claims['paths'], claims['exp'], claims.get('nbf'))
";
const SIGN: &str = "
import jwt, sys
file, algorithm, kid, exp = sys.argv[1:]
key = open(file).read().rstrip('\\n') if algorithm == 'HS256' else open(file).read()
print(jwt.encode({'exp': int(exp), 'paths': '/live/demo', 'sub': 'viewer'}, key, algorithm=algorithm, headers={'kid': kid}))
";

fn run(python: &str, directory: &Path, script: &str, arguments: &[&str]) -> Output {
    Command::new(python).current_dir(directory).args(["-c", script]).args(arguments).output().unwrap()
}

/// What a script prints; its complaint is a panic.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// The interpreter that has PyJWT, and loudly none.
fn python(directory: &Path) -> Option<&'static str> {
    let has = |python: &&str| {
        let import = ["-c", "import jwt, cryptography"];
        Command::new(python)
            .current_dir(directory)
            .args(import)
            .output()
            .is_ok_and(|its| its.status.success())
    };
    let found = PYTHONS.into_iter().find(has);
    if found.is_none() {
        skip("tokens are not judged by PyJWT, for want of python3-jwt (see deploy/setup.sh)");
    }
    found
}

/// Algorithm, name of the key, what it is verified with, what it is signed with.
const KINDS: [(&str, &str, &str, &str); 3] = [
    ("HS256", "shared", "shared.secret", "shared.secret"),
    ("EdDSA", "ed", "ed.pub.pem", "ed.pem"),
    ("ES256", "ec", "ec.pub.pem", "ec.pem"),
];

#[test]
fn what_we_sign_pyjwt_verifies() {
    let directory = directory();
    let Some(python) = python(directory.path()) else { return };
    for (algorithm, name, public, private) in KINDS {
        let mut arguments =
            vec!["--config", "headwater.toml", "--key", name, "--not-before", "2026-01-01T00:00:00+01:00"];
        if private.ends_with(".pem") {
            arguments.extend(["--private-key-file", private]);
        }
        let token =
            mint(directory.path(), &[&arguments[..], &["--path", "/live/demo", "--for", "365d"]].concat())
                .unwrap();
        let seen = run(python, directory.path(), VERIFY, &[token.trim_end(), public, algorithm]);
        let (begin, end) = (1_767_222_000_i64, 1_767_222_000_i64 + 365 * 86_400);
        // The claims are judged by PyJWT's own clock too; should that be past their end, only the time is complained of.
        if clock::wall_seconds() < end {
            assert_eq!(said(&seen), format!("{name} ['/live/demo'] {end} {begin}"));
        } else {
            assert!(String::from_utf8_lossy(&seen.stderr).contains("ExpiredSignatureError"));
        }
    }
}

#[test]
fn what_pyjwt_signs_we_verify() {
    let directory = directory();
    let Some(python) = python(directory.path()) else { return };
    let file = |name: &str| directory.path().join(name);
    let keys = KINDS.map(|(_, name, public, _)| {
        let file = file(public);
        (name.to_owned(), if name == "shared" { KeyFile::Secret(file) } else { KeyFile::Public(file) })
    });
    let mut config =
        Config { access: config::Access { keys: keys.into(), ..Default::default() }, ..Config::default() };
    config.channels.values_mut().for_each(|channel| channel.access = config::Who::Signed);
    let (access, _) = Access::of(&config).unwrap();
    let now = clock::wall_seconds();
    let mut tokens = BTreeSet::new();
    for (algorithm, name, _, private) in KINDS {
        let token =
            said(&run(python, directory.path(), SIGN, &[private, algorithm, name, &(now + 60).to_string()]));
        let check = |path: &str, now: i64| access.check(path, Some(&token), now);
        assert_eq!(check("/live/demo/index.m3u8", now), Ok(now + 65), "{algorithm}");
        assert_eq!(check("/live/demo/index.m3u8", now + 65), Err(Denial::OutOfTime), "{algorithm}");
        assert_eq!(check("/live/demo2/index.m3u8", now), Err(Denial::Elsewhere), "{algorithm}");
        tokens.insert(token);
    }
    assert_eq!(tokens.len(), 3);
}
