//! A stand-in for Lambda's Runtime API: delivers invocations to a function and receives its responses.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

const PREFIX: &str = "/2018-06-01/runtime/";

/// A running stand-in, which stops when dropped.
#[derive(Debug)]
pub struct RuntimeApi {
    address: String,
    time_limit: Duration,
    queue: mpsc::UnboundedSender<Invocation>,
    shared: Arc<Shared>,
    accept: JoinHandle<()>,
}

/// A function's response to an event.
#[derive(Debug)]
pub struct Answer {
    /// The body posted to `…/response`, or to `…/error`.
    pub result: Result<Bytes, Bytes>,
    /// The time between delivering the event and receiving the response.
    pub latency: Duration,
}

#[derive(Debug)]
struct Invocation {
    id: String,
    event: String,
}

#[derive(Debug)]
struct Shared {
    polls: watch::Sender<Polls>,
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    open: Mutex<HashMap<String, Open>>,
    strays: AtomicUsize,
    time_limit: Duration,
}

/// The number of requests for an invocation, and the time of the last one.
#[derive(Debug, Clone, Copy)]
struct Polls {
    count: usize,
    last: Instant,
}

/// An invocation that waits for its response.
#[derive(Debug)]
struct Open {
    handed_out: Option<Instant>,
    answer: oneshot::Sender<Answer>,
}

impl RuntimeApi {
    /// Starts the stand-in on a free port, for a function with this timeout.
    pub async fn start(time_limit: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (queue, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            polls: watch::Sender::new(Polls { count: 0, last: Instant::now() }),
            queue: tokio::sync::Mutex::new(receiver),
            open: Mutex::default(),
            strays: AtomicUsize::new(0),
            time_limit,
        });
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, time_limit, queue, shared, accept })
    }

    /// The value for `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the function has requested this many invocations, and returns the time of the last
    /// request.
    ///
    /// The first request marks the end of the start-up, and each later one the end of an invocation.
    pub async fn polled(&self, times: usize) -> Instant {
        let mut polls = self.shared.polls.subscribe();
        let polls = polls.wait_for(|polls| polls.count >= times).await;
        // The sender lives as long as `self`.
        polls.map_or_else(|_| Instant::now(), |polls| polls.last)
    }

    /// Invokes the function with an event. Returns `None` if it does not respond within its timeout.
    pub async fn invoke(&self, id: &str, event: String) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        self.shared.open().insert(id.to_owned(), Open { handed_out: None, answer: sender });
        let invocation = Invocation { id: id.to_owned(), event };
        self.queue.send(invocation).ok()?;
        let answer = tokio::time::timeout(self.time_limit, answer).await;
        self.shared.open().remove(id);
        answer.ok()?.ok()
    }

    /// The number of responses to invocations that were not open: second or unrequested ones.
    #[must_use]
    pub fn strays(&self) -> usize {
        self.shared.strays.load(Ordering::Relaxed)
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.polls.send_modify(|polls| {
            *polls = Polls { count: polls.count + 1, last: Instant::now() };
        });
        let Some(Invocation { id, event }) = self.queue.lock().await.recv().await else {
            return empty(StatusCode::GONE);
        };
        let deadline = SystemTime::now() + self.time_limit;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let headers = [
            ("lambda-runtime-aws-request-id", id.clone()),
            // Without it, AWS's runtime clients for Node.js and Python crash with a segmentation fault.
            ("content-type", "application/json".into()),
            ("lambda-runtime-deadline-ms", deadline.to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:123456789012:function:change-password".into(),
            ),
            ("lambda-runtime-trace-id", "Root=1-6922f2a0-0123456789abcdef01234567".into()),
        ];
        let mut response = Response::new(Full::from(event));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        if let Some(open) = self.open().get_mut(&id) {
            open.handed_out = Some(Instant::now());
        }
        response
    }

    fn take(&self, id: &str, result: Result<Bytes, Bytes>) -> Response<Full<Bytes>> {
        let open = self.open().remove(id);
        let Some(Open { handed_out: Some(start), answer }) = open else {
            self.strays.fetch_add(1, Ordering::Relaxed);
            return empty(StatusCode::BAD_REQUEST);
        };
        // If the receiver has stopped waiting, it counts the response as lost.
        let _ = answer.send(Answer { result, latency: start.elapsed() });
        empty(StatusCode::ACCEPTED)
    }

    async fn respond(&self, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        if head.method == Method::GET && path == "invocation/next" {
            return Ok(self.next().await);
        }
        let body = body.collect().await?.to_bytes();
        let answer = path.strip_prefix("invocation/").and_then(|rest| rest.split_once('/'));
        Ok(match answer {
            Some((id, "response")) => self.take(id, Ok(body)),
            Some((id, "error")) => self.take(id, Err(body)),
            _ => {
                // `init/error`, after which the function exits.
                eprintln!("{path}: {}", String::from_utf8_lossy(&body));
                empty(StatusCode::ACCEPTED)
            }
        })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&shared)));
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // A delayed packet would count as latency of the function.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| shared.respond(request));
    // Connection errors are ignored: a missing response is counted as lost.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_response_to_an_invocation_is_counted_as_a_stray() {
        let api = RuntimeApi::start(Duration::from_mins(1)).await.unwrap();
        let function = async {
            api.shared.next().await;
            api.polled(1).await;
            api.shared.take("1", Ok(Bytes::new()));
            api.shared.take("1", Ok(Bytes::new()));
        };
        let (answer, ()) = tokio::join!(api.invoke("1", "{}".into()), function);
        assert!(answer.is_some());
        assert_eq!(api.strays(), 1);
    }

    #[tokio::test]
    async fn an_invocation_without_a_response_ends_at_the_time_limit() {
        let api = RuntimeApi::start(Duration::from_millis(1)).await.unwrap();
        assert!(api.invoke("1", "{}".into()).await.is_none());
    }
}
