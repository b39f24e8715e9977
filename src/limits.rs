//! Rate limits for each user, in the memory of one execution environment.
//!
//! Each environment counts for itself, so these limits slow down a careless or hostile client but
//! are not a quota.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The maximum number of users counted at the same time: about 100 bytes each.
///
/// Only users with a verified token are counted, so nobody can fill this with invented users.
const MAX_USERS: usize = 10_000;

/// A limit on how often each user may do something within a window, which begins with the first
/// time.
pub struct Limit {
    max: u32,
    window: Duration,
    users: Mutex<HashMap<String, Window>>,
}

struct Window {
    start: Instant,
    count: u32,
}

impl Limit {
    /// Creates a limit that allows `max` times in each window.
    #[must_use]
    pub fn new(max: u32, window: Duration) -> Self {
        Self { max, window, users: Mutex::default() }
    }

    /// Counts one request, or returns how long the user must wait for the next one.
    ///
    /// A refused request is not counted, so that a client that keeps trying is admitted again.
    pub fn count(&self, user: &str, now: Instant) -> Result<(), Duration> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = users.get_mut(user) {
            let age = now.duration_since(window.start);
            if age >= self.window {
                *window = Window { start: now, count: 1 };
            } else if window.count < self.max {
                window.count += 1;
            } else {
                return Err(self.window.saturating_sub(age));
            }
            return Ok(());
        }
        if users.len() >= MAX_USERS {
            users.retain(|_, window| now.duration_since(window.start) < self.window);
            if users.len() >= MAX_USERS {
                // This lets some users exceed the limit, but refusing new users would lock them
                // out.
                users.clear();
            }
        }
        users.insert(user.to_owned(), Window { start: now, count: 1 });
        Ok(())
    }

    /// Whether the next request would be refused. Counts nothing.
    #[must_use]
    pub fn is_reached(&self, user: &str, now: Instant) -> bool {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(user).is_some_and(|window| {
            window.count >= self.max && now.duration_since(window.start) < self.window
        })
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max, window, .. } = self;
        f.debug_struct("Limit").field("max", max).field("window", window).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_user_is_refused_beyond_the_maximum_until_the_window_ends() {
        let limit = Limit::new(3, MINUTE);
        let start = Instant::now();
        let count = |user, seconds| limit.count(user, start + Duration::from_secs(seconds));
        for seconds in [0, 10, 20] {
            assert_eq!(count("a", seconds), Ok(()));
        }
        assert_eq!(count("a", 30), Err(Duration::from_secs(30)));
        let is_reached =
            |user, seconds| limit.is_reached(user, start + Duration::from_secs(seconds));
        assert!(is_reached("a", 59) && !is_reached("a", 60) && !is_reached("b", 30));
        assert_eq!(count("b", 30), Ok(()));
        assert_eq!(count("a", 59), Err(Duration::from_secs(1)));
        for seconds in [60, 60, 119] {
            assert_eq!(count("a", seconds), Ok(()));
        }
        assert_eq!(count("a", 119), Err(Duration::from_secs(1)));
    }

    #[test]
    fn memory_is_bounded_and_users_whose_window_ended_are_forgotten_first() {
        let limit = Limit::new(1, MINUTE);
        let start = Instant::now();
        for number in 0..MAX_USERS {
            assert_eq!(limit.count(&number.to_string(), start), Ok(()));
        }
        let later = start + MINUTE;
        assert_eq!(limit.count("a", later), Ok(()));
        assert_eq!(limit.count("b", later), Ok(()));
        assert_eq!(limit.users.lock().unwrap().len(), 2);
        assert!(limit.count("a", later).is_err());
        for number in 0..2 * MAX_USERS {
            assert_eq!(limit.count(&number.to_string(), later), Ok(()));
            assert!(limit.users.lock().unwrap().len() <= MAX_USERS);
        }
    }
}
