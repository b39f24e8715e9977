//! Lambda in and out: events of API Gateway (HTTP and REST APIs), function URLs and load balancers.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::HeaderMap;
use http::{Response, StatusCode};
use lambda_http::aws_lambda_events::alb::AlbTargetGroupResponse;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse};
use lambda_http::{Body, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::app::App;
use crate::envelope::{Envelope, Source};

/// An event that is not parsed yet.
pub type RawEvent = LambdaEvent<Box<RawValue>>;

/// A response in the shape that the event's source expects.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// For an HTTP API or a function URL.
    HttpApi(ApiGatewayV2httpResponse),
    /// For a REST API.
    RestApi(ApiGatewayProxyResponse),
    /// For a load balancer.
    LoadBalancer(AlbTargetGroupResponse),
}

/// Handles invocations until Lambda ends the process: one at a time, or up to
/// `AWS_LAMBDA_MAX_CONCURRENCY` concurrently, which Lambda Managed Instances set.
pub async fn serve(app: App) -> Result<(), lambda_runtime::Error> {
    let app = Arc::new(app);
    let service = service_fn(move |event| {
        let app = Arc::clone(&app);
        async move { answer(&app, event).await }
    });
    lambda_runtime::run_concurrent(service).await
}

/// Handles one event. Every event gets a response, and none causes an invocation error.
pub async fn answer(app: &App, event: RawEvent) -> Result<Answer, Infallible> {
    let LambdaEvent { payload, context } = event;
    let payload = Zeroizing::new(Box::<str>::from(payload));
    let envelope = Envelope::read(&payload);
    let source = envelope.source;
    let response = app.handle(envelope, &context).await;
    Ok(Answer::new(source, response))
}

impl Answer {
    fn new(source: Source, response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        match source {
            Source::HttpApi => Self::http_api(status, headers, body),
            Source::RestApi => Self::rest_api(status, headers, body),
            Source::LoadBalancer => Self::load_balancer(status, headers, body),
        }
    }

    fn http_api(status: StatusCode, headers: HeaderMap, body: Body) -> Self {
        let mut answer = ApiGatewayV2httpResponse::default();
        answer.status_code = status.as_u16().into();
        answer.headers = headers;
        answer.body = Some(body);
        Self::HttpApi(answer)
    }

    /// Headers are in the lists only, since API Gateway would send the headers of both members.
    fn rest_api(status: StatusCode, headers: HeaderMap, body: Body) -> Self {
        let mut answer = ApiGatewayProxyResponse::default();
        answer.status_code = status.as_u16().into();
        answer.multi_value_headers = headers;
        answer.body = Some(body);
        Self::RestApi(answer)
    }

    /// Headers are in both members, since the target group's settings determine which one is read.
    fn load_balancer(status: StatusCode, headers: HeaderMap, body: Body) -> Self {
        let mut answer = AlbTargetGroupResponse::default();
        answer.status_code = status.as_u16().into();
        answer.status_description = Some(status.to_string());
        answer.headers = headers.clone();
        answer.multi_value_headers = headers;
        answer.body = Some(body);
        Self::LoadBalancer(answer)
    }
}
