//! One HTTP request from its headers to its answer, and to the one line that tells of it.

use std::time::{Duration, SystemTime};

use http::header::{HeaderName, USER_AGENT};
use http::{HeaderMap, Method, Response};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _};
use tokio::time::Instant;

use crate::change_password::{ChangePassword, Services};
use crate::config::Config;
use crate::error::Error;
use crate::outcome::{Journal, Outcome, Record};
use crate::policy::Policy;
use crate::policy_document::PolicyDocument;
use crate::request::{self, ChangePasswordBody, Route};
use crate::response::{self, Answer};
use crate::token::{CheckedToken, Expected};

/// What is kept back of an invocation's time to write the answer: a bare gateway error tells a user
/// nothing.
const TIME_TO_ANSWER: Duration = Duration::from_millis(250);

/// When API Gateway gives up on an invocation.
const GATEWAY_LIMIT: Duration = Duration::from_secs(30);

/// The longest text, in code points, that is written down of a header.
const LONGEST_TEXT: usize = 256;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The function, ready to answer.
#[derive(Debug)]
pub struct App {
    expected_token: Expected,
    policy: Policy,
    policy_document: PolicyDocument,
    services: Services,
    journal: Journal,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(config: Config, services: Services, journal: Journal) -> Self {
        Self {
            expected_token: config.token,
            policy_document: PolicyDocument::new(config.policy.base()),
            policy: config.policy,
            services,
            journal,
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
        let route = Route::find(request.method(), request.raw_http_path());
        let mut record = Record {
            operation: route.as_ref().ok().map(Route::operation_id),
            source_ip: source_ip(&request),
            user_agent: header(request.headers(), &USER_AGENT).map(bounded),
            ..Record::default()
        };
        let answer = match route {
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
        self.finish(answer, &context.request_id, &record)
    }

    /// Answers a request that was not handled: it cannot be read, or something panicked.
    #[must_use]
    pub fn refuse(&self, error: Error, request_id: &str) -> Response<Body> {
        self.finish(Err(error), request_id, &Record::default())
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
        let changed = change.run(&self.policy, &self.services, deadline, record).await?;
        Ok(response::changed(&changed))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<CheckedToken, Error> {
        let token = request::bearer_token(headers)?;
        Ok(CheckedToken::parse(token, &self.expected_token, SystemTime::now())?)
    }

    /// Turns an error into its problem, and writes what became of the request.
    fn finish(
        &self,
        answer: Result<Answer, Error>,
        request_id: &str,
        record: &Record,
    ) -> Response<Body> {
        let (answer, error) = match answer {
            Ok(answer) => (answer, None),
            Err(error) => (response::problem(&error, request_id), Some(error)),
        };
        let status = answer.response.status().as_u16();
        let outcome = Outcome { request_id, status, code: answer.code, error: error.as_ref() };
        self.journal.write(&outcome, record);
        answer.response
    }
}

/// The address of the client, from who cannot be told a lie about it: the gateway itself.
fn source_ip(request: &Request) -> Option<String> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV1(context) => context.identity.source_ip.clone(),
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.clone(),
        // A load balancer adds the address to what the client sent.
        RequestContext::Alb(_) => {
            let addresses = header(request.headers(), &FORWARDED_FOR)?;
            addresses.rsplit(',').next().map(|address| bounded(address.trim()))
        }
        _ => None,
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a client wrote, cut where no honest one gets to.
fn bounded(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
