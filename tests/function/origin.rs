//! A proxy in front of the API: a request that bypasses it gets a `404`, and one that comes through
//! it is recorded with the client's address.

use change_password::origin::{ADDRESS_HEADER, SECRET_HEADER};
use serde_json::{Value, json};

use crate::audit::outcomes;
use crate::harness::{Function, NEW, OLD, change, post, sample};

const SECRET: &str = "sentinel-secret-of-the-proxy-0123456789";

/// The demo user's change with these additional headers.
fn change_with(function: &Function, headers: &[(&str, &str)]) -> Value {
    let mut event = post(&function.token, &change());
    for (name, value) in headers {
        event["headers"][name] = json!(value);
    }
    event
}

#[tokio::test]
async fn a_request_with_the_secret_succeeds_and_is_recorded_with_the_clients_address() {
    let function = Function::start_with_origin_secrets(SECRET).await;
    let address = "203.0.113.201";
    let event = change_with(&function, &[(SECRET_HEADER, SECRET), (ADDRESS_HEADER, address)]);
    assert_eq!(function.invoke(&event).await.status, 204);
    function.assert_password(NEW);
    assert_eq!(outcomes().filter(|line| line["source_ip"] == address).count(), 1);
}

#[tokio::test]
async fn a_request_that_bypasses_the_proxy_returns_404_and_its_address_header_is_ignored() {
    let function = Function::start_with_origin_secrets(SECRET).await;
    let address = "203.0.113.202";
    for secret in ["", "another-secret-of-the-proxy-0123456789"] {
        let headers = [(SECRET_HEADER, secret), (ADDRESS_HEADER, address)];
        let reply = function.invoke(&change_with(&function, &headers)).await;
        reply.assert_problem(404, "not_found");
    }
    function.invoke(&change_with(&function, &[])).await.assert_problem(404, "not_found");
    let mut policy = sample("password-policy");
    policy["headers"][ADDRESS_HEADER] = json!(address);
    function.invoke(&policy).await.assert_problem(404, "not_found");
    function.assert_password(OLD);
    assert_eq!(outcomes().filter(|line| line["source_ip"] == address).count(), 0);
}

#[tokio::test]
async fn without_a_proxy_the_address_header_is_ignored() {
    let function = Function::start().await;
    let address = "203.0.113.203";
    let event = change_with(&function, &[(SECRET_HEADER, SECRET), (ADDRESS_HEADER, address)]);
    assert_eq!(function.invoke(&event).await.status, 204);
    assert_eq!(outcomes().filter(|line| line["source_ip"] == address).count(), 0);
}
