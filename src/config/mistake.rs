//! Tells where in a file a mistake is, by line, column and key, and what was probably meant.

use toml::de::{DeTable, DeValue, Error};

/// A mistake in a TOML file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
    /// What is wrong, after the key if there is one.
    pub(super) reason: String,
}

pub(super) fn locate(text: &str, error: &Error) -> Mistake {
    let offset = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let reason = in_words(error.message());
    // A file that is not TOML has no keys.
    let key = DeTable::parse(text).ok().and_then(|table| in_table(table.get_ref(), offset));
    Mistake {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        reason: key.map_or_else(|| reason.clone(), |key| format!("{key}: {reason}")),
    }
}

/// The key, from the root, at which `offset` lies or whose value it is in.
fn in_table(table: &DeTable<'_>, offset: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = key.get_ref();
        let here = || {
            let hit = key.span().contains(&offset) || value.span().contains(&offset);
            hit.then(|| name.to_string())
        };
        in_value(value.get_ref(), offset).map(|rest| format!("{name}{rest}")).or_else(here)
    })
}

/// What follows the key of `value` on the way to `offset`.
fn in_value(value: &DeValue<'_>, offset: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => in_table(table, offset).map(|key| format!(".{key}")),
        DeValue::Array(values) => values.iter().enumerate().find_map(|(index, value)| {
            let here = || value.span().contains(&offset).then(String::new);
            in_value(value.get_ref(), offset).or_else(here).map(|rest| format!("[{index}]{rest}"))
        }),
        _ => None,
    }
}

/// serde's words for an unknown key, with a guess at what was meant; any other message as it is.
fn in_words(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(given)) => unknown(given, &quoted.collect::<Vec<_>>()),
        _ => message.trim_end().replace('\n', "; "),
    }
}

fn unknown(given: &str, known: &[&str]) -> String {
    let distance = |word: &&&str| strsim::damerau_levenshtein(given, word);
    match known.iter().min_by_key(distance).filter(|word| distance(word) <= given.len().div_ceil(3)) {
        Some(meant) => format!("there is no such key; `{meant}` was probably meant"),
        None => format!("there is no such key; known here are {}", known.join(", ")),
    }
}

/// A URL, or what was meant for one, as it may be shown: who it is spoken to as, and what is asked for, may be secrets.
pub(super) fn without_secrets(written: &str) -> String {
    let begin = written.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = written.split_at(begin);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("***@{host}"));
    let (path, query) = rest.split_once('?').map_or((rest, ""), |(path, _)| (path, "?***"));
    format!("{scheme}{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_however_deep_it_lies() {
        let text = "[a]\n[[a.b]]\nc = 1\n[[a.b]]\nd = { e = [1, 2] }\n";
        let table = DeTable::parse(text).unwrap();
        let at = |needle: &str| in_table(table.get_ref(), text.find(needle).unwrap());
        assert_eq!(at("c = 1").as_deref(), Some("a.b[0].c"));
        assert_eq!(at("2]").as_deref(), Some("a.b[1].d.e[1]"));
    }

    #[test]
    fn a_guess_is_made_only_when_it_is_near() {
        assert!(unknown("segmnet", &["segment", "part"]).contains("`segment` was probably meant"));
        assert!(unknown("colour", &["segment", "part"]).contains("known here are segment, part"));
    }
}
