use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use headwater_test_support::keys::{ed25519, p256};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{super::jwks, *};
use crate::access::key::Key;

const SECRET: &[u8] = b"a secret that is long enough for HS256";

fn own() -> Keys {
    Keys::new(vec![Key::secret("a", SECRET).unwrap()], Vec::new())
}

fn header(json: Value) -> Header {
    serde_json::from_value(json).unwrap()
}

fn signed(head: Value, claims: Value) -> String {
    encode(&header(head), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn judged(token: &str) -> Result<Claims, Invalid> {
    verify(token, &own(), &Expected::default())
}

fn claims() -> Value {
    json!({ "exp": 1_800_000_000, "paths": ["/live/demo"] })
}

#[test]
fn the_examples_of_the_standards_are_verified() {
    // RFC 7515 A.1, A.3 and RFC 8037 A.4: keys and tokens to the letter. Two are of claims without paths, one of none.
    let set = jwks::parse(include_bytes!("examples.json"), true).unwrap();
    let keys = Keys::new(Vec::new(), set);
    let joe =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let hs256 =
        format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{joe}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{joe}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    for token in [&hs256, &es256] {
        let claims = verify(token, &keys, &Expected::default()).unwrap();
        assert!(claims.hold_at(1_300_819_379) && !claims.hold_at(1_300_819_386), "{token}");
    }
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let expected = Expected::default();
    assert_eq!(verify(eddsa, &keys, &expected), Err(Invalid::Claims), "signed, but no claims");
    assert_eq!(verify(&eddsa.replace("RXhh", "RXhi"), &keys, &expected), Err(Invalid::Signature));
}

#[test]
fn a_token_is_believed_only_as_it_was_signed() {
    let good = signed(json!({ "alg": "HS256", "kid": "a" }), claims());
    assert!(judged(&good).is_ok());
    for at in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(judged(std::str::from_utf8(&changed).unwrap()).is_err(), "changed at {at}");
        assert!(judged(&good[..at]).is_err(), "cut at {at}");
    }
    for changed in [
        format!("{good}="),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{good}"),
        format!(" {good}"),
    ] {
        assert!(judged(&changed).is_err(), "{changed}");
    }
}

#[test]
fn the_key_decides_the_algorithm_and_not_the_token() {
    let pair = p256();
    let keys = Keys::new(
        vec![
            Key::public("ec", pair.public.as_bytes()).unwrap(),
            Key::public("ed", ed25519().public.as_bytes()).unwrap(),
        ],
        Vec::new(),
    );
    // The public key, which everybody has, as a secret.
    let confused = EncodingKey::from_secret(pair.public.as_bytes());
    for (head, why) in [
        (json!({ "alg": "HS256", "kid": "ec" }), Invalid::Algorithm),
        (json!({ "alg": "HS256" }), Invalid::Algorithm),
        (json!({ "alg": "HS256", "kid": "other" }), Invalid::UnknownKey),
    ] {
        let token = encode(&header(head.clone()), &claims(), &confused).unwrap();
        assert_eq!(verify(&token, &keys, &Expected::default()), Err(why), "{head}");
    }
    let private = EncodingKey::from_ec_pem(pair.private.as_bytes()).unwrap();
    for (kid, why) in [("ec", None), ("ed", Some(Invalid::Algorithm))] {
        let token = encode(&header(json!({ "alg": "ES256", "kid": kid })), &claims(), &private).unwrap();
        assert_eq!(verify(&token, &keys, &Expected::default()).err(), why, "{kid}");
    }
}

#[test]
fn what_is_not_signed_is_refused() {
    let encoded = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    for (alg, signature) in
        [("none", ""), ("None", ""), ("NONE", "AAAA"), ("", ""), ("HS256", ""), ("HS256", "AAAA")]
    {
        let token =
            format!("{}.{}.{signature}", encoded(json!({ "alg": alg, "kid": "a" })), encoded(claims()));
        assert!(judged(&token).is_err(), "{alg}");
    }
}

#[test]
fn a_token_says_what_it_has_to_and_demands_nothing_unknown() {
    let head = || json!({ "alg": "HS256", "kid": "a" });
    let crit = signed(json!({ "alg": "HS256", "kid": "a", "crit": ["b64"], "b64": false }), claims());
    assert_eq!(judged(&crit), Err(Invalid::Critical));
    assert_eq!(judged(&signed(head(), json!({ "paths": "/" }))), Err(Invalid::Claims));
    assert_eq!(judged(&signed(head(), json!(["exp"]))), Err(Invalid::Claims));
    let long = signed(head(), json!({ "exp": 1, "paths": "x".repeat(LONGEST) }));
    assert_eq!(judged(&long), Err(Invalid::Malformed));
}

#[test]
fn a_token_without_a_kid_is_judged_by_the_only_key_of_its_algorithm() {
    let token = signed(json!({ "alg": "HS256" }), claims());
    assert!(judged(&token).is_ok());
    let two = vec![Key::secret("a", SECRET).unwrap(), Key::secret("b", SECRET).unwrap()];
    assert_eq!(verify(&token, &Keys::new(two, Vec::new()), &Expected::default()), Err(Invalid::UnnamedKey));
}

#[test]
fn a_token_for_somebody_else_is_none() {
    let token = |aud: Value, iss: Value| {
        signed(json!({ "alg": "HS256" }), json!({ "exp": 1, "paths": "/", "aud": aud, "iss": iss }))
    };
    let expected = Expected { audience: Some("hw".into()), issuer: Some("id".into()) };
    for (aud, iss, good) in [
        (json!("hw"), json!("id"), true),
        (json!(["x", "hw"]), json!("id"), true),
        (json!("x"), json!("id"), false),
        (json!(null), json!("id"), false),
        (json!(7), json!("id"), false),
        (json!("hw"), json!("x"), false),
        (json!("hw"), json!(null), false),
    ] {
        let verdict = verify(&token(aud.clone(), iss.clone()), &own(), &expected);
        assert_eq!(verdict.err(), (!good).then_some(Invalid::Audience), "{aud} {iss}");
    }
    // RFC 7519 4.1.3: who is named nowhere is not meant.
    assert_eq!(judged(&token(json!("hw"), json!(null))), Err(Invalid::Audience));
}
