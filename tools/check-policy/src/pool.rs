//! Reads a user pool, with the operator's credentials.

use std::fmt::{self, Display};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cognitoidentityprovider::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::types::{
    AdvancedSecurityModeType, CompromisedCredentialsEventActionType, EventFilterType,
    OAuthFlowType, RiskConfigurationType, UserPoolAddOnsType, UserPoolClientType, UserPoolType,
};
use aws_smithy_runtime_api::client::http::http_client_fn;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use change_password::connector::{Trust, connector};
use change_password::user_pool::UserPoolId;
use serde::Serialize;

use crate::comparison::PoolPolicy;
use crate::web_acl::{self, DirectChanges, RuleGroups};

/// The connect timeout. An operator's network may be slower than Lambda's.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The scope that a token needs to change a password.
const SCOPE: &str = "aws.cognito.signin.user.admin";

/// The reason why something could not be read, for the operator.
pub(crate) type Reason = String;

/// The settings of a user pool that affect passwords and who can change them.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) policy: PoolPolicy,
    /// Whether Cognito generates the user names, as UUIDs.
    pub(crate) has_uuid_names: bool,
    pub(crate) breached_passwords: Result<BreachedPasswords, Reason>,
    pub(crate) clients: Result<Vec<Client>, Reason>,
    pub(crate) direct_changes: Result<DirectChanges, Reason>,
}

/// The effect of the pool's check for compromised credentials on a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum BreachedPasswords {
    /// The pool has no threat protection.
    NotChecked,
    /// Threat protection only records events, or does not block password changes.
    NotRefused,
    /// The pool rejects breached passwords.
    Refused,
}

/// An app client of the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The sign-in flows of the API, and the scope, that give its users tokens that can change their
    /// passwords. Empty if there are none.
    pub(crate) changes_passwords_by: Vec<String>,
}

impl Pool {
    /// Reads all settings. Fails only if the pool's password policy cannot be read.
    pub(crate) async fn read(id: &UserPoolId) -> Result<Self, Reason> {
        let sdk = sdk_config(id.region()).await;
        let cognito = Cognito { client: aws_sdk_cognitoidentityprovider::Client::new(&sdk), id };
        let pool = cognito.pool().await?;
        let policy = pool.policies().and_then(|policies| policies.password_policy());
        let policy = policy
            .ok_or_else(|| format!("the user pool {} has no password policy", id.as_str()))?;
        let breached_passwords = cognito.breached_passwords(&pool).await;
        Ok(Self {
            policy: PoolPolicy {
                refuses_breached: breached_passwords == Ok(BreachedPasswords::Refused),
                ..policy.into()
            },
            has_uuid_names: !pool.username_attributes().is_empty(),
            breached_passwords,
            clients: cognito.clients().await,
            direct_changes: direct_changes(&sdk, pool.arn().unwrap_or_default()).await,
        })
    }
}

async fn sdk_config(region: &str) -> SdkConfig {
    let connector = connector(TIMEOUT, Trust::System);
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .load()
        .await
}

struct Cognito<'a> {
    client: aws_sdk_cognitoidentityprovider::Client,
    id: &'a UserPoolId,
}

impl Cognito<'_> {
    async fn pool(&self) -> Result<UserPoolType, Reason> {
        let request = self.client.describe_user_pool().user_pool_id(self.id.as_str());
        let pool = request.send().await.map_err(reason("DescribeUserPool"))?.user_pool;
        pool.ok_or_else(|| "DescribeUserPool: no user pool in the response".to_owned())
    }

    async fn breached_passwords(&self, pool: &UserPoolType) -> Result<BreachedPasswords, Reason> {
        let add_ons = pool.user_pool_add_ons();
        let mode = add_ons.map(UserPoolAddOnsType::advanced_security_mode);
        if !matches!(
            mode,
            Some(AdvancedSecurityModeType::Audit | AdvancedSecurityModeType::Enforced)
        ) {
            return Ok(BreachedPasswords::NotChecked);
        }
        let request = self.client.describe_risk_configuration().user_pool_id(self.id.as_str());
        let answer = request.send().await.map_err(reason("DescribeRiskConfiguration"))?;
        let enforced = mode == Some(&AdvancedSecurityModeType::Enforced);
        let refused = enforced && answer.risk_configuration().is_some_and(refuses_breached);
        Ok(if refused { BreachedPasswords::Refused } else { BreachedPasswords::NotRefused })
    }

    async fn clients(&self) -> Result<Vec<Client>, Reason> {
        let pages = self.client.list_user_pool_clients().user_pool_id(self.id.as_str());
        let mut listed = pages.max_results(60).into_paginator().items().send();
        let mut clients = Vec::new();
        while let Some(client) = listed.next().await {
            let client = client.map_err(reason("ListUserPoolClients"))?;
            let request = self.client.describe_user_pool_client().user_pool_id(self.id.as_str());
            let request = request.client_id(client.client_id().unwrap_or_default());
            let answer = request.send().await.map_err(reason("DescribeUserPoolClient"))?;
            clients.extend(answer.user_pool_client().map(Client::from));
        }
        Ok(clients)
    }
}

/// Returns whether a pool that enforces this configuration rejects breached passwords in changes. An
/// empty filter means every event.
fn refuses_breached(risk: &RiskConfigurationType) -> bool {
    let Some(breached) = risk.compromised_credentials_risk_configuration() else { return false };
    let events = breached.event_filter();
    let blocks = breached.actions().is_some_and(|actions| {
        *actions.event_action() == CompromisedCredentialsEventActionType::Block
    });
    blocks && (events.is_empty() || events.contains(&EventFilterType::PasswordChange))
}

async fn direct_changes(sdk: &SdkConfig, pool_arn: &str) -> Result<DirectChanges, Reason> {
    let client = aws_sdk_wafv2::Client::new(sdk);
    let request = client.get_web_acl_for_resource().resource_arn(pool_arn);
    let answer = request.send().await.map_err(reason("GetWebACLForResource"))?;
    let Some(acl) = answer.web_acl else { return Ok(DirectChanges::NoWebAcl) };
    let mut groups = RuleGroups::new();
    for arn in web_acl::rule_groups(&acl) {
        let answer =
            client.get_rule_group().arn(arn).send().await.map_err(reason("GetRuleGroup"))?;
        let rules = answer.rule_group.and_then(|group| group.rules);
        groups.insert(arn.to_owned(), rules.unwrap_or_default());
    }
    Ok(web_acl::direct_changes(&acl, &groups))
}

/// Formats an error for the operator: the operation, and the error's code and message. Usually a
/// permission is missing.
fn reason<E>(operation: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> Reason
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| match error.code() {
        Some(code) => format!("{operation}: {code}: {}", error.message().unwrap_or_default()),
        None => format!("{operation}: {}", DisplayErrorContext(&error)),
    }
}

impl From<&UserPoolClientType> for Client {
    fn from(client: &UserPoolClientType) -> Self {
        let flows = client.explicit_auth_flows();
        // Tokens from the API's sign-in flows always have the scope. If no flow is set, Cognito allows
        // these two.
        let mut ways: Vec<String> = match flows {
            [] => vec!["ALLOW_USER_SRP_AUTH".to_owned(), "ALLOW_CUSTOM_AUTH".to_owned()],
            _ => flows.iter().map(|flow| flow.as_str().to_owned()).collect(),
        };
        ways.retain(|flow| flow != "ALLOW_REFRESH_TOKEN_AUTH");
        let user_flows = [OAuthFlowType::Code, OAuthFlowType::Implicit];
        let signs_users_in = client.allowed_o_auth_flows_user_pool_client() == Some(true)
            && client.allowed_o_auth_flows().iter().any(|flow| user_flows.contains(flow));
        if signs_users_in && client.allowed_o_auth_scopes().iter().any(|scope| scope == SCOPE) {
            ways.push(SCOPE.to_owned());
        }
        Self {
            id: client.client_id().unwrap_or_default().to_owned(),
            name: client.client_name().unwrap_or_default().to_owned(),
            changes_passwords_by: ways,
        }
    }
}

impl Display for BreachedPasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotChecked => "not checked: the pool has no threat protection",
            Self::NotRefused => "not rejected: threat protection does not block password changes",
            Self::Refused => "rejected",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cognitoidentityprovider::types::{
        CompromisedCredentialsActionsType, CompromisedCredentialsRiskConfigurationType,
        ExplicitAuthFlowsType,
    };

    fn ways(client: &UserPoolClientType) -> Vec<String> {
        Client::from(client).changes_passwords_by
    }

    #[test]
    fn a_client_with_a_sign_in_flow_of_the_api_can_change_passwords() {
        let flows = [
            ExplicitAuthFlowsType::AllowUserPasswordAuth,
            ExplicitAuthFlowsType::AllowRefreshTokenAuth,
        ];
        let client = UserPoolClientType::builder().set_explicit_auth_flows(Some(flows.into()));
        assert_eq!(ways(&client.build()), ["ALLOW_USER_PASSWORD_AUTH"]);
        let defaults = ["ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"];
        assert_eq!(ways(&UserPoolClientType::builder().build()), defaults);
    }

    #[test]
    fn a_client_of_managed_login_can_change_passwords_only_with_the_scope() {
        let client = |flow: OAuthFlowType, scope: &str| {
            UserPoolClientType::builder()
                .explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth)
                .allowed_o_auth_flows_user_pool_client(true)
                .allowed_o_auth_flows(flow)
                .allowed_o_auth_scopes("openid")
                .allowed_o_auth_scopes(scope)
                .build()
        };
        assert_eq!(ways(&client(OAuthFlowType::Code, SCOPE)), [SCOPE]);
        assert_eq!(ways(&client(OAuthFlowType::Code, "email")), [""; 0]);
        // Tokens of this flow belong to no user.
        assert_eq!(ways(&client(OAuthFlowType::ClientCredentials, SCOPE)), [""; 0]);
    }

    #[test]
    fn breached_passwords_are_rejected_only_if_the_action_is_block_and_the_event_is_included() {
        use CompromisedCredentialsEventActionType::{Block, NoAction};
        let risk = |action, events: &[EventFilterType]| {
            let actions = CompromisedCredentialsActionsType::builder().event_action(action);
            let breached = CompromisedCredentialsRiskConfigurationType::builder()
                .set_event_filter(Some(events.to_vec()))
                .actions(actions.build().unwrap());
            let risk = RiskConfigurationType::builder();
            let breached = breached.build();
            refuses_breached(&risk.compromised_credentials_risk_configuration(breached).build())
        };
        assert!(risk(Block, &[]));
        assert!(risk(Block, &[EventFilterType::SignIn, EventFilterType::PasswordChange]));
        assert!(!risk(Block, &[EventFilterType::SignIn]));
        assert!(!risk(NoAction, &[]));
        assert!(!refuses_breached(&RiskConfigurationType::builder().build()));
    }
}
