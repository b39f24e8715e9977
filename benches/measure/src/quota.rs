//! A small share of a processor, as Lambda gives a function with little memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// The memory in MB with which a function has one processor, by Lambda's documentation.
const ONE_PROCESSOR: u32 = 1_769;

const PERIOD: Duration = Duration::from_millis(20);

/// How often the process is looked at: what it runs over its share is taken off the next period's.
const TICK: Duration = Duration::from_micros(50);

/// Holds a process to its share until dropped.
///
/// It is stopped by a signal when its threads have used up their share of a period, and goes on with
/// the next, as with the kernel's own bandwidth control; that would take root and a cgroup.
pub(crate) struct Quota {
    over: Arc<AtomicBool>,
    keeper: Option<JoinHandle<nix::Result<()>>>,
}

impl Quota {
    /// Begins with a fresh period. What was not used of one is lost.
    pub(crate) fn hold(pid: Pid, memory: u32) -> Self {
        let over = Arc::<AtomicBool>::default();
        let share = PERIOD * memory / ONE_PROCESSOR;
        let keeper = thread::spawn({
            let over = Arc::clone(&over);
            move || keep(pid, share, &over)
        });
        Self { over, keeper: Some(keeper) }
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(keeper) = self.keeper.take() {
            // It fails when the process has ended, which is the end of the quota too.
            let _ = keeper.join();
        }
    }
}

fn keep(pid: Pid, share: Duration, over: &AtomicBool) -> nix::Result<()> {
    let clock = clock_getcpuclockid(pid)?;
    let used = || clock.now().map(Duration::from);
    // What the process may have used at the end of this period.
    let mut allowed = used()? + share;
    let mut end = Instant::now() + PERIOD;
    let mut stopped = false;
    while !over.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        let used = used()?;
        if Instant::now() >= end {
            end += PERIOD;
            // At most one share ahead, so that nothing is saved up.
            allowed = (allowed + share).min(used + share);
        }
        let exhausted = used >= allowed;
        if exhausted != stopped {
            kill(pid, if exhausted { Signal::SIGSTOP } else { Signal::SIGCONT })?;
            stopped = exhausted;
        }
    }
    if stopped { kill(pid, Signal::SIGCONT) } else { Ok(()) }
}
