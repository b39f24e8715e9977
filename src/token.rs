//! The pre-check of an access token: refuse what cannot be one of this pool's, before it costs a call.
//!
//! Nothing here verifies a signature. The claims may therefore only refuse a request, never grant
//! one: API Gateway's authorizer and Cognito itself verify.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::credentials::AccessToken;
use crate::json::Members;

/// The scope without which Cognito refuses `ChangePassword`.
///
/// Source: Amazon Cognito user pools API reference, `ChangePassword`.
pub const REQUIRED_SCOPE: &str = "aws.cognito.signin.user.admin";

/// The longest token read, in bytes.
///
/// API Gateway takes at most 10,240 bytes of headers in all and a load balancer 16 KiB a header, so
/// no token that could reach us through either is refused for its length.
const MAX_LENGTH: usize = 16 * 1024;

/// How long after `exp` and before `nbf` a token is still sent on, in case our clock is not Cognito's.
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
    /// `nbf` is in the future.
    #[error("The token is not valid yet.")]
    NotYetValid,
    /// The header has `crit`, which Cognito never sets (RFC 7515, section 4.1.11).
    #[error("The token's header has the parameter `crit`, which this service does not support.")]
    CriticalExtension,
    /// `cognito:groups` is not an array of strings.
    #[error("The token's `cognito:groups` is not an array of group names.")]
    InvalidGroups,
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

struct Claims {
    token_use: Option<String>,
    iss: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    sub: Option<String>,
    username: Option<String>,
    groups: Vec<String>,
    /// A `NumericDate` (RFC 7519, section 2): seconds, not necessarily whole ones.
    exp: Option<f64>,
    /// Likewise.
    nbf: Option<f64>,
}

impl CheckedToken {
    /// Reads a token's claims and refuses it when it cannot be an access token of this pool.
    ///
    /// # Errors
    ///
    /// The first fault found; a missing scope comes last, since it is a `403` and the rest are `401`.
    pub fn parse(raw: &str, expected: &Expected, now: SystemTime) -> Result<Self, TokenFault> {
        let claims = Claims::read(raw)?;
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
        if claims.nbf.is_some_and(|nbf| !has_begun(nbf, now)) {
            return Err(TokenFault::NotYetValid);
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

impl Claims {
    fn read(raw: &str) -> Result<Self, TokenFault> {
        let (header, claims) = decode(raw).ok_or(TokenFault::NotAJwt)?;
        let header = distinct_members(&header)?;
        // Cognito signs with RS256 and nothing else, so `alg: none` and HMAC tricks end here.
        if header.text("alg").as_deref() != Some("RS256") {
            return Err(TokenFault::NotAJwt);
        }
        if header.get("crit").is_some() {
            return Err(TokenFault::CriticalExtension);
        }
        let claims = distinct_members(&claims)?;
        let groups = claims.get("cognito:groups").map_or(Ok(vec![]), |groups| {
            serde_json::from_str(groups.get()).map_err(|_| TokenFault::InvalidGroups)
        })?;
        Ok(Self {
            token_use: optional(&claims, "token_use")?,
            iss: optional(&claims, "iss")?,
            client_id: optional(&claims, "client_id")?,
            scope: optional(&claims, "scope")?,
            sub: optional(&claims, "sub")?,
            username: optional(&claims, "username")?,
            groups,
            exp: optional(&claims, "exp")?,
            nbf: optional(&claims, "nbf")?,
        })
    }
}

/// The texts of the header and the claims.
fn decode(raw: &str) -> Option<(String, String)> {
    if raw.len() > MAX_LENGTH {
        return None;
    }
    let mut parts = raw.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let (header, claims, signature) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || signature.is_empty() {
        return None;
    }
    Some((String::from_utf8(header).ok()?, String::from_utf8(claims).ok()?))
}

/// Reads an object in which no name repeats: of two claims with one name, we and Cognito might read
/// different ones.
fn distinct_members(json: &str) -> Result<Members<'_>, TokenFault> {
    let members = Members::parse(json).filter(|members| !members.has_repeated_names());
    members.ok_or(TokenFault::NotAJwt)
}

/// Reads a claim that may be missing or `null`.
fn optional<'a, T: Deserialize<'a>>(
    claims: &Members<'a>,
    name: &str,
) -> Result<Option<T>, TokenFault> {
    let read = |claim: &'a RawValue| serde_json::from_str::<Option<T>>(claim.get());
    claims.get(name).map_or(Ok(None), read).map_err(|_| TokenFault::NotAJwt)
}

fn is_current(exp: f64, now: SystemTime) -> bool {
    exp + LEEWAY.as_secs_f64() > seconds(now)
}

fn has_begun(nbf: f64, now: SystemTime) -> bool {
    nbf <= seconds(now) + LEEWAY.as_secs_f64()
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
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
        let cases: [(&str, Value, TokenFault); 23] = [
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
            ("nbf", json!(NOW + 31), TokenFault::NotYetValid),
            ("nbf", json!(1e300), TokenFault::NotYetValid),
            ("nbf", json!("now"), TokenFault::NotAJwt),
            ("cognito:groups", json!("admins"), TokenFault::InvalidGroups),
            ("cognito:groups", json!(["admins", 7]), TokenFault::InvalidGroups),
            ("cognito:groups", json!({ "admins": true }), TokenFault::InvalidGroups),
            ("cognito:groups", Value::Null, TokenFault::InvalidGroups),
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
        assert!(check(|claims| claims["nbf"] = json!(NOW + 30)).is_ok());
        assert!(check(|claims| claims["nbf"] = json!(0)).is_ok());
    }

    #[test]
    fn group_names_are_read() {
        let user = check(|claims| claims["cognito:groups"] = json!(["staff", ""])).unwrap().user;
        assert_eq!(user.groups, ["staff", ""]);
    }

    #[test]
    fn a_header_with_critical_extensions_is_refused() {
        for crit in [json!(["b64"]), json!([]), Value::Null] {
            let raw = token(&json!({ "alg": "RS256", "crit": crit }), &claims());
            assert_eq!(check_raw(&raw).err(), Some(TokenFault::CriticalExtension));
        }
    }

    #[test]
    fn header_and_claims_are_objects_in_which_no_name_repeats() {
        let sound = claims().to_string();
        let member = |text: &str| sound.replacen('{', &format!("{{{text},"), 1);
        // The order in which derived code would read an array as the claims.
        let array = json!(["access", "https://issuer", "app", REQUIRED_SCOPE, "5b1d", "demo", []]);
        let array = array.to_string().replace("[]]", &format!("[],{}]", NOW + 300));
        let header = r#"{"alg":"RS256"}"#.to_owned();
        for (header, claims) in [
            (r#"["RS256"]"#.to_owned(), sound.clone()),
            (r#"{"alg":"RS256","alg":"RS256"}"#.to_owned(), sound.clone()),
            (r#"{"alg":"RS256","kid":"a","kid":"a"}"#.to_owned(), sound.clone()),
            (header.clone(), array),
            (header.clone(), member(r#""sub":"5b1d""#)),
            (header.clone(), member(r#""s\u0075b":"5b1d""#)),
            (header.clone(), member(r#""device":1,"device":1"#)),
        ] {
            let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let raw = format!("{}.{}.c2lnbmF0dXJl", encode(&header), encode(&claims));
            assert_eq!(check_raw(&raw).err(), Some(TokenFault::NotAJwt), "{header} {claims}");
        }
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
