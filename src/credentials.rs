//! Passwords and access tokens as types that cannot be printed by accident.
//!
//! Both wipe their memory when dropped, and their `Debug` is redacted. Reading one requires
//! [`ExposeSecret`], which is imported only by the modules that must read them:
//! [`crate::policy`], [`crate::cognito`] and [`crate::breaches`].

use secrecy::{ExposeSecret, SecretString};

/// A password exactly as the client sent it: not trimmed, not normalised, not cut.
#[derive(Debug)]
pub struct Password(SecretString);

/// The text of a Cognito access token.
#[derive(Debug)]
pub struct AccessToken(SecretString);

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&str> for AccessToken {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl ExposeSecret<str> for Password {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl ExposeSecret<str> for AccessToken {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_shows_the_secret() {
        let password = Password::from("Sentinel-Password-1");
        let token = AccessToken::from("sentinel.access.token");
        let printed = format!("{password:?} {token:?}").to_lowercase();
        assert!(!printed.contains("sentinel"), "{printed}");
    }
}
