//! A TLS server in Cognito's place, which answers at once and counts, and an event with its token.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io};

use fake_cognito::{FakeCognito, User};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::Failure;

/// Where operating systems keep their trusted certificates; the second is Amazon Linux's.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A running server, with a certificate from its own authority.
pub(crate) struct Upstream {
    /// The value for `AWS_ENDPOINT_URL`.
    pub(crate) url: String,
    /// The authority's certificate alone.
    pub(crate) authority: PathBuf,
    /// The system's certificates and the authority's, for contestants that trust the system.
    pub(crate) system_and_authority: PathBuf,
    /// A change that the built-in policy allows, with a token that the server's key signed.
    pub(crate) event: String,
    counters: Arc<Counters>,
}

/// The event for every contestant, before its token is signed.
const EVENT: &str = include_str!("../../../events/http-api.json");

#[derive(Default)]
struct Counters {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

/// The connections and requests since the server was started.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
}

impl Upstream {
    /// Starts on a free port, and writes the certificates to trust into a folder.
    pub(crate) async fn start(folder: &Path) -> Result<Self, Failure> {
        let (authority, tls) = certificates()?;
        let system = SYSTEM_BUNDLES.iter().find_map(|path| fs::read_to_string(path).ok());
        let paths = [folder.join("authority.pem"), folder.join("system-and-authority.pem")];
        fs::write(&paths[0], &authority)?;
        fs::write(&paths[1], system.unwrap_or_default() + &authority)?;
        let [authority, system_and_authority] = paths;

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let counters = Arc::<Counters>::default();
        let fake = FakeCognito::start().await;
        fake.add_user(User::new("demo", "Correct-Horse-7-Battery"));
        let event = fake.sign_token_in(EVENT, "demo");
        tokio::spawn(accept(listener, tls, Arc::clone(&counters), fake.jwks().into()));
        Ok(Self { url, authority, system_and_authority, event, counters })
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            connections: self.counters.connections.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
        }
    }
}

/// Creates an authority, in PEM, and the TLS side of a server with its certificate for `localhost`.
fn certificates() -> Result<(String, TlsAcceptor), Failure> {
    let mut params = CertificateParams::default();
    // With the server's own name, OpenSSL would consider the server's certificate self-signed.
    params.distinguished_name.push(DnType::CommonName, "change-password measure");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(["localhost".to_owned()])?;
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((authority.pem(), Arc::new(config).into()))
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, counters: Arc<Counters>, keys: Bytes) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            counters.connections.fetch_add(1, Ordering::Relaxed);
            // Errors of a connection can be ignored: a missing answer is noticed anyway.
            tokio::spawn(serve(stream, tls.clone(), Arc::clone(&counters), keys.clone()));
        }
    }
}

async fn serve(
    stream: TcpStream,
    tls: TlsAcceptor,
    counters: Arc<Counters>,
    keys: Bytes,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    let service = service_fn(|request| {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        answer(request, keys.clone())
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    connection.await.map_err(io::Error::other)
}

/// Answers `ChangePassword` as Cognito does, and anything else with the pool's keys.
async fn answer(
    request: Request<Incoming>,
    keys: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_call = request.headers().contains_key("x-amz-target");
    let _ = request.into_body().collect().await;
    let response = Response::builder();
    let response = if is_call {
        response
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amzn-requestid", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .body(Full::from("{}"))
    } else {
        response.header("content-type", "application/json").body(Full::from(keys))
    };
    Ok(response.expect("the headers are sound"))
}
