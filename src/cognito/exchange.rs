//! One request and its answer, watched from the inside.

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

/// The longest answer, in bytes, that is read to its end. Cognito's longest is to `GetUser`: about 70
/// attributes of at most 2,048 characters each.
const MAX_ANSWER: usize = 1024 * 1024;

/// The header in which Cognito names an exception, beside the `__type` of its body.
pub(super) const ERROR_TYPE: &str = "x-amzn-errortype";

/// Records whether the request was sent, and refuses a success that is not Cognito's.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    connection: Connection,
    output: Output,
    /// Whether the connection has asked for the request's body, which it does only once it is made.
    ///
    /// Until then not a byte has left, whatever went wrong: name look-up, connection, TLS, a pooled
    /// connection that had gone, or our own time limit.
    sent: Arc<AtomicBool>,
}

/// Which connection a request goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// One that is open already, if there is one. It may have ended without notice.
    Pooled,
    /// One of its own, that nothing else has used.
    Fresh,
}

/// The JSON object of a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Without members, as of `ChangePassword` and `GlobalSignOut`.
    Empty,
    /// With the user's name at least, as of `GetUser`.
    User,
}

impl Exchange {
    pub(super) fn new(connection: Connection, output: Output) -> Self {
        Self { connection, output, sent: Arc::default() }
    }

    /// Whether any part of the request may have left.
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

    /// Refuses a success that Cognito did not write.
    ///
    /// Cognito's is exactly `200` with the operation's object. The SDK accepts any `2xx`, and objects
    /// with other members: `{"message":"Forbidden"}` of a proxy, and the `{"Output":{"__type":…}}`
    /// with which some AWS front ends answer what they do not know.
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
        // An answer that the SDK could not read is an error already.
        if context.output_or_error().is_ok() && !is_cognitos() {
            return Err("a success without Cognito's object".into());
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
