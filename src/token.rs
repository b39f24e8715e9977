//! The pre-check of an access token: refuse what cannot be one of this pool's, before it costs a call.
//!
//! Nothing here verifies a signature. The claims may therefore only refuse a request, never grant
//! one: API Gateway's authorizer and Cognito itself verify.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::credentials::AccessToken;

/// The scope without which Cognito refuses `ChangePassword`.
///
/// Source: Amazon Cognito user pools API reference, `ChangePassword`.
pub const REQUIRED_SCOPE: &str = "aws.cognito.signin.user.admin";

/// The longest token read, in bytes.
///
/// API Gateway takes at most 10,240 bytes of headers in all and a load balancer 16 KiB a header, so
/// no token that could reach us through either is refused for its length.
const MAX_LENGTH: usize = 16 * 1024;

/// How long after `exp` a token is still sent on, in case our clock is ahead of Cognito's.
const LEEWAY: Duration = Duration::from_secs(30);

/// What an access token of this deployment looks like.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The `iss` claim.
    pub issuer: String,
    /// The app clients allowed in the `client_id` claim; empty allows each client of the pool.
    pub client_ids: Vec<String>,
}

/// An access token that passed the pre-check, with the claims that others need.
#[derive(Debug)]
pub struct CheckedToken {
    /// The token itself, for Cognito.
    pub secret: AccessToken,
    /// Whose token it claims to be.
    pub user: User,
}

/// The user that a token names: identifiers, not secrets, and not verified.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// The `sub` claim.
    pub sub: Option<String>,
    /// The `username` claim.
    pub username: Option<String>,
    /// The `client_id` claim.
    pub client_id: Option<String>,
    /// The `cognito:groups` claim.
    pub groups: Vec<String>,
}

/// Why a token is no good, in words for the client's developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenFault {
    /// The value is not three dot-separated base64url parts that hold a JSON header and claims.
    #[error("The bearer token is not a JSON Web Token as Cognito issues them.")]
    NotAJwt,
    /// `token_use` is `id`.
    #[error("This is an ID token; send the access token.")]
    IdToken,
    /// `token_use` is neither `access` nor `id`.
    #[error("The token's `token_use` is not `access`.")]
    NotAnAccessToken,
    /// `iss` is not this pool's.
    #[error("The token was issued by another issuer than this service's user pool.")]
    OtherIssuer,
    /// `client_id` is not on the allow-list.
    #[error("The token was issued to an app client that this service does not accept.")]
    OtherClient,
    /// `exp` is missing or past.
    #[error("The token has expired.")]
    Expired,
    /// `scope` lacks [`REQUIRED_SCOPE`].
    #[error("The token lacks the scope `{REQUIRED_SCOPE}`.")]
    MissingScope,
    /// The token's session was ended, by a sign-out everywhere for one.
    #[error("The token has been revoked.")]
    Revoked,
    /// Cognito refused a token that passed the pre-check.
    #[error("Cognito does not accept this token: it is expired, revoked or forged.")]
    RefusedByCognito,
    /// Cognito no longer knows the token's user.
    #[error("The token's user no longer exists.")]
    UserGone,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    token_use: Option<String>,
    iss: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    sub: Option<String>,
    username: Option<String>,
    #[serde(default, rename = "cognito:groups")]
    groups: Vec<String>,
    /// A `NumericDate` (RFC 7519, section 2): seconds, not necessarily whole ones.
    exp: Option<f64>,
}

impl CheckedToken {
    /// Reads a token's claims and refuses it when it cannot be an access token of this pool.
    ///
    /// # Errors
    ///
    /// The first fault found; a missing scope comes last, since it is a `403` and the rest are `401`.
    pub fn parse(raw: &str, expected: &Expected, now: SystemTime) -> Result<Self, TokenFault> {
        let claims = read_claims(raw).ok_or(TokenFault::NotAJwt)?;
        match claims.token_use.as_deref() {
            Some("access") => {}
            Some("id") => return Err(TokenFault::IdToken),
            _ => return Err(TokenFault::NotAnAccessToken),
        }
        if claims.iss.as_ref() != Some(&expected.issuer) {
            return Err(TokenFault::OtherIssuer);
        }
        let known_client = |id| expected.client_ids.contains(id);
        if !expected.client_ids.is_empty() && !claims.client_id.as_ref().is_some_and(known_client) {
            return Err(TokenFault::OtherClient);
        }
        if !claims.exp.is_some_and(|exp| is_current(exp, now)) {
            return Err(TokenFault::Expired);
        }
        let mut scopes = claims.scope.as_deref().unwrap_or_default().split(' ');
        if !scopes.any(|scope| scope == REQUIRED_SCOPE) {
            return Err(TokenFault::MissingScope);
        }
        Ok(Self {
            secret: AccessToken::from(raw),
            user: User {
                sub: claims.sub,
                username: claims.username,
                client_id: claims.client_id,
                groups: claims.groups,
            },
        })
    }
}

fn read_claims(raw: &str) -> Option<Claims> {
    if raw.len() > MAX_LENGTH {
        return None;
    }
    let mut parts = raw.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || URL_SAFE_NO_PAD.decode(signature).ok()?.is_empty() {
        return None;
    }
    // Cognito signs with RS256 and nothing else, so `alg: none` and HMAC tricks end here.
    (decode::<Header>(header)?.alg == "RS256").then(|| decode(claims))?
}

fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn is_current(exp: f64, now: SystemTime) -> bool {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    exp + LEEWAY.as_secs_f64() > now.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: u64 = 1_800_000_000;

    fn claims() -> Value {
        json!({
            "sub": "5b1d", "username": "demo", "client_id": "app", "token_use": "access",
            "iss": "https://issuer", "scope": "openid aws.cognito.signin.user.admin", "exp": NOW + 300,
        })
    }

    fn token(header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2lnbmF0dXJl", encode(header), encode(claims))
    }

    fn check_raw(raw: &str) -> Result<CheckedToken, TokenFault> {
        let expected = Expected { issuer: "https://issuer".into(), client_ids: vec!["app".into()] };
        CheckedToken::parse(raw, &expected, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
    }

    fn check(change: impl FnOnce(&mut Value)) -> Result<CheckedToken, TokenFault> {
        let mut claims = claims();
        change(&mut claims);
        check_raw(&token(&json!({ "alg": "RS256" }), &claims))
    }

    #[test]
    fn a_sound_access_token_passes_and_names_its_user() {
        let user = check(|_| {}).unwrap().user;
        assert_eq!(user.sub.as_deref(), Some("5b1d"));
        assert_eq!(user.username.as_deref(), Some("demo"));
        assert_eq!(user.client_id.as_deref(), Some("app"));
    }

    #[test]
    fn each_wrong_claim_has_its_own_fault() {
        let cases: [(&str, Value, TokenFault); 16] = [
            ("token_use", json!("id"), TokenFault::IdToken),
            ("token_use", json!("refresh"), TokenFault::NotAnAccessToken),
            ("token_use", Value::Null, TokenFault::NotAnAccessToken),
            ("token_use", json!(["access"]), TokenFault::NotAJwt),
            ("iss", json!("https://issuer/"), TokenFault::OtherIssuer),
            ("iss", Value::Null, TokenFault::OtherIssuer),
            ("client_id", json!("other"), TokenFault::OtherClient),
            ("client_id", Value::Null, TokenFault::OtherClient),
            ("exp", json!(NOW - 30), TokenFault::Expired),
            ("exp", json!(0), TokenFault::Expired),
            ("exp", json!(-1e300), TokenFault::Expired),
            ("exp", Value::Null, TokenFault::Expired),
            ("exp", json!("soon"), TokenFault::NotAJwt),
            ("scope", json!("openid"), TokenFault::MissingScope),
            ("scope", json!("aws.cognito.signin.user.admin.more"), TokenFault::MissingScope),
            ("scope", Value::Null, TokenFault::MissingScope),
        ];
        for (claim, value, fault) in cases {
            let found = check(|claims| claims[claim] = value.clone());
            assert_eq!(found.err(), Some(fault), "{claim} = {value}");
        }
    }

    #[test]
    fn the_clock_may_be_half_a_minute_off() {
        assert!(check(|claims| claims["exp"] = json!(NOW - 29)).is_ok());
        assert!(check(|claims| claims["exp"] = json!(1e18)).is_ok());
    }

    #[test]
    fn an_empty_allow_list_takes_every_client() {
        let expected = Expected { issuer: "https://issuer".into(), client_ids: vec![] };
        let raw = token(&json!({ "alg": "RS256" }), &claims());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        assert!(CheckedToken::parse(&raw, &expected, now).is_ok());
    }

    #[test]
    fn what_is_not_a_signed_jwt_is_refused() {
        let none = token(&json!({ "alg": "none" }), &claims());
        let hmac = token(&json!({ "alg": "HS256" }), &claims());
        let sound = token(&json!({ "alg": "RS256" }), &claims());
        let unsigned = sound.rsplit_once('.').unwrap().0.to_owned() + ".";
        let too_long = check(|claims| claims["pad"] = json!("x".repeat(MAX_LENGTH)));
        assert_eq!(too_long.err(), Some(TokenFault::NotAJwt));
        for raw in ["", "x", "..", "a.b.c", "🔑.🔑.🔑", &none, &hmac, &unsigned, &(sound + ".x")]
        {
            assert_eq!(check_raw(raw).err(), Some(TokenFault::NotAJwt), "{raw}");
        }
    }
}
