//! RS256 tokens and their signing key.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use graviola::signing::rsa::{KeySize, SigningKey};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Exception;

/// The signing key of this process. It is generated, so that the repository contains no private key,
/// and all fakes share it, so that tests generate it once.
static KEY: LazyLock<Key> = LazyLock::new(|| Key {
    id: unique_id(),
    pair: SigningKey::generate(KeySize::Rsa2048).expect("the operating system has randomness"),
});

struct Key {
    id: String,
    pair: SigningKey,
}

/// An id for a token, a session, a user or a request.
pub(crate) fn unique_id() -> String {
    Uuid::new_v4().to_string()
}

/// A token before it is signed.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// The header: `alg` and `kid`.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

impl Jwt {
    pub(crate) fn new(claims: Map<String, Value>) -> Self {
        let header = [("kid", KEY.id.as_str()), ("alg", "RS256")];
        Self { header: header.map(|(k, v)| (k.to_owned(), v.into())).into_iter().collect(), claims }
    }

    /// Signs the token with the pool's key, regardless of its header.
    pub(crate) fn signed(self) -> String {
        let [header, claims] = [self.header, self.claims]
            .map(|part| URL_SAFE_NO_PAD.encode(Value::Object(part).to_string()));
        let unsigned = format!("{header}.{claims}");
        let mut signature = [0; 256];
        KEY.pair
            .sign_pkcs1_sha256(&mut signature, unsigned.as_bytes())
            .expect("a 2048-bit signature fits 256 bytes");
        format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The claims of a sample token about its user and session, which do not exist in the pool.
const SAMPLE_IDENTITY: [&str; 5] = ["sub", "username", "jti", "auth_time", "iat"];

/// The first token in a text: three parts, the first of which is a base64-encoded object.
pub(crate) fn find(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut words = text.split(|c| !is_part(c));
    words.find(|word| word.starts_with("eyJ") && word.matches('.').count() == 2)
}

impl Jwt {
    /// Copies the claims of a token, except those about its user and session.
    pub(crate) fn imitate(&mut self, token: &str) -> Option<()> {
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        let mut claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
        claims.retain(|name, _| !SAMPLE_IDENTITY.contains(&name.as_str()));
        let is_known = |name: &str| SAMPLE_IDENTITY.contains(&name) || name == "origin_jti";
        self.claims.retain(|name, _| is_known(name));
        self.claims.extend(claims);
        Some(())
    }
}

/// Verifies a token's signature and returns its claims, which are not checked yet.
pub(crate) fn verified_claims(token: &str) -> Result<Map<String, Value>, Exception> {
    let invalid = || Exception::not_authorized("Invalid Access Token");
    let (unsigned, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
    let (header, claims) = unsigned.split_once('.').ok_or_else(invalid)?;
    let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| invalid());
    let parse = |part| serde_json::from_slice::<Map<_, _>>(&decode(part)?).map_err(|_| invalid());

    let header = parse(header)?;
    if header.get("alg") != Some(&json!("RS256")) || header.get("kid") != Some(&json!(KEY.id)) {
        return Err(invalid());
    }
    KEY.pair
        .public_key()
        .verify_pkcs1_sha256(&decode(signature)?, unsigned.as_bytes())
        .map_err(|_| Exception::not_authorized("Could not verify signature for Access Token"))?;
    parse(claims)
}

/// The key set that `jwks.json` serves.
pub(crate) fn jwks() -> Value {
    // The RSAPublicKey of a 2048-bit key always has the same layout: 4 bytes for the sequence's tag
    // and length, 4 for the modulus's tag and length, 1 for its sign byte, and 256 for the modulus.
    const MODULUS: std::ops::Range<usize> = 9..9 + 256;
    let mut der = [0; 300];
    let der = KEY.pair.public_key().to_pkcs1_der(&mut der);
    let der = der.expect("270 bytes fit 300");
    json!({ "keys": [{
        "alg": "RS256",
        "e": "AQAB",
        "kid": KEY.id,
        "kty": "RSA",
        "n": URL_SAFE_NO_PAD.encode(&der[MODULUS]),
        "use": "sig",
    }] })
}
