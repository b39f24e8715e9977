//! Lambda in, Lambda out: raw events of API Gateway (both kinds), function URLs and load balancers.
//!
//! `lambda_http` does the translation, and panics on events that make no HTTP request. Those panics are
//! caught here, so that every event gets an answer and none an invocation error.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use http::Response;
use http::header::AUTHORIZATION;
use lambda_http::aws_lambda_events::alb::AlbTargetGroupRequest;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, IntoResponse, LambdaEvent, Request, Service as _, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::app::App;
use crate::envelope::Envelope;
use crate::error::Error;

/// An event as it came, not yet read.
pub type RawEvent = LambdaEvent<Box<RawValue>>;

const NOT_HTTP: &str = "The event is not an HTTP request.";
const NOT_BASE64: &str = "The body is not the base64 that it is said to be.";

/// Answers invocations until Lambda ends the process: one at a time, or as many at once as
/// `AWS_LAMBDA_MAX_CONCURRENCY` says, which Lambda Managed Instances set.
pub async fn serve(app: App) -> Result<(), lambda_runtime::Error> {
    let app = Arc::new(app);
    let service = service_fn(move |event| {
        let app = Arc::clone(&app);
        async move { answer(&app, event).await }
    });
    lambda_runtime::run_concurrent(service).await
}

/// Answers one event in the shape that its source expects.
pub async fn answer(app: &App, event: RawEvent) -> Result<impl Serialize + use<>, Infallible> {
    let LambdaEvent { payload, context } = event;
    let payload = Zeroizing::new(Box::<str>::from(payload));
    let mut empty = LambdaRequest::ApiGatewayV2(ApiGatewayV2httpRequest::default());
    let handled = AtomicBool::new(false);
    let answer = async {
        let mut request = read(&payload).map_err(|_| NOT_HTTP)?;
        empty = empty_request_of_the_source_of(&request);
        let envelope = match &request {
            LambdaRequest::ApiGatewayV2(event) => Envelope::of_http_api(event, &payload),
            _ => None,
        };
        let envelope = envelope.unwrap_or_else(|| Envelope::read(&payload));
        let body = take_body(&mut request).ok_or(NOT_BASE64)?;
        keep_repeated_headers(&mut request);
        if envelope.has_several_tokens {
            remove_tokens(&mut request);
        }
        let handle = service_fn(async |request: Request| {
            handled.store(true, Ordering::Relaxed);
            Ok::<_, Infallible>(Text(app.handle(request, &body, envelope.record()).await))
        });
        let answer = Adapter::from(handle).call(LambdaEvent::new(request, context.clone())).await;
        Ok::<_, &str>(answer)
    };
    let error = match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(detail)) => Error::MalformedRequest(detail.to_owned()),
        // The handler catches its own panics; after it, a change may have been made.
        Err(_panic) if handled.into_inner() => Error::Panicked,
        Err(_panic) => Error::MalformedRequest(NOT_HTTP.to_owned()),
    };
    let record = Envelope::read(&payload).record();
    let refusal = Text(app.refuse(error, &context.request_id, &record));
    let refuse = service_fn(|_: Request| ready(Ok(refusal.clone())));
    Adapter::from(refuse).call(LambdaEvent::new(empty, context.clone())).await
}

/// An answer whose body is text already.
///
/// `lambda_http` would take the body of a bare [`Response`] for a stream of bytes, collect it, and decode
/// it with the tables of every character set.
#[derive(Clone)]
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

/// An empty request of the same source, which gives a refusal its shape.
fn empty_request_of_the_source_of(request: &LambdaRequest) -> LambdaRequest {
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

/// Takes every token out of a request in which it is not clear which one counts.
fn remove_tokens(request: &mut LambdaRequest) {
    match request {
        LambdaRequest::ApiGatewayV1(event) => {
            event.headers.remove(AUTHORIZATION);
            event.multi_value_headers.remove(AUTHORIZATION);
        }
        LambdaRequest::ApiGatewayV2(event) => drop(event.headers.remove(AUTHORIZATION)),
        LambdaRequest::Alb(event) => {
            event.headers.remove(AUTHORIZATION);
            event.multi_value_headers.remove(AUTHORIZATION);
        }
        _ => {}
    }
}
