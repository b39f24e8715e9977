//! The HTTP client: whose certificates it takes, and how long it waits for a connection.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::error::Source;

/// The roots of Amazon Trust Services, from which AWS's endpoints have their certificates.
const AMAZON_ROOTS: &[u8] = include_bytes!("../data/amazon-roots.pem");

/// Whose certificates are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those of AWS's own endpoints.
    ///
    /// To read the system's bundle of some 140 roots would take longer than the rest of a cold start.
    Amazon,
    /// Those that the system takes.
    System,
    /// Those of an organisation.
    Bundle(Bundle),
}

/// Root certificates in PEM, at least one, all of them readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle(Vec<u8>);

impl Bundle {
    /// Reads all certificates of a bundle once, since the HTTP client would panic on a bad one.
    pub fn parse(pem: Vec<u8>) -> Result<Self, Source> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate?)?;
        }
        if roots.is_empty() { Err("it holds no certificate".into()) } else { Ok(Self(pem)) }
    }
}

impl Trust {
    /// The same for a server that is not AWS's.
    #[must_use]
    pub fn beyond_aws(self) -> Self {
        match self {
            Self::Amazon => Self::System,
            other => other,
        }
    }

    fn store(self) -> TrustStore {
        match self {
            Self::Amazon => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
            Self::System => TrustStore::empty().with_native_roots(true),
            Self::Bundle(Bundle(pem)) => TrustStore::empty().with_pem_certificate(pem),
        }
    }
}

/// Makes an HTTP client, with a pool of connections of its own.
///
/// `connect_timeout` is the longest wait for a connection, name look-up and TLS included.
///
/// # Panics
///
/// Where the HTTP client refuses a trust store, rather than to trust others than was asked for.
#[must_use]
pub fn connector(connect_timeout: Duration, trust: Trust) -> SharedHttpConnector {
    let timeouts = HttpConnectorSettings::builder().connect_timeout(connect_timeout);
    let tls = TlsContext::builder().with_trust_store(trust.store()).build();
    let connector = Connector::builder()
        .connector_settings(timeouts.build())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.expect("every trust store of ours is readable"))
        .build();
    SharedHttpConnector::new(connector)
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};

    use super::*;

    #[test]
    fn the_roots_are_those_that_amazon_publishes() {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let keys: Vec<_> = roots
            .roots
            .iter()
            .map(|root| {
                let key = root.subject_public_key_info.as_ref();
                // An anchor leaves out the head of the sequence, which the hash is made of too.
                let head = match u16::try_from(key.len()).unwrap().to_be_bytes() {
                    [0, length @ ..0x80] => vec![0x30, length],
                    [high, low] => vec![0x30, 0x82, high, low],
                };
                format!("{:?}", digest(&SHA256, &[head.as_slice(), key].concat()))
            })
            .collect();
        // "SHA-256 Hash of Subject Public Key Information", https://www.amazontrust.com/repository/
        let published = [
            "SHA256:fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
            "SHA256:7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
            "SHA256:36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
            "SHA256:f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
            "SHA256:2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92",
        ];
        assert_eq!(keys, published);
    }

    #[test]
    fn a_bundle_holds_a_certificate_at_least_and_no_bad_one() {
        assert!(Bundle::parse(AMAZON_ROOTS.to_vec()).is_ok());
        let cut = AMAZON_ROOTS.split_at(300).0;
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in [b"".as_slice(), b"no certificate", cut, garbage] {
            assert!(Bundle::parse(pem.to_vec()).is_err(), "{}", String::from_utf8_lossy(pem));
        }
    }
}
