//! The user pool: its users and the operations on them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::token::{self, unique_id};
use crate::{Exception, Issuer, Jwt, Operation, Options};

const ADMIN_SCOPE: &str = "aws.cognito.signin.user.admin";
const SYMBOLS: &str = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ";

/// The number of attempts to change the password that a user has within [`ATTEMPT_WINDOW`].
const ATTEMPT_LIMIT: usize = 5;
const ATTEMPT_WINDOW: Duration = Duration::from_hours(1);

/// The pool's password policy. The default is that of a new pool.
#[expect(clippy::struct_excessive_bools, reason = "these are Cognito's own four flags")]
#[derive(Clone, Copy, Debug)]
pub struct PasswordPolicy {
    /// The minimum length in characters, 6 to 99.
    pub minimum_length: usize,
    /// Whether one of A to Z is required.
    pub require_uppercase: bool,
    /// Whether one of a to z is required.
    pub require_lowercase: bool,
    /// Whether one of 0 to 9 is required.
    pub require_numbers: bool,
    /// Whether a symbol is required. An inner space counts as one.
    pub require_symbols: bool,
    /// The number of last passwords, the current one included, that cannot be set again: 0 to 24.
    pub history_size: usize,
    /// Whether the history is checked before the previous password. Cognito's order is not documented.
    pub history_first: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            minimum_length: 8,
            require_uppercase: true,
            require_lowercase: true,
            require_numbers: true,
            require_symbols: true,
            history_size: 0,
            history_first: false,
        }
    }
}

impl PasswordPolicy {
    /// Returns the first broken rule. Like Cognito, it reports only one.
    fn broken_rule(&self, password: &str) -> Option<&'static str> {
        let lacks = |wanted: fn(char) -> bool| !password.contains(wanted);
        if password.chars().count() < self.minimum_length {
            Some("Password not long enough")
        } else if self.require_uppercase && lacks(|c| c.is_ascii_uppercase()) {
            Some("Password must have uppercase characters")
        } else if self.require_lowercase && lacks(|c| c.is_ascii_lowercase()) {
            Some("Password must have lowercase characters")
        } else if self.require_numbers && lacks(|c| c.is_ascii_digit()) {
            Some("Password must have numeric characters")
        } else if self.require_symbols && lacks(|c| SYMBOLS.contains(c)) {
            Some("Password must have symbol characters")
        } else {
            None
        }
    }
}

/// Whether a user can sign in, and if not, why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserState {
    /// The user can sign in.
    #[default]
    Confirmed,
    /// The user has not confirmed the account.
    Unconfirmed,
    /// An administrator requires a password reset.
    ResetRequired,
    /// An administrator has disabled the account.
    Disabled,
}

impl UserState {
    fn check(self) -> Result<(), Exception> {
        match self {
            Self::Confirmed => Ok(()),
            Self::Unconfirmed => Err(Exception::usual("UserNotConfirmedException")),
            Self::ResetRequired => Err(Exception::usual("PasswordResetRequiredException")),
            Self::Disabled => Err(Exception::not_authorized("User is disabled.")),
        }
    }
}

/// A user of the pool, without `Debug` because of the password.
#[derive(Clone, Default)]
pub struct User {
    /// The name to sign in with.
    pub username: String,
    /// The password; `None` for a user who signs in without one.
    pub password: Option<String>,
    /// Earlier passwords, oldest first, for the password history.
    pub former_passwords: Vec<String>,
    /// The groups in the user's tokens.
    pub groups: Vec<String>,
    /// The attributes in ID tokens and `GetUser`, except `sub`.
    pub attributes: BTreeMap<String, String>,
    /// Whether the user can sign in.
    pub state: UserState,
}

impl User {
    /// A confirmed user with a password, an e-mail address and no groups.
    pub fn new(username: &str, password: &str) -> Self {
        Self {
            username: username.into(),
            password: Some(password.into()),
            attributes: [("email".into(), format!("{username}@example.com"))].into(),
            ..Self::default()
        }
    }
}

/// The tokens of a session.
pub struct Tokens {
    /// Authorises calls to Cognito and other APIs.
    pub access_token: String,
    /// Identifies the user to an app.
    pub id_token: String,
    /// Obtains new access and ID tokens.
    pub refresh_token: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// A user with the password history, attempts and sessions.
pub(crate) struct Account {
    pub(crate) user: User,
    sub: String,
    /// All passwords of the user, oldest first, including the current one.
    passwords: Vec<String>,
    /// The times of recent attempts to change the password.
    attempts: Vec<Duration>,
    /// By `origin_jti`, which all tokens of a session share.
    sessions: HashMap<String, Session>,
}

struct Session {
    refresh_token: String,
    auth_time: u64,
    revoked: bool,
}

/// The users and settings of a pool.
pub(crate) struct Pool {
    issuer: String,
    jwks_url: String,
    client_id: String,
    policy: PasswordPolicy,
    token_lifetime: Duration,
    /// The fake's clock is ahead by this.
    ahead: Duration,
    accounts: HashMap<String, Account>,
    /// The users as they were added, for a reset.
    seeds: Vec<User>,
}

impl Pool {
    pub(crate) fn new(options: &Options, endpoint: &str) -> Self {
        let pool_id = &options.pool_id;
        let region = pool_id.split('_').next().unwrap_or_default();
        Self {
            issuer: match options.issuer {
                Issuer::Aws => format!("https://cognito-idp.{region}.amazonaws.com/{pool_id}"),
                Issuer::Local => format!("{endpoint}/{pool_id}"),
            },
            jwks_url: format!("{endpoint}/{pool_id}/.well-known/jwks.json"),
            client_id: options.client_id.clone(),
            policy: options.policy,
            token_lifetime: options.token_lifetime,
            ahead: Duration::ZERO,
            accounts: HashMap::new(),
            seeds: Vec::new(),
        }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }

    pub(crate) fn add_user(&mut self, user: User) {
        self.seeds.push(user.clone());
        self.insert(user);
    }

    pub(crate) fn delete_user(&mut self, username: &str) {
        self.accounts.remove(username);
    }

    pub(crate) fn reset(&mut self) {
        self.ahead = Duration::ZERO;
        self.accounts.clear();
        for user in self.seeds.clone() {
            self.insert(user);
        }
    }

    fn insert(&mut self, user: User) {
        let account = Account {
            sub: unique_id(),
            passwords: user.former_passwords.iter().chain(&user.password).cloned().collect(),
            attempts: Vec::new(),
            sessions: HashMap::new(),
            user,
        };
        self.accounts.insert(account.user.username.clone(), account);
    }

    /// The account of an existing user; panics if there is none.
    pub(crate) fn account(&mut self, username: &str) -> &mut Account {
        let account = self.accounts.get_mut(username);
        account.unwrap_or_else(|| panic!("the fake has no user called {username}"))
    }

    /// The time since 1970 by the fake's clock.
    fn now(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.expect("it is later than 1970") + self.ahead
    }

    /// Performs an operation. The body of a `GET` is ignored.
    pub(crate) fn perform(
        &mut self,
        operation: Operation,
        body: &[u8],
    ) -> Result<Value, Exception> {
        match operation {
            Operation::InitiateAuth => self.initiate_auth(&parse(body)?),
            Operation::ChangePassword => self.change_password(parse(body)?),
            Operation::GlobalSignOut => self.global_sign_out(&parse(body)?),
            Operation::GetUser => self.get_user(&parse(body)?),
            Operation::Jwks => Ok(token::jwks()),
            Operation::OpenIdConfiguration => Ok(json!({
                "issuer": self.issuer,
                // This fake's URL even if the issuer is AWS's.
                "jwks_uri": self.jwks_url,
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "token"],
                "scopes_supported": ["openid", "email", "phone", "profile"],
                "subject_types_supported": ["public"],
            })),
        }
    }

    fn change_password(&mut self, request: ChangePassword) -> Result<Value, Exception> {
        let mut members = Members::default();
        if request.previous_password.is_some() {
            members.password("previousPassword", request.previous_password.as_deref());
        }
        members.password("proposedPassword", request.proposed_password.as_deref());
        members.token(request.access_token.as_deref());
        members.check()?;
        let proposed = request.proposed_password.unwrap_or_default();

        let (now, policy) = (self.now(), self.policy);
        let account = self.authorize(&request.access_token.unwrap_or_default())?;
        account.attempts.retain(|&at| now < at + ATTEMPT_WINDOW);
        if account.attempts.len() >= ATTEMPT_LIMIT {
            return Err(Exception::usual("LimitExceededException"));
        }
        account.attempts.push(now);
        let mut recent = account.passwords.iter().rev().take(policy.history_size);
        let is_used = recent.any(|used| *used == proposed);
        let used_before = || Exception::usual("PasswordHistoryPolicyViolationException");
        if policy.history_first && is_used {
            return Err(used_before());
        }
        if account.user.password != request.previous_password {
            return Err(Exception::usual("NotAuthorizedException"));
        }
        if let Some(rule) = policy.broken_rule(&proposed) {
            let message = format!("Password did not conform with policy: {rule}");
            return Err(Exception::new("InvalidPasswordException", message));
        }
        if is_used {
            return Err(used_before());
        }
        account.passwords.push(proposed.clone());
        account.user.password = Some(proposed);
        Ok(json!({}))
    }

    fn global_sign_out(&mut self, request: &WithToken) -> Result<Value, Exception> {
        let account = self.authorize(request.checked()?)?;
        account.sessions.values_mut().for_each(|session| session.revoked = true);
        Ok(json!({}))
    }

    fn get_user(&mut self, request: &WithToken) -> Result<Value, Exception> {
        let account = self.authorize(request.checked()?)?;
        let attributes = account.user.attributes.iter();
        let attributes: Vec<_> = std::iter::once(("sub", &account.sub))
            .chain(attributes.map(|(name, value)| (name.as_str(), value)))
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        Ok(json!({ "Username": account.user.username, "UserAttributes": attributes }))
    }

    fn initiate_auth(&mut self, request: &InitiateAuth) -> Result<Value, Exception> {
        if request.client_id != self.client_id {
            let message = format!("User pool client {} does not exist.", request.client_id);
            return Err(Exception::new("ResourceNotFoundException", message));
        }
        let parameter = |name| {
            let value = request.auth_parameters.get(name).map(String::as_str);
            value.ok_or_else(|| {
                Exception::invalid_parameter(format!("Missing required parameter {name}"))
            })
        };
        let mut result =
            json!({ "ExpiresIn": self.token_lifetime.as_secs(), "TokenType": "Bearer" });
        let tokens = match request.auth_flow.as_str() {
            "USER_PASSWORD_AUTH" => {
                let tokens = self.sign_in(parameter("USERNAME")?, parameter("PASSWORD")?)?;
                result["RefreshToken"] = tokens.refresh_token.as_str().into();
                tokens
            }
            // Returns no new refresh token, because the pool does not rotate them.
            "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => self.refresh(parameter("REFRESH_TOKEN")?)?,
            flow => {
                let message = format!("{flow} flow not enabled for this client");
                return Err(Exception::invalid_parameter(message));
            }
        };
        result["AccessToken"] = tokens.access_token.into();
        result["IdToken"] = tokens.id_token.into();
        Ok(json!({ "AuthenticationResult": result, "ChallengeParameters": {} }))
    }

    pub(crate) fn sign_in(&mut self, username: &str, password: &str) -> Result<Tokens, Exception> {
        // An unknown user gets the error for a wrong password, as in pools created since 2019.
        let wrong = || Exception::usual("NotAuthorizedException");
        let user = &self.accounts.get(username).ok_or_else(wrong)?.user;
        // A disabled state is reported before the password is checked, other states after it.
        if user.state == UserState::Disabled {
            user.state.check()?;
        }
        if user.password.as_deref() != Some(password) {
            return Err(wrong());
        }
        user.state.check()?;
        Ok(self.open_session(username))
    }

    fn refresh(&self, refresh_token: &str) -> Result<Tokens, Exception> {
        let mut sessions = self.accounts.values().flat_map(|account| {
            let sessions = account.sessions.iter();
            sessions.map(move |(origin_jti, session)| (account, origin_jti, session))
        });
        let (account, origin_jti, session) = sessions
            .find(|(.., session)| session.refresh_token == refresh_token)
            .ok_or_else(|| Exception::not_authorized("Invalid Refresh Token"))?;
        if session.revoked {
            return Err(Exception::not_authorized("Refresh Token has been revoked"));
        }
        account.user.state.check()?;
        Ok(self.tokens(account, origin_jti))
    }

    /// Starts a session in any state of the user.
    pub(crate) fn open_session(&mut self, username: &str) -> Tokens {
        let origin_jti = self.new_session(username);
        self.tokens(&self.accounts[username], &origin_jti)
    }

    /// The access token of a new session, still unsigned.
    pub(crate) fn access_jwt(&mut self, username: &str) -> Jwt {
        let origin_jti = self.new_session(username);
        self.jwt(&self.accounts[username], &origin_jti, "access")
    }

    /// See [`crate::FakeCognito::sign_token_in`]. Returns `None` if the user does not exist.
    pub(crate) fn sign_token_in(&mut self, text: &str, username: &str) -> Option<String> {
        if !self.accounts.contains_key(username) {
            return None;
        }
        let mut jwt = self.access_jwt(username);
        let signed = token::find(text).filter(|token| jwt.imitate(token).is_some());
        Some(signed.map_or_else(|| text.to_owned(), |token| text.replace(token, &jwt.signed())))
    }

    fn new_session(&mut self, username: &str) -> String {
        let session =
            Session { refresh_token: unique_id(), auth_time: self.now().as_secs(), revoked: false };
        let origin_jti = unique_id();
        self.account(username).sessions.insert(origin_jti.clone(), session);
        origin_jti
    }

    fn tokens(&self, account: &Account, origin_jti: &str) -> Tokens {
        Tokens {
            access_token: self.jwt(account, origin_jti, "access").signed(),
            id_token: self.jwt(account, origin_jti, "id").signed(),
            refresh_token: account.sessions[origin_jti].refresh_token.clone(),
        }
    }

    fn jwt(&self, account: &Account, origin_jti: &str, token_use: &str) -> Jwt {
        let (user, now) = (&account.user, self.now());
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("sub", json!(account.sub));
        claim("iss", json!(self.issuer));
        claim("token_use", json!(token_use));
        claim("auth_time", json!(account.sessions[origin_jti].auth_time));
        claim("iat", json!(now.as_secs()));
        claim("exp", json!((now + self.token_lifetime).as_secs()));
        claim("jti", json!(unique_id()));
        claim("origin_jti", json!(origin_jti));
        claim("event_id", json!(unique_id()));
        if !user.groups.is_empty() {
            claim("cognito:groups", json!(user.groups));
        }
        if token_use == "access" {
            claim("client_id", json!(self.client_id));
            claim("username", json!(user.username));
            claim("scope", json!(ADMIN_SCOPE));
        } else {
            claim("aud", json!(self.client_id));
            claim("cognito:username", json!(user.username));
            for (name, value) in &user.attributes {
                claim(name, json!(value));
            }
        }
        Jwt::new(claims)
    }

    /// Checks an access token and returns its account.
    fn authorize(&mut self, token: &str) -> Result<&mut Account, Exception> {
        let claims = token::verified_claims(token)?;
        let claim = |name| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if claim("iss") != self.issuer || claim("token_use") != "access" {
            return Err(Exception::not_authorized("Invalid Access Token"));
        }
        let expiry = claims.get("exp").and_then(Value::as_u64).unwrap_or_default();
        if expiry <= self.now().as_secs() {
            return Err(Exception::not_authorized("Access Token has expired"));
        }
        if !claim("scope").split(' ').any(|scope| scope == ADMIN_SCOPE) {
            return Err(Exception::not_authorized("Access Token does not have required scopes"));
        }
        let account = self.accounts.get_mut(claim("username"));
        // A later user with the same name has a different `sub`.
        let account = account
            .filter(|account| account.sub == claim("sub"))
            .ok_or_else(|| Exception::usual("UserNotFoundException"))?;
        if account.sessions.get(claim("origin_jti")).is_none_or(|session| session.revoked) {
            return Err(Exception::not_authorized("Access Token has been revoked"));
        }
        account.user.state.check()?;
        Ok(account)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangePassword {
    access_token: Option<String>,
    previous_password: Option<String>,
    proposed_password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WithToken {
    access_token: Option<String>,
}

impl WithToken {
    fn checked(&self) -> Result<&str, Exception> {
        let mut members = Members::default();
        members.token(self.access_token.as_deref());
        members.check()?;
        Ok(self.access_token.as_deref().unwrap_or_default())
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct InitiateAuth {
    auth_flow: String,
    client_id: String,
    auth_parameters: HashMap<String, String>,
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Exception> {
    // Serde's error could quote a password. Cognito's exception has no message.
    serde_json::from_slice(body).map_err(|_| Exception::usual("SerializationException"))
}

/// Collects the violated constraints of a request's members: names and constraints, never values.
#[derive(Default)]
struct Members(Vec<String>);

impl Members {
    fn broken(&mut self, member: &str, constraint: &str) {
        let text =
            format!("Value at '{member}' failed to satisfy constraint: Member must {constraint}");
        self.0.push(text);
    }

    fn token(&mut self, token: Option<&str>) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_=.".contains(c);
        match token {
            None => self.broken("accessToken", "not be null"),
            Some(token) if !token.is_empty() && token.chars().all(allowed) => {}
            Some(_) => {
                self.broken("accessToken", "satisfy regular expression pattern: [A-Za-z0-9-_=.]+");
            }
        }
    }

    fn password(&mut self, member: &str, password: Option<&str>) {
        let Some(password) = password else {
            return self.broken(member, "not be null");
        };
        if password.chars().count() > 256 {
            self.broken(member, "have length less than or equal to 256");
        }
        // The pattern below requires at least two characters, no space at either end and one line.
        let edge = |c: Option<char>| c.is_some_and(|c| !c.is_ascii_whitespace());
        let mut chars = password.chars();
        if !edge(chars.next()) || !edge(chars.next_back()) || password.contains(['\n', '\r']) {
            self.broken(member, r"satisfy regular expression pattern: ^[\S]+.*[\S]+$");
        }
    }

    fn check(self) -> Result<(), Exception> {
        let (count, text) = (self.0.len(), self.0.join("; "));
        match count {
            0 => Ok(()),
            1 => Err(Exception::invalid_parameter(format!("1 validation error detected: {text}"))),
            _ => Err(Exception::invalid_parameter(format!(
                "{count} validation errors detected: {text}"
            ))),
        }
    }
}
