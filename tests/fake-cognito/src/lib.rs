//! A small local stand-in for Amazon Cognito user pools, for tests and for `make dev`.
//!
//! It speaks Cognito's wire protocol over real sockets, with the same JSON, error messages, order of
//! checks and limits. Tests start one in-process with [`FakeCognito::start`]. The `fake-cognito`
//! binary serves the same with two users, so that developers need no AWS account.
//!
//! Undocumented behaviour of Cognito follows public reports. Two things are guesses: the messages of
//! `PasswordHistoryPolicyViolationException` and `InternalErrorException`, and which of several
//! errors in one request is reported first. Users sign in through one app client, and access tokens
//! of any client are accepted.
//!
//! # Faults
//!
//! A [`Fault`] makes an operation fail, once or until it is cleared. Tests use
//! [`FakeCognito::fail_next`] and [`FakeCognito::fail_always`]. Over HTTP:
//!
//! ```sh
//! curl localhost:9229/_fake/faults -d '{"operation": "ChangePassword", "fault": "drop-after"}'
//! curl localhost:9229/_fake/faults -X DELETE   # clears all faults
//! curl localhost:9229/_fake/reset  -X POST     # restores users, limits and faults
//! curl localhost:9229/_fake/calls              # the number of calls of each operation since then
//! ```
//!
//! `POST /_fake/sign` returns the request's text, with the token in it signed for the user `demo`.
//!
//! `operation` is a variant of [`Operation`]. `"times": 3` repeats the fault, and `"always": true`
//! makes it permanent. `fault` is one of:
//!
//! | fault | operation performed | response |
//! |---|---|---|
//! | `drop-before` | no | the connection closes after the request has been read |
//! | `drop-after` | yes | the connection closes |
//! | `cut-answer` | yes | half of the body, then the connection closes |
//! | `stall-before:3000` | after 3000 ms | the usual one |
//! | `stall-after:3000` | at once | the usual one, after 3000 ms |
//! | `html` | no | a load balancer's `503` page instead of JSON |
//! | `empty` | no | `200` with an empty body |
//! | `LimitExceededException` | no | this exception with its usual message |
//! | `NotAuthorizedException: User is disabled.` | no | this exception with this message |
//!
//! # Page
//!
//! `GET /` is a page for signing in and changing the password through the function, which has a
//! different origin. A menu on it sets a fault.

#![expect(
    clippy::must_use_candidate,
    reason = "tests use the results of a test double's getters anyway"
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

/// An operation of the fake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Operation {
    /// Signs a user in (`USER_PASSWORD_AUTH`) or refreshes tokens (`REFRESH_TOKEN_AUTH`).
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

/// The issuer in the tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Issuer {
    /// `https://cognito-idp.<region>.amazonaws.com/<pool id>`, as a real pool's tokens do.
    #[default]
    Aws,
    /// The URL of this fake, for clients that fetch the keys from the issuer's URL.
    Local,
}

/// The settings of a fake.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 picks a free one.
    pub port: u16,
    /// The pool's id, whose part before the underscore is its region.
    pub pool_id: String,
    /// The id of the only app client that can sign users in.
    pub client_id: String,
    /// The issuer in the tokens.
    pub issuer: Issuer,
    /// The pool's password policy.
    pub policy: PasswordPolicy,
    /// The lifetime of access and ID tokens.
    pub token_lifetime: Duration,
    /// The function's URL for the page at `/`.
    pub function_url: String,
    /// Whether to print one line for each request, with its operation and result and without secrets.
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
    /// Closes every connection. Each open connection holds a receiver.
    hang_up: watch::Sender<()>,
    accept: JoinHandle<()>,
}

/// The state that the handle and the connections share.
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
        // A test that panicked while it held the lock has already failed. The others can go on.
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
    /// If no port can be bound.
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

    /// Stops accepting connections, and returns when every pending request has its response.
    pub async fn shut_down(self) {
        self.accept.abort();
        self.close_connections();
        self.hang_up.closed().await;
    }

    /// Closes every connection as soon as it is idle, as Cognito does after a while.
    pub fn close_connections(&self) {
        self.hang_up.send_replace(());
    }

    /// The endpoint URL for an SDK.
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

    /// The issuer in the tokens.
    pub fn issuer(&self) -> String {
        self.shared.state().pool.issuer().to_owned()
    }

    /// The pool's id.
    pub fn pool_id(&self) -> &str {
        &self.shared.options.pool_id
    }

    /// The id of the app client that can sign users in.
    pub fn client_id(&self) -> &str {
        &self.shared.options.client_id
    }

    /// Adds a user, or replaces the one with the same name.
    pub fn add_user(&self, user: User) {
        self.shared.state().pool.add_user(user);
    }

    /// Changes a user's state. The user's sessions stay valid.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn set_state(&self, username: &str, state: UserState) {
        self.shared.state().pool.account(username).user.state = state;
    }

    /// Deletes a user. The user's tokens then have no account.
    pub fn delete_user(&self, username: &str) {
        self.shared.state().pool.delete_user(username);
    }

    /// The user's current password.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn password_of(&self, username: &str) -> Option<String> {
        let mut state = self.shared.state();
        state.pool.account(username).user.password.clone()
    }

    /// Signs a user in by the rules of `InitiateAuth`, without a request.
    pub fn sign_in(&self, username: &str, password: &str) -> Result<Tokens, Exception> {
        self.shared.state().pool.sign_in(username, password)
    }

    /// A valid access token from a new session, in any state of the user.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn access_token(&self, username: &str) -> String {
        self.mint(username, |_| ())
    }

    /// A correctly signed access token with an edited header or claims.
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

    /// Replaces the first token in a text by a signed one for a new session of this user, with the
    /// other claims unchanged. Every occurrence of that token is replaced.
    ///
    /// Returns a text without a token unchanged.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn sign_token_in(&self, text: &str, username: &str) -> String {
        let signed = self.shared.state().pool.sign_token_in(text, username);
        signed.expect("the user exists")
    }

    /// An ID token, which clients often send instead of an access token.
    ///
    /// # Panics
    ///
    /// When there is no such user.
    pub fn id_token(&self, username: &str) -> String {
        self.shared.state().pool.open_session(username).id_token
    }

    /// An access token that names the pool's key but has another token's signature.
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

    /// Advances the fake's clock, for example past the attempt limit's hour or a token's expiry.
    ///
    /// Tokens issued afterwards have the new time, which is in the future by other clocks.
    pub fn advance(&self, by: Duration) {
        self.shared.state().pool.advance(by);
    }

    /// Adds a one-shot fault for the next call of an operation, after the faults already set.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.shared.state().faults.push(operation, fault);
    }

    /// Adds a one-shot fault for the next call of an operation whose body contains this text, such
    /// as one user's token. Calls of other users succeed.
    pub fn fail_next_about(&self, operation: Operation, text: &str, fault: Fault) {
        self.shared.state().faults.push_about(operation, text, fault);
    }

    /// Makes every call of an operation fail after its one-shot faults have occurred.
    pub fn fail_always(&self, operation: Operation, fault: Fault) {
        self.shared.state().faults.stick(operation, fault);
    }

    /// Clears all faults.
    pub fn clear_faults(&self) {
        self.shared.state().faults = Faults::default();
    }

    /// Restores the initial users, sessions, limits, clock, faults and call counts.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// The number of requests for this operation, including failed ones.
    pub fn calls(&self, operation: Operation) -> usize {
        let state = self.shared.state();
        state.calls.get(&operation).copied().unwrap_or_default()
    }

    /// The number of accepted TCP connections.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for FakeCognito {
    fn drop(&mut self) {
        // Dropping the sender ends the connections.
        self.accept.abort();
    }
}
