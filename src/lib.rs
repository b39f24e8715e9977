//! A serverless backend-for-frontend that changes a signed-in Cognito user's password.
//!
//! Data flows one way: [`event`] in, [`handler`], [`request`] (parse), [`verifier`] (verify),
//! [`policy`] (check), [`change_password`] and [`cognito`] (forward), [`response`] and [`audit`]
//! out. `ARCHITECTURE.md` has the map.

pub mod app;
pub mod audit;
pub mod breaches;
pub mod change_password;
pub mod check_password;
pub mod cognito;
pub mod config;
pub mod connector;
pub mod credentials;
pub mod endpoint;
pub mod envelope;
pub mod error;
pub mod event;
pub mod handler;
pub mod headers;
pub mod json;
pub mod jwks;
pub mod language;
pub mod limits;
pub mod logging;
pub mod origin;
pub mod policy;
pub mod policy_document;
pub mod problem;
pub mod proposal;
pub mod request;
pub mod response;
pub mod settlement;
pub mod token;
pub mod user_pool;
pub mod verifier;
pub mod wire;
