//! A network that fails: a TCP proxy between the function and the fake Cognito.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of a connection and its one request.
#[derive(Clone)]
pub(crate) struct Fault {
    pub(crate) forwarded: Forwarded,
    pub(crate) answer: Answer,
}

/// Whether Cognito gets the request. Its own answer is always lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    Never,
    BeforeTheAnswer,
    /// Once the function has told its own client how it ended: see [`Late`].
    AfterTheAnswer,
}

/// The requests that Cognito gets too late.
#[derive(Clone, Default)]
pub(crate) struct Late(Arc<watch::Sender<HeldBack>>);

#[derive(Default)]
struct HeldBack {
    requests: usize,
    released: bool,
}

impl Late {
    /// Lets them go on, and returns once Cognito has acted on each.
    pub(crate) async fn release(&self) {
        self.0.send_modify(|held| held.released = true);
        self.0.subscribe().wait_for(|held| held.requests == 0).await.unwrap();
    }
}

/// What the function gets in place of Cognito's answer, before the connection closes.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Nothing, before a byte of the request was read.
    Unread,
    /// These bytes; none when the connection was dropped.
    Bytes(Vec<u8>),
    /// Nothing, and the connection ends with a TCP reset, which is what a refused one ends with too.
    Reset,
    /// These bytes, ten a second: longer than anybody waits.
    Slow(Vec<u8>),
    /// Nothing, until the function hangs up.
    Stall,
}

/// Starts a proxy, which lasts as long as the test, and returns its URL.
pub(crate) fn start(
    upstream: &str,
    mut faults: impl Iterator<Item = Fault> + Send + 'static,
    late: Late,
) -> String {
    let upstream = upstream.trim_start_matches("http://").to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let fault = faults.next();
            if fault.as_ref().is_some_and(|fault| fault.forwarded == Forwarded::AfterTheAnswer) {
                late.0.send_modify(|held| held.requests += 1);
            }
            tokio::spawn(serve(client, upstream.clone(), fault, late.clone()));
        }
    });
    endpoint
}

async fn serve(mut client: TcpStream, upstream: String, fault: Option<Fault>, late: Late) {
    let Some(Fault { forwarded, answer }) = fault else {
        let mut server = TcpStream::connect(upstream).await.unwrap();
        // A function that hangs up ends this, and that is no failure.
        let _ = copy_bidirectional(&mut client, &mut server).await;
        return;
    };
    if matches!(answer, Answer::Unread) {
        return;
    }
    let request = read_request(&mut client).await;
    if forwarded == Forwarded::BeforeTheAnswer {
        forward(&upstream, &request).await;
    }
    // The function may hang up in the middle of any of these.
    match answer {
        Answer::Unread => {}
        Answer::Reset => client.set_zero_linger().unwrap(),
        Answer::Bytes(bytes) => drop(client.write_all(&bytes).await),
        Answer::Slow(bytes) => {
            for byte in bytes {
                if client.write_u8(byte).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Answer::Stall => drop(client.read_u8().await),
    }
    drop(client);
    if forwarded == Forwarded::AfterTheAnswer {
        late.0.subscribe().wait_for(|held| held.released).await.unwrap();
        forward(&upstream, &request).await;
        late.0.send_modify(|held| held.requests -= 1);
    }
}

/// Reads to the brace that ends the body: the SDK's JSON is one flat object.
async fn read_request(client: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    while !request.ends_with(b"}") && client.read_buf(&mut request).await.is_ok_and(|read| read > 0)
    {
    }
    request
}

/// Returns once Cognito has acted, which the first byte of its answer shows.
async fn forward(upstream: &str, request: &[u8]) {
    let mut server = TcpStream::connect(upstream).await.unwrap();
    server.write_all(request).await.unwrap();
    server.read_u8().await.unwrap();
}
