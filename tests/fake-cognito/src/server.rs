//! The HTTP server: reads requests, performs operations, and sends responses or drops them.

use std::pin::{Pin, pin};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::fault::Faults;
use crate::token::unique_id;
use crate::{Exception, Fault, Operation, Options, Shared};

const PAGE: &str = include_str!("page.html");
const AMZ_JSON: &str = "application/x-amz-json-1.1";
const ERROR_TYPE: &str = "x-amzn-errortype";
const DROPPED: &str = "dropped";

/// A response, or the reason why there is none. On an error, hyper closes the connection.
type Outcome = Result<Response<Answer>, &'static str>;

pub(crate) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut hang_up: watch::Receiver<()>,
) {
    // Accepting fails if the client has already gone or descriptors run out. Both are temporary.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::Relaxed);
            // An earlier signal to hang up does not apply to this connection.
            hang_up.mark_unchanged();
            tokio::spawn(serve(stream, Arc::clone(&shared), hang_up.clone()));
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, mut hang_up: watch::Receiver<()>) {
    let service = service_fn(|request| respond(&shared, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // Connection errors are ignored: they mean that the client has gone, or that a fault was set.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = hang_up.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn respond(shared: &Shared, request: Request<Incoming>) -> Outcome {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "the client disconnected")?.to_bytes();
    let (name, outcome) = if let Some(control) = head.uri.path().strip_prefix("/_fake/") {
        (head.uri.path().to_owned(), Ok(control_answer(shared, &head.method, control, &body)))
    } else if let Some(operation) = operation(&head, &shared.options.pool_id) {
        (format!("{operation:?}"), answer_with_faults(shared, operation, &body).await)
    } else if head.method == Method::GET && head.uri.path() == "/" {
        ("page".to_owned(), Ok(reply(200, "text/html; charset=utf-8", page(&shared.options))))
    } else {
        let unknown = Exception::usual("UnknownOperationException");
        (head.method.to_string(), Ok(answer(Err(unknown), AMZ_JSON)))
    };
    if shared.options.log {
        match &outcome {
            Ok(response) => {
                let code = response.headers().get(ERROR_TYPE).and_then(|code| code.to_str().ok());
                let code = code.unwrap_or_default().trim_end_matches(':');
                println!("{}", format!("{name} {} {code}", response.status().as_u16()).trim_end());
            }
            Err(why) => println!("{name} {why}"),
        }
    }
    outcome
}

/// The page, with the function's URL and the client id filled in.
fn page(options: &Options) -> String {
    let settings =
        [("{{function-url}}", &options.function_url), ("{{client-id}}", &options.client_id)];
    settings.iter().fold(PAGE.to_owned(), |page, (name, value)| page.replace(name, value))
}

/// The operation that a request names, if any.
fn operation(head: &Parts, pool_id: &str) -> Option<Operation> {
    let path = head.uri.path();
    if head.method == Method::POST && path == "/" {
        let target = head.headers.get("x-amz-target")?.to_str().ok()?;
        let name = target.strip_prefix("AWSCognitoIdentityProviderService.")?;
        let operation = serde_json::from_value(name.into()).ok()?;
        let has_target = !matches!(operation, Operation::Jwks | Operation::OpenIdConfiguration);
        return has_target.then_some(operation);
    }
    let document = path.strip_prefix('/')?.strip_prefix(pool_id)?.strip_prefix("/.well-known/")?;
    match (&head.method, document) {
        (&Method::GET, "jwks.json") => Some(Operation::Jwks),
        (&Method::GET, "openid-configuration") => Some(Operation::OpenIdConfiguration),
        _ => None,
    }
}

async fn answer_with_faults(shared: &Shared, operation: Operation, body: &[u8]) -> Outcome {
    let content_type = match operation {
        Operation::Jwks | Operation::OpenIdConfiguration => "application/json",
        _ => AMZ_JSON,
    };
    let perform = || answer(shared.state().pool.perform(operation, body), content_type);
    let fault = {
        let mut state = shared.state();
        *state.calls.entry(operation).or_default() += 1;
        state.faults.next(operation, body)
    };
    match fault {
        None => Ok(perform()),
        Some(Fault::Error(exception)) => Ok(answer(Err(exception), content_type)),
        Some(Fault::Raw { status, content_type, body }) => Ok(reply(status, content_type, body)),
        Some(Fault::DropBefore) => Err(DROPPED),
        Some(Fault::DropAfter) => {
            perform();
            Err(DROPPED)
        }
        Some(Fault::CutAnswer) => Ok(cut(perform())),
        Some(Fault::StallBefore(pause)) => {
            tokio::time::sleep(pause).await;
            Ok(perform())
        }
        Some(Fault::StallAfter(pause)) => {
            let response = perform();
            tokio::time::sleep(pause).await;
            Ok(response)
        }
    }
}

/// The body of `POST /_fake/faults`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultOrder {
    operation: Operation,
    fault: String,
    #[serde(default = "once")]
    times: usize,
    #[serde(default)]
    always: bool,
}

fn once() -> usize {
    1
}

fn control_answer(shared: &Shared, method: &Method, path: &str, body: &[u8]) -> Response<Answer> {
    let done = match (method, path) {
        (&Method::POST, "faults") => arrange(shared, body),
        (&Method::DELETE, "faults") => {
            shared.state().faults = Faults::default();
            Ok(())
        }
        (&Method::POST, "reset") => {
            shared.reset();
            Ok(())
        }
        (&Method::GET, "calls") => {
            return reply(200, "application/json", json!(shared.state().calls).to_string());
        }
        (&Method::POST, "sign") => {
            let text = String::from_utf8_lossy(body);
            match shared.state().pool.sign_token_in(&text, "demo") {
                Some(signed) => return reply(200, "application/json", signed),
                None => Err("the user demo does not exist".to_owned()),
            }
        }
        _ => {
            Err("unknown route; the routes are POST and DELETE /_fake/faults, POST /_fake/reset, \
                  GET /_fake/calls and POST /_fake/sign"
                .to_owned())
        }
    };
    match done {
        Ok(()) => reply(204, "application/json", ""),
        Err(message) => reply(400, "application/json", json!({ "message": message }).to_string()),
    }
}

fn arrange(shared: &Shared, body: &[u8]) -> Result<(), String> {
    let order: FaultOrder = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let fault = Fault::from_str(&order.fault)?;
    let mut state = shared.state();
    if order.always {
        state.faults.stick(order.operation, fault);
    } else {
        for _ in 0..order.times {
            state.faults.push(order.operation, fault.clone());
        }
    }
    Ok(())
}

/// A result in Cognito's wire format.
fn answer(result: Result<Value, Exception>, content_type: &'static str) -> Response<Answer> {
    let exception = match result {
        Ok(value) => return reply(200, content_type, value.to_string()),
        Err(exception) => exception,
    };
    let mut body = json!({ "__type": exception.code });
    if !exception.message.is_empty() {
        body["message"] = exception.message.as_str().into();
    }
    let mut response = reply(exception.status, content_type, body.to_string());
    let headers = response.headers_mut();
    // Cognito adds a colon, which a namespace may follow.
    let error_type = format!("{}:", exception.code);
    for (name, value) in [(ERROR_TYPE, &error_type), ("x-amzn-errormessage", &exception.message)] {
        // A message that is not a valid header value is only in the body.
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    for (name, value) in exception.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn reply(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(&unique_id()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// Announces the full length of a response and sends half of it.
fn cut(response: Response<Answer>) -> Response<Answer> {
    let (mut head, body) = response.into_parts();
    let Answer::Whole(body) = body else {
        unreachable!("a response is cut only once");
    };
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    Response::from_parts(head, Answer::Half(body.slice(..body.len() / 2)))
}

/// The body of a response, and its progress.
enum Answer {
    Whole(Bytes),
    Half(Bytes),
    /// The half is buffered but not yet sent.
    Flushing,
    /// The half is sent, and the connection breaks next.
    Broken,
    Done,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match std::mem::replace(&mut *self, Answer::Done) {
            Answer::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Answer::Half(bytes) => {
                *self = Answer::Flushing;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Answer::Flushing => {
                // hyper flushes its buffer when a body is pending, and discards it when a body fails.
                // Without this pause, the client would not receive its half.
                *self = Answer::Broken;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Answer::Broken => Poll::Ready(Some(Err(DROPPED))),
            Answer::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Done => SizeHint::with_exact(0),
            Self::Half(_) | Self::Flushing | Self::Broken => SizeHint::default(),
        }
    }
}
