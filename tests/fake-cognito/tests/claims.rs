//! Tests of the fake over real sockets.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fake_cognito::{
    FakeCognito, Fault, Issuer, Operation, Options, PasswordPolicy, User, UserState,
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

const OLD: &str = "Correct-Horse-7-Battery";
const JWKS: &str = "/eu-west-1_LocalDev0/.well-known/jwks.json";
const NEW: &str = "Purple-Mango-42-Lantern";

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON response")
    }

    #[track_caller]
    fn assert_exception(&self, code: &str, message: &str) {
        assert_eq!(self.json(), json!({ "__type": code, "message": message }));
    }
}

/// A keep-alive connection.
struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn connect(fake: &FakeCognito) -> Self {
        let address = fake.endpoint_url().trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.expect("the fake listens");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Self(sender)
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        target: &str,
        body: &str,
    ) -> hyper::Result<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{target}"))
            .body(Full::from(body.to_owned()))
            .expect("a valid request");
        let (head, body) = self.0.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.into()).expect("UTF-8"),
        })
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "", "").await.expect("an answer")
    }

    async fn call(&mut self, target: &str, body: Value) -> Answer {
        self.send("POST", "/", target, &body.to_string()).await.expect("an answer")
    }

    async fn change(&mut self, token: &str, previous: &str, proposed: &str) -> Answer {
        self.call("ChangePassword", change(token, previous, proposed)).await
    }
}

fn change(token: &str, previous: &str, proposed: &str) -> Value {
    json!({ "AccessToken": token, "PreviousPassword": previous, "ProposedPassword": proposed })
}

async fn fake_with_ann() -> (FakeCognito, Client) {
    let fake = FakeCognito::start().await;
    fake.add_user(User::new("ann", OLD));
    let client = Client::connect(&fake).await;
    (fake, client)
}

#[tokio::test]
async fn a_change_returns_an_empty_object_and_takes_effect() {
    let (fake, mut client) = fake_with_ann().await;
    let answer = client.change(&fake.access_token("ann"), OLD, NEW).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "{}"));
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1");
    assert!(answer.headers.contains_key("x-amzn-requestid"));
    assert!(fake.sign_in("ann", NEW).is_ok());
    assert_eq!(fake.sign_in("ann", OLD).unwrap_err().code, "NotAuthorizedException");
}

#[tokio::test]
async fn an_error_has_its_type_and_message_in_the_body_and_headers() {
    let (fake, mut client) = fake_with_ann().await;
    let answer = client.change(&fake.access_token("ann"), "wrong-password", NEW).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.assert_exception("NotAuthorizedException", "Incorrect username or password.");
    assert_eq!(answer.headers["x-amzn-errortype"], "NotAuthorizedException:");
    assert_eq!(answer.headers["x-amzn-errormessage"], "Incorrect username or password.");
}

#[tokio::test]
async fn an_unknown_operation_or_invalid_json_returns_an_exception_without_a_message() {
    let (fake, mut client) = fake_with_ann().await;
    let unknown = json!({ "__type": "UnknownOperationException" });
    assert_eq!(client.call("MakeCoffee", json!({})).await.json(), unknown);
    assert_eq!(client.call("Jwks", json!({})).await.json(), unknown);
    let broken = client.send("POST", "/", "ChangePassword", "{").await.unwrap();
    assert_eq!(broken.json(), json!({ "__type": "SerializationException" }));
    assert_eq!(fake.calls(Operation::ChangePassword), 1);
}

#[tokio::test]
async fn all_violated_constraints_are_listed_and_no_value_is_echoed() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.access_token("ann");
    let pattern = r"Member must satisfy regular expression pattern: ^[\S]+.*[\S]+$";
    let at = "failed to satisfy constraint:";
    let cases = [
        (
            change(&token, OLD, " Leading-Space-1"),
            format!("1 validation error detected: Value at 'proposedPassword' {at} {pattern}"),
        ),
        (
            change(&token, "x", &"é".repeat(257)),
            format!(
                "2 validation errors detected: Value at 'previousPassword' {at} {pattern}; Value \
                 at 'proposedPassword' {at} Member must have length less than or equal to 256"
            ),
        ),
        (
            json!({ "AccessToken": "a b", "ProposedPassword": NEW }),
            format!(
                "1 validation error detected: Value at 'accessToken' {at} Member must satisfy \
                 regular expression pattern: [A-Za-z0-9-_=.]+"
            ),
        ),
        (
            json!({ "AccessToken": token }),
            format!(
                "1 validation error detected: Value at 'proposedPassword' {at} Member must not be null"
            ),
        ),
    ];
    for (request, message) in cases {
        let answer = client.call("ChangePassword", request).await;
        answer.assert_exception("InvalidParameterException", &message);
    }
}

#[tokio::test]
async fn an_invalid_token_is_rejected_with_the_reason() {
    let (fake, mut client) = fake_with_ann().await;
    let cases = [
        ("not.a.token".to_owned(), "Invalid Access Token"),
        (fake.forged_token("ann"), "Could not verify signature for Access Token"),
        (fake.id_token("ann"), "Invalid Access Token"),
        (fake.mint("ann", |jwt| jwt.header["kid"] = "other".into()), "Invalid Access Token"),
        (fake.mint("ann", |jwt| jwt.header["alg"] = "none".into()), "Invalid Access Token"),
        (fake.mint("ann", |jwt| jwt.claims["iss"] = "https://x".into()), "Invalid Access Token"),
        (fake.mint("ann", |jwt| jwt.claims["exp"] = 0.into()), "Access Token has expired"),
        (
            fake.mint("ann", |jwt| drop(jwt.claims.remove("scope"))),
            "Access Token does not have required scopes",
        ),
    ];
    for (token, message) in cases {
        let answer = client.change(&token, OLD, NEW).await;
        answer.assert_exception("NotAuthorizedException", message);
    }
    assert_eq!(fake.password_of("ann").as_deref(), Some(OLD));
}

#[tokio::test]
async fn an_access_token_expires_after_the_pools_lifetime() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.access_token("ann");
    fake.advance(Duration::from_mins(59));
    assert_eq!(client.call("GetUser", json!({ "AccessToken": token })).await.status, 200);
    fake.advance(Duration::from_mins(1));
    let answer = client.call("GetUser", json!({ "AccessToken": token })).await;
    answer.assert_exception("NotAuthorizedException", "Access Token has expired");
}

#[tokio::test]
async fn a_users_state_is_reported_before_the_previous_password_is_checked() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.access_token("ann");
    let cases = [
        (UserState::Disabled, "NotAuthorizedException", "User is disabled."),
        (UserState::Unconfirmed, "UserNotConfirmedException", "User is not confirmed."),
        (
            UserState::ResetRequired,
            "PasswordResetRequiredException",
            "Password reset required for the user",
        ),
    ];
    for (state, code, message) in cases {
        fake.set_state("ann", state);
        client.change(&token, "wrong-password", NEW).await.assert_exception(code, message);
    }
    fake.delete_user("ann");
    let answer = client.change(&token, OLD, NEW).await;
    answer.assert_exception("UserNotFoundException", "User does not exist.");
}

#[tokio::test]
async fn the_previous_password_is_checked_before_the_policy() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.access_token("ann");
    let answer = client.change(&token, "wrong-password", "weak").await;
    answer.assert_exception("NotAuthorizedException", "Incorrect username or password.");
    let answer = client.change(&token, OLD, "weak").await;
    let message = "Password did not conform with policy: Password not long enough";
    answer.assert_exception("InvalidPasswordException", message);
}

#[tokio::test]
async fn the_policy_reports_one_broken_rule() {
    let (fake, mut client) = fake_with_ann().await;
    let cases = [
        ("lower-case-1", "Password must have uppercase characters"),
        ("UPPER-CASE-1", "Password must have lowercase characters"),
        ("No-Digits-Here", "Password must have numeric characters"),
        ("NoSymbols1Here", "Password must have symbol characters"),
    ];
    for (proposed, rule) in cases {
        let answer = client.change(&fake.access_token("ann"), OLD, proposed).await;
        let message = format!("Password did not conform with policy: {rule}");
        answer.assert_exception("InvalidPasswordException", &message);
    }
    let spaced = client.change(&fake.access_token("ann"), OLD, "Inner Space 1").await;
    assert_eq!(spaced.status, StatusCode::OK, "an inner space is a symbol");
}

#[tokio::test]
async fn the_sixth_attempt_within_an_hour_is_rejected_even_with_the_right_password() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.mint("ann", |jwt| jwt.claims["exp"] = 9_999_999_999_u64.into());
    for _ in 0..5 {
        let answer = client.change(&token, "wrong-password", NEW).await;
        answer.assert_exception("NotAuthorizedException", "Incorrect username or password.");
    }
    let answer = client.change(&token, OLD, NEW).await;
    let message = "Attempt limit exceeded, please try after some time.";
    answer.assert_exception("LimitExceededException", message);

    fake.advance(Duration::from_hours(1));
    assert_eq!(client.change(&token, OLD, NEW).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_password_can_be_reused_unless_it_is_in_the_pools_history() {
    let (fake, mut client) = fake_with_ann().await;
    let answer = client.change(&fake.access_token("ann"), OLD, OLD).await;
    assert_eq!(answer.status, StatusCode::OK);

    let policy = PasswordPolicy { history_size: 2, ..PasswordPolicy::default() };
    let fake = FakeCognito::start_with(Options { policy, ..Options::default() }).await.unwrap();
    fake.add_user(User::new("ann", OLD));
    let (mut client, token) = (Client::connect(&fake).await, fake.access_token("ann"));
    assert_eq!(client.change(&token, OLD, NEW).await.status, StatusCode::OK);
    let again = client.change(&token, NEW, OLD).await.json();
    assert_eq!(again["__type"], "PasswordHistoryPolicyViolationException");
    assert_eq!(client.change(&token, NEW, "Third-One-3").await.status, StatusCode::OK);
    assert_eq!(client.change(&token, "Third-One-3", OLD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_a_user_without_a_password_can_omit_the_previous_password() {
    let (fake, mut client) = fake_with_ann().await;
    fake.add_user(User { password: None, ..User::new("bob", "") });
    let request = |user| json!({ "AccessToken": fake.access_token(user), "ProposedPassword": NEW });
    let answer = client.call("ChangePassword", request("ann")).await;
    answer.assert_exception("NotAuthorizedException", "Incorrect username or password.");
    assert_eq!(client.call("ChangePassword", request("bob")).await.body, "{}");
    assert_eq!(fake.password_of("bob").as_deref(), Some(NEW));
}

#[tokio::test]
async fn global_sign_out_revokes_all_sessions_and_a_change_revokes_none() {
    let (fake, mut client) = fake_with_ann().await;
    let tokens = fake.sign_in("ann", OLD).unwrap();
    let refresh = json!({
        "AuthFlow": "REFRESH_TOKEN_AUTH",
        "ClientId": fake.client_id(),
        "AuthParameters": { "REFRESH_TOKEN": tokens.refresh_token },
    });
    client.change(&fake.access_token("ann"), OLD, NEW).await;
    assert_eq!(client.call("InitiateAuth", refresh.clone()).await.status, StatusCode::OK);

    let request = json!({ "AccessToken": fake.access_token("ann") });
    assert_eq!(client.call("GlobalSignOut", request).await.body, "{}");
    let answer = client.change(&tokens.access_token, NEW, OLD).await;
    answer.assert_exception("NotAuthorizedException", "Access Token has been revoked");
    let answer = client.call("InitiateAuth", refresh).await;
    answer.assert_exception("NotAuthorizedException", "Refresh Token has been revoked");
}

#[tokio::test]
async fn signing_in_returns_tokens_with_cognitos_claims() {
    let (fake, mut client) = fake_with_ann().await;
    fake.add_user(User { groups: vec!["staff".into()], ..User::new("eve", OLD) });
    let answer = client
        .call(
            "InitiateAuth",
            json!({
                "AuthFlow": "USER_PASSWORD_AUTH",
                "ClientId": fake.client_id(),
                "AuthParameters": { "USERNAME": "eve", "PASSWORD": OLD },
            }),
        )
        .await;
    let result = &answer.json()["AuthenticationResult"];
    assert_eq!((&result["ExpiresIn"], &result["TokenType"]), (&json!(3600), &json!("Bearer")));
    assert!(result["RefreshToken"].is_string());

    let access = claims(result["AccessToken"].as_str().unwrap());
    assert_eq!(access["iss"], "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_LocalDev0");
    assert_eq!(access["token_use"], "access");
    assert_eq!(access["client_id"], fake.client_id());
    assert_eq!(access["username"], "eve");
    assert_eq!(access["scope"], "aws.cognito.signin.user.admin");
    assert_eq!(access["cognito:groups"], json!(["staff"]));
    assert_eq!(access["exp"], access["iat"].as_u64().unwrap() + 3600);
    let id = claims(result["IdToken"].as_str().unwrap());
    assert_eq!((&id["token_use"], &id["aud"]), (&json!("id"), &json!(fake.client_id())));
    assert_eq!(id["email"], "eve@example.com");
    assert_eq!((&id["sub"], &id["origin_jti"]), (&access["sub"], &access["origin_jti"]));
    assert_ne!(id["jti"], access["jti"]);
}

fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn another_library_verifies_a_minted_token_with_the_key_set() {
    let options = Options { issuer: Issuer::Local, ..Options::default() };
    let fake = FakeCognito::start_with(options).await.unwrap();
    fake.add_user(User::new("ann", OLD));
    let mut client = Client::connect(&fake).await;
    let configuration = client.get("/eu-west-1_LocalDev0/.well-known/openid-configuration").await;
    assert_eq!(configuration.json()["issuer"], fake.issuer());
    assert_eq!(configuration.json()["jwks_uri"], fake.jwks_url());

    let keys = client.get(JWKS).await.json();
    let decode = |part: &Value| URL_SAFE_NO_PAD.decode(part.as_str().unwrap()).unwrap();
    let key = ring::signature::RsaPublicKeyComponents {
        n: decode(&keys["keys"][0]["n"]),
        e: decode(&keys["keys"][0]["e"]),
    };
    let verifies = |token: &str| {
        let (unsigned, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let rs256 = &ring::signature::RSA_PKCS1_2048_8192_SHA256;
        key.verify(rs256, unsigned.as_bytes(), &signature).is_ok()
    };
    assert!(verifies(&fake.access_token("ann")));
    assert!(!verifies(&fake.forged_token("ann")));
}

#[tokio::test]
async fn a_lost_response_leaves_the_password_changed_only_if_the_fault_comes_after_the_change() {
    let cases = [(Fault::DropBefore, OLD), (Fault::DropAfter, NEW), (Fault::CutAnswer, NEW)];
    for (fault, password) in cases {
        let (fake, mut client) = fake_with_ann().await;
        let request = change(&fake.access_token("ann"), OLD, NEW).to_string();
        fake.fail_next(Operation::ChangePassword, fault);
        client.send("POST", "/", "ChangePassword", &request).await.unwrap_err();
        assert_eq!(fake.password_of("ann").as_deref(), Some(password));
        assert_eq!(fake.calls(Operation::ChangePassword), 1);
    }
}

#[tokio::test]
async fn a_cut_response_announces_the_full_length_and_delivers_half() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let (fake, _client) = fake_with_ann().await;
    fake.fail_next(Operation::GetUser, Fault::CutAnswer);
    let body = json!({ "AccessToken": fake.access_token("ann") }).to_string();
    let address = fake.endpoint_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let target = "x-amz-target: AWSCognitoIdentityProviderService.GetUser";
    let length = body.len();
    let request =
        format!("POST / HTTP/1.1\r\nhost: x\r\n{target}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    let (head, half) = answer.split_once("\r\n\r\n").unwrap();
    let promised = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let promised: usize = promised.parse().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(half.len(), promised / 2);
}

#[tokio::test]
async fn a_stall_before_delays_the_change_and_a_stall_after_only_the_response() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.access_token("ann");
    let pause = Duration::from_millis(80);
    fake.fail_next(Operation::ChangePassword, Fault::StallBefore(pause));
    fake.fail_next(Operation::ChangePassword, Fault::StallAfter(pause));
    for (previous, proposed, meanwhile) in [(OLD, NEW, OLD), (NEW, OLD, OLD)] {
        let (answer, ()) = tokio::join!(client.change(&token, previous, proposed), async {
            tokio::time::sleep(pause / 2).await;
            assert_eq!(fake.password_of("ann").as_deref(), Some(meanwhile));
        });
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn one_shot_faults_occur_in_order_and_before_permanent_ones() {
    let (fake, mut client) = fake_with_ann().await;
    fake.fail_always(Operation::Jwks, Fault::exception("InternalErrorException"));
    fake.fail_next(Operation::Jwks, Fault::html());
    fake.fail_next(Operation::Jwks, Fault::exception("ForbiddenException"));
    for status in [503, 403, 500, 500] {
        assert_eq!(client.get(JWKS).await.status, status);
    }
    fake.clear_faults();
    assert_eq!(client.get(JWKS).await.status, 200);
    assert_eq!((fake.calls(Operation::Jwks), fake.connections()), (5, 1));
}

#[tokio::test]
async fn a_fault_for_one_user_does_not_affect_calls_of_others() {
    let (fake, mut client) = fake_with_ann().await;
    fake.add_user(User::new("ben", OLD));
    let [ann, ben] = ["ann", "ben"].map(|name| fake.access_token(name));
    let fault = Fault::exception("TooManyRequestsException");
    fake.fail_next_about(Operation::ChangePassword, &ben, fault);
    assert_eq!(client.change(&ann, OLD, NEW).await.status, 200);
    assert_eq!(client.change(&ben, OLD, NEW).await.status, 400);
    assert_eq!(client.change(&ben, OLD, NEW).await.status, 200);
}

#[tokio::test]
async fn faults_can_be_set_over_http_and_invalid_ones_return_400_with_a_reason() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.access_token("ann");
    let order = r#"{"operation":"ChangePassword","fault":"NotAuthorizedException: User is disabled.","times":2}"#;
    assert_eq!(client.send("POST", "/_fake/faults", "", order).await.unwrap().status, 204);
    let answer = client.change(&token, OLD, NEW).await;
    answer.assert_exception("NotAuthorizedException", "User is disabled.");
    assert_eq!(client.send("DELETE", "/_fake/faults", "", "").await.unwrap().status, 204);
    assert_eq!(client.change(&token, OLD, NEW).await.status, StatusCode::OK);

    let cases = [
        (r#"{"operation":"ChangePassword","fault":"explode"}"#, "unknown fault: explode"),
        (
            r#"{"operation":"ChangePassword","fault":"stall-after"}"#,
            "stall-after needs milliseconds",
        ),
        (r#"{"operation":"MakeCoffee","fault":"empty"}"#, "unknown variant `MakeCoffee`"),
        (r#"{"operation":"GetUser"}"#, "missing field `fault`"),
    ];
    for (order, explanation) in cases {
        let answer = client.send("POST", "/_fake/faults", "", order).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.contains(explanation), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_reset_restores_users_and_limits() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.access_token("ann");
    for _ in 0..5 {
        client.change(&token, "wrong-password", NEW).await;
    }
    fake.delete_user("ann");
    assert_eq!(client.send("POST", "/_fake/reset", "", "").await.unwrap().status, 204);
    let tokens = fake.sign_in("ann", OLD).unwrap();
    assert_eq!(client.change(&tokens.access_token, OLD, NEW).await.status, StatusCode::OK);
    assert_eq!(fake.calls(Operation::ChangePassword), 1);
    assert_eq!(client.get("/_fake/calls").await.body, r#"{"ChangePassword":1}"#);
}

#[tokio::test]
async fn closing_the_connections_does_not_affect_later_ones() {
    let (fake, mut client) = fake_with_ann().await;
    client.get(JWKS).await;
    fake.close_connections();
    while !client.0.is_closed() {
        tokio::task::yield_now().await;
    }
    let mut client = Client::connect(&fake).await;
    for _ in 0..2 {
        assert_eq!(client.get(JWKS).await.status, 200);
    }
    assert_eq!(fake.connections(), 2);
}

#[tokio::test]
async fn a_shutdown_waits_for_the_pending_response() {
    let (fake, mut client) = fake_with_ann().await;
    let token = fake.access_token("ann");
    fake.fail_next(Operation::GetUser, Fault::StallAfter(Duration::from_millis(80)));
    let request = json!({ "AccessToken": token });
    let (answer, ()) = tokio::join!(client.call("GetUser", request), async {
        tokio::time::sleep(Duration::from_millis(40)).await;
        fake.shut_down().await;
    });
    assert_eq!(answer.status, StatusCode::OK);
}
