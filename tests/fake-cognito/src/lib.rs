//! A small local stand-in for Amazon Cognito user pools, for tests and for `make dev`.
//!
//! It speaks Cognito's wire protocol over real sockets: the same JSON, the same error texts, the
//! same order of checks, the same limits. Tests start one in-process with [`FakeCognito::start`];
//! the `fake-cognito` binary serves the same thing with two users, so that a newcomer needs no AWS
//! account.
//!
//! Where Cognito's behaviour is not documented, this follows what public reports quote. Guesses are
//! the texts of `PasswordHistoryPolicyViolationException` and `InternalErrorException`, and which
//! of several things wrong with one request is told first. The fake knows one app client for signing
//! in, and accepts access tokens of any client.
//!
//! # Faults
//!
//! A [`Fault`] makes an operation go wrong, once or until cleared. Tests use
//! [`FakeCognito::fail_next`] and [`FakeCognito::fail_always`]; over HTTP:
//!
//! ```sh
//! curl localhost:9229/_fake/faults -d '{"operation": "ChangePassword", "fault": "drop-after"}'
//! curl localhost:9229/_fake/faults -X DELETE   # all is well again
//! curl localhost:9229/_fake/reset  -X POST     # users, limits, faults: all as at the start
//! curl localhost:9229/_fake/calls               # how often each operation was called since then
//! ```
//!
//! `POST /_fake/sign` returns the text that it gets, with the token in it signed for the user `demo`.
//!
//! `operation` is a variant of [`Operation`]; `"times": 3` repeats the fault and `"always": true`
//! makes it stay. `fault` is one of:
//!
//! | fault | what happens |
//! |---|---|
//! | `drop-before` | the request is read, nothing is done, the connection closes without an answer |
//! | `drop-after` | it is done, then the connection closes without an answer |
//! | `cut-answer` | it is done, half of the answer is sent, then the connection closes |
//! | `stall-before:3000` | nothing happens for 3000 ms, then it is done and answered |
//! | `stall-after:3000` | it is done, and answered 3000 ms later |
//! | `html` | nothing is done; a load balancer's `503` page instead of JSON |
//! | `empty` | nothing is done; `200` with an empty body |
//! | `LimitExceededException` | nothing is done; this exception with its usual text |
//! | `NotAuthorizedException: User is disabled.` | likewise, with a text of your own |
//!
//! # Page
//!
//! `GET /` is a page on which a user signs in and changes the password through the function, which is at
//! another origin, with a fault of choice.

#![expect(
    clippy::must_use_candidate,
    reason = "nobody calls a getter of a test double for nothing"
)]

mod exception;
mod fault;
mod pool;
mod server;
mod token;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use exception::Exception;
pub use fault::Fault;
pub use pool::{PasswordPolicy, Tokens, User, UserState};
pub use token::Jwt;

use fault::Faults;
use pool::Pool;

/// What the fake can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Operation {
    /// Signs in (`USER_PASSWORD_AUTH`) or refreshes (`REFRESH_TOKEN_AUTH`).
    InitiateAuth,
    /// Changes the password of the access token's user.
    ChangePassword,
    /// Revokes every session of the access token's user.
    GlobalSignOut,
    /// Returns the attributes of the access token's user.
    GetUser,
    /// `GET /<pool id>/.well-known/jwks.json`.
    Jwks,
    /// `GET /<pool id>/.well-known/openid-configuration`.
    OpenIdConfiguration,
}

/// Whom the tokens name as their issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Issuer {
    /// `https://cognito-idp.<region>.amazonaws.com/<pool id>`, as a real pool's tokens do.
    #[default]
    Aws,
    /// The URL of this fake, for clients that fetch keys from wherever the issuer points.
    Local,
}

/// How a fake is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 picks a free one.
    pub port: u16,
    /// The pool's id, whose part before the underscore is its region.
    pub pool_id: String,
    /// The id of the one app client that may sign users in.
    pub client_id: String,
    /// Whom the tokens name as their issuer.
    pub issuer: Issuer,
    /// The pool's password policy.
    pub policy: PasswordPolicy,
    /// How long access and ID tokens are good for.
    pub token_lifetime: Duration,
    /// Where the page at `/` finds the function.
    pub function_url: String,
    /// Whether to print one line for each request: what was asked and how it ended, no secrets.
    pub log: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            pool_id: "eu-west-1_LocalDev0".into(),
            client_id: "4localdevclient0000000000".into(),
            issuer: Issuer::default(),
            policy: PasswordPolicy::default(),
            token_lifetime: Duration::from_hours(1),
            function_url: "http://127.0.0.1:9000".into(),
            log: false,
        }
    }
}

/// A running fake, which stops when dropped.
pub struct FakeCognito {
    shared: Arc<Shared>,
    /// Tells every connection to close; each one holds a receiver for as long as it is open.
    hang_up: watch::Sender<()>,
    accept: JoinHandle<()>,
}

/// What the handle and the connections share.
struct Shared {
    options: Options,
    endpoint: String,
    connections: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    pool: Pool,
    faults: Faults,
    calls: HashMap<Operation, usize>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has already failed; spare the others.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reset(&self) {
        let mut state = self.state();
        state.pool.reset();
        state.faults = Faults::default();
        state.calls.clear();
    }
}

impl FakeCognito {
    /// Starts a fake with the default options on a free port.
    ///
    /// # Panics
    ///
    /// When no port can be bound, which no test could go on without.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await.expect("a free port on 127.0.0.1")
    }

    /// Starts a fake with these options.
    pub async fn start_with(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((options.host, options.port)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            connections: AtomicUsize::new(0),
            state: Mutex::new(State {
                pool: Pool::new(&options, &endpoint),
                faults: Faults::default(),
                calls: HashMap::new(),
            }),
            options,
            endpoint,
        });
        let (hang_up, receiver) = watch::channel(());
        let accept = tokio::spawn(server::accept(listener, Arc::clone(&shared), receiver));
        Ok(Self { shared, hang_up, accept })
    }

    /// Stops accepting, and returns when every request under way has been answered.
    pub async fn shut_down(self) {
        self.accept.abort();
        self.close_connections();
        self.hang_up.closed().await;
    }

    /// Closes every connection as soon as it is idle, as Cognito does to one that was kept too long.
    pub fn close_connections(&self) {
        self.hang_up.send_replace(());
    }

    /// The URL to give an SDK as its endpoint.
    pub fn endpoint_url(&self) -> &str {
        &self.shared.endpoint
    }

    /// The URL of the pool's JSON web key set.
    pub fn jwks_url(&self) -> String {
        format!("{}/{}/.well-known/jwks.json", self.shared.endpoint, self.pool_id())
    }

    /// The pool's JSON web key set.
    pub fn jwks(&self) -> String {
        token::jwks().to_string()
    }

    /// The issuer that tokens name.
    pub fn issuer(&self) -> String {
        self.shared.state().pool.issuer().to_owned()
    }

    /// The pool's id.
    pub fn pool_id(&self) -> &str {
        &self.shared.options.pool_id
    }

    /// The id of the app client that may sign users in.
    pub fn client_id(&self) -> &str {
        &self.shared.options.client_id
    }

    /// Adds a user, or replaces the one of that name.
    pub fn add_user(&self, user: User) {
        self.shared.state().pool.add_user(user);
    }

    /// Puts a user into another state; the user's sessions go on.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn set_state(&self, username: &str, state: UserState) {
        self.shared.state().pool.account(username).user.state = state;
    }

    /// Deletes a user, whose tokens then belong to nobody.
    pub fn delete_user(&self, username: &str) {
        self.shared.state().pool.delete_user(username);
    }

    /// The password that the user has now.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn password_of(&self, username: &str) -> Option<String> {
        let mut state = self.shared.state();
        state.pool.account(username).user.password.clone()
    }

    /// Signs in with a password, under the rules of `InitiateAuth` but without a request.
    pub fn sign_in(&self, username: &str, password: &str) -> Result<Tokens, Exception> {
        self.shared.state().pool.sign_in(username, password)
    }

    /// A good access token, from a new session and whatever the user's state.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn access_token(&self, username: &str) -> String {
        self.mint(username, |_| ())
    }

    /// A correctly signed access token with something odd about it.
    ///
    /// ```no_run
    /// # let fake: fake_cognito::FakeCognito = todo!();
    /// let expired = fake.mint("ann", |jwt| jwt.claims["exp"] = 0.into());
    /// let no_scope = fake.mint("ann", |jwt| drop(jwt.claims.remove("scope")));
    /// ```
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn mint(&self, username: &str, edit: impl FnOnce(&mut Jwt)) -> String {
        let mut jwt = self.shared.state().pool.access_jwt(username);
        edit(&mut jwt);
        jwt.signed()
    }

    /// A text with a signed token in place of the first token in it, wherever that stands: the claims
    /// are the same, but the session is a new one of this user.
    ///
    /// A text without a token stays as it is.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn sign_token_in(&self, text: &str, username: &str) -> String {
        let signed = self.shared.state().pool.sign_token_in(text, username);
        signed.expect("there is such a user")
    }

    /// An ID token, which clients often send where an access token belongs.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn id_token(&self, username: &str) -> String {
        self.shared.state().pool.open_session(username).id_token
    }

    /// An access token that names the pool's key and that this key did not sign.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn forged_token(&self, username: &str) -> String {
        let (honest, other) = (self.access_token(username), self.access_token(username));
        let unsigned = honest.rsplit_once('.').map_or("", |(unsigned, _)| unsigned);
        let signature = other.rsplit_once('.').map_or("", |(_, signature)| signature);
        format!("{unsigned}.{signature}")
    }

    /// Moves the fake's clock on, past the attempt limit's hour or a token's expiry.
    ///
    /// Tokens issued afterwards bear the new time, which other clocks take to be in the future.
    pub fn advance(&self, by: Duration) {
        self.shared.state().pool.advance(by);
    }

    /// Makes the next call of an operation go wrong, after those already arranged.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.shared.state().faults.push(operation, fault);
    }

    /// Makes the next call of an operation go wrong whose body holds this text: one user's token,
    /// say, while others' calls go on.
    pub fn fail_next_about(&self, operation: Operation, text: &str, fault: Fault) {
        self.shared.state().faults.push_about(operation, text, fault);
    }

    /// Makes every call of an operation go wrong once the one-shot faults are used up.
    pub fn fail_always(&self, operation: Operation, fault: Fault) {
        self.shared.state().faults.stick(operation, fault);
    }

    /// Forgets every fault that was arranged.
    pub fn clear_faults(&self) {
        self.shared.state().faults = Faults::default();
    }

    /// Restores users, sessions, limits, clock, faults and call counts to what they were at first.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// How many requests for this operation have arrived, failed ones included.
    pub fn calls(&self, operation: Operation) -> usize {
        let state = self.shared.state();
        state.calls.get(&operation).copied().unwrap_or_default()
    }

    /// How many TCP connections have been accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for FakeCognito {
    fn drop(&mut self) {
        // The connections end by themselves: their receivers see that the sender is gone.
        self.accept.abort();
    }
}
