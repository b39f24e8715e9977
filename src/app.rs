//! The function, assembled from its settings.

use std::io::Write;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use http::HeaderValue;

use crate::audit::Journal;
use crate::breaches::Breaches;
use crate::change_password::Services;
use crate::check_password::RecentUsers;
use crate::cognito::Cognito;
use crate::config::Config;
use crate::connector::connector;
use crate::limits::Limit;
use crate::origin::OriginSecrets;
use crate::policy::Policy;
use crate::policy_document::PolicyDocuments;
use crate::verifier::TokenVerifier;

/// The maximum number of checks per user and minute: one every two seconds, which suffices for a
/// client that waits for a pause in typing.
const CHECKS_PER_MINUTE: u32 = 30;

const MINUTE: Duration = Duration::from_mins(1);

/// The function, ready to handle requests.
#[derive(Debug)]
pub struct App {
    pub(crate) origin: OriginSecrets,
    pub(crate) verifier: TokenVerifier,
    pub(crate) policy: Policy,
    pub(crate) policy_documents: PolicyDocuments,
    pub(crate) change_password_url: Option<HeaderValue>,
    pub(crate) speaks_cognito: bool,
    pub(crate) services: Services,
    pub(crate) checks: Limit,
    pub(crate) recent_users: RecentUsers,
    pub(crate) journal: Journal,
}

impl App {
    /// Assembles the function without connecting to anything. Audit events go to `writer`.
    pub fn build(config: Config, writer: impl Write + Send + 'static) -> Self {
        let connector = connector(config.cognito.connect_timeout, config.trust.clone());
        Self::build_over(connector, config, writer)
    }

    /// Like [`build`](Self::build), but calls Cognito through this connector.
    pub fn build_over(
        connector: SharedHttpConnector,
        config: Config,
        writer: impl Write + Send + 'static,
    ) -> Self {
        let verifier = TokenVerifier::new(&config, connector.clone());
        let cognito = Cognito::new(&config.cognito, connector);
        let breaches = Breaches::new(config.cognito.connect_timeout, config.trust.beyond_aws());
        let changes = Limit::new(config.user_changes_per_minute, MINUTE);
        Self {
            origin: config.origin,
            verifier,
            policy_documents: PolicyDocuments::default(),
            policy: config.policy,
            change_password_url: config.change_password_url,
            speaks_cognito: config.cognito_wire_protocol,
            services: Services { cognito, breaches, changes, exhausted: Limit::new(1, MINUTE) },
            checks: Limit::new(CHECKS_PER_MINUTE, MINUTE),
            recent_users: RecentUsers::default(),
            journal: Journal::new(config.function_name, writer),
        }
    }

    /// Fetches the user pool's keys before the first request needs them, which also opens the
    /// connection to Cognito.
    ///
    /// A failure is not an error: the first request then fetches the keys.
    pub async fn connect(&self) {
        self.verifier.fetch_keys_at_start().await;
    }
}
