//! Attribute lists (rfc8216bis 4.2): `NAME=value,NAME="quoted, value"`.

use super::{Range, Resource};
use crate::check::exact::Seconds;

/// The attributes of one tag.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    /// Reads a list; the error says what is wrong with it.
    pub(super) fn read(mut text: &'a str) -> Result<Self, String> {
        let mut list = Vec::new();
        while !text.is_empty() {
            let (name, rest) =
                text.split_once('=').ok_or_else(|| format!("has {text:?}, which is no attribute"))?;
            if name.trim().is_empty() || name.contains([',', '"']) {
                return Err(format!("has {name:?} where the name of an attribute is due"));
            }
            let end = match rest.strip_prefix('"') {
                Some(inner) => {
                    2 + inner.find('"').ok_or_else(|| format!("does not close the quotes of {name}"))?
                }
                None => rest.find(',').unwrap_or(rest.len()),
            };
            let (value, rest) = rest.split_at(end);
            list.push((name.trim(), value));
            text = match rest.strip_prefix(',') {
                Some(more) => more,
                None if rest.is_empty() => rest,
                None => return Err(format!("has {rest:?} behind the value of {name}")),
            };
        }
        Ok(Self(list))
    }

    /// A value without its quotes.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(each, _)| *each == name).map(|(_, value)| value.trim_matches('"'))
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a str, String> {
        self.get(name).ok_or_else(|| format!("has no {name}"))
    }

    pub(super) fn is_yes(&self, name: &str) -> bool {
        self.get(name) == Some("YES")
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let number =
            |text: &str| text.parse().map_err(|_| format!("has {name}={text}, which is no whole number"));
        self.get(name).map(number).transpose()
    }

    pub(super) fn seconds(&self, name: &str) -> Result<Option<Seconds>, String> {
        let read = |text: &str| {
            Seconds::parse(text).ok_or_else(|| format!("has {name}={text}, which is no decimal"))
        };
        self.get(name).map(read).transpose()
    }

    /// URI and BYTERANGE; a range without an offset begins at `behind`, where the one before it ended.
    pub(super) fn resource(&self, behind: impl Fn(&str) -> u64) -> Result<Resource, String> {
        let uri = self.required("URI")?.to_owned();
        let range = self.get("BYTERANGE").map(|text| byte_range(text, behind(&uri))).transpose()?;
        Ok(Resource { uri, range })
    }
}

/// `length[@offset]`.
pub(super) fn byte_range(text: &str, behind: u64) -> Result<Range, String> {
    let wrong = || format!("has the byte range {text:?}, which is not LENGTH@OFFSET");
    let (length, offset) = match text.split_once('@') {
        Some((length, offset)) => (length, offset.parse().map_err(|_| wrong())?),
        None => (text, behind),
    };
    Ok(Range { offset, length: Some(length.parse().map_err(|_| wrong())?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_equal_signs_in_quotes_are_part_of_the_value() {
        let list = Attributes::read(r#"A="x,y=z",B=YES,C=1.5"#).unwrap();
        assert_eq!(list.get("A"), Some("x,y=z"));
        assert!(list.is_yes("B"));
        assert_eq!(list.seconds("C").unwrap().unwrap().nanos(), 1_500_000_000);
        assert!(list.number("C").is_err());
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["A", "A=\"x", "A=\"x\"y", "A=1,,B=2"] {
            assert!(Attributes::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_byte_range_without_an_offset_follows_the_one_before() {
        assert_eq!(byte_range("10", 7), Ok(Range { offset: 7, length: Some(10) }));
        assert_eq!(byte_range("10@3", 7), Ok(Range { offset: 3, length: Some(10) }));
        assert!(byte_range("x", 0).is_err());
    }
}
