//! Lambda in, Lambda out: raw events of API Gateway (both kinds), function URLs and load balancers.
//!
//! `lambda_http` does the translation. What it answers with a panic or a bare runtime error is caught
//! here, as a panic of our own is, so that a client gets a problem for it as for anything else.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use http::Response;
use lambda_http::aws_lambda_events::alb::AlbTargetGroupRequest;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::lambda_runtime;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, IntoResponse, LambdaEvent, Request, Service as _, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::handler::App;

/// An event as it came, not yet read.
pub type RawEvent = LambdaEvent<Box<RawValue>>;

const NOT_HTTP: &str = "The event is not an HTTP request.";
const NOT_BASE64: &str = "The body is not the base64 that it is said to be.";

/// Answers invocations until Lambda ends the process: one at a time, or as many at once as
/// `AWS_LAMBDA_MAX_CONCURRENCY` says, which Lambda Managed Instances set.
pub async fn serve(app: App) -> Result<(), lambda_http::Error> {
    let app = Arc::new(app);
    let service = service_fn(move |event| {
        let app = Arc::clone(&app);
        async move { answer(&app, event).await }
    });
    lambda_runtime::run_concurrent(service).await
}

/// Answers one event in the shape that its source expects.
///
/// A panic ends here: nothing of ours is left half changed by one, since an invocation shares with
/// others only what it reads.
pub async fn answer(app: &App, event: RawEvent) -> Result<impl Serialize + use<>, Infallible> {
    let LambdaEvent { payload, context } = event;
    let payload = Zeroizing::new(Box::<str>::from(payload));
    let id = context.request_id.as_str();
    let refuse = |detail: &'static str, nothing| {
        let service = service_fn(move |_| async move {
            let answer = app.refuse(Error::MalformedRequest(detail.into()), id);
            Ok::<_, Infallible>(Text(answer))
        });
        Adapter::from(service).call(LambdaEvent::new(nothing, context.clone()))
    };
    let Ok(mut request) = read(&payload) else {
        return refuse(NOT_HTTP, LambdaRequest::ApiGatewayV2(ApiGatewayV2httpRequest::default()))
            .await;
    };
    let nothing = nothing_from_the_source_of(&request);
    let Some(body) = take_body(&mut request) else {
        return refuse(NOT_BASE64, nothing).await;
    };
    keep_repeated_headers(&mut request);
    let handle = service_fn(async |request: Request| {
        let answer = AssertUnwindSafe(app.handle(request, &body)).catch_unwind().await;
        Ok(Text(answer.unwrap_or_else(|_| app.refuse(Error::Panicked, id))))
    });
    // Here `lambda_http` panics on paths, hosts and queries that do not make a URI.
    let event = LambdaEvent::new(request, context.clone());
    let call = catch_unwind(AssertUnwindSafe(|| Adapter::from(handle).call(event)));
    call.unwrap_or_else(|_| refuse(NOT_HTTP, nothing)).await
}

/// An answer whose body is text already.
///
/// `lambda_http` would take the body of a bare [`Response`] for a stream of bytes, copy it together and
/// decode it from its character set, for which it carries the tables of all of them.
struct Text(Response<Body>);

impl IntoResponse for Text {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
}

/// Reads an event, as one of an HTTP API or a function URL first: those are the usual ones, and no
/// other kind has the `requestContext.http` that they must have. `lambda_http` by itself would have
/// read the whole of it as a REST API's before.
fn read(payload: &str) -> serde_json::Result<LambdaRequest> {
    let event = serde_json::from_str(payload).map(LambdaRequest::ApiGatewayV2);
    event.or_else(|_| serde_json::from_str(payload))
}

/// An empty request, to be refused in the shape that another one's source expects.
fn nothing_from_the_source_of(request: &LambdaRequest) -> LambdaRequest {
    match request {
        LambdaRequest::ApiGatewayV1(_) => {
            LambdaRequest::ApiGatewayV1(ApiGatewayProxyRequest::default())
        }
        LambdaRequest::Alb(_) => LambdaRequest::Alb(AlbTargetGroupRequest::default()),
        _ => LambdaRequest::ApiGatewayV2(ApiGatewayV2httpRequest::default()),
    }
}

/// Takes the body out of an event; none if it is not the base64 that it is said to be.
///
/// `lambda_http` would panic on that, and would leave copies of any body behind that nobody wipes.
fn take_body(request: &mut LambdaRequest) -> Option<Zeroizing<Vec<u8>>> {
    let (encoded, body) = match request {
        LambdaRequest::ApiGatewayV1(event) => (event.is_base64_encoded, event.body.take()),
        LambdaRequest::ApiGatewayV2(event) => (event.is_base64_encoded, event.body.take()),
        LambdaRequest::Alb(event) => (event.is_base64_encoded, event.body.take()),
        _ => (false, None),
    };
    let body = Zeroizing::new(body.unwrap_or_default().into_bytes());
    if encoded { STANDARD.decode(&*body).map(Zeroizing::new).ok() } else { Some(body) }
}

/// Lets all values of a repeated header count.
///
/// REST APIs send the last value beside the list of all of them, and `lambda_http` would keep that
/// one alone: of two tokens, perhaps not the one that an authorizer saw.
fn keep_repeated_headers(request: &mut LambdaRequest) {
    let (all, last) = match request {
        LambdaRequest::ApiGatewayV1(event) => (&event.multi_value_headers, &mut event.headers),
        LambdaRequest::Alb(event) => (&event.multi_value_headers, &mut event.headers),
        _ => return,
    };
    for name in all.keys() {
        last.remove(name);
    }
}
