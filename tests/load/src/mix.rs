//! What is asked of the function, how often, and what has to come of it.

use std::sync::LazyLock;
use std::time::Duration;

use fake_cognito::{FakeCognito, Fault, Operation, User};
use serde_json::{Value, json};

/// Either may follow the other by the built-in policy.
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

/// Of a hundred requests, how many are of each kind.
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

/// What has to come of a request.
pub(crate) struct Outcome {
    pub(crate) status: u64,
    /// How many `ChangePassword` calls it takes: one more where the first leaves a doubt.
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
            // The second request makes the change, or finds it made, which a probe confirms.
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

/// A user of the pool, who has one request under way at most.
pub(crate) struct Client {
    name: String,
    token: String,
    expired_token: String,
    id_token: String,
    /// Which of [`PASSWORDS`] is in force.
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

    /// The event of a request, for which Cognito is to fail where the kind says so.
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

    /// Notes what has to be in force now, and tells whether it is.
    pub(crate) fn settle(&mut self, kind: Kind, cognito: &FakeCognito) -> bool {
        if kind.outcome().changes_password {
            self.current = 1 - self.current;
        }
        cognito.password_of(&self.name).as_deref() == Some(PASSWORDS[self.current])
    }
}

/// Far more than the fake's clock is moved on, in hours.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_hours(24 * 365 * 10);
