//! CDNs that cannot be run here: their files, held against what can be had of their schemas.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use headwater_test_support::skip;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cdn-config").join(name)
}

/// Runs a program; `None`, and a loud word, where there is none.
fn run(program: &Path, arguments: &[&str], untried: &str) -> Option<Output> {
    let output = Command::new(program).args(arguments).output();
    if output.is_err() {
        skip(&format!("{untried}, for want of {} (see deploy/setup.sh --test)", program.display()));
    }
    output.ok()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

/// The one that deploy/setup.sh has installed, or else anybody's.
fn cfn_lint() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cfn-lint/bin/cfn-lint");
    if ours.exists() { ours } else { "cfn-lint".into() }
}

#[test]
fn the_template_of_cloudfront_is_what_cloudformation_takes() {
    let untried = "cdn-config/cloudfront is not checked";
    let lint = |path: &Path| run(&cfn_lint(), &["--", &path.display().to_string()], untried);
    let template = file("cloudfront/template.yaml");
    let Some(output) = lint(&template) else { return };
    assert!(output.status.success(), "{}", said(&output));
    // And the judge is awake.
    let wrong =
        fs::read_to_string(template).unwrap().replace("OriginReadTimeout: 40", "OriginReadTimeout: soon");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wrong.yaml");
    fs::write(&path, wrong).unwrap();
    assert!(!lint(&path).unwrap().status.success());
}

/// The function of the template, with a secret, and what it makes of some requests.
const REQUESTS: &str = r#"
const request = (uri, querystring = {}, headers = {}) => ({ request: { method: 'GET', uri, querystring, headers } });
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = (text) => crypto.createHmac('sha256', SECRET).update(text).digest('base64url');
const token = (exp, alg = 'HS256') => { const t = part({ alg }) + '.' + part({ exp }); return t + '.' + sign(t); };
const now = Date.now() / 1000, good = token(now + 60);
const msn = { value: '7' };
console.log(JSON.stringify([
  request(`/t/${good}/live/a/index.m3u8`, { _HLS_msn: msn }),
  request('/live/a/1.m4s', { token: { value: good }, _HLS_msn: msn }),
  request('/live/a/1.m4s', {}, { authorization: { value: `Bearer ${good}` } }),
  request('/live/a/1.m4s'),
  request('/live/a/1.m4s', { token: { value: token(now - 1) } }),
  request('/live/a/1.m4s', { token: { value: token(now + 60, 'none') } }),
  request('/live/a/1.m4s', { token: { value: good.slice(0, -2) + 'xx' } }),
].map((event) => { const { statusCode, uri, querystring, headers } = handler(event);
  return statusCode ?? [uri, Object.keys(querystring), Object.keys(headers)]; })));
"#;

#[test]
fn the_function_of_cloudfront_takes_tokens_out_and_refuses_wrong_ones() {
    let template = fs::read_to_string(file("cloudfront/template.yaml")).unwrap();
    let (_, code) = template.split_once("FunctionCode: |\n").unwrap();
    let code: String = code
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("        "))
        .flat_map(|line| [line.trim_start_matches("        "), "\n"])
        .collect();
    assert!(code.contains("const SECRET = '';"));
    let script = code.replace("const SECRET = '';", "const SECRET = 'not a secret';") + REQUESTS;
    let arguments = ["--input-type=module", "--eval", &script];
    let Some(output) = run(Path::new("node"), &arguments, "CloudFront's function is not tried") else {
        return;
    };
    assert_eq!(
        said(&output).trim(),
        r#"[["/live/a/index.m3u8",["_HLS_msn"],[]],["/live/a/1.m4s",["_HLS_msn"],[]],["/live/a/1.m4s",[],[]],403,403,403,403]"#
    );
}

#[test]
fn the_rules_of_cloudflare_are_what_its_api_takes() {
    let types = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cdn");
    if !types.join("node_modules").is_dir() {
        return skip(
            "cdn-config/cloudflare is not checked, for want of its types (see deploy/setup.sh --test)",
        );
    }
    let project = types.display().to_string();
    let compiler = types.join("node_modules/.bin/tsc");
    let Some(output) = run(&compiler, &["-p", &project], "cdn-config/cloudflare is not checked") else {
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
    let rules = file("cloudflare/cache-rules.mjs").display().to_string();
    for phase in ["key", "tokens", "refusals"] {
        let Some(printed) = run(Path::new("node"), &[&rules, phase], "cdn-config/cloudflare is not run")
        else {
            return;
        };
        let body: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
        assert!(!body["rules"].as_array().unwrap().is_empty(), "{phase}");
    }
}

/// Fastly's compiler is in its API, so only the shape is looked at: braces, statements, subroutines and their macros.
#[test]
fn the_vcl_of_fastly_has_the_shape_of_vcl() {
    let vcl = fs::read_to_string(file("fastly/main.vcl")).unwrap();
    for name in ["recv", "hash", "hit", "miss", "pass", "fetch", "error", "deliver", "log"] {
        let (_, body) = vcl.split_once(&format!("\nsub vcl_{name} {{\n")).expect(name);
        let (body, _) = body.split_once("\n}\n").expect(name);
        assert_eq!(body.matches(&format!("#FASTLY {name}")).count(), 1, "the macro of vcl_{name}");
    }
    let code: Vec<&str> = vcl.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    let depth = |line: &str| line.matches('{').count() as i64 - line.matches('}').count() as i64;
    // Braces of regular expressions come in pairs.
    assert_eq!(code.iter().map(|line| depth(line)).sum::<i64>(), 0);
    let mut statement = String::new();
    for line in code {
        statement.push_str(line);
        if line.is_empty() || [';', '{', '}'].iter().any(|&end| line.ends_with(end)) {
            let words = ["sub ", "if ", "set ", "unset ", "return(", "}", ""];
            assert!(
                words.iter().any(|word| if word.is_empty() {
                    statement.is_empty()
                } else {
                    statement.starts_with(word)
                }),
                "{statement}"
            );
            statement.clear();
        }
    }
}
