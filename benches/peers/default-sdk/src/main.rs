//! What a user of the Rust SDK writes first: default features, default settings, default profile.

use aws_config::BehaviorVersion;
use aws_sdk_cognitoidentityprovider::Client;
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Passwords {
    previous_password: String,
    proposed_password: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = Client::new(&config);
    run(service_fn(|request| change_password(&client, request))).await
}

async fn change_password(client: &Client, request: Request) -> Result<Response<Body>, Error> {
    let authorization = request.headers().get("authorization").ok_or("no token")?.to_str()?;
    let token = authorization.trim_start_matches("Bearer ");
    let passwords: Passwords = serde_json::from_slice(request.body())?;
    let changed = client
        .change_password()
        .access_token(token)
        .previous_password(passwords.previous_password)
        .proposed_password(passwords.proposed_password)
        .send()
        .await;
    let status = if changed.is_ok() { 204 } else { 400 };
    Ok(Response::builder().status(status).body(Body::Empty)?)
}
