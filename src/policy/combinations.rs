//! A cache of the rules for users who are in several groups.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::rules::Rules;

/// The maximum number of cached combinations.
///
/// Six groups have 64 combinations. A policy with more groups has more of them, but the users of one
/// pool belong to few. Without a limit, a client that forges tokens could fill the memory with one
/// combination after another. The rules of a combination take at most 0.3 MB, with 1,000 banned words,
/// so 64 take at most 17 MB of the 128 MB of the smallest function.
const MAX_COMBINATIONS: usize = 64;

/// The rules of each combination of groups that users have had so far.
///
/// The keys are group names from the policy, not from a token. Nothing in the cache is secret.
#[derive(Clone, Default)]
pub(super) struct Combinations(Arc<Mutex<BTreeMap<BTreeSet<String>, Arc<Rules>>>>);

impl Combinations {
    /// Returns the rules of a combination, and builds them if they are not cached.
    ///
    /// The build holds the lock, so that concurrent invocations that need the same rules build them
    /// once. A full cache is emptied: a flood of unusual combinations then forces the usual ones to
    /// be rebuilt from time to time, but cannot keep them out.
    pub(super) fn get_or_build(
        &self,
        groups: BTreeSet<String>,
        build: impl FnOnce() -> Rules,
    ) -> Arc<Rules> {
        // A panic in `build` leaves the map unchanged.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = kept.get(&groups) {
            return Arc::clone(rules);
        }
        let rules = Arc::new(build());
        if kept.len() >= MAX_COMBINATIONS {
            kept.clear();
        }
        kept.insert(groups, Arc::clone(&rules));
        rules
    }
}

/// Does not print the rules: the policy prints those of each group.
impl fmt::Debug for Combinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Combinations").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::super::Policy;
    use super::*;

    fn rules() -> Rules {
        Policy::from_toml("length.min = 8").unwrap().base().clone()
    }

    fn combination(number: usize) -> BTreeSet<String> {
        [number.to_string(), "another".to_owned()].into()
    }

    #[test]
    fn the_cache_never_exceeds_its_maximum() {
        let combinations = Combinations::default();
        for number in 0..1_000 {
            let built = combinations.get_or_build(combination(number), rules);
            let kept = combinations.get_or_build(combination(number), || unreachable!());
            assert!(Arc::ptr_eq(&built, &kept));
            assert!(combinations.0.lock().unwrap().len() <= MAX_COMBINATIONS);
        }
    }

    #[test]
    fn concurrent_invocations_share_one_build() {
        let combinations = Combinations::default();
        let builds = Mutex::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    combinations.get_or_build(combination(0), || {
                        *builds.lock().unwrap() += 1;
                        rules()
                    })
                });
            }
        });
        assert_eq!(builds.into_inner().unwrap(), 1);
    }

    #[test]
    fn after_a_panic_during_a_build_later_builds_succeed() {
        let combinations = Combinations::default();
        let panic = || combinations.get_or_build(combination(0), || panic!("on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(panic)).is_err());
        combinations.get_or_build(combination(0), rules);
        combinations.get_or_build(combination(0), || unreachable!());
    }
}
