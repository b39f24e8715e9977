//! The headers of a request, borrowed from its event.
//!
//! `http::HeaderMap` would copy the token into memory that is not wiped, and would keep only one of
//! two names that differ in case.

use serde_json::value::RawValue;

use crate::json::{Members, Text, items, text};

/// The headers of a request: names with single values and, if the source sends them, names with
/// lists of values.
///
/// REST APIs send both; the single value of a repeated header is its last one. Look-ups require a
/// name in lower case.
#[derive(Debug, Default)]
pub struct Headers<'a> {
    single: Members<'a>,
    lists: Members<'a>,
}

impl<'a> Headers<'a> {
    /// Combines the members `headers` and `multiValueHeaders` of an event.
    #[must_use]
    pub fn new(single: Members<'a>, lists: Members<'a>) -> Self {
        Self { single, lists }
    }

    /// All values of a header that are text: those in the lists if there are any, otherwise the
    /// single ones.
    pub fn get_all(&self, name: &str) -> impl DoubleEndedIterator<Item = Text<'a>> + use<'a> {
        let listed = values(&self.lists, name);
        let values = if listed.is_empty() { values(&self.single, name) } else { listed };
        values.into_iter().filter_map(text)
    }

    /// The first value of a header.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Text<'a>> {
        self.get_all(name).next()
    }

    /// The value of a header that appears exactly once; none if several names differ only in case,
    /// if there are several values, or if the list and the single value differ.
    #[must_use]
    pub fn get_only(&self, name: &str) -> Option<Text<'a>> {
        let is_repeated = |headers: &Members| headers.get_all(name).nth(1).is_some();
        if is_repeated(&self.single) || is_repeated(&self.lists) {
            return None;
        }
        let (single, listed) = (values(&self.single, name), values(&self.lists, name));
        match (&single[..], &listed[..]) {
            ([value], []) | ([], [value]) => text(value),
            ([value], [listed]) if value.get() == listed.get() => text(value),
            _ => None,
        }
    }
}

/// The values of a header, with each list replaced by its items.
fn values<'a>(headers: &Members<'a>, name: &str) -> Vec<&'a RawValue> {
    headers.get_all(name).flat_map(|value| items(value).unwrap_or_else(|| vec![value])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<'a>(single: &'a str, lists: &'a str) -> Headers<'a> {
        let members = |json| Members::parse(json).unwrap_or_default();
        Headers::new(members(single), members(lists))
    }

    #[test]
    fn a_header_that_appears_once_is_found_whatever_the_case_of_its_name() {
        for (single, lists) in [
            (r#"{"x-a":"1"}"#, ""),
            (r#"{"X-A":"1","x-b":"2"}"#, "null"),
            (r#"{"x-a":["1"]}"#, "{}"),
            ("null", r#"{"x-a":["1"]}"#),
            (r#"{"x-a":"1"}"#, r#"{"X-a":["1"]}"#),
        ] {
            let found = headers(single, lists).get_only("x-a");
            assert_eq!(found.as_deref(), Some("1"), "{single} {lists}");
        }
    }

    #[test]
    fn get_only_returns_none_for_a_missing_or_repeated_or_non_text_header() {
        for (single, lists) in [
            ("{}", "{}"),
            (r#"{"x-a":"1","X-A":"1"}"#, ""),
            (r#"{"x-a":"1","x-a":"1"}"#, ""),
            (r#"{"x-a":["1","1"]}"#, ""),
            (r#"{"x-a":"1"}"#, r#"{"x-a":["1","2"]}"#),
            (r#"{"x-a":"1"}"#, r#"{"x-a":["2"]}"#),
            ("{}", r#"{"x-a":["1"],"X-A":["1"]}"#),
            (r#"{"x-a":[]}"#, ""),
            (r#"{"x-a":7}"#, ""),
            (r#"{"x-a":null}"#, ""),
            (r#"{"x-a":{"1":"1"}}"#, ""),
        ] {
            assert!(headers(single, lists).get_only("x-a").is_none(), "{single} {lists}");
        }
    }

    #[test]
    fn lists_take_precedence_over_single_values() {
        let headers = headers(r#"{"x-a":"2","x-b":"3"}"#, r#"{"x-a":["1","2"]}"#);
        let all = |name| headers.get_all(name).map(|text| text.to_string()).collect::<Vec<_>>();
        assert_eq!(all("x-a"), ["1", "2"]);
        assert_eq!(all("x-b"), ["3"]);
        assert_eq!(headers.get("x-a").as_deref(), Some("1"));
        assert!(headers.get("x-c").is_none());
    }
}
