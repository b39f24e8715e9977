//! The connection to Cognito: opened in advance, and only to a trusted server.

use std::sync::Arc;
use std::time::Duration;

use change_password::connector::{Bundle, Trust, connector};
use fake_cognito::{Fault, Operation};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::harness::{Function, LONG, OLD, Way};

#[tokio::test]
async fn the_first_change_uses_the_connection_that_was_opened_in_advance() {
    let function = Function::start().await;
    function.app.connect().await;
    assert_eq!(function.cognito.calls(Operation::Jwks), 1);
    assert_eq!(function.change().await.status, 204);
    assert_eq!(function.cognito.connections(), 1);
}

#[tokio::test]
async fn a_change_works_as_usual_after_a_failure_to_connect_in_advance() {
    let function = Function::start().await;
    for fault in [Fault::StallBefore(LONG), Fault::DropBefore, Fault::CutAnswer, Fault::html()] {
        function.cognito.fail_next(Operation::Jwks, fault);
        function.app.connect().await;
    }
    assert_eq!(function.change().await.status, 204);

    let function = Function::start_calling("http://127.0.0.1:9").await;
    function.app.connect().await;
    function.change().await.assert_problem(503, "upstream_unavailable");
}

#[tokio::test]
async fn only_a_certificate_from_a_trusted_authority_is_accepted() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(server));

    let bundle = Bundle::parse(cert.pem().as_bytes()).unwrap();
    for (trust, status) in
        [(Trust::Amazon, 503), (Trust::System, 503), (Trust::Bundle(bundle), 204)]
    {
        let tls = tls.clone();
        let function = Function::start_by_way_of(|way| Way {
            endpoint: terminate(&way.endpoint, tls),
            connector: connector(Duration::from_secs(5), trust.clone()),
        })
        .await;
        assert_eq!(function.change().await.status, status, "{trust:?}");
        if status == 503 {
            assert_eq!(function.cognito.connections(), 0);
            function.assert_password(OLD);
        }
    }
}

/// Starts a server that terminates TLS for another one, and returns its URL.
fn terminate(upstream: &str, tls: TlsAcceptor) -> String {
    let upstream = upstream.trim_start_matches("http://").to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (tls, upstream) = (tls.clone(), upstream.clone());
            tokio::spawn(async move {
                // A client that rejects the certificate disconnects here.
                let Ok(mut client) = tls.accept(client).await else { return };
                let mut server = TcpStream::connect(upstream).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    format!("https://localhost:{port}")
}
