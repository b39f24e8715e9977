//! A proxy in front of the API, such as a CDN: the secret that identifies its requests, and the
//! client address that it reports.
//!
//! An HTTP API cannot reject requests that bypass the proxy, since its own address is public. So
//! the proxy adds a secret to each request, and the function verifies it. Without a secret in the
//! settings there is no proxy, and every request is admitted.

use std::net::IpAddr;

use ring::digest::{Digest, SHA256, digest};
use thiserror::Error;

/// The header with the proxy's secret. The proxy overwrites any that the client sent.
pub const SECRET_HEADER: &str = "x-origin-secret";

/// The header with the client's address. The proxy overwrites any that the client sent.
pub const ADDRESS_HEADER: &str = "x-viewer-address";

/// The allowed lengths of a secret, in bytes: too long to guess, and short enough for any header.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=128;

/// The digests of the valid secrets; empty if there is no proxy.
#[derive(Debug, Clone, Default)]
pub struct OriginSecrets(Vec<Digest>);

/// The text is not a list of secrets. The error does not repeat it, since it may contain one
/// anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("one or two secrets of 32 to 128 letters, digits, - or _, separated by a comma")]
pub struct OriginSecretsError;

/// The request bypassed the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyBypassed;

impl OriginSecrets {
    /// Parses one secret, or two while one replaces the other.
    ///
    /// # Errors
    ///
    /// [`OriginSecretsError`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, OriginSecretsError> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_secret = |text: &str| LENGTHS.contains(&text.len()) && text.bytes().all(is_part);
        let secrets: Vec<_> = text.split(',').map(str::trim).collect();
        if secrets.len() > 2 || !secrets.iter().all(|secret| is_secret(secret)) {
            return Err(OriginSecretsError);
        }
        Ok(Self(secrets.into_iter().map(hash).collect()))
    }

    /// Admits a request by its two headers, and returns the client's address if the proxy sent it.
    ///
    /// Without a proxy, the address header is ignored, since the client may have forged it. Digests
    /// are compared, so the time that this takes reveals nothing about the secrets.
    ///
    /// # Errors
    ///
    /// [`ProxyBypassed`] if there is a proxy and the secret is missing or wrong.
    pub fn admit(
        &self,
        secret: Option<&str>,
        address: Option<&str>,
    ) -> Result<Option<IpAddr>, ProxyBypassed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let sent = hash(secret.ok_or(ProxyBypassed)?);
        if self.0.iter().all(|known| known.as_ref() != sent.as_ref()) {
            return Err(ProxyBypassed);
        }
        Ok(address.and_then(|address| address.parse().ok()))
    }
}

fn hash(secret: &str) -> Digest {
    digest(&SHA256, secret.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "old-secret-of-the-proxy-0123456789";
    const NEW: &str = "new-secret-of-the-proxy-0123456789";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn without_secrets_every_request_is_admitted_and_the_address_header_is_ignored() {
        let secrets = OriginSecrets::default();
        assert_eq!(secrets.admit(None, None), Ok(None));
        assert_eq!(secrets.admit(Some(OLD), Some("192.0.2.1")), Ok(None));
    }

    #[test]
    fn a_request_with_either_secret_is_admitted_with_the_address_from_the_proxy() {
        let secrets = OriginSecrets::parse(&format!("{OLD}, {NEW}")).unwrap();
        for secret in [OLD, NEW] {
            let admitted = |address| secrets.admit(Some(secret), address);
            assert_eq!(admitted(Some("192.0.2.1")), Ok(Some(address("192.0.2.1"))));
            assert_eq!(admitted(Some("2001:db8::1")), Ok(Some(address("2001:db8::1"))));
            for other in [None, Some(""), Some("192.0.2.1:443"), Some("192.0.2.1, 192.0.2.2")] {
                assert_eq!(admitted(other), Ok(None), "{other:?}");
            }
        }
    }

    #[test]
    fn a_request_without_a_valid_secret_is_rejected_whatever_its_address_header() {
        let secrets = OriginSecrets::parse(NEW).unwrap();
        let both = format!("{NEW},{NEW}");
        let longer = format!("{NEW}x");
        for other in [None, Some(""), Some(OLD), Some(&NEW[1..]), Some(&longer), Some(&both)] {
            assert_eq!(secrets.admit(other, Some("192.0.2.1")), Err(ProxyBypassed), "{other:?}");
        }
    }

    #[test]
    fn only_one_or_two_secrets_of_32_to_128_plain_characters_are_accepted() {
        let (shortest, longest) = ("a".repeat(32), "Z9-_".repeat(32));
        for text in [shortest.clone(), longest.clone(), format!("{shortest},{longest}")] {
            assert!(OriginSecrets::parse(&text).is_ok(), "{text}");
        }
        let three = format!("{OLD},{NEW},{OLD}");
        for text in ["", ",", &shortest[1..], &format!("{longest}a"), &format!("{OLD},"), &three] {
            assert!(OriginSecrets::parse(text).is_err(), "{text}");
        }
        assert!(OriginSecrets::parse(&format!("{OLD} and a space")).is_err());
    }

    #[test]
    fn debug_output_never_shows_a_secret() {
        let printed = format!("{:?}", OriginSecrets::parse(OLD).unwrap());
        assert!(!printed.contains("old-secret"), "{printed}");
    }
}
