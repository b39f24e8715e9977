//! A stand-in for the Pwned Passwords range service.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::harness::LONG;

/// What the service does with each request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Lines(String),
    Status(u16),
    /// A status with a body that it should not have.
    Page(u16, String),
    /// A redirect to another address of the service, with a body as well.
    Redirect(u16, String),
    Stall,
    Drop,
}

pub(crate) struct RangeServer {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl RangeServer {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = socket.read(&mut request).await.unwrap();
                seen.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
                let (status, location, body) = match &answer {
                    Answer::Lines(lines) => (200, "", lines.as_str()),
                    Answer::Status(status) => (*status, "", ""),
                    Answer::Page(status, body) => (*status, "", body.as_str()),
                    Answer::Redirect(status, body) => {
                        (*status, "location: /range/00000\r\n", body.as_str())
                    }
                    Answer::Stall => {
                        // In the background, so that the next request is seen too.
                        tokio::spawn(async move {
                            tokio::time::sleep(LONG).await;
                            drop(socket);
                        });
                        continue;
                    }
                    Answer::Drop => continue,
                };
                let head = format!(
                    "HTTP/1.1 {status} X\r\n{location}content-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = socket.write_all((head + body).as_bytes()).await;
            }
        });
        Self { endpoint, requests }
    }

    /// The requests so far, as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}
