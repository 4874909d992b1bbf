//! JSON that says what it has to be: a digit that a disk has changed is a digit, and what it counts is believed.

use bytes::Bytes;
use serde_json::Value;

use crate::store::etag;

/// The field that says so, behind all others.
const FIELD: &str = "hash";
/// How it begins in the text, and how long it is.
const BEGINNING: &[u8] = b",\"hash\":\"";
const LENGTH: usize = BEGINNING.len() + 32 + 2;

/// An object as text, with the hash of that text.
pub(super) fn seal(mut object: Vec<u8>) -> Bytes {
    object.pop();
    let seal = seal_of(&object);
    object.extend_from_slice(seal.as_bytes());
    object.into()
}

/// What was sealed and has been changed, sealed anew.
pub(super) fn reseal(mut object: Value) -> Bytes {
    object.as_object_mut().and_then(|object| object.remove(FIELD));
    seal(object.to_string().into_bytes())
}

/// False if the text has a hash and is not what was written. What an earlier version has written has none.
pub(super) fn is_whole(text: &[u8]) -> bool {
    let Some((object, seal)) = text.split_at_checked(text.len().saturating_sub(LENGTH)) else { return true };
    !seal.starts_with(BEGINNING) || seal == seal_of(object).as_bytes()
}

/// What closes an object of which this is the text up to its last brace.
fn seal_of(object: &[u8]) -> String {
    format!(",\"{FIELD}\":{}}}", etag([object, b"}"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bit_of_what_is_sealed_can_be_another_unnoticed_and_what_has_no_seal_is_taken_as_it_is() {
        let text = "{\"version\":2,\"at\":[17,-4]}";
        assert!(is_whole(text.as_bytes()) && is_whole(b"{}") && is_whole(b""));
        let sealed = seal(text.as_bytes().to_vec());
        let value: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        assert!(value["at"][1] == -4 && value[FIELD].is_string() && is_whole(&sealed));
        let changed = reseal(serde_json::json!({"at": 18, FIELD: value[FIELD]}));
        assert!(is_whole(&changed) && changed.ends_with(seal_of(b"{\"at\":18").as_bytes()));
        for bit in 0..text.len() * 8 - 8 {
            let mut flipped = sealed.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_whole(&flipped), "{}", String::from_utf8_lossy(&flipped));
        }
    }
}
