//! A proxy before the API, such as a CDN: the secret by which its requests are known, and the address
//! of the client that it saw.
//!
//! An HTTP API cannot refuse what comes past the proxy, since its own address is public. So the proxy
//! adds a secret to each request, and the function looks for it. Without a secret in the settings there
//! is no proxy, and every request is let in.

use std::net::IpAddr;

use ring::digest::{Digest, SHA256, digest};
use thiserror::Error;

/// The header in which the proxy sends its secret, in place of any that the client sent.
pub const SECRET_HEADER: &str = "x-origin-secret";

/// The header in which the proxy sends the client's address, in place of any that the client sent.
pub const ADDRESS_HEADER: &str = "x-viewer-address";

/// The lengths of a secret, in bytes: too long to be guessed, and short enough for any header.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=128;

/// The secrets that are good, of which only digests are kept; none where there is no proxy.
#[derive(Debug, Clone, Default)]
pub struct OriginSecrets(Vec<Digest>);

/// A text that holds no secrets. It is not repeated, since it may hold one all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("one or two secrets of 32 to 128 letters, digits, - or _, separated by a comma")]
pub struct OriginSecretsError;

/// A request that did not come through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastTheProxy;

impl OriginSecrets {
    /// Reads one secret, or two while one takes the other's place.
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

    /// Lets a request in by the values of its two headers, and returns the client's address if the proxy
    /// sent it. Without a proxy nobody vouches for that header, so it is not read.
    ///
    /// Digests are compared, so the time that it takes tells nothing of the secrets.
    ///
    /// # Errors
    ///
    /// [`PastTheProxy`] if there is a proxy and the secret is missing or another one.
    pub fn admit(
        &self,
        secret: Option<&str>,
        address: Option<&str>,
    ) -> Result<Option<IpAddr>, PastTheProxy> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let sent = hash(secret.ok_or(PastTheProxy)?);
        if self.0.iter().all(|known| known.as_ref() != sent.as_ref()) {
            return Err(PastTheProxy);
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
    fn without_secrets_every_request_is_let_in_and_no_address_is_believed() {
        let secrets = OriginSecrets::default();
        assert_eq!(secrets.admit(None, None), Ok(None));
        assert_eq!(secrets.admit(Some(OLD), Some("192.0.2.1")), Ok(None));
    }

    #[test]
    fn a_request_with_either_secret_is_let_in_with_the_address_that_the_proxy_saw() {
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
    fn a_request_without_the_secret_is_not_let_in_whatever_address_it_names() {
        let secrets = OriginSecrets::parse(NEW).unwrap();
        let both = format!("{NEW},{NEW}");
        let longer = format!("{NEW}x");
        for other in [None, Some(""), Some(OLD), Some(&NEW[1..]), Some(&longer), Some(&both)] {
            assert_eq!(secrets.admit(other, Some("192.0.2.1")), Err(PastTheProxy), "{other:?}");
        }
    }

    #[test]
    fn secrets_are_one_or_two_and_hard_to_guess() {
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
    fn no_secret_is_printed() {
        let printed = format!("{:?}", OriginSecrets::parse(OLD).unwrap());
        assert!(!printed.contains("old-secret"), "{printed}");
    }
}
