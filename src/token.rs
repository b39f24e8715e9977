//! Access tokens: their claims, before and after their signature is verified.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::credentials::AccessToken;
use crate::json::Members;
use crate::jwks::Key;

/// The scope that Cognito requires for `ChangePassword`.
///
/// Source: Amazon Cognito user pools API reference, `ChangePassword`.
pub const REQUIRED_SCOPE: &str = "aws.cognito.signin.user.admin";

/// The maximum length of a token, in bytes.
///
/// API Gateway accepts at most 10,240 bytes of headers in total and a load balancer 16 KiB per
/// header, so no token that passes either of them is rejected for its length.
const MAX_LENGTH: usize = 16 * 1024;

/// How long after `exp` and before `nbf` a token is still accepted, in case our clock and Cognito's
/// differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// The claims that an access token of this deployment must have.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The `iss` claim.
    pub issuer: String,
    /// The app clients allowed in the `client_id` claim; if empty, every client of the pool.
    pub client_ids: Vec<String>,
}

/// A token with the claims of an access token of this pool, all of which may be forged.
#[derive(Debug)]
pub struct UnverifiedToken<'a> {
    /// The signed part: header and claims as they were sent.
    signed: &'a str,
    signature: Vec<u8>,
    key_id: String,
    raw: AccessToken,
    has_scope: bool,
    id: Option<String>,
    user: User,
}

/// An access token that a key of the pool signed. Only Cognito knows whether it has been revoked.
#[derive(Debug)]
pub struct VerifiedToken {
    /// The token itself, for Cognito.
    pub secret: AccessToken,
    /// The `jti` claim.
    pub id: Option<String>,
    /// The token's user.
    pub user: User,
}

/// The user that a token names: identifiers, not secrets.
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

/// Why a token is rejected, in words for the client's developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenFault {
    /// The value is not three dot-separated base64url parts that hold a JSON header and claims.
    #[error("The bearer token is not a JSON Web Token in the form that Cognito issues.")]
    NotAJwt,
    /// `token_use` is `id`.
    #[error("This is an ID token; send the access token.")]
    IdToken,
    /// `token_use` is neither `access` nor `id`.
    #[error("The token's `token_use` is not `access`.")]
    NotAnAccessToken,
    /// `iss` is not this pool's.
    #[error("The token was not issued by this service's user pool.")]
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
    /// `kid` names no key of the pool.
    #[error("The token's `kid` does not name a key of this service's user pool.")]
    UnknownKey,
    /// The key that `kid` names did not make the signature.
    #[error("The token's signature is not valid.")]
    InvalidSignature,
    /// `scope` lacks [`REQUIRED_SCOPE`].
    #[error("The token lacks the scope `{REQUIRED_SCOPE}`.")]
    MissingScope,
    /// The token's session was ended, for example by signing out everywhere.
    #[error("The token has been revoked.")]
    Revoked,
    /// Cognito refused a token that this service verified.
    #[error("Cognito does not accept this token: it is expired or revoked.")]
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
    jti: Option<String>,
    sub: Option<String>,
    username: Option<String>,
    groups: Vec<String>,
    /// A `NumericDate` (RFC 7519, section 2): seconds, not necessarily whole ones.
    exp: Option<f64>,
    /// Likewise.
    nbf: Option<f64>,
}

impl<'a> UnverifiedToken<'a> {
    /// Parses a token, and rejects it if it does not have the claims of an access token of this
    /// pool.
    ///
    /// # Errors
    ///
    /// The first fault found. [`Self::verify`] checks the signature and the scope.
    pub fn parse(raw: &'a str, expected: &Expected, now: SystemTime) -> Result<Self, TokenFault> {
        let (signed, header, claims, signature) = decode(raw).ok_or(TokenFault::NotAJwt)?;
        let key_id = read_header(&header)?;
        let claims = Claims::read(&claims)?;
        claims.check(expected, now)?;
        let mut scopes = claims.scope.as_deref().unwrap_or_default().split(' ');
        let has_scope = scopes.any(|scope| scope == REQUIRED_SCOPE);
        let Claims { jti: id, sub, username, client_id, groups, .. } = claims;
        let user = User { sub, username, client_id, groups };
        Ok(Self { signed, signature, key_id, raw: AccessToken::from(raw), has_scope, id, user })
    }

    /// The id of the key that signed the token, according to its header.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Verifies that this key signed the token, and that the token has the required scope.
    ///
    /// # Errors
    ///
    /// `InvalidSignature`, or `MissingScope` if the token is otherwise valid: that is a `403`, and
    /// every other fault a `401`.
    pub fn verify(self, key: &Key) -> Result<VerifiedToken, TokenFault> {
        if !key.verifies(self.signed.as_bytes(), &self.signature) {
            return Err(TokenFault::InvalidSignature);
        }
        if !self.has_scope {
            return Err(TokenFault::MissingScope);
        }
        Ok(VerifiedToken { secret: self.raw, id: self.id, user: self.user })
    }
}

impl VerifiedToken {
    /// The names of the claims that differ from the authorizer's, which then read another token.
    #[must_use]
    pub fn disagreements(&self, authorizer_claims: &Members) -> Vec<&'static str> {
        let User { sub, username, client_id, .. } = &self.user;
        [("jti", &self.id), ("sub", sub), ("username", username), ("client_id", client_id)]
            .into_iter()
            .filter(|(name, claim)| {
                let other = authorizer_claims.text(name);
                other.is_some_and(|other| claim.as_deref() != Some(&other))
            })
            .map(|(name, _)| name)
            .collect()
    }
}

/// Reads the key's id from a header.
fn read_header(json: &str) -> Result<String, TokenFault> {
    let header = distinct_members(json)?;
    // Cognito signs only with RS256. This rejects `alg: none` and HMAC forgeries.
    if header.text("alg").as_deref() != Some("RS256") {
        return Err(TokenFault::NotAJwt);
    }
    if header.get("crit").is_some() {
        return Err(TokenFault::CriticalExtension);
    }
    optional(&header, "kid")?.ok_or(TokenFault::UnknownKey)
}

impl Claims {
    fn read(json: &str) -> Result<Self, TokenFault> {
        let claims = distinct_members(json)?;
        let groups = claims.get("cognito:groups").map_or(Ok(vec![]), |groups| {
            serde_json::from_str(groups.get()).map_err(|_| TokenFault::InvalidGroups)
        })?;
        Ok(Self {
            token_use: optional(&claims, "token_use")?,
            iss: optional(&claims, "iss")?,
            client_id: optional(&claims, "client_id")?,
            scope: optional(&claims, "scope")?,
            jti: optional(&claims, "jti")?,
            sub: optional(&claims, "sub")?,
            username: optional(&claims, "username")?,
            groups,
            exp: optional(&claims, "exp")?,
            nbf: optional(&claims, "nbf")?,
        })
    }

    /// Finds the first fault of the claims, except for a missing scope.
    fn check(&self, expected: &Expected, now: SystemTime) -> Result<(), TokenFault> {
        match self.token_use.as_deref() {
            Some("access") => {}
            Some("id") => return Err(TokenFault::IdToken),
            _ => return Err(TokenFault::NotAnAccessToken),
        }
        if self.iss.as_ref() != Some(&expected.issuer) {
            return Err(TokenFault::OtherIssuer);
        }
        let known_client = |id| expected.client_ids.contains(id);
        if !expected.client_ids.is_empty() && !self.client_id.as_ref().is_some_and(known_client) {
            return Err(TokenFault::OtherClient);
        }
        if !self.exp.is_some_and(|exp| is_current(exp, now)) {
            return Err(TokenFault::Expired);
        }
        if self.nbf.is_some_and(|nbf| !has_begun(nbf, now)) {
            return Err(TokenFault::NotYetValid);
        }
        Ok(())
    }
}

/// Splits a token into its signed part, its decoded header and claims, and its signature.
fn decode(raw: &str) -> Option<(&str, String, String, Vec<u8>)> {
    if raw.len() > MAX_LENGTH {
        return None;
    }
    let (signed, signature) = raw.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let bytes = |part| URL_SAFE_NO_PAD.decode(part).ok();
    let text = |part| String::from_utf8(bytes(part)?).ok();
    let signature = bytes(signature).filter(|signature| !signature.is_empty())?;
    Some((signed, text(header)?, text(claims)?, signature))
}

/// Parses an object without repeated names: of two claims with the same name, this service and
/// Cognito might read different ones.
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

    fn header() -> Value {
        json!({ "alg": "RS256", "kid": "a key" })
    }

    fn token(header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2lnbmF0dXJl", encode(header), encode(claims))
    }

    fn parse(raw: &str) -> Result<UnverifiedToken<'_>, TokenFault> {
        let expected = Expected { issuer: "https://issuer".into(), client_ids: vec!["app".into()] };
        UnverifiedToken::parse(raw, &expected, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
    }

    /// The user of a token with changed claims.
    fn check(change: impl FnOnce(&mut Value)) -> Result<User, TokenFault> {
        let mut claims = claims();
        change(&mut claims);
        parse(&token(&header(), &claims)).map(|token| token.user)
    }

    #[test]
    fn a_valid_access_token_is_accepted_and_identifies_its_user() {
        let user = check(|_| {}).unwrap();
        assert_eq!(user.sub.as_deref(), Some("5b1d"));
        assert_eq!(user.username.as_deref(), Some("demo"));
        assert_eq!(user.client_id.as_deref(), Some("app"));
    }

    #[test]
    fn each_wrong_claim_has_its_own_fault() {
        let cases: [(&str, Value, TokenFault); 20] = [
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
        ];
        for (claim, value, fault) in cases {
            let found = check(|claims| claims[claim] = value.clone());
            assert_eq!(found.err(), Some(fault), "{claim} = {value}");
        }
    }

    #[test]
    fn exp_and_nbf_have_a_leeway_of_30_seconds() {
        assert!(check(|claims| claims["exp"] = json!(NOW - 29)).is_ok());
        assert!(check(|claims| claims["exp"] = json!(1e18)).is_ok());
        assert!(check(|claims| claims["nbf"] = json!(NOW + 30)).is_ok());
        assert!(check(|claims| claims["nbf"] = json!(0)).is_ok());
    }

    #[test]
    fn the_required_scope_must_be_a_whole_word_of_the_claim() {
        for (scope, expected) in [
            (json!("openid aws.cognito.signin.user.admin"), true),
            (json!("openid"), false),
            (json!("aws.cognito.signin.user.admin.more"), false),
            (Value::Null, false),
        ] {
            let mut claims = claims();
            claims["scope"] = scope.clone();
            let raw = token(&header(), &claims);
            assert_eq!(parse(&raw).unwrap().has_scope, expected, "{scope}");
        }
    }

    #[test]
    fn the_header_must_name_the_key() {
        assert_eq!(parse(&token(&header(), &claims())).unwrap().key_id(), "a key");
        for (kid, fault) in [
            (Value::Null, TokenFault::UnknownKey),
            (json!(7), TokenFault::NotAJwt),
            (json!(["a key"]), TokenFault::NotAJwt),
        ] {
            let raw = token(&json!({ "alg": "RS256", "kid": kid }), &claims());
            assert_eq!(parse(&raw).err(), Some(fault), "{kid}");
        }
        let raw = token(&json!({ "alg": "RS256" }), &claims());
        assert_eq!(parse(&raw).err(), Some(TokenFault::UnknownKey));
    }

    #[test]
    fn group_names_are_read() {
        let user = check(|claims| claims["cognito:groups"] = json!(["staff", ""])).unwrap();
        assert_eq!(user.groups, ["staff", ""]);
    }

    #[test]
    fn a_header_with_critical_extensions_is_rejected() {
        for crit in [json!(["b64"]), json!([]), Value::Null] {
            let raw = token(&json!({ "alg": "RS256", "kid": "a key", "crit": crit }), &claims());
            assert_eq!(parse(&raw).err(), Some(TokenFault::CriticalExtension));
        }
    }

    #[test]
    fn a_header_or_claims_that_are_not_an_object_or_repeat_a_name_are_rejected() {
        let sound = claims().to_string();
        let member = |text: &str| sound.replacen('{', &format!("{{{text},"), 1);
        // In the order in which derived code would accept an array as the claims.
        let array = json!(["access", "https://issuer", "app", REQUIRED_SCOPE, "5b1d", "demo", []]);
        let array = array.to_string().replace("[]]", &format!("[],{}]", NOW + 300));
        let header = header().to_string();
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
            assert_eq!(parse(&raw).err(), Some(TokenFault::NotAJwt), "{header} {claims}");
        }
    }

    #[test]
    fn an_empty_allow_list_accepts_every_client() {
        let expected = Expected { issuer: "https://issuer".into(), client_ids: vec![] };
        let raw = token(&header(), &claims());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        assert!(UnverifiedToken::parse(&raw, &expected, now).is_ok());
    }

    #[test]
    fn a_token_that_is_not_a_jwt_signed_with_rs256_is_rejected() {
        let none = token(&json!({ "alg": "none" }), &claims());
        let hmac = token(&json!({ "alg": "HS256" }), &claims());
        let sound = token(&header(), &claims());
        let unsigned = sound.rsplit_once('.').unwrap().0.to_owned() + ".";
        let too_long = check(|claims| claims["pad"] = json!("x".repeat(MAX_LENGTH)));
        assert_eq!(too_long.err(), Some(TokenFault::NotAJwt));
        for raw in ["", "x", "..", "a.b.c", "🔑.🔑.🔑", &none, &hmac, &unsigned, &(sound + ".x")]
        {
            assert_eq!(parse(raw).err(), Some(TokenFault::NotAJwt), "{raw}");
        }
    }
}
