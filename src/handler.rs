//! One HTTP request from its headers to its answer, and its one line in the log.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Response};
use lambda_http::{Body, Request, RequestExt as _};
use tokio::time::Instant;

use crate::change_password::{ChangePassword, Services};
use crate::config::Config;
use crate::error::Error;
use crate::policy::{Policy, Violation};
use crate::policy_document::PolicyDocument;
use crate::request::{self, ChangePasswordBody, Route};
use crate::response::{self, Answer};
use crate::token::{CheckedToken, Expected, User};

/// What is kept back of an invocation's time to write the answer: a bare gateway error tells a user
/// nothing.
const TIME_TO_ANSWER: Duration = Duration::from_millis(250);

/// When API Gateway gives up on an invocation.
const GATEWAY_LIMIT: Duration = Duration::from_secs(30);

/// The function, ready to answer.
#[derive(Debug)]
pub struct App {
    expected_token: Expected,
    policy: Policy,
    policy_document: PolicyDocument,
    services: Services,
}

/// What the log tells of a request beside its answer.
#[derive(Default)]
struct Record {
    user: User,
    cognito_request_id: Option<String>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(config: Config, services: Services) -> Self {
        Self {
            expected_token: config.token,
            policy_document: PolicyDocument::new(config.policy.base()),
            policy: config.policy,
            services,
        }
    }

    /// Answers one request; every failure is an answer too.
    ///
    /// The body comes beside the request, from a buffer that is wiped, and not in it.
    pub async fn handle(&self, request: Request, body: &[u8]) -> Response<Body> {
        let context = request.lambda_context();
        // `cargo lambda watch` gives every invocation a deadline in 1970; Lambda's own is never past
        // while we run.
        let time_left =
            context.deadline().duration_since(SystemTime::now()).unwrap_or(GATEWAY_LIMIT);
        let deadline = Instant::now() + time_left.saturating_sub(TIME_TO_ANSWER);
        let mut record = Record::default();
        let answer = match Route::find(request.method(), request.raw_http_path()) {
            Ok(Route::PasswordPolicy) => Ok(response::policy(
                &self.policy_document,
                request.headers(),
                request.method() != Method::HEAD,
            )),
            Ok(Route::ChangePassword) => {
                self.change_password(request.headers(), body, deadline, &mut record).await
            }
            Err(error) => Err(error),
        };
        finish(answer, &context.request_id, &record)
    }

    /// Answers a request that was not handled: it cannot be read, or something panicked.
    #[must_use]
    pub fn refuse(error: Error, request_id: &str) -> Response<Body> {
        finish(Err(error), request_id, &Record::default())
    }

    async fn change_password(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Answer, Error> {
        let token = self.check_token(headers)?;
        record.user = token.user.clone();
        request::require_json(headers)?;
        let ChangePasswordBody { previous, proposed, sign_out_everywhere } =
            ChangePasswordBody::parse(body)?;
        let change = ChangePassword { token, previous, proposed, sign_out_everywhere };
        let reply = change.run(&self.policy, &self.services, deadline).await;
        record.cognito_request_id = reply.request_id;
        reply.result.map(|changed| response::changed(&changed))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<CheckedToken, Error> {
        let token = request::bearer_token(headers)?;
        Ok(CheckedToken::parse(token, &self.expected_token, SystemTime::now())?)
    }
}

/// Writes the outcome's one line to the log, and turns an error into its problem.
fn finish(answer: Result<Answer, Error>, request_id: &str, record: &Record) -> Response<Body> {
    let (answer, error) = match answer {
        Ok(answer) => (answer, None),
        Err(error) => (response::problem(&error, request_id), Some(error)),
    };
    let status = answer.response.status().as_u16();
    let violations = match &error {
        Some(Error::PolicyViolation(violations)) => {
            Some(violations.iter().map(Violation::code).collect::<Vec<_>>().join(","))
        }
        _ => None,
    };
    let cause = error.as_ref().and_then(cause);
    macro_rules! outcome {
        ($level:expr) => {
            tracing::event!(
                $level,
                request_id,
                status,
                code = answer.code.unwrap_or("ok"),
                violations,
                cognito_request_id = record.cognito_request_id,
                sub = record.user.sub,
                client_id = record.user.client_id,
                cause,
                "outcome"
            )
        };
    }
    match &error {
        // Somebody should look: we failed, or Cognito said what we do not know.
        Some(_) if status >= 500 => outcome!(tracing::Level::ERROR),
        Some(Error::NotAuthorized(_)) => outcome!(tracing::Level::WARN),
        _ => outcome!(tracing::Level::INFO),
    }
    answer.response
}

/// What lies under an error, outermost first.
fn cause(error: &Error) -> Option<String> {
    let sources = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let texts: Vec<_> = sources.map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(": "))
}
