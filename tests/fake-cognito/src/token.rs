//! RS256 tokens, and the key that signs them.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use graviola::signing::rsa::{KeySize, SigningKey};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Exception;

/// The one key of this process: made here, so that no private key lies in the repository, and
/// shared by every fake, so that tests wait for it once.
static KEY: LazyLock<Key> = LazyLock::new(|| Key {
    id: unique_id(),
    pair: SigningKey::generate(KeySize::Rsa2048).expect("the operating system gives randomness"),
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

    /// Signs the token with the pool's key, whatever its header says.
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

/// What a sample token says of its user and its session, which nobody has.
const SAMPLE_IDENTITY: [&str; 5] = ["sub", "username", "jti", "auth_time", "iat"];

/// The first token in a text: three parts, of which the first is the base64 of an object.
pub(crate) fn find(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut words = text.split(|c| !is_part(c));
    words.find(|word| word.starts_with("eyJ") && word.matches('.').count() == 2)
}

impl Jwt {
    /// Takes over what a token claims, but for who its user is.
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

/// The claims of a token that the pool's key signed; what they say is still to be checked.
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
    // A 2048-bit key's RSAPublicKey always has the same layout: the sequence's tag and length take
    // 4 bytes, the modulus's tag and length 4, its sign byte 1, the modulus itself 256.
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
