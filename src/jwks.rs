//! The public keys of a user pool, as its JSON Web Key Set (RFC 7517) lists them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The keys of a pool that can verify RS256; never empty.
#[derive(Debug, Clone)]
pub struct KeySet(Vec<Key>);

/// A public key for RS256: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3), of at least
/// 2,048 bits.
#[derive(Debug, Clone)]
pub struct Key {
    id: String,
    components: RsaPublicKeyComponents<Vec<u8>>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// A member of the set (RFC 7517, section 4; RFC 7518, section 6.3.1).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    n: String,
    e: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
}

impl KeySet {
    /// Parses a key set; none if the text is not one or has no key for RS256.
    ///
    /// Keys of other kinds and keys that cannot verify a signature are skipped, as RFC 7517
    /// (section 5) advises. So a token that names one counts as signed with an unknown key.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        let Document { keys } = serde_json::from_slice(json).ok()?;
        let keys: Vec<_> = keys.into_iter().filter_map(Key::parse).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The key with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl Key {
    fn parse(json: &RawValue) -> Option<Self> {
        let Jwk { kty, kid, n, e, alg, usage } = serde_json::from_str(json.get()).ok()?;
        let is_for_rs256 = kty == "RSA"
            && alg.is_none_or(|alg| alg == "RS256")
            && usage.is_none_or(|usage| usage == "sig");
        let components = RsaPublicKeyComponents { n: number(&n)?, e: number(&e)? };
        let is_usable = is_for_rs256 && is_modulus(&components.n) && is_exponent(&components.e);
        is_usable.then_some(Self { id: kid, components })
    }

    /// Whether the owner of this key signed the message.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.components.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

/// Whether `ring` accepts this modulus: an odd number of 2,048 to 8,192 bits.
fn is_modulus(n: &[u8]) -> bool {
    let (Some(first), Some(last)) = (n.first(), n.last()) else { return false };
    let bits = 8 * n.len() - first.leading_zeros() as usize;
    (2_048..=8_192).contains(&bits) && last % 2 == 1
}

/// Whether `ring` accepts this exponent: an odd number from 3, of at most 33 bits.
fn is_exponent(e: &[u8]) -> bool {
    let number = e.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    e.len() <= 5 && (3..1 << 33).contains(&number) && number % 2 == 1
}

/// Decodes a `Base64urlUInt` into big-endian bytes without leading zeros, which `ring` rejects.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The key and the signature of RFC 7515, appendix A.2: a published example.
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const MESSAGE: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

    fn jwk() -> Value {
        json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "a", "n": N, "e": "AQAB" })
    }

    fn key_set(keys: &Value) -> Option<KeySet> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_key_verifies_only_the_unchanged_message_and_signature() {
        let keys = key_set(&json!([jwk()])).unwrap();
        let key = keys.get("a").unwrap();
        let signature = URL_SAFE_NO_PAD.decode(SIGNATURE).unwrap();
        assert!(key.verifies(MESSAGE.as_bytes(), &signature));
        assert!(!key.verifies(MESSAGE.to_lowercase().as_bytes(), &signature));
        for (at, bit) in [(0, 0x80), (128, 1), (255, 1)] {
            let mut other = signature.clone();
            other[at] ^= bit;
            assert!(!key.verifies(MESSAGE.as_bytes(), &other));
        }
        let longer = [signature.as_slice(), &[0]].concat();
        for other in [&[][..], &signature[1..], &longer] {
            assert!(!key.verifies(MESSAGE.as_bytes(), other));
        }
    }

    #[test]
    fn a_key_is_found_by_its_exact_id_among_those_for_rs256() {
        let other = |member: &str, value: Value| {
            let mut key = jwk();
            key[member] = value;
            key["kid"] = "other".into();
            key
        };
        let keys = json!([
            other("kty", "EC".into()),
            other("alg", "RS512".into()),
            other("use", "enc".into()),
            other("n", "no base64!".into()),
            other("e", Value::Null),
            { "kty": "oct", "kid": "other", "k": "c2VjcmV0" },
            "other",
            jwk(),
        ]);
        let keys = key_set(&keys).unwrap();
        assert!(keys.get("a").is_some());
        assert!(keys.get("A").is_none() && keys.get("").is_none() && keys.get("other").is_none());
    }

    #[test]
    fn a_modulus_with_a_leading_zero_is_accepted() {
        let n = [&[0], URL_SAFE_NO_PAD.decode(N).unwrap().as_slice()].concat();
        let mut key = jwk();
        key["n"] = URL_SAFE_NO_PAD.encode(n).into();
        let keys = key_set(&json!([key])).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(SIGNATURE).unwrap();
        assert!(keys.get("a").unwrap().verifies(MESSAGE.as_bytes(), &signature));
    }

    #[test]
    fn a_text_without_a_key_for_rs256_is_rejected() {
        for text in
            ["", "{}", "[]", "<html>", r#"{"keys":[]}"#, r#"{"keys":{}}"#, r#"{"keys":[7]}"#]
        {
            assert!(KeySet::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(KeySet::parse(&[0xff, 0xfe]).is_none());
    }

    #[test]
    fn a_key_that_ring_cannot_use_is_skipped() {
        let modulus = |length: usize, last: u8| {
            let mut bytes = vec![0xc5; length];
            bytes[length - 1] = last;
            URL_SAFE_NO_PAD.encode(bytes)
        };
        for (n, e, is_kept) in [
            (N, "AQAB", true),
            (N, "Aw", true),
            (&modulus(1_024, 1), "AQAB", true),
            (&modulus(1_025, 1), "AQAB", false),
            (&modulus(255, 1), "AQAB", false),
            (&modulus(256, 2), "AQAB", false),
            ("AQAB", "AQAB", false),
            ("", "AQAB", false),
            (N, "AQ", false),
            (N, "Ag", false),
            (N, "", false),
            (N, "AgAAAAE", false),
            (N, "AAAAAAAAAAAAAQAB", true),
        ] {
            let mut key = jwk();
            key["n"] = n.into();
            key["e"] = e.into();
            assert_eq!(key_set(&json!([key])).is_some(), is_kept, "{n} {e}");
        }
    }
}
