//! A small share of a processor, as Lambda provides for a function with little memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// The memory in MB with which a function has one processor, according to Lambda's documentation.
const ONE_PROCESSOR: u32 = 1_769;

const PERIOD: Duration = Duration::from_millis(20);

/// How often the process is checked. What it runs over its share is deducted from the next
/// period's.
const TICK: Duration = Duration::from_micros(50);

/// Limits a process to its share until dropped.
///
/// A signal stops the process when its threads have used up their share of a period, until the next
/// one, as the kernel's own bandwidth control does; that would require root and a cgroup.
pub(crate) struct Quota {
    over: Arc<AtomicBool>,
    keeper: Option<JoinHandle<nix::Result<()>>>,
}

impl Quota {
    /// Begins with a fresh period. The unused share of a period is lost.
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
            // It fails if the process has ended, which ends the quota too.
            let _ = keeper.join();
        }
    }
}

fn keep(pid: Pid, share: Duration, over: &AtomicBool) -> nix::Result<()> {
    let clock = clock_getcpuclockid(pid)?;
    let used = || clock.now().map(Duration::from);
    // The processor time that the process may have used by the end of this period.
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
