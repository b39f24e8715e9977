//! Reads untrusted JSON objects member by member.
//!
//! Derived code would accept an array as a structure, and repeated members that it does not know.
//! It would also leave copies of escaped strings in memory that is not wiped.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// The members of an object in their order, with values that are not parsed yet.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A string: borrowed if its JSON has no escapes, otherwise a copy that is wiped.
#[derive(Debug)]
pub enum Text<'a> {
    /// The string as it is in its JSON.
    Borrowed(&'a str),
    /// The string with its escapes resolved.
    Unescaped(Zeroizing<String>),
}

/// The name of a member, which is not secret.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    /// Parses one JSON object; none if the text is anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if is_object(text) { serde_json::from_str(text).ok() } else { None }
    }

    /// The value of the first member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| *value)
    }

    /// The value of the first member with this name, unless it is `null`.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&'a RawValue> {
        self.get(name).filter(|value| value.get() != "null")
    }

    /// The names of all members, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The members of the object with this name; none if the value is anything else.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(|value| Self::parse(value.get()))
    }

    /// The string with this name; none if the value is anything else.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Text<'a>> {
        self.get(name).and_then(text)
    }

    /// The values of all members with this name in any case, as for header names.
    pub fn get_all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'a RawValue> + 'b {
        let named = self.0.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value)
    }

    /// Whether this name appears more than once.
    #[must_use]
    pub fn repeats(&self, name: &str) -> bool {
        self.names().filter(|found| *found == name).nth(1).is_some()
    }

    /// Whether any name appears more than once.
    #[must_use]
    pub fn has_repeated_names(&self) -> bool {
        let mut names: Vec<_> = self.names().collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// Whether a JSON value is an object, judged by its first character.
///
/// Check this before parsing a value as an object: if it is a string, serde's error would repeat
/// it.
#[must_use]
pub fn is_object(json: &str) -> bool {
    json.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{')
}

/// The items of an array; none if the value is anything else.
#[must_use]
pub fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    if value.get().starts_with('[') { serde_json::from_str(value.get()).ok() } else { None }
}

/// The text of a string; none if the value is anything else.
#[must_use]
pub fn text(value: &RawValue) -> Option<Text<'_>> {
    let inside = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        unescape(inside).map(Text::Unescaped)
    } else {
        Some(Text::Borrowed(inside))
    }
}

/// Resolves the escapes of a string (RFC 8259, section 7); none if half of a surrogate pair is
/// missing.
fn unescape(mut escaped: &str) -> Option<Zeroizing<String>> {
    // No escape is shorter than its character, so the buffer never grows and leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(escaped.len()));
    while let Some((plain, rest)) = escaped.split_once('\\') {
        text.push_str(plain);
        let kind = rest.chars().next()?;
        escaped = &rest[kind.len_utf8()..];
        text.push(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => code_point(&mut escaped)?,
            _ => return None,
        });
    }
    text.push_str(escaped);
    Some(text)
}

/// Consumes the code unit after `\u`, and the second half if it is the first of a surrogate pair.
fn code_point(text: &mut &str) -> Option<char> {
    let unit = code_unit(text)?;
    if let Some(character) = char::from_u32(unit.into()) {
        return Some(character);
    }
    *text = text.strip_prefix("\\u")?;
    char::decode_utf16([unit, code_unit(text)?]).next()?.ok()
}

/// Consumes the four hexadecimal digits of a UTF-16 code unit.
fn code_unit(text: &mut &str) -> Option<u16> {
    let (digits, rest) = text.split_at_checked(4)?;
    *text = rest;
    // The parser would accept a sign too.
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hexadecimal { u16::from_str_radix(digits, 16).ok() } else { None }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Unescaped(text) => text,
        }
    }
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
        while let Some((Name(name), value)) = members.next_entry()? {
            found.push((name, value));
        }
        Ok(Members(found))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

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
    fn every_escape_is_resolved_and_half_a_surrogate_pair_is_rejected() {
        let texts = [
            ("", ""),
            ("é🔑", "é🔑"),
            (r#"\"\\\/"#, r#""\/"#),
            (r"\b\f\n\r\t", "\u{8}\u{c}\n\r\t"),
            (r"a\u0000b\u00e9\u20AC", "a\0bé€"),
            (r"\ud83d\udd11\ud83d\uDD11x", "🔑🔑x"),
        ];
        for (escaped, expected) in texts {
            let value = RawValue::from_string(format!("\"{escaped}\"")).unwrap();
            assert_eq!(text(&value).as_deref(), Some(expected), "{escaped}");
        }
        for broken in
            [r"\ud83d", r"\udd11", r"\udd11\ud83d", r"\ud83dx", r"\ud83d\n", r"\ud83d\u0041"]
        {
            let value = RawValue::from_string(format!("\"{broken}\"")).unwrap();
            assert!(text(&value).is_none(), "{broken}");
        }
        for other in ["7", "null", "[\"a\"]", "{}", "true"] {
            let value = RawValue::from_string(other.to_owned()).unwrap();
            assert!(text(&value).is_none(), "{other}");
        }
    }

    #[test]
    fn a_string_is_read_as_serde_reads_it() {
        proptest::proptest!(|(string: String)| {
            let mut escaped = String::new();
            for unit in string.encode_utf16() {
                write!(escaped, "\\u{unit:04x}").unwrap();
            }
            for json in [serde_json::to_string(&string).unwrap(), format!("\"{escaped}\"")] {
                let value = RawValue::from_string(json).unwrap();
                let read = text(&value);
                proptest::prop_assert_eq!(read.as_deref(), Some(string.as_str()));
            }
        });
    }

    #[test]
    fn an_escaped_name_counts_as_repeated() {
        for text in [r#"{"a":1,"b":2,"a":1}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(Members::parse(text).unwrap().has_repeated_names(), "{text}");
        }
    }
}
