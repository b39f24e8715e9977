//! The user pool's id, which determines its region and the issuer of its tokens.

use std::str::FromStr;

use thiserror::Error;

/// A user pool's id: its region, an underscore, and ASCII letters and digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPoolId(String);

/// A text that is not a user pool's id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a user pool's id, such as eu-west-1_Ab12Cd34E")]
pub struct UserPoolIdError(String);

impl FromStr for UserPoolId {
    type Err = UserPoolIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_id = text.split_once('_').is_some_and(|(region, id)| {
            !region.is_empty()
                && !id.is_empty()
                && region.chars().all(is_region)
                && id.chars().all(|c| c.is_ascii_alphanumeric())
        });
        if is_id { Ok(Self(text.to_owned())) } else { Err(UserPoolIdError(text.to_owned())) }
    }
}

impl UserPoolId {
    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pool's region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.split_once('_').map_or("", |(region, _)| region)
    }

    /// The issuer of the pool's tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        let region = self.region();
        format!("https://cognito-idp.{region}.{}/{}", dns_suffix(region), self.0)
    }
}

/// The DNS suffix of a region's partition.
///
/// Source: `partitions.json` of the AWS SDKs. `aws` and `aws-us-gov` have the same suffix.
fn dns_suffix(region: &str) -> &'static str {
    let known = [
        ("cn-", "amazonaws.com.cn"),
        ("eusc-", "amazonaws.eu"),
        ("us-iso-", "c2s.ic.gov"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("us-isof-", "csp.hci.ic.gov"),
    ];
    let found = known.into_iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("amazonaws.com", |(_, suffix)| suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_determines_the_region_and_the_issuer() {
        for (region, suffix) in [
            ("eu-west-1", "amazonaws.com"),
            ("us-east-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
            ("us-isof-south-1", "csp.hci.ic.gov"),
        ] {
            let pool: UserPoolId = format!("{region}_Ab12").parse().unwrap();
            assert_eq!(pool.region(), region);
            let issuer = format!("https://cognito-idp.{region}.{suffix}/{region}_Ab12");
            assert_eq!(pool.issuer(), issuer);
        }
    }

    #[test]
    fn any_other_text_is_rejected_with_an_error_that_repeats_it() {
        for text in ["", "Ab12", "_Ab12", "eu-west-1_", "eu-west-1_Ab 12", "https://x_y"] {
            let error = text.parse::<UserPoolId>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("eu-west-1_Ab12Cd34E"));
        }
    }
}
