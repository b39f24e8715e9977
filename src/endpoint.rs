//! The endpoints to which passwords, tokens and digests may be sent.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;

/// Whether nobody on the network can read or change a request to this URL: it uses TLS, or stays on
/// this machine (localhost, 127.0.0.0/8, `[::1]`).
#[must_use]
pub fn is_private(url: &Uri) -> bool {
    let Some(host) = url.host().filter(|host| !host.is_empty()) else { return false };
    url.scheme() == Some(&Scheme::HTTPS) || url.scheme() == Some(&Scheme::HTTP) && is_loopback(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || host == format!("[{}]", Ipv6Addr::LOCALHOST)
}
