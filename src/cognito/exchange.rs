//! Interceptors that watch a request and its response inside the SDK.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use aws_sdk_cognitoidentityprovider::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeTransmitInterceptorContextMut,
};
use aws_sdk_cognitoidentityprovider::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_types::body::SdkBody;
use http_body::Body;
use http_body_util::Limited;
use serde_json::{Map, Value};

use crate::connector::FreshConnection;
use crate::error::Source;

/// The maximum length of a response, in bytes. Cognito's longest is to `GetUser`: about 70
/// attributes of at most 2,048 characters each.
const MAX_ANSWER: usize = 1024 * 1024;

/// The header in which Cognito names an exception, besides the `__type` of the body.
pub(super) const ERROR_TYPE: &str = "x-amzn-errortype";

/// Records whether the request was sent, and rejects a success that Cognito did not write.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    connection: Connection,
    output: Output,
    /// Whether the connection has read the request's body, which it does only once it is
    /// established.
    ///
    /// Until then not a byte has been sent, whatever failed: name resolution, connecting, TLS, a
    /// closed pooled connection, or our own time limit.
    sent: Arc<AtomicBool>,
}

/// Which connection a request goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// An open one of the pool, if there is one. It may have been closed without notice.
    Pooled,
    /// A new one.
    Fresh,
}

/// The JSON object of a successful response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Empty, for `ChangePassword` and `GlobalSignOut`.
    Empty,
    /// With at least the user name, for `GetUser`.
    User,
}

impl Exchange {
    pub(super) fn new(connection: Connection, output: Output) -> Self {
        Self { connection, output, sent: Arc::default() }
    }

    /// Whether any part of the request may have been sent.
    pub(super) fn was_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
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
        let request = context.request_mut();
        if self.connection == Connection::Fresh {
            request.add_extension(FreshConnection);
        }
        let body = request.body_mut();
        let inner = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(WatchedBody { inner, sent: Arc::clone(&self.sent) });
        Ok(())
    }

    /// Rejects a success that Cognito did not write.
    ///
    /// Cognito returns exactly `200` with the operation's object. The SDK accepts any `2xx`, and
    /// objects with other members, such as a proxy's `{"message":"Forbidden"}` or the
    /// `{"Output":{"__type":…}}` that some AWS front ends return for an unknown request.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Source> {
        let response = context.response();
        let is_cognitos = || {
            let body = response.body().bytes().unwrap_or_default();
            let object: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
            response.status().as_u16() == 200
                && object.is_some_and(|object| match self.output {
                    Output::Empty => object.is_empty(),
                    Output::User => object.contains_key("Username"),
                })
                && !response.headers().contains_key(ERROR_TYPE)
        };
        // A response that the SDK could not parse is already an error.
        if context.output_or_error().is_ok() && !is_cognitos() {
            return Err("a success without Cognito's object".into());
        }
        Ok(())
    }
}

/// Stops reading a response that is longer than any of Cognito's; the SDK would read all of it into
/// memory.
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
