//! Breach checks by the range protocol of Pwned Passwords, which does not reveal the password.
//!
//! The function sends five of the forty hexadecimal digits of the password's SHA-1. The service
//! returns every suffix it knows for them, padded with invented ones so that the response's size
//! reveals little. Source: Have I Been Pwned API v3, "Searching by range".

use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, Limited};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::connector::{Trust, connector};
use crate::credentials::Password;
use crate::error::Source;
use crate::policy::{BreachSettings, nfc};

/// The maximum length of a response, in bytes; a padded one has about 1,000 lines of 40 bytes.
const MAX_ANSWER: usize = 512 * 1024;

/// How many hexadecimal digits of the digest are sent.
const PREFIX: usize = 5;

/// How many hexadecimal digits begin each line of the response: the rest of the digest.
const SUFFIX: usize = 40 - PREFIX;

/// A client of the Pwned Passwords range service or a compatible one.
#[derive(Debug)]
pub struct Breaches {
    connector: OnceLock<SharedHttpConnector>,
    connect_timeout: Duration,
    trust: Trust,
}

impl Breaches {
    /// Creates a client, which costs nothing until its first call, since most policies never use
    /// it.
    #[must_use]
    pub fn new(connect_timeout: Duration, trust: Trust) -> Self {
        Self { connector: OnceLock::new(), connect_timeout, trust }
    }

    /// Returns whether a password occurs in known breaches at least as often as the threshold.
    ///
    /// # Errors
    ///
    /// If the service does not return status 200 and a list in its format in time.
    pub async fn contain(
        &self,
        password: &Password,
        settings: &BreachSettings,
        deadline: Instant,
    ) -> Result<bool, Source> {
        let time_limit = deadline.min(Instant::now() + settings.timeout);
        // All rules check this form, and lists of breached passwords usually have it.
        let password = nfc(password.expose_secret());
        let digest = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()).as_ref());
        let (prefix, suffix) = digest.split_at(PREFIX);
        let url = format!("{}/range/{prefix}", settings.endpoint);
        let answer =
            timeout_at(time_limit, self.get(&url)).await.map_err(|_| "no answer in time")??;
        Ok(count(&answer, suffix)? >= settings.threshold)
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, Source> {
        let mut request = HttpRequest::get(url)?;
        request.headers_mut().insert("add-padding", "true");
        // The service rejects requests without a user agent.
        request.headers_mut().insert("user-agent", env!("CARGO_PKG_NAME"));
        let connector =
            self.connector.get_or_init(|| connector(self.connect_timeout, self.trust.clone()));
        let response = connector.call(request).await?;
        // Only 200 carries the whole list. Redirects are not followed.
        if response.status().as_u16() != 200 {
            return Err(format!("HTTP {}", response.status().as_u16()).into());
        }
        let body: SdkBody = response.into_body();
        Ok(Limited::new(body, MAX_ANSWER).collect().await?.to_bytes().into())
    }
}

/// Finds the count of a suffix in `SUFFIX:COUNT` lines; padding has a count of 0.
///
/// The service returns at least one line for every prefix. A response without a line, or with a
/// line in another form, comes from something else, such as a proxy, and proves nothing.
fn count(answer: &[u8], suffix: &str) -> Result<u64, Source> {
    let mut lines = std::str::from_utf8(answer)?.lines().peekable();
    if lines.peek().is_none() {
        return Err("no line".into());
    }
    let mut found = 0;
    for line in lines {
        let (other, count) = parse_line(line).ok_or("a line that is not SUFFIX:COUNT")?;
        if other.eq_ignore_ascii_case(suffix) {
            found = found.max(count);
        }
    }
    Ok(found)
}

/// Parses a line of exactly this form into its suffix and its count.
fn parse_line(line: &str) -> Option<(&str, u64)> {
    let (suffix, count) = line.split_once(':')?;
    let is_suffix = suffix.len() == SUFFIX && suffix.bytes().all(|byte| byte.is_ascii_hexdigit());
    // `parse` would allow a sign.
    let is_number = count.bytes().all(|byte| byte.is_ascii_digit());
    if is_suffix && is_number { Some((suffix, count.parse().ok()?)) } else { None }
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    bytes.iter().fold(Zeroizing::new(String::with_capacity(2 * bytes.len())), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}
