//! A network that fails: a TCP proxy between the function and the fake Cognito.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to one request.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The operation whose next request it happens to, such as `ChangePassword`.
    pub(crate) operation: &'static str,
    pub(crate) forwarded: Forwarded,
    pub(crate) answer: Answer,
}

/// Whether and when Cognito receives the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Forwarded {
    Never,
    BeforeTheAnswer,
    /// Once the function has responded to its own client: see [`Late`].
    AfterTheAnswer,
}

/// What the function gets in place of Cognito's answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Cognito's own answer, and then this end of the connection.
    Cognitos(End),
    /// Cognito's own answer, and a millisecond later the same again.
    Twice,
    /// Another answer, and then this end of the connection.
    Http(Http, End),
    /// None: the connection closes before a byte of the request is read.
    Unread,
    /// These bytes, before the connection closes; empty if it is dropped.
    Bytes(Vec<u8>),
    /// None: the connection ends with a TCP reset, like a refused one.
    Reset,
    /// This answer, at ten bytes a second: too slowly for any timeout.
    Slow(Http),
    /// None, until the function disconnects.
    Stall,
}

/// An HTTP response without its last `missing` bytes.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    pub(crate) missing: usize,
}

/// What happens to the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// It closes, after an answer with `connection: close`.
    Announced,
    /// It serves the next request.
    KeptAlive,
    /// It closes without notice, at once.
    AtOnce,
    /// It closes without notice, 2 ms later.
    Soon,
}

/// The requests that Cognito receives only after the function has responded.
#[derive(Clone, Default)]
pub(crate) struct Late(Arc<watch::Sender<HeldBack>>);

#[derive(Default)]
struct HeldBack {
    requests: usize,
    released: bool,
}

impl Late {
    /// Forwards them, and returns once Cognito has acted on each.
    pub(crate) async fn release(&self) {
        self.0.send_modify(|held| held.released = true);
        self.0.subscribe().wait_for(|held| held.requests == 0).await.unwrap();
    }
}

impl Http {
    fn bytes(&self, end: End) -> Vec<u8> {
        let Self { status, content_type, body, missing } = self;
        let close = if end == End::Announced { "connection: close\r\n" } else { "" };
        // In HTTP, a 204 has no body and no length.
        let length = match status {
            204 => String::new(),
            _ => format!("content-length: {}\r\n", body.len()),
        };
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{length}{close}");
        let mut bytes = format!("{head}\r\n{body}").into_bytes();
        bytes.truncate(bytes.len() - missing);
        bytes
    }
}

/// The remaining faults, in the order of the requests.
type Faults = Arc<Mutex<VecDeque<Fault>>>;

#[derive(Clone)]
struct Proxy {
    upstream: String,
    faults: Faults,
    /// The fault of every request after those.
    lasting: Option<Fault>,
    late: Late,
}

/// Starts a proxy, which runs as long as the test, and returns its URL.
///
/// Each fault happens once, and then the lasting one every time, if there is one.
pub(crate) fn start(
    upstream: &str,
    faults: impl IntoIterator<Item = Fault>,
    lasting: Option<Fault>,
    late: Late,
) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let listener = TcpListener::from_std(listener).unwrap();
    let proxy = Proxy {
        upstream: upstream.trim_start_matches("http://").to_owned(),
        faults: Arc::new(Mutex::new(faults.into_iter().collect())),
        lasting,
        late,
    };
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let proxy = proxy.clone();
            // This ends when the function disconnects, which is not a failure.
            tokio::spawn(async move { proxy.serve(client).await });
        }
    });
    endpoint
}

impl Proxy {
    /// Serves the requests of one connection; returns none when it has ended.
    async fn serve(&self, mut client: TcpStream) -> Option<()> {
        if self.next(|fault| matches!(fault.answer, Answer::Unread)).is_some() {
            return None;
        }
        loop {
            let request = read_message(&mut client).await?;
            let operation = operation(&request);
            let Some(Fault { forwarded, answer, .. }) =
                self.next(|fault| fault.operation == operation)
            else {
                let answer = forward(&self.upstream, &request).await?;
                client.write_all(&answer).await.ok()?;
                continue;
            };
            if forwarded == Forwarded::AfterTheAnswer {
                self.late.0.send_modify(|held| held.requests += 1);
                let proxy = self.clone();
                tokio::spawn(async move {
                    let mut held = proxy.late.0.subscribe();
                    held.wait_for(|held| held.released).await.unwrap();
                    forward(&proxy.upstream, &request).await;
                    proxy.late.0.send_modify(|held| held.requests -= 1);
                });
                self.answer(&mut client, &answer, &[]).await?;
                continue;
            }
            let cognitos = match forwarded {
                Forwarded::BeforeTheAnswer => forward(&self.upstream, &request).await?,
                Forwarded::Never | Forwarded::AfterTheAnswer => Vec::new(),
            };
            self.answer(&mut client, &answer, &cognitos).await?;
        }
    }

    /// Takes the next fault if it is meant for this request, or the lasting one.
    fn next(&self, is_meant: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        match faults.front() {
            Some(fault) if is_meant(fault) => faults.pop_front(),
            Some(_) => None,
            None => self.lasting.clone().filter(is_meant),
        }
    }

    /// Sends an answer; returns none if the connection must end.
    async fn answer(&self, client: &mut TcpStream, answer: &Answer, cognitos: &[u8]) -> Option<()> {
        let (bytes, end) = match answer {
            Answer::Unread => return None,
            Answer::Cognitos(end) => (cognitos.to_vec(), *end),
            Answer::Twice => {
                client.write_all(cognitos).await.ok()?;
                tokio::time::sleep(Duration::from_millis(1)).await;
                (cognitos.to_vec(), End::KeptAlive)
            }
            Answer::Http(http, end) => (http.bytes(*end), *end),
            Answer::Bytes(bytes) => (bytes.clone(), End::AtOnce),
            Answer::Reset => {
                client.set_zero_linger().unwrap();
                return None;
            }
            Answer::Slow(http) => {
                for byte in http.bytes(End::KeptAlive) {
                    client.write_u8(byte).await.ok()?;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                return None;
            }
            Answer::Stall => {
                let _ = client.read_u8().await;
                return None;
            }
        };
        client.write_all(&bytes).await.ok()?;
        match end {
            End::KeptAlive => Some(()),
            End::Soon => {
                tokio::time::sleep(Duration::from_millis(2)).await;
                None
            }
            End::Announced | End::AtOnce => None,
        }
    }
}

/// Reads one HTTP message with a body of the length in its head; none if the stream ends first.
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let head = loop {
        if stream.read_buf(&mut message).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = message.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let length = header(&message[..head], "content-length").map_or(0, |text| text.parse().unwrap());
    while message.len() < head + length {
        if stream.read_buf(&mut message).await.ok()? == 0 {
            return None;
        }
    }
    Some(message)
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let head = std::str::from_utf8(head).unwrap();
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// The operation of a request.
fn operation(request: &[u8]) -> String {
    let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let target = header(&request[..head], "x-amz-target").unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default().to_owned()
}

/// Forwards a request, and returns Cognito's answer; none if there is no answer.
async fn forward(upstream: &str, request: &[u8]) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).await.ok()?;
    server.write_all(request).await.ok()?;
    read_message(&mut server).await
}
