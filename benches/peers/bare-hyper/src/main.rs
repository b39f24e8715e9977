//! The minimum for the job: one `ChangePassword` call over a kept connection, without an SDK.

use std::env;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Passwords<'a> {
    previous_password: &'a str,
    proposed_password: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChangePassword<'a> {
    access_token: &'a str,
    previous_password: &'a str,
    proposed_password: &'a str,
}

struct Cognito {
    /// Host and port.
    authority: String,
    tls: TlsConnector,
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let cognito = Cognito::from_env()?;
    run(service_fn(|request| handle(&cognito, request))).await
}

async fn handle(cognito: &Cognito, request: Request) -> Result<Response<Body>, Error> {
    let authorization = request.headers().get("authorization").ok_or("no token")?.to_str()?;
    let access_token = authorization.trim_start_matches("Bearer ");
    let Passwords { previous_password, proposed_password } =
        serde_json::from_slice(request.body())?;
    let change = ChangePassword { access_token, previous_password, proposed_password };
    let status = if cognito.change_password(&change).await? { 204 } else { 400 };
    Ok(Response::builder().status(status).body(Body::Empty)?)
}

impl Cognito {
    fn from_env() -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(env::var("AWS_CA_BUNDLE")?)? {
            roots.add(root?)?;
        }
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let url = env::var("AWS_ENDPOINT_URL")?;
        Ok(Self {
            authority: url.strip_prefix("https://").ok_or("not an https URL")?.into(),
            tls: Arc::new(tls).into(),
            connection: Mutex::default(),
        })
    }

    async fn change_password(&self, change: &ChangePassword<'_>) -> Result<bool, Error> {
        let request = hyper::Request::post("/")
            .header("host", &self.authority)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "AWSCognitoIdentityProviderService.ChangePassword")
            .body(Full::from(serde_json::to_vec(change)?))?;
        let mut connection = self.connection.lock().await;
        let connection = match &mut *connection {
            Some(kept) if !kept.is_closed() => kept,
            gone => gone.insert(self.connect().await?),
        };
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let changed = response.status().is_success();
        // The connection can be used again only if the body is read to its end.
        response.into_body().collect().await?;
        Ok(changed)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let tcp = TcpStream::connect(&self.authority).await?;
        tcp.set_nodelay(true)?;
        let host = self.authority.split(':').next().unwrap_or_default().to_owned();
        let tls = self.tls.connect(ServerName::try_from(host)?, tcp).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
