//! Settings from the environment, read once at the cold start.

use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use thiserror::Error;

use crate::cognito;
use crate::connector::{Bundle, Trust};
use crate::endpoint::is_private;
use crate::error::Source;
use crate::origin::{OriginSecrets, OriginSecretsError};
use crate::policy::{Policy, PolicyError};
use crate::request::CHANGE_PASSWORD_PAGE;
use crate::token;
use crate::user_pool::{UserPoolId, UserPoolIdError};

/// The policy that is built into the binary.
const EMBEDDED_POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/password-policy.toml"));

/// The settings of a deployment.
#[derive(Debug)]
pub struct Config {
    /// `USER_POOL_ID`.
    pub user_pool_id: UserPoolId,
    /// `TOKEN_ISSUER`, or the pool's own, and `USER_POOL_CLIENT_IDS`.
    pub token: token::Expected,
    /// `ORIGIN_SECRETS`.
    pub origin: OriginSecrets,
    /// `PASSWORD_POLICY`, the file that `PASSWORD_POLICY_FILE` names, or the built-in policy.
    pub policy: Policy,
    /// `AWS_REGION`, the other endpoint settings of the AWS SDKs, `ALLOW_INSECURE_ENDPOINT`, and
    /// `COGNITO_…_TIMEOUT_MS`.
    pub cognito: cognito::Settings,
    /// `AWS_CA_BUNDLE`, or the root certificates that suit the endpoint.
    pub trust: Trust,
    /// `CHANGE_PASSWORD_URL`: the page to which `/.well-known/change-password` redirects.
    pub change_password_url: Option<HeaderValue>,
    /// `COGNITO_WIRE_PROTOCOL`: whether `POST /` accepts Cognito's own `ChangePassword` requests.
    pub cognito_wire_protocol: bool,
    /// `USER_CHANGES_PER_MINUTE`.
    pub user_changes_per_minute: u32,
    /// `AWS_LAMBDA_FUNCTION_NAME`, which Lambda sets: a dimension of the metrics.
    pub function_name: String,
}

/// A missing or invalid setting, which stops the cold start.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A required setting is missing.
    #[error("{name} is not set; it must be {expected}")]
    Missing {
        /// The environment variable.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A setting has an invalid value.
    #[error("{name} is {value:?}; it must be {expected}")]
    Invalid {
        /// The environment variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// `USER_POOL_ID` is not the id of a user pool.
    #[error("USER_POOL_ID: {0}")]
    UserPoolId(#[from] UserPoolIdError),
    /// `ORIGIN_SECRETS` is invalid; the error does not repeat the value.
    #[error("ORIGIN_SECRETS must be {0}")]
    OriginSecrets(#[from] OriginSecretsError),
    /// The policy is given both as a text and as a file.
    #[error("PASSWORD_POLICY and PASSWORD_POLICY_FILE are both set; set only one of them")]
    TwoPolicies,
    /// The policy file cannot be read.
    #[error("PASSWORD_POLICY_FILE is {path:?}, which cannot be read: {source}")]
    PolicyFile {
        /// The path as given.
        path: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The policy is invalid.
    #[error("the password policy in {origin}: {source}")]
    Policy {
        /// Where it was read from.
        origin: String,
        /// The error, which names the key.
        source: PolicyError,
    },
    /// `AWS_CA_BUNDLE` is not a readable bundle of certificates.
    #[error("AWS_CA_BUNDLE is {path:?}, which cannot be read: {source}")]
    CaBundle {
        /// The path as given.
        path: String,
        /// Why it cannot be read.
        source: Source,
    },
    /// The function and the user pool are in different regions, and no endpoint is set.
    #[error(
        "USER_POOL_ID is {user_pool_id:?}, which is not in AWS_REGION {region:?}; to call a pool in \
         another region, set AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER to that region's endpoint"
    )]
    OtherRegion {
        /// The pool's id.
        user_pool_id: String,
        /// The function's region.
        region: String,
    },
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads settings through `lookup`, so that tests need not change the process's environment.
    ///
    /// An empty value counts as unset, because an empty template parameter becomes one.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let user_pool_id: UserPoolId = get("USER_POOL_ID")
            .ok_or(ConfigError::Missing { name: "USER_POOL_ID", expected: "a user pool's id" })?
            .parse()?;
        let endpoint = endpoint(get)?;
        let region = match get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")) {
            Some(region) if region != user_pool_id.region() && endpoint.is_none() => {
                return Err(ConfigError::OtherRegion {
                    user_pool_id: user_pool_id.as_str().to_owned(),
                    region,
                });
            }
            Some(region) => region,
            None => user_pool_id.region().to_owned(),
        };
        Ok(Self {
            token: token::Expected {
                issuer: get("TOKEN_ISSUER").unwrap_or_else(|| user_pool_id.issuer()),
                client_ids: client_ids(get("USER_POOL_CLIENT_IDS"))?,
            },
            origin: get("ORIGIN_SECRETS")
                .map(|secrets| OriginSecrets::parse(&secrets))
                .transpose()?
                .unwrap_or_default(),
            policy: read_policy(get)?,
            trust: trust(get("AWS_CA_BUNDLE"), endpoint.is_some(), &region)?,
            cognito: cognito::Settings {
                region,
                endpoint,
                use_fips: switch("AWS_USE_FIPS_ENDPOINT", get)?,
                use_dual_stack: switch("AWS_USE_DUALSTACK_ENDPOINT", get)?,
                connect_timeout: milliseconds("COGNITO_CONNECT_TIMEOUT_MS", get, FROM_1, 1_000)?,
                call_timeout: milliseconds("COGNITO_CALL_TIMEOUT_MS", get, FROM_500, 5_000)?,
            },
            change_password_url: change_password_url(get("CHANGE_PASSWORD_URL"))?,
            cognito_wire_protocol: switch("COGNITO_WIRE_PROTOCOL", get)?,
            user_changes_per_minute: user_changes(get("USER_CHANGES_PER_MINUTE"))?,
            function_name: get("AWS_LAMBDA_FUNCTION_NAME")
                .unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned()),
            user_pool_id,
        })
    }
}

fn client_ids(value: Option<String>) -> Result<Vec<String>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let ids: Vec<_> = value.split(',').map(|id| id.trim().to_owned()).collect();
    if ids.iter().all(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        Ok(ids)
    } else {
        let expected = "app client ids (letters and digits), separated by commas";
        Err(ConfigError::Invalid { name: "USER_POOL_CLIENT_IDS", value, expected })
    }
}

/// Reads the policy from `PASSWORD_POLICY`, which is its text, or from the file that
/// `PASSWORD_POLICY_FILE` names. With neither set, the built-in policy applies.
pub fn read_policy(lookup: impl Fn(&str) -> Option<String>) -> Result<Policy, ConfigError> {
    let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
    let (origin, text) = match (get("PASSWORD_POLICY"), get("PASSWORD_POLICY_FILE")) {
        (None, None) => {
            ("password-policy.toml, as built in".to_owned(), EMBEDDED_POLICY.to_owned())
        }
        (Some(text), None) => ("PASSWORD_POLICY".to_owned(), text),
        (None, Some(path)) => match std::fs::read_to_string(&path) {
            Ok(text) => (format!("PASSWORD_POLICY_FILE {path:?}"), text),
            Err(source) => return Err(ConfigError::PolicyFile { path, source }),
        },
        (Some(_), Some(_)) => return Err(ConfigError::TwoPolicies),
    };
    Policy::from_toml(&text).map_err(|source| ConfigError::Policy { origin, source })
}

/// Chooses the root certificates: Amazon's for AWS's own endpoints, the system's for any other.
///
/// AWS does not document who signs the certificates of its endpoints in China, so these use the
/// system's roots too.
fn trust(bundle: Option<String>, has_endpoint: bool, region: &str) -> Result<Trust, ConfigError> {
    match bundle {
        Some(path) => std::fs::read(&path)
            .map_err(Source::from)
            .and_then(|pem| Bundle::parse(&pem))
            .map(Trust::Bundle)
            .map_err(|source| ConfigError::CaBundle { path, source }),
        None if has_endpoint || region.starts_with("cn-") => Ok(Trust::System),
        None => Ok(Trust::Amazon),
    }
}

/// The endpoint to call instead of Cognito's own.
///
/// It receives passwords and tokens, so it must use TLS unless it is on this machine.
fn endpoint(get: impl Fn(&'static str) -> Option<String>) -> Result<Option<String>, ConfigError> {
    let allow_insecure = switch("ALLOW_INSECURE_ENDPOINT", &get)?;
    let names = ["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "AWS_ENDPOINT_URL"];
    let Some((name, value)) = names.into_iter().find_map(|name| Some((name, get(name)?))) else {
        return Ok(None);
    };
    let is_insecure = |url: &Uri| url.scheme() == Some(&Scheme::HTTP) && url.host().is_some();
    let is_allowed =
        value.parse().is_ok_and(|url: Uri| is_private(&url) || allow_insecure && is_insecure(&url));
    if is_allowed {
        Ok(Some(value))
    } else {
        let expected = "an https:// URL. An http:// URL is accepted only for this machine \
            (localhost, 127.0.0.0/8, [::1]), or with ALLOW_INSECURE_ENDPOINT=true, which must never \
            be set in production";
        Err(ConfigError::Invalid { name, value, expected })
    }
}

/// The page to which `/.well-known/change-password` redirects password managers.
///
/// Its path must not be that path itself, which would redirect for ever.
fn change_password_url(value: Option<String>) -> Result<Option<HeaderValue>, ConfigError> {
    let Some(value) = value else { return Ok(None) };
    let is_page = |url: &Uri| {
        url.scheme() == Some(&Scheme::HTTPS)
            && url.host().is_some_and(|host| !host.is_empty())
            && url.path() != CHANGE_PASSWORD_PAGE
    };
    match (value.parse(), HeaderValue::from_str(&value)) {
        (Ok(url), Ok(header)) if is_page(&url) => Ok(Some(header)),
        _ => {
            let expected = "the https:// URL of the page on which users change their password";
            Err(ConfigError::Invalid { name: "CHANGE_PASSWORD_URL", value, expected })
        }
    }
}

fn switch(
    name: &'static str,
    get: impl Fn(&'static str) -> Option<String>,
) -> Result<bool, ConfigError> {
    match get(name) {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
        Some(value) => Err(ConfigError::Invalid { name, value, expected: "true or false" }),
    }
}

/// The default: twice the attempts that Cognito is reported to allow a user in an hour.
const USER_CHANGES_PER_MINUTE: u32 = 10;

fn user_changes(value: Option<String>) -> Result<u32, ConfigError> {
    let Some(value) = value else { return Ok(USER_CHANGES_PER_MINUTE) };
    let number = value.parse().ok().filter(|number| (1..=1_000_000).contains(number));
    let (name, expected) = ("USER_CHANGES_PER_MINUTE", "a whole number from 1 to 1000000");
    number.ok_or(ConfigError::Invalid { name, value, expected })
}

/// The minimum of each timeout, in milliseconds. With a call timeout much below half a second, no
/// call would be sent.
const FROM_1: (u64, &str) = (1, "a whole number of milliseconds from 1 to 30000");
const FROM_500: (u64, &str) = (500, "a whole number of milliseconds from 500 to 30000");

fn milliseconds(
    name: &'static str,
    get: impl Fn(&'static str) -> Option<String>,
    (min, expected): (u64, &'static str),
    default: u64,
) -> Result<Duration, ConfigError> {
    let Some(value) = get(name) else { return Ok(Duration::from_millis(default)) };
    // API Gateway times out after 30 seconds.
    let number = value.parse().ok().filter(|number| (min..=30_000).contains(number));
    number.map(Duration::from_millis).ok_or(ConfigError::Invalid { name, value, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| {
            settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[track_caller]
    fn assert_refused(settings: &[(&str, &str)], parts: &[&str]) {
        let error = config(settings).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
    }

    #[test]
    fn only_the_user_pool_id_is_required() {
        let config = config(&[("USER_POOL_ID", "eu-west-1_Ab12"), ("TOKEN_ISSUER", "")]).unwrap();
        assert_eq!(
            config.token.issuer,
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12"
        );
        assert!(config.token.client_ids.is_empty());
        assert_eq!(config.cognito.region, "eu-west-1");
        assert_eq!(config.cognito.connect_timeout, Duration::from_secs(1));
        assert_eq!(config.cognito.call_timeout, Duration::from_secs(5));
        assert!(matches!(config.trust, Trust::Amazon));
        assert!(config.origin.admit(None, None).is_ok());
    }

    #[test]
    fn amazons_roots_are_used_only_for_amazons_own_endpoints() {
        let pool = ("USER_POOL_ID", "eu-west-1_Ab12");
        let endpoint = ("AWS_ENDPOINT_URL", "https://cognito.test");
        for settings in [[pool, endpoint].as_slice(), &[("USER_POOL_ID", "cn-north-1_Ab12")]] {
            assert!(matches!(config(settings).unwrap().trust, Trust::System), "{settings:?}");
        }
        let bundle =
            ("AWS_CA_BUNDLE", concat!(env!("CARGO_MANIFEST_DIR"), "/data/amazon-roots.pem"));
        assert!(matches!(config(&[pool, bundle]).unwrap().trust, Trust::Bundle(_)));
    }

    #[test]
    fn every_setting_is_read() {
        let config = config(&[
            ("USER_POOL_ID", "cn-north-1_Ab12"),
            ("USER_POOL_CLIENT_IDS", "one, two"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "http://localhost:1"),
            ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://localhost:2"),
            ("AWS_USE_FIPS_ENDPOINT", "True"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
            ("COGNITO_CONNECT_TIMEOUT_MS", "20"),
            ("COGNITO_CALL_TIMEOUT_MS", "500"),
            ("ORIGIN_SECRETS", &"secret-".repeat(5)),
            ("USER_CHANGES_PER_MINUTE", "3"),
        ])
        .unwrap();
        assert_eq!(
            config.token.issuer,
            "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Ab12"
        );
        assert_eq!(config.token.client_ids, ["one", "two"]);
        assert_eq!(config.cognito.region, "eu-west-1");
        assert_eq!(config.cognito.endpoint.as_deref(), Some("http://localhost:2"));
        assert!(config.cognito.use_fips && !config.cognito.use_dual_stack);
        assert_eq!(config.cognito.connect_timeout, Duration::from_millis(20));
        assert_eq!(config.cognito.call_timeout, Duration::from_millis(500));
        assert_eq!(config.user_changes_per_minute, 3);
        assert!(config.origin.admit(None, None).is_err());
        assert!(config.origin.admit(Some(&"secret-".repeat(5)), None).is_ok());
    }

    #[test]
    fn an_invalid_setting_fails_with_its_name() {
        let pool = ("USER_POOL_ID", "eu-west-1_Ab12");
        assert_refused(&[], &["USER_POOL_ID", "not set"]);
        assert_refused(
            &[("USER_POOL_ID", "Ab12")],
            &["USER_POOL_ID", "Ab12", "eu-west-1_Ab12Cd34E"],
        );
        assert_refused(
            &[pool, ("USER_POOL_CLIENT_IDS", "a,,b")],
            &["USER_POOL_CLIENT_IDS", "a,,b"],
        );
        assert_refused(&[pool, ("AWS_REGION", "us-east-1")], &["AWS_REGION", "us-east-1", pool.1]);
        for name in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
            assert_refused(&[pool, (name, "yes")], &[name, "yes", "true or false"]);
        }
        for value in ["0", "-1", "1000001", "ten"] {
            let name = "USER_CHANGES_PER_MINUTE";
            assert_refused(&[pool, (name, value)], &[name, value, "1 to 1000000"]);
        }
        assert_refused(&[pool, ("COGNITO_CALL_TIMEOUT_MS", "499")], &["500 to 30000"]);
        for name in ["COGNITO_CONNECT_TIMEOUT_MS", "COGNITO_CALL_TIMEOUT_MS"] {
            for value in ["0", "-1", "1.5", "30001", "soon"] {
                assert_refused(&[pool, (name, value)], &[name, value, "30000"]);
            }
        }
        assert_refused(
            &[pool, ("PASSWORD_POLICY_FILE", "/no/such.toml")],
            &["PASSWORD_POLICY_FILE", "/no/such.toml"],
        );
        for path in ["/no/such.pem", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
            assert_refused(&[pool, ("AWS_CA_BUNDLE", path)], &["AWS_CA_BUNDLE", path]);
        }
    }

    #[test]
    fn an_invalid_secret_fails_with_the_settings_name_but_not_its_value() {
        let settings = [("USER_POOL_ID", "eu-west-1_Ab12"), ("ORIGIN_SECRETS", "sentinel")];
        assert_refused(&settings, &["ORIGIN_SECRETS", "32 to 128"]);
        assert!(!config(&settings).unwrap_err().to_string().contains("sentinel"));
    }

    #[test]
    fn an_endpoint_without_tls_is_refused_unless_it_is_on_this_machine() {
        let pool = ("USER_POOL_ID", "eu-west-1_Ab12");
        let specific = "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER";
        let allowed = ("ALLOW_INSECURE_ENDPOINT", "true");
        for url in [
            "https://cognito.test",
            "HTTPS://cognito.test:8443/path",
            "http://localhost:9229",
            "http://LOCALHOST",
            "http://127.0.0.1:9229",
            "http://127.8.9.10/path",
            "http://[::1]:9229",
        ] {
            for name in [specific, "AWS_ENDPOINT_URL"] {
                let config = config(&[pool, (name, url)]).unwrap();
                assert_eq!(config.cognito.endpoint.as_deref(), Some(url));
            }
        }
        for url in [
            "http://cognito.test",
            "http://192.0.2.1:9229",
            "http://0.0.0.0:9229",
            "http://[2001:db8::1]",
            "http://localhost.cognito.test",
            "http://127.0.0.1.cognito.test",
            "http://localhost@cognito.test",
            "http://localhost:9229@cognito.test",
        ] {
            for name in [specific, "AWS_ENDPOINT_URL"] {
                assert_refused(&[pool, (name, url)], &[name, url, "ALLOW_INSECURE_ENDPOINT"]);
                assert!(config(&[pool, (name, url), allowed]).is_ok(), "{url}");
                let refused = ("ALLOW_INSECURE_ENDPOINT", "false");
                assert_refused(&[pool, (name, url), refused], &[name, url]);
            }
        }
        for url in ["cognito.test", "ftp://cognito.test", "/path", "https://", "http:// x"] {
            assert_refused(&[pool, (specific, url), allowed], &[specific, url]);
        }
        assert_refused(
            &[pool, ("ALLOW_INSECURE_ENDPOINT", "yes")],
            &["ALLOW_INSECURE_ENDPOINT", "yes", "true or false"],
        );
    }

    #[test]
    fn the_change_password_url_must_be_https_and_not_the_well_known_path() {
        let pool = ("USER_POOL_ID", "eu-west-1_Ab12");
        let name = "CHANGE_PASSWORD_URL";
        assert!(config(&[pool, (name, "")]).unwrap().change_password_url.is_none());
        for url in ["https://example.com", "https://app.example.com/account/password?from=manager"]
        {
            let page = config(&[pool, (name, url)]).unwrap().change_password_url;
            assert_eq!(page.unwrap(), url);
        }
        for url in [
            "http://example.com",
            "example.com/password",
            "/password",
            "https://",
            "https:///password",
            "javascript:alert(1)",
            "https://example.com/a b",
            "https://example.com/\r\nX-Forged: 1",
            "https://example.com/.well-known/change-password",
        ] {
            let error = config(&[pool, (name, url)]).unwrap_err();
            assert!(matches!(error, ConfigError::Invalid { name: "CHANGE_PASSWORD_URL", .. }));
        }
    }

    #[test]
    fn password_policy_replaces_the_built_in_policy_and_excludes_a_file() {
        let pool = ("USER_POOL_ID", "eu-west-1_Ab12");
        let min = |settings: &[(&str, &str)]| {
            let policy = config(settings).unwrap().policy;
            policy.base().min_length()
        };
        assert_eq!(min(&[pool, ("PASSWORD_POLICY", "length = { min = 21 }")]), 21);
        assert_eq!(min(&[pool, ("PASSWORD_POLICY", "")]), min(&[pool]));
        assert_refused(
            &[pool, ("PASSWORD_POLICY", "[length]\nmin = 12\nminimum = 3\n")],
            &["PASSWORD_POLICY:", "unknown field `minimum`"],
        );
        assert_refused(
            &[pool, ("PASSWORD_POLICY", "[length]"), ("PASSWORD_POLICY_FILE", "/opt/policy.toml")],
            &["PASSWORD_POLICY and PASSWORD_POLICY_FILE are both set"],
        );
    }

    #[test]
    fn a_policy_file_with_an_unknown_key_fails_with_that_key() {
        let path = std::env::temp_dir().join(format!("policy-{}.toml", std::process::id()));
        std::fs::write(&path, "[length]\nmin = 12\nminimum = 3\n").unwrap();
        let path = path.to_str().unwrap();
        assert_refused(
            &[("USER_POOL_ID", "eu-west-1_Ab12"), ("PASSWORD_POLICY_FILE", path)],
            &["PASSWORD_POLICY_FILE", path, "unknown field `minimum`"],
        );
        std::fs::remove_file(path).unwrap();
    }
}
