//! The mix of requests, and the expected outcome of each kind.

use std::sync::LazyLock;
use std::time::Duration;

use fake_cognito::{FakeCognito, Fault, Operation, User};
use serde_json::{Value, json};

/// The built-in policy allows a change from either one to the other.
const PASSWORDS: [&str; 2] = ["Correct-Horse-7-Battery", "Wrong-Cow-8-Generator"];

static EVENT: LazyLock<Value> = LazyLock::new(|| {
    let sample = include_str!("../../../events/http-api.json");
    serde_json::from_str(sample).expect("a sample is JSON")
});

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Change,
    WeakPassword,
    WrongPrevious,
    ExpiredToken,
    IdToken,
    NoToken,
    BrokenJson,
    UnknownField,
    ReadPolicy,
    Throttled,
    CognitoFails,
    DroppedBefore,
    DroppedAfter,
}

/// The percentage of each kind of request.
const MIX: [(u32, Kind); 13] = [
    (57, Kind::Change),
    (12, Kind::WeakPassword),
    (6, Kind::WrongPrevious),
    (3, Kind::ExpiredToken),
    (2, Kind::IdToken),
    (1, Kind::NoToken),
    (3, Kind::BrokenJson),
    (2, Kind::UnknownField),
    (8, Kind::ReadPolicy),
    (2, Kind::Throttled),
    (2, Kind::CognitoFails),
    (1, Kind::DroppedBefore),
    (1, Kind::DroppedAfter),
];

/// The expected outcome of a request.
pub(crate) struct Outcome {
    pub(crate) status: u64,
    /// The number of `ChangePassword` calls, including those that settle an unknown outcome.
    pub(crate) calls: usize,
    pub(crate) changes_password: bool,
}

impl Kind {
    pub(crate) fn random(random: &mut fastrand::Rng) -> Self {
        let mut left = random.u32(..100);
        for (share, kind) in MIX {
            match left.checked_sub(share) {
                Some(rest) => left = rest,
                None => return kind,
            }
        }
        unreachable!("the shares add up to a hundred")
    }

    pub(crate) fn outcome(self) -> Outcome {
        let (status, calls, changes_password) = match self {
            Self::Change => (204, 1, true),
            Self::WeakPassword => (422, 0, false),
            Self::WrongPrevious => (403, 1, false),
            Self::ExpiredToken | Self::IdToken | Self::NoToken => (401, 0, false),
            Self::BrokenJson | Self::UnknownField => (400, 0, false),
            Self::ReadPolicy => (200, 0, false),
            Self::Throttled => (429, 1, false),
            // The second call makes the change. If the first one already did, a third call confirms it.
            Self::CognitoFails | Self::DroppedBefore => (204, 2, true),
            Self::DroppedAfter => (204, 3, true),
        };
        Outcome { status, calls, changes_password }
    }

    fn fault(self) -> Option<Fault> {
        match self {
            Self::Throttled => Some(Fault::exception("TooManyRequestsException")),
            Self::CognitoFails => Some(Fault::exception("InternalErrorException")),
            Self::DroppedBefore => Some(Fault::DropBefore),
            Self::DroppedAfter => Some(Fault::DropAfter),
            _ => None,
        }
    }
}

/// A user of the pool with at most one pending request.
pub(crate) struct Client {
    name: String,
    token: String,
    expired_token: String,
    id_token: String,
    /// The index in [`PASSWORDS`] of the current password.
    current: usize,
}

impl Client {
    pub(crate) fn sign_up(number: usize, cognito: &FakeCognito) -> Self {
        let name = format!("client-{number}");
        cognito.add_user(User::new(&name, PASSWORDS[0]));
        Self {
            token: cognito.access_token(&name),
            expired_token: cognito.mint(&name, |jwt| jwt.claims["exp"] = 0.into()),
            id_token: cognito.id_token(&name),
            current: 0,
            name,
        }
    }

    /// Returns the event of a request, and sets a fault in Cognito if the kind has one.
    pub(crate) fn event(&self, kind: Kind, cognito: &FakeCognito) -> String {
        if let Some(fault) = kind.fault() {
            cognito.fail_next_about(Operation::ChangePassword, &self.token, fault);
        }
        let (previous, proposed) = (PASSWORDS[self.current], PASSWORDS[1 - self.current]);
        let body = json!({ "previousPassword": previous, "proposedPassword": proposed });
        let body = match kind {
            Kind::WeakPassword => {
                json!({ "previousPassword": previous, "proposedPassword": "Password1!" })
            }
            Kind::WrongPrevious => {
                json!({ "previousPassword": "Someone-Elses-6-Donkey", "proposedPassword": proposed })
            }
            Kind::UnknownField => json!({ "oldPassword": previous, "newPassword": proposed }),
            _ => body,
        };
        let mut body = body.to_string();
        if kind == Kind::BrokenJson {
            body.pop();
        }
        let token = match kind {
            Kind::ExpiredToken => &self.expired_token,
            Kind::IdToken => &self.id_token,
            _ => &self.token,
        };
        let mut event = EVENT.clone();
        event["headers"]["authorization"] = format!("Bearer {token}").into();
        event["body"] = body.into();
        match kind {
            Kind::NoToken => {
                event["headers"].as_object_mut().map(|headers| headers.remove("authorization"));
            }
            Kind::ReadPolicy => {
                event["rawPath"] = "/password-policy".into();
                event["requestContext"]["http"]["path"] = "/password-policy".into();
                event["requestContext"]["http"]["method"] = "GET".into();
            }
            _ => {}
        }
        event.to_string()
    }

    /// Updates the expected password, and returns whether it is in force.
    pub(crate) fn settle(&mut self, kind: Kind, cognito: &FakeCognito) -> bool {
        if kind.outcome().changes_password {
            self.current = 1 - self.current;
        }
        cognito.password_of(&self.name).as_deref() == Some(PASSWORDS[self.current])
    }
}

/// Longer than the time by which the fake's clock advances during a run.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_hours(24 * 365 * 10);
