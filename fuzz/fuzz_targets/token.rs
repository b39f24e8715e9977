//! Fuzzes the parser of tokens with any text, at any time.

#![no_main]

use std::time::{Duration, SystemTime};

use change_password::token::{Expected, UnverifiedToken};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, &str)| {
    let (seconds, token) = input;
    let expected = Expected {
        issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_LocalDev0".into(),
        client_ids: vec!["4localdevclient0000000000".into()],
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
    let _ = UnverifiedToken::parse(token, &expected, now);
});
