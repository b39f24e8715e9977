//! The function, assembled from its settings.

use std::io::Write;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use crate::audit::Journal;
use crate::breaches::Breaches;
use crate::change_password::Services;
use crate::cognito::Cognito;
use crate::config::Config;
use crate::connector::connector;
use crate::origin::OriginSecrets;
use crate::policy::Policy;
use crate::policy_document::PolicyDocument;
use crate::token::Expected;
use crate::user_pool::UserPoolId;

/// The function, ready to answer.
#[derive(Debug)]
pub struct App {
    pub(crate) origin: OriginSecrets,
    pub(crate) expected_token: Expected,
    pub(crate) policy: Policy,
    pub(crate) policy_document: PolicyDocument,
    pub(crate) services: Services,
    pub(crate) journal: Journal,
    user_pool_id: UserPoolId,
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
        let cognito = Cognito::new(&config.cognito, connector);
        let breaches = Breaches::new(config.cognito.connect_timeout, config.trust.beyond_aws());
        Self {
            origin: config.origin,
            expected_token: config.token,
            policy_document: PolicyDocument::new(config.policy.base()),
            policy: config.policy,
            services: Services { cognito, breaches },
            journal: Journal::new(config.function_name, writer),
            user_pool_id: config.user_pool_id,
        }
    }

    /// Opens the connection to Cognito before the first request needs it.
    ///
    /// A failure is no error: the first call opens its own connection.
    pub async fn connect(&self) {
        self.services.cognito.connect(&self.user_pool_id).await;
    }
}
