//! The HTTP client: which root certificates it trusts, and how long it waits for a connection.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, Connect, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lambda_http::{Service as _, service_fn};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::error::Source;

/// The roots of Amazon Trust Services, which signs the certificates of AWS's endpoints. The build
/// decodes them from `data/amazon-roots.pem`.
const AMAZON_ROOTS: [&[u8]; 5] = include!(concat!(env!("OUT_DIR"), "/amazon-roots.rs"));

/// Which root certificates to trust.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Amazon's, for AWS's own endpoints.
    ///
    /// Reading the system's bundle of about 140 roots takes longer than the rest of a cold start.
    Amazon,
    /// The operating system's.
    System,
    /// An organisation's own.
    Bundle(Bundle),
}

/// The root certificates of a PEM file, at least one, all of them readable.
#[derive(Debug, Clone)]
pub struct Bundle(Arc<RootCertStore>);

impl Bundle {
    /// Reads all certificates of a bundle.
    pub fn parse(pem: &[u8]) -> Result<Self, Source> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate?)?;
        }
        if roots.is_empty() {
            Err("it contains no certificate".into())
        } else {
            Ok(Self(Arc::new(roots)))
        }
    }
}

impl Trust {
    /// Which root certificates to trust for a server that is not AWS's.
    #[must_use]
    pub fn beyond_aws(self) -> Self {
        match self {
            Self::Amazon => Self::System,
            other => other,
        }
    }

    fn roots(self) -> Arc<RootCertStore> {
        let certificates = match self {
            Self::Bundle(Bundle(roots)) => return roots,
            Self::Amazon => AMAZON_ROOTS.map(CertificateDer::from).to_vec(),
            Self::System => rustls_native_certs::load_native_certs().certs,
        };
        let mut roots = RootCertStore::empty();
        // Some systems' bundles have unreadable certificates. Losing one of many does no harm.
        let (read, _) = roots.add_parsable_certificates(certificates);
        if read == 0 {
            tracing::warn!("no root certificates are known, so no server will be trusted");
        }
        Arc::new(roots)
    }
}

/// Creates an HTTP/1.1 client with its own connection pool.
///
/// `connect_timeout` limits the time to connect, including name resolution and TLS.
///
/// # Panics
///
/// Never: `ring` supports rustls's default versions of TLS.
#[must_use]
pub fn connector(connect_timeout: Duration, trust: Trust) -> SharedHttpConnector {
    let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports rustls's default versions of TLS")
        .with_root_certificates(trust.roots())
        .with_no_client_auth();
    let https =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    let connect = service_fn(move |uri: Uri| {
        let connecting = https.clone().call(uri);
        Box::pin(async move { timeout(connect_timeout, connecting).await? })
    });
    let pooled =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connect.clone());
    let fresh = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connect);
    SharedHttpConnector::new(Connector { pooled, fresh })
}

/// The extension of a request that requires a new connection.
///
/// A pooled connection may have been closed without notice, which shows only when a request gets no
/// response. A request that settles a doubt must not end in another doubt of this kind.
#[derive(Debug, Clone, Copy)]
pub struct FreshConnection;

/// The connector through which the SDK sends its requests.
#[derive(Debug)]
struct Connector<C> {
    pooled: Client<C, SdkBody>,
    fresh: Client<C, SdkBody>,
}

impl<C: Connect + Clone + Debug + Send + Sync + 'static> HttpConnector for Connector<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let captured = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&captured));
        }
        let is_fresh = request.extensions().get::<FreshConnection>().is_some();
        let client = if is_fresh { &self.fresh } else { &self.pooled };
        let response = client.request(request);
        HttpConnectorFuture::new(async {
            let response =
                response.await.map_err(|error| match find_source::<Elapsed>(&error) {
                    Some(_) => ConnectorError::timeout(error.into()),
                    None => ConnectorError::io(error.into()),
                })?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The connection of a request, which the SDK removes from the pool after a server error.
fn metadata(captured: &CaptureConnection) -> Option<ConnectionMetadata> {
    captured.connection_metadata().as_ref()?;
    let captured = captured.clone();
    let poison = move || {
        if let Some(connected) = captured.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// Finds the first error of type `E` among an error and its sources.
fn find_source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};

    use super::*;

    #[test]
    fn the_roots_are_those_that_amazon_publishes() {
        let keys: Vec<_> = Trust::Amazon
            .roots()
            .roots
            .iter()
            .map(|root| {
                let key = root.subject_public_key_info.as_ref();
                // A trust anchor omits the header of the sequence, which the hash includes.
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

    #[tokio::test]
    async fn a_silent_server_is_a_timeout_and_a_refused_connection_is_an_io_error() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let connector = connector(Duration::from_millis(100), Trust::Amazon);
        let call = |port| {
            let request = HttpRequest::get(format!("https://127.0.0.1:{port}/")).unwrap();
            connector.call(request)
        };
        assert!(call(silent.local_addr().unwrap().port()).await.unwrap_err().is_timeout());
        assert!(call(9).await.unwrap_err().is_io());
    }

    #[test]
    fn a_bundle_without_a_certificate_or_with_an_unreadable_one_is_rejected() {
        let sound = include_bytes!("../data/amazon-roots.pem").as_slice();
        assert!(Bundle::parse(sound).is_ok());
        let cut = sound.split_at(300).0;
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in [b"".as_slice(), b"no certificate", cut, garbage] {
            assert!(Bundle::parse(pem).is_err(), "{}", String::from_utf8_lossy(pem));
        }
    }
}
