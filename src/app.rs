//! The function, assembled from its settings.

use std::io::Write;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use http::HeaderValue;

use crate::audit::Journal;
use crate::breaches::Breaches;
use crate::change_password::Services;
use crate::cognito::Cognito;
use crate::config::Config;
use crate::connector::connector;
use crate::policy::Policy;
use crate::policy_document::PolicyDocument;
use crate::verifier::TokenVerifier;

/// The function, ready to answer.
#[derive(Debug)]
pub struct App {
    pub(crate) verifier: TokenVerifier,
    pub(crate) policy: Policy,
    pub(crate) policy_document: PolicyDocument,
    pub(crate) change_password_url: Option<HeaderValue>,
    pub(crate) services: Services,
    pub(crate) journal: Journal,
}

impl App {
    /// Puts the parts together; nothing is connected yet. Audit events go to `writer`.
    pub fn build(config: Config, writer: impl Write + Send + 'static) -> Self {
        let connector = connector(config.cognito.connect_timeout, config.trust.clone());
        Self::build_over(connector, config, writer)
    }

    /// Like [`build`](Self::build), but Cognito is called through this connector.
    pub fn build_over(
        connector: SharedHttpConnector,
        config: Config,
        writer: impl Write + Send + 'static,
    ) -> Self {
        let verifier = TokenVerifier::new(&config, connector.clone());
        let cognito = Cognito::new(&config.cognito, connector);
        let breaches = Breaches::new(config.cognito.connect_timeout, config.trust.beyond_aws());
        Self {
            verifier,
            policy_document: PolicyDocument::new(config.policy.base()),
            policy: config.policy,
            change_password_url: config.change_password_url,
            services: Services { cognito, breaches },
            journal: Journal::new(config.function_name, writer),
        }
    }

    /// Fetches the user pool's keys, and so opens the connection to Cognito, before the first request
    /// needs both.
    ///
    /// A failure is no error: the first request does it then.
    pub async fn connect(&self) {
        self.verifier.fetch_keys_at_start().await;
    }
}
