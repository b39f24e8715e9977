//! Handles one HTTP request, from its headers to its response and its audit event.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use http::{Method, Response};
use lambda_http::{Body, Context};
use tokio::time::Instant;

use crate::app::App;
use crate::audit::{Outcome, Record};
use crate::change_password::{ChangePassword, Changed, Report, Services};
use crate::check_password;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::headers::Headers;
use crate::json::Members;
use crate::language::Language;
use crate::origin::{ADDRESS_HEADER, ProxyBypassed, SECRET_HEADER};
use crate::proposal::Proposal;
use crate::request::{self, ChangePasswordBody, PasswordsBody, Route, WireBody};
use crate::response;
use crate::token::VerifiedToken;
use crate::wire;

/// The part of an invocation's time that is reserved for the response. Without it, the client would
/// get the gateway's own error.
const TIME_TO_ANSWER: Duration = Duration::from_millis(250);

/// API Gateway's timeout for an invocation.
const GATEWAY_LIMIT: Duration = Duration::from_secs(30);

impl App {
    /// Handles one request. Every failure becomes a response.
    pub async fn handle(&self, mut envelope: Envelope<'_>, context: &Context) -> Response<Body> {
        let is_health_check = matches!(envelope.route, Ok(Route::Health));
        if !is_health_check {
            self.admit(&mut envelope);
        }
        let is_wire = matches!(envelope.route, Ok(Route::ChangePasswordWire));
        let mut record = envelope.record();
        let language = envelope.language;
        let answer = self.answer(envelope, deadline(context), &mut record);
        // A panic leaves no shared state half changed.
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        let answer = answer.unwrap_or(Err(Error::Panicked));
        let request_id = &context.request_id;
        let (response, error) = match answer {
            Ok(response) => (response, None),
            Err(error) if is_wire => (wire::exception(&error), Some(error)),
            Err(error) => (response::problem(&error, request_id, language), Some(error)),
        };
        let response = if is_wire { wire::with_request_id(response, request_id) } else { response };
        // Health checks come every few seconds and concern no user.
        if !is_health_check {
            let status = response.status().as_u16();
            self.journal.write(&Outcome { request_id, status, error: error.as_ref() }, &record);
        }
        response
    }

    /// Takes the client's address from the proxy in front of the API, if there is one.
    ///
    /// A request that bypassed the proxy gets no route, nor does one in Cognito's wire format if
    /// that is switched off.
    fn admit(&self, envelope: &mut Envelope<'_>) {
        let header = |name| envelope.headers.get_only(name);
        let (secret, address) = (header(SECRET_HEADER), header(ADDRESS_HEADER));
        match self.origin.admit(secret.as_deref(), address.as_deref()) {
            Ok(address) => envelope.source_ip = address.or(envelope.source_ip),
            Err(ProxyBypassed) => envelope.route = Err(Error::NotFound),
        }
        if !self.speaks_cognito && matches!(envelope.route, Ok(Route::ChangePasswordWire)) {
            envelope.route = Err(Error::NotFound);
        }
    }

    async fn answer(
        &self,
        envelope: Envelope<'_>,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Response<Body>, Error> {
        let Envelope { method, route, headers, language, authorizer_claims, body, .. } = envelope;
        let with_body = method != Method::HEAD;
        match route? {
            Route::ChangePassword => {
                let body = body.open()?;
                let token =
                    self.authenticate(&headers, &authorizer_claims, deadline, record).await?;
                let ChangePasswordBody { previous, proposed, sign_out_everywhere } =
                    ChangePasswordBody::parse(&body)?;
                let proposal = Proposal { token, previous, proposed };
                let change = ChangePassword { proposal, sign_out_everywhere };
                let changed = self.change_password(change, deadline, record).await?;
                Ok(response::changed(&changed))
            }
            Route::ChangePasswordWire => {
                let body = body.open()?;
                request::require_wire(&headers)?;
                let WireBody { access_token, passwords } = WireBody::parse(&body)?;
                let PasswordsBody { previous, proposed } = passwords;
                let token = self.verifier.verify(&access_token, deadline).await?;
                record.user = Some(token.user.clone());
                let proposal = Proposal { token, previous, proposed };
                let change = ChangePassword { proposal, sign_out_everywhere: false };
                self.change_password(change, deadline, record).await?;
                Ok(wire::changed())
            }
            Route::CheckPassword => {
                let body = body.open()?;
                let token =
                    self.authenticate(&headers, &authorizer_claims, deadline, record).await?;
                self.check_password(token, &body, language, deadline, record).await
            }
            Route::PasswordPolicy => {
                let document = self.policy_documents.get(self.policy.base(), language);
                Ok(response::policy(document, &headers, with_body))
            }
            Route::ChangePasswordPage => {
                let page = self.change_password_url.as_ref().ok_or(Error::NotFound)?;
                match method {
                    Method::GET | Method::HEAD => Ok(response::change_password_page(page)),
                    _ => Err(Error::MethodNotAllowed { allow: "GET, HEAD" }),
                }
            }
            Route::Health => Ok(response::healthy(with_body)),
        }
    }

    /// Verifies the token of a request, and requires that its body is JSON.
    async fn authenticate(
        &self,
        headers: &Headers<'_>,
        authorizer_claims: &Members<'_>,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<VerifiedToken, Error> {
        let token = self.verifier.verify(&request::bearer_token(headers)?, deadline).await?;
        let disagreements = token.disagreements(authorizer_claims);
        if !disagreements.is_empty() {
            tracing::warn!(?disagreements, "the authorizer read another token");
        }
        record.user = Some(token.user.clone());
        request::require_json(headers)?;
        Ok(token)
    }

    async fn check_password(
        &self,
        token: VerifiedToken,
        body: &[u8],
        language: Language,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Response<Body>, Error> {
        let PasswordsBody { previous, proposed } = PasswordsBody::parse(body)?;
        let user = token.user.sub.as_deref().unwrap_or_default();
        let counted = self.checks.count(user, Instant::now());
        counted.map_err(|wait| Error::TooManyOfThisUser { wait })?;
        let proposal = Proposal { token, previous, proposed };
        let Services { cognito, .. } = &self.services;
        let check_password::Report { result, policy_time, cognito_latency } =
            check_password::check(&proposal, &self.policy, cognito, &self.recent_users, deadline)
                .await;
        record.policy_time = Some(policy_time);
        record.cognito_latency = cognito_latency;
        Ok(response::checked(&result?, language))
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Changed, Error> {
        let Report { result, policy_time, cognito_latency, cognito_request_id, doubt } =
            change.run(&self.policy, &self.services, deadline).await;
        record.policy_time = policy_time;
        record.cognito_latency = cognito_latency;
        record.cognito_request_id = cognito_request_id;
        record.doubt = doubt;
        let changed = result?;
        record.signed_out_everywhere = changed.signed_out_everywhere;
        Ok(changed)
    }
}

/// When the response must be ready.
fn deadline(context: &Context) -> Instant {
    // `cargo lambda watch` gives every invocation a deadline in 1970; Lambda's own never passes
    // while the function runs.
    let time_left = context.deadline().duration_since(SystemTime::now()).unwrap_or(GATEWAY_LIMIT);
    Instant::now() + time_left.saturating_sub(TIME_TO_ANSWER)
}
