//! Lambda in, Lambda out: raw events of API Gateway (both kinds), function URLs and load balancers.
//!
//! `lambda_http` does the translation. What it answers with a panic or a bare runtime error is caught
//! here, so that a client gets a problem for it as for anything else.

use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::lambda_runtime;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Request, Service as _, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::handler::App;

/// An event as it came, not yet read.
pub type RawEvent = LambdaEvent<Box<RawValue>>;

/// Answers invocations until Lambda ends the process.
pub async fn serve(app: &App) -> Result<(), lambda_http::Error> {
    lambda_runtime::run(service_fn(|event| answer(app, event))).await
}

/// Answers one event in the shape that its source expects.
pub async fn answer(app: &App, event: RawEvent) -> Result<impl Serialize + use<>, Infallible> {
    let (event, fault) = read(event);
    let service = service_fn(async |request: Request| {
        Ok::<_, Infallible>(match fault.clone() {
            None => app.handle(request).await,
            Some(detail) => App::refuse(&request, Error::MalformedRequest(detail)),
        })
    });
    Adapter::from(service).call(event).await
}

/// Reads an event, and says what a client should know of one that cannot be read.
fn read(event: RawEvent) -> (LambdaEvent<LambdaRequest>, Option<String>) {
    let LambdaEvent { payload, context } = event;
    let Ok(mut request) = serde_json::from_str(payload.get()) else {
        let nothing = LambdaRequest::ApiGatewayV2(ApiGatewayV2httpRequest::default());
        let fault = "The event is not an HTTP request.".into();
        return (LambdaEvent::new(nothing, context), Some(fault));
    };
    let sound = take_unsound_body(&mut request);
    let fault = (!sound).then(|| "The body is not the base64 that it is said to be.".into());
    (LambdaEvent::new(request, context), fault)
}

/// Takes away a body that is not the base64 it is said to be, on which `lambda_http` panics.
fn take_unsound_body(request: &mut LambdaRequest) -> bool {
    let (encoded, body) = match request {
        LambdaRequest::ApiGatewayV1(event) => (event.is_base64_encoded, &mut event.body),
        LambdaRequest::ApiGatewayV2(event) => (event.is_base64_encoded, &mut event.body),
        LambdaRequest::Alb(event) => (event.is_base64_encoded, &mut event.body),
        _ => return true,
    };
    let decodes = |text: &String| STANDARD.decode(text).map(Zeroizing::new).is_ok();
    let sound = !encoded || body.as_ref().is_none_or(decodes);
    if !sound {
        *body = None;
    }
    sound
}
