//! One HTTP request from its headers to its answer and its audit event.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use http::{HeaderMap, Method, Response};
use lambda_http::{Body, Context, Request, RequestExt as _};
use tokio::time::Instant;

use crate::app::App;
use crate::audit::{Outcome, Record};
use crate::change_password::{ChangePassword, Report};
use crate::error::Error;
use crate::origin::{ADDRESS_HEADER, PastTheProxy, SECRET_HEADER};
use crate::request::{self, ChangePasswordBody, Route};
use crate::response;
use crate::token::CheckedToken;

/// The part of an invocation's time that is kept for writing the answer. Without it, the client would
/// get a bare error of the gateway's.
const TIME_TO_ANSWER: Duration = Duration::from_millis(250);

/// When API Gateway gives up on an invocation.
const GATEWAY_LIMIT: Duration = Duration::from_secs(30);

impl App {
    /// Answers one request; every failure is an answer too.
    ///
    /// The body comes beside the request, from a buffer that is wiped, and not in it. The record has
    /// what the event's envelope says.
    pub async fn handle(
        &self,
        request: Request,
        body: &[u8],
        mut record: Record,
    ) -> Response<Body> {
        let context = request.lambda_context();
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let route = match self.origin.admit(header(SECRET_HEADER), header(ADDRESS_HEADER)) {
            Ok(address) => {
                record.source_ip = address.or(record.source_ip);
                Route::find(request.method(), request.raw_http_path())
            }
            // Past the proxy there is nothing.
            Err(PastTheProxy) => Err(Error::NotFound),
        };
        let answer = self.answer(route, &request, body, deadline(&context), &mut record);
        // Invocations share only what they read, so a panic leaves nothing half changed.
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        let answer = answer.unwrap_or(Err(Error::Panicked));
        self.finish(answer, &context.request_id, &record)
    }

    /// Answers an event from which no request could be made.
    #[must_use]
    pub fn refuse(&self, error: Error, request_id: &str, record: &Record) -> Response<Body> {
        self.finish(Err(error), request_id, record)
    }

    async fn answer(
        &self,
        route: Result<Route, Error>,
        request: &Request,
        body: &[u8],
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Response<Body>, Error> {
        let headers = request.headers();
        match route? {
            Route::PasswordPolicy => {
                let with_body = request.method() != Method::HEAD;
                Ok(response::policy(&self.policy_document, headers, with_body))
            }
            Route::ChangePassword => self.change_password(headers, body, deadline, record).await,
        }
    }

    async fn change_password(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Response<Body>, Error> {
        let token = self.check_token(headers)?;
        record.user = token.user.clone();
        request::require_json(headers)?;
        let ChangePasswordBody { previous, proposed, sign_out_everywhere } =
            ChangePasswordBody::parse(body)?;
        let change = ChangePassword { token, previous, proposed, sign_out_everywhere };
        let Report { result, policy_time, cognito_latency, cognito_request_id, doubt } =
            change.run(&self.policy, &self.services, deadline).await;
        record.policy_time = Some(policy_time);
        record.cognito_latency = cognito_latency;
        record.cognito_request_id = cognito_request_id;
        record.doubt = doubt;
        let changed = result?;
        record.signed_out_everywhere = changed.signed_out_everywhere;
        Ok(response::changed(&changed))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<CheckedToken, Error> {
        let token = request::bearer_token(headers)?;
        Ok(CheckedToken::parse(token, &self.expected_token, SystemTime::now())?)
    }

    /// Turns an error into its problem, and writes the audit event.
    fn finish(
        &self,
        answer: Result<Response<Body>, Error>,
        request_id: &str,
        record: &Record,
    ) -> Response<Body> {
        let (response, error) = match answer {
            Ok(response) => (response, None),
            Err(error) => (response::problem(&error, request_id), Some(error)),
        };
        let status = response.status().as_u16();
        self.journal.write(&Outcome { request_id, status, error: error.as_ref() }, record);
        response
    }
}

/// When the answer must be ready to be written.
fn deadline(context: &Context) -> Instant {
    // `cargo lambda watch` gives every invocation a deadline in 1970; Lambda's own is never past
    // while the function runs.
    let time_left = context.deadline().duration_since(SystemTime::now()).unwrap_or(GATEWAY_LIMIT);
    Instant::now() + time_left.saturating_sub(TIME_TO_ANSWER)
}
