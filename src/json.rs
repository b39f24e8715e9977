//! JSON objects that others wrote, read member by member.
//!
//! Derived code would read an array as a structure, and would let a member repeat that it does not know.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, each with its value unread.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    /// Reads a text that is one JSON object; none if it is anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The value of the first member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| *value)
    }

    /// The members of the object that a member holds; none if it is anything else.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(|value| Self::parse(value.get()))
    }

    /// The string that a member holds; none if it is anything else.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(text)
    }

    /// The values of all members with this name in any case of its letters, as header names have it.
    pub fn get_all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'a RawValue> + 'b {
        let named = self.0.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value)
    }

    /// Whether a name appears more than once.
    #[must_use]
    pub fn has_repeated_names(&self) -> bool {
        let mut names: Vec<_> = self.0.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// The string that a value is; none if it is anything else.
#[must_use]
pub fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok().map(|Text(text)| text)
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some((Text(name), value)) = members.next_entry()? {
            found.push((name, value));
        }
        Ok(Members(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_has_members() {
        for text in ["", "null", "7", "\"{}\"", "[]", "[[\"a\",1]]", "{", "{}{}", "{\"a\":1,}"] {
            assert!(Members::parse(text).is_none(), "{text}");
        }
        let members = Members::parse(r#" {"a":"\u00e9","b":{"c":[1]},"B":null} "#).unwrap();
        assert_eq!(members.text("a").as_deref(), Some("é"));
        assert!(members.text("b").is_none() && members.text("c").is_none());
        assert_eq!(members.object("b").unwrap().get("c").unwrap().get(), "[1]");
        assert!(members.object("a").is_none());
        assert_eq!(members.get_all("b").count(), 2);
        assert!(!members.has_repeated_names());
    }

    #[test]
    fn a_name_repeats_even_if_it_is_escaped() {
        for text in [r#"{"a":1,"b":2,"a":1}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(Members::parse(text).unwrap().has_repeated_names(), "{text}");
        }
    }
}
