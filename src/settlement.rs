//! Decides whether a change was made if the first request left that in doubt. Makes no calls
//! itself.
//!
//! The same change (old → new) is sent again. That is safe, since its effect is the same once or
//! twice: if it succeeds, the new password is in force, and Cognito can only refuse a late first
//! request. If Cognito refuses it, one probe (new → new) may show why. Cognito may check the
//! previous password before or after the history; a verdict must be true for both orders.
//!
//! | second change | probe | verdict |
//! | --- | --- | --- |
//! | success | | changed |
//! | previous password incorrect | success, or used before | changed |
//! | | previous password incorrect | the previous password was wrong from the start |
//! | used before | success | changed |
//! | | previous password incorrect | used before |
//! | previous password unusable | success | changed |
//! | refused because of the request itself | | that refusal, which the first request got too |
//! | anything else | | unknown |
//! | any of the above | anything else | unknown |
//!
//! If the second change is "incorrect", the old password is not in force: either the first request
//! made the change, or the old password was wrong. The probe distinguishes the two. If the history
//! refuses the probe, the change was made: either Cognito first found the previous password (the
//! new one) correct, or the new password has entered the history since the second change, which the
//! history did not refuse.
//!
//! If the second change is "used before", either the user had the new password earlier or, if
//! Cognito checks the history first, the change was just made. If the probe is "incorrect", the
//! change was not made, and the history will refuse a late first request too. If the history
//! refuses the probe as well, no request can distinguish the two. This is the only case that stays
//! unknown while Cognito works.

use crate::cognito::Failure;
use crate::error::Error;

/// Cognito's response to one `ChangePassword`.
pub type Answer = Result<(), Failure>;

/// Whether a change was made.
#[derive(Debug)]
pub enum Verdict {
    /// The new password is in force.
    Changed,
    /// The old password is in force, for this reason, and a late request cannot change it.
    Refused(Error),
    /// Neither is certain.
    Unknown,
}

/// The next step after the second change.
#[derive(Debug)]
pub enum Next {
    /// Nothing more needs to be sent.
    Settled(Verdict),
    /// A change from the new password to itself must be sent.
    Probe(Probe),
}

/// How to interpret the response to a probe.
#[derive(Debug)]
pub struct Probe {
    /// The refusal that "incorrect" proves; none if it proves nothing.
    incorrect: Option<Error>,
    /// Whether a refusal by the history proves that the change was made.
    history_proves_change: bool,
}

/// The request that settled a doubt, for the audit event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettledBy {
    /// The same change again.
    SecondChange,
    /// A change from the new password to itself.
    Probe,
}

/// The doubt that the first request left, for the audit event.
#[derive(Debug)]
pub struct Doubt {
    /// What happened to the first request.
    pub cause: String,
    /// The request that settled the doubt; none if the outcome stayed unknown.
    pub settled_by: Option<SettledBy>,
    /// Cognito's request ids of all its responses, in the order of the requests.
    pub request_ids: Vec<String>,
}

impl SettledBy {
    /// The name in the audit event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecondChange => "second_change",
            Self::Probe => "probe",
        }
    }
}

/// Interprets the response to the second change.
#[must_use]
pub fn after_second_change(answer: Answer) -> Next {
    let error = match answer {
        Ok(()) => return Next::Settled(Verdict::Changed),
        Err(Failure::Refused(error)) => error,
        Err(Failure::NotSent(_) | Failure::InDoubt(_)) => return Next::Settled(Verdict::Unknown),
    };
    match error {
        Error::PreviousPasswordIncorrect => {
            Next::Probe(Probe { incorrect: Some(error), history_proves_change: true })
        }
        error if error.is_used_before() => {
            Next::Probe(Probe { incorrect: Some(error), history_proves_change: false })
        }
        Error::PreviousPasswordUnusable => {
            Next::Probe(Probe { incorrect: None, history_proves_change: false })
        }
        // These depend on the request alone.
        Error::PolicyViolation(_) | Error::InsufficientScope | Error::PasswordManagedElsewhere => {
            Next::Settled(Verdict::Refused(error))
        }
        _ => Next::Settled(Verdict::Unknown),
    }
}

impl Probe {
    /// Interprets the response to the probe.
    #[must_use]
    pub fn settle(self, answer: Answer) -> Verdict {
        match answer {
            Ok(()) => Verdict::Changed,
            Err(Failure::Refused(Error::PreviousPasswordIncorrect)) => {
                self.incorrect.map_or(Verdict::Unknown, Verdict::Refused)
            }
            Err(Failure::Refused(error))
                if error.is_used_before() && self.history_proves_change =>
            {
                Verdict::Changed
            }
            Err(_) => Verdict::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Rule;
    use crate::problem::ProblemCode;

    const OLD: &str = "old";
    const NEW: &str = "new";
    const OTHER: &str = "other";

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum History {
        None,
        AfterThePassword,
        BeforeThePassword,
    }

    /// When the first request takes effect.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Effect {
        BeforeTheSecondChange,
        BeforeTheProbe,
        AfterTheVerdict,
        Never,
    }

    /// A model of how Cognito decides on a change.
    #[derive(Debug, Clone)]
    struct Model {
        history: History,
        passwords: Vec<&'static str>,
    }

    impl Model {
        fn current(&self) -> &'static str {
            self.passwords.last().unwrap()
        }

        fn change(&mut self, previous: &str, proposed: &'static str) -> Answer {
            let incorrect =
                (self.current() != previous).then_some(Error::PreviousPasswordIncorrect);
            let in_history = self.history != History::None && self.passwords.contains(&proposed);
            let used = in_history.then(|| Error::PolicyViolation(vec![Rule::NotUsedBefore.into()]));
            let refusal = match self.history {
                History::BeforeThePassword => used.or(incorrect),
                _ => incorrect.or(used),
            };
            if let Some(error) = refusal {
                return Err(Failure::Refused(error));
            }
            self.passwords.push(proposed);
            Ok(())
        }
    }

    /// Settles a doubt as `ChangePassword` does, and returns the verdict with the passwords in
    /// force then and later.
    fn settle(mut cognito: Model, effect: Effect) -> (Verdict, [&'static str; 2]) {
        let first = |cognito: &mut Model, moment| {
            if effect == moment {
                let _ = cognito.change(OLD, NEW);
            }
        };
        first(&mut cognito, Effect::BeforeTheSecondChange);
        let next = after_second_change(cognito.change(OLD, NEW));
        first(&mut cognito, Effect::BeforeTheProbe);
        let verdict = match next {
            Next::Settled(verdict) => verdict,
            Next::Probe(probe) => probe.settle(cognito.change(NEW, NEW)),
        };
        let then = cognito.current();
        first(&mut cognito, Effect::AfterTheVerdict);
        (verdict, [then, cognito.current()])
    }

    /// All 48 cases: three kinds of history, a previous password that is right or wrong, a new one
    /// that is fresh or was used before, and four moments at which the first request takes effect.
    fn cases() -> impl Iterator<Item = (Model, bool, bool, Effect)> {
        let histories = [History::None, History::AfterThePassword, History::BeforeThePassword];
        let effects = [
            Effect::BeforeTheSecondChange,
            Effect::BeforeTheProbe,
            Effect::AfterTheVerdict,
            Effect::Never,
        ];
        histories.into_iter().flat_map(move |history| {
            [true, false].into_iter().flat_map(move |is_right| {
                [true, false].into_iter().flat_map(move |is_fresh| {
                    effects.into_iter().map(move |effect| {
                        let mut passwords = if is_fresh { vec![OTHER] } else { vec![NEW] };
                        passwords.push(if is_right { OLD } else { OTHER });
                        (Model { history, passwords }, is_right, is_fresh, effect)
                    })
                })
            })
        })
    }

    #[test]
    fn every_verdict_is_true_when_given_and_stays_true() {
        for (cognito, is_right, is_fresh, effect) in cases() {
            let before = cognito.current();
            let (verdict, in_force) = settle(cognito.clone(), effect);
            let case = format!("{cognito:?} {effect:?}: {verdict:?}, {in_force:?}");
            match verdict {
                Verdict::Changed => assert_eq!(in_force, [NEW; 2], "{case}"),
                Verdict::Refused(error) => {
                    assert_eq!(in_force, [before; 2], "{case}");
                    let (code, expected) = (error.code(), ProblemCode::PreviousPasswordIncorrect);
                    let is_true = if code == expected { !is_right } else { !is_fresh };
                    assert!(is_true, "{case}");
                }
                Verdict::Unknown => {}
            }
        }
    }

    #[test]
    fn a_case_stays_unknown_only_if_the_history_is_checked_before_the_password() {
        let mut unknown = 0;
        for (cognito, is_right, is_fresh, effect) in cases() {
            let (verdict, _) = settle(cognito.clone(), effect);
            // The history refuses both requests, whether the new password is an earlier one or was
            // just set, so no request could distinguish the two.
            let is_undecidable = cognito.history == History::BeforeThePassword
                && (!is_fresh || is_right && effect == Effect::BeforeTheSecondChange);
            let is_unknown = matches!(verdict, Verdict::Unknown);
            assert_eq!(is_unknown, is_undecidable, "{cognito:?} {effect:?}: {verdict:?}");
            unknown += usize::from(is_unknown);
        }
        assert_eq!((cases().count(), unknown), (48, 9));
    }

    #[test]
    fn a_refusal_that_depends_on_more_than_the_request_settles_nothing() {
        for error in [
            Error::AttemptLimitExceeded,
            Error::TooManyRequests,
            Error::UserDisabled,
            Error::PasswordResetRequired,
            Error::NotAuthorized("unknown".into()),
            Error::Upstream("unknown".into()),
        ] {
            let text = error.to_string();
            let next = after_second_change(Err(Failure::Refused(error)));
            assert!(matches!(next, Next::Settled(Verdict::Unknown)), "{text}");
        }
        for failure in [Failure::NotSent("gone".into()), Failure::InDoubt("lost".into())] {
            let next = after_second_change(Err(failure));
            assert!(matches!(next, Next::Settled(Verdict::Unknown)));
        }
    }

    #[test]
    fn an_unusable_previous_password_is_never_settled_as_incorrect() {
        let unusable = || Err(Failure::Refused(Error::PreviousPasswordUnusable));
        let probe = || match after_second_change(unusable()) {
            Next::Probe(probe) => probe,
            Next::Settled(verdict) => panic!("{verdict:?}"),
        };
        assert!(matches!(probe().settle(Ok(())), Verdict::Changed));
        assert!(matches!(probe().settle(unusable()), Verdict::Unknown));
        let incorrect = Err(Failure::Refused(Error::PreviousPasswordIncorrect));
        assert!(matches!(probe().settle(incorrect), Verdict::Unknown));
    }
}
