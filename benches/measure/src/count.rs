//! Counts instructions instead of seconds, which are the same on a busy machine as on an idle one.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::Failure;
use crate::contestants::{Contestant, Places};
use crate::function::Function;
use crate::upstream::Upstream;

/// The committed figures.
const FILE: &str = "benches/instructions.toml";

/// The number of answers after the first.
const LATER: u64 = 20;

/// How often each is counted. Hash seeds and keys are random, so the counts differ a little.
const RUNS: usize = 3;

/// The exit status of a check that this machine cannot run, by the convention of Automake.
const NOT_CHECKED: u8 = 77;

/// By how many per cent a count may change.
const TOLERANCE: u64 = 10;

/// The counts for one kind of processor.
#[derive(Deserialize)]
struct Counts {
    processor: String,
    /// From the start of the process to the end of its first answer. It is not split at the first
    /// poll: under valgrind, a slow machine fails to connect in advance, and connects during the
    /// answer.
    cold_start: u64,
    later_answer: u64,
}

/// Counts, and fails if a count has grown. With `update`, writes the counts into the file instead.
pub(crate) async fn run(binary: &Path, update: bool) -> Result<ExitCode, Failure> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("not checked: no valgrind");
        return Ok(NOT_CHECKED.into());
    }
    let places = Places::find()?;
    let file = places.root().join(FILE);
    let committed: Option<Counts> = match fs::read_to_string(&file) {
        Ok(text) if !update => Some(toml::from_str(&text)?),
        _ => None,
    };
    let is_ours = |counts: &Counts| counts.processor == std::env::consts::ARCH;
    if !update && !committed.as_ref().is_some_and(is_ours) {
        println!("not checked: {FILE} has no counts for {}", std::env::consts::ARCH);
        return Ok(NOT_CHECKED.into());
    }
    let counted = count(binary, &places).await?;
    if update {
        fs::write(file, counted.to_toml())?;
    }
    let sound = counted.compare(committed.as_ref());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn count(binary: &Path, places: &Places) -> Result<Counts, Failure> {
    let log = places.scratch().join("callgrind.log");
    let mut arguments = vec!["--tool=callgrind".into(), "--callgrind-out-file=/dev/null".into()];
    arguments.push(format!("--log-file={}", log.display()).into());
    arguments.push(binary.canonicalize()?.into());
    let contestant = Contestant {
        name: "ours".into(),
        program: "valgrind".into(),
        arguments,
        folder: places.root().to_owned(),
        size: 0,
        zipped: 0,
    };
    let upstream = Upstream::start(&places.scratch()).await?;
    let mut medians = [0; 2];
    for (median, invocations) in medians.iter_mut().zip([1, 1 + LATER]) {
        let mut totals = Vec::new();
        for _ in 0..RUNS {
            totals.push(total(&contestant, &upstream, places, &log, invocations).await?);
        }
        totals.sort_unstable();
        *median = totals[RUNS / 2];
    }
    let [one, many] = medians;
    Ok(Counts {
        processor: std::env::consts::ARCH.into(),
        cold_start: one,
        later_answer: many.saturating_sub(one) / LATER,
    })
}

/// The instructions of a whole process with this number of invocations.
async fn total(
    contestant: &Contestant,
    upstream: &Upstream,
    places: &Places,
    log: &Path,
    invocations: u64,
) -> Result<u64, Failure> {
    let stderr = places.scratch().join("stderr.log");
    let (mut function, _) = Function::start(contestant, upstream, &stderr).await?;
    for _ in 0..invocations {
        function.invoke().await?;
    }
    function.settle().await?;
    function.end(Signal::SIGTERM).await?;
    let log = fs::read_to_string(log)?;
    let collected = log.lines().find_map(|line| line.split_once("Collected :"));
    Ok(collected.ok_or("valgrind did not count")?.1.trim().parse()?)
}

impl Counts {
    /// Prints the counts, next to the committed ones if there are any, and returns whether none has
    /// grown by more than the tolerance.
    fn compare(&self, committed: Option<&Self>) -> bool {
        let mut sound = true;
        for (name, count) in self.named() {
            let Some(before) = committed.and_then(|before| {
                before
                    .named()
                    .into_iter()
                    .find_map(|(other, count)| (other == name).then_some(count))
            }) else {
                println!("{name:<14}{count:>12} instructions");
                continue;
            };
            let verdict = if count * 100 > before * (100 + TOLERANCE) {
                sound = false;
                "more than 10% more: fix it, or commit it with `measure count BINARY --update`"
            } else if count * 100 < before * (100 - TOLERANCE) {
                "more than 10% fewer: commit it with `measure count BINARY --update`"
            } else {
                "as committed, within 10%"
            };
            println!("{name:<14}{count:>12} instructions; {before} committed: {verdict}");
        }
        sound
    }

    fn named(&self) -> [(&'static str, u64); 2] {
        [("cold start", self.cold_start), ("later answer", self.later_answer)]
    }

    fn to_toml(&self) -> String {
        let Self { processor, cold_start, later_answer } = self;
        format!(
            "# Instructions of the release build under callgrind, which `make counts` checks.\n\
             processor = \"{processor}\"\n\
             cold_start = {cold_start}\n\
             later_answer = {later_answer}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(later_answer: u64) -> Counts {
        Counts { processor: "x86_64".into(), cold_start: 9, later_answer }
    }

    #[test]
    fn only_growth_beyond_a_tenth_fails() {
        let committed = counts(100);
        assert!(counts(110).compare(Some(&committed)));
        assert!(!counts(111).compare(Some(&committed)));
        assert!(counts(50).compare(Some(&committed)));
    }

    #[test]
    fn written_counts_are_read_back() {
        let read: Counts = toml::from_str(&counts(7).to_toml()).unwrap();
        assert_eq!(read.named(), counts(7).named());
    }
}
