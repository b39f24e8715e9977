//! The user pool's id, from which its region and its tokens' issuer follow.

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

    /// The region that the pool is in.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.split_once('_').map_or("", |(region, _)| region)
    }

    /// The issuer of the pool's tokens; the partition of China has a domain of its own.
    #[must_use]
    pub fn issuer(&self) -> String {
        let region = self.region();
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://cognito-idp.{region}.{domain}/{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_and_the_issuer_follow_from_the_id() {
        let pool: UserPoolId = "eu-west-1_Ab12".parse().unwrap();
        assert_eq!(pool.region(), "eu-west-1");
        assert_eq!(pool.issuer(), "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12");
        let pool: UserPoolId = "cn-north-1_Ab12".parse().unwrap();
        assert_eq!(
            pool.issuer(),
            "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Ab12"
        );
    }

    #[test]
    fn any_other_text_is_refused_by_its_value() {
        for text in ["", "Ab12", "_Ab12", "eu-west-1_", "eu-west-1_Ab 12", "https://x_y"] {
            let error = text.parse::<UserPoolId>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("eu-west-1_Ab12Cd34E"));
        }
    }
}
