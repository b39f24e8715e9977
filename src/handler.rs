//! One HTTP request from its headers to its answer and its audit event.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use http::{Method, Response};
use lambda_http::{Body, Context};
use tokio::time::Instant;

use crate::app::App;
use crate::audit::{Outcome, Record};
use crate::change_password::{ChangePassword, Report};
use crate::envelope::Envelope;
use crate::error::Error;
use crate::headers::Headers;
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
    pub async fn handle(&self, envelope: Envelope<'_>, context: &Context) -> Response<Body> {
        let is_health_check = matches!(envelope.route, Ok(Route::Health));
        let mut record = envelope.record();
        let answer = self.answer(envelope, deadline(context), &mut record);
        // Invocations share only what they read, so a panic leaves nothing half changed.
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        let answer = answer.unwrap_or(Err(Error::Panicked));
        let request_id = &context.request_id;
        let (response, error) = match answer {
            Ok(response) => (response, None),
            Err(error) => (response::problem(&error, request_id), Some(error)),
        };
        // Health checks come every few seconds and concern no user.
        if !is_health_check {
            let status = response.status().as_u16();
            self.journal.write(&Outcome { request_id, status, error: error.as_ref() }, &record);
        }
        response
    }

    async fn answer(
        &self,
        envelope: Envelope<'_>,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Response<Body>, Error> {
        let Envelope { method, route, headers, body, .. } = envelope;
        let with_body = method != Method::HEAD;
        match route? {
            Route::ChangePassword => {
                self.change_password(&headers, &body.open()?, deadline, record).await
            }
            Route::PasswordPolicy => {
                Ok(response::policy(&self.policy_document, &headers, with_body))
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

    async fn change_password(
        &self,
        headers: &Headers<'_>,
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

    fn check_token(&self, headers: &Headers<'_>) -> Result<CheckedToken, Error> {
        let token = request::bearer_token(headers)?;
        Ok(CheckedToken::parse(&token, &self.expected_token, SystemTime::now())?)
    }
}

/// When the answer must be ready to be written.
fn deadline(context: &Context) -> Instant {
    // `cargo lambda watch` gives every invocation a deadline in 1970; Lambda's own is never past
    // while the function runs.
    let time_left = context.deadline().duration_since(SystemTime::now()).unwrap_or(GATEWAY_LIMIT);
    Instant::now() + time_left.saturating_sub(TIME_TO_ANSWER)
}
