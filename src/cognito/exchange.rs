//! One request and its answer, watched from the inside.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use aws_sdk_cognitoidentityprovider::config::http::HttpResponse;
use aws_sdk_cognitoidentityprovider::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeTransmitInterceptorContextMut,
};
use aws_sdk_cognitoidentityprovider::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cognitoidentityprovider::error::SdkError;
use aws_smithy_types::body::SdkBody;
use http_body::Body;
use http_body_util::Limited;
use serde_json::{Map, Value};

use crate::error::Source;

/// The longest answer, in bytes, that is read to its end. Cognito's longest is to `GetUser`: about 70
/// attributes of at most 2,048 characters each.
const MAX_ANSWER: usize = 1024 * 1024;

/// Records whether the request was sent, and refuses a `200` that is not Cognito's.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange {
    /// Whether the connection has asked for the request's body, which it does only once it is made.
    ///
    /// Until then not a byte has left, whatever went wrong: name look-up, connection, TLS, a pooled
    /// connection that had gone, or our own time limit.
    sent: Arc<AtomicBool>,
}

impl Exchange {
    /// Whether any part of the request may have left.
    pub(super) fn was_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether a connection failed before anything was sent, and not for want of time.
    pub(super) fn has_not_begun<E>(&self, error: &SdkError<E, HttpResponse>) -> bool {
        !self.was_sent() && matches!(error, SdkError::DispatchFailure(failure) if failure.is_io())
    }
}

impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "Exchange"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Source> {
        let body = context.request_mut().body_mut();
        let inner = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(WatchedBody { inner, sent: Arc::clone(&self.sent) });
        Ok(())
    }

    /// Refuses a success that Cognito did not write.
    ///
    /// The SDK takes any `200` for one, since the output has no members: a proxy's page as well, and
    /// the `{"Output":{"__type":…}}` with which some AWS front ends answer what they do not know.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Source> {
        let response = context.response();
        let body = response.body().bytes().unwrap_or_default();
        let is_output = |fields: Map<String, Value>| {
            !["__type", "Output"].iter().any(|name| fields.contains_key(*name))
        };
        if response.status().is_success() && !serde_json::from_slice(body).is_ok_and(is_output) {
            return Err("a success without Cognito's JSON object".into());
        }
        Ok(())
    }
}

/// Breaks off an answer that is longer than any of Cognito's, which the SDK would read into memory as
/// a whole.
#[derive(Debug)]
pub(super) struct BoundedAnswer;

impl Intercept for BoundedAnswer {
    fn name(&self) -> &'static str {
        "BoundedAnswer"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Source> {
        let body = context.response_mut().body_mut();
        let inner = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(inner, MAX_ANSWER));
        Ok(())
    }
}

struct WatchedBody {
    inner: SdkBody,
    sent: Arc<AtomicBool>,
}

impl Body for WatchedBody {
    type Data = <SdkBody as Body>::Data;
    type Error = <SdkBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        self.sent.store(true, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        Body::size_hint(&self.inner)
    }
}
