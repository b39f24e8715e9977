//! Measures the contestants in turns, so that a disturbance affects all of them alike, and prints
//! the tables.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::Failure;
use crate::contestants::{self, Contestant, Places};
use crate::function::{Cost, Function};
use crate::quota::Quota;
use crate::upstream::Upstream;

/// The number of fresh processes of each contestant.
const STARTS: usize = 50;

/// The number of later answers that are measured of one process of each contestant, after
/// unmeasured ones in which a just-in-time compiler settles.
const ANSWERS: usize = 2_000;
const UNMEASURED: usize = 100;

/// How many of them a contestant gives in one turn.
const TURN: usize = 100;

/// The number of fresh processes of each contestant with little memory, which are slow.
const SLOW_STARTS: usize = 15;

/// In MB. With these, Lambda provides a fourteenth and a seventh of a processor.
const MEMORIES: [u32; 2] = [128, 256];

#[derive(Default)]
struct Figures {
    starts: Vec<Cost>,
    first_answers: Vec<Cost>,
    /// To the upstream, for a start and its first answer.
    requests: usize,
    /// To the upstream, for a start and all its answers.
    connections: usize,
    later_answers: Vec<Duration>,
    cpu_of_later_answers: Duration,
    peak_memory: u64,
    /// For each of [`MEMORIES`].
    first_answers_slow: [Vec<Duration>; MEMORIES.len()],
}

struct Arena<'a> {
    upstream: Upstream,
    log: &'a Path,
}

/// Builds and measures all contestants, and prints the tables.
pub(crate) async fn run() -> Result<(), Failure> {
    let places = Places::find()?;
    println!("Building the contestants; the first time takes minutes.");
    let contestants = contestants::all(&places)?;
    let log = places.scratch().join("stderr.log");
    let arena = Arena { upstream: Upstream::start(&places.scratch()).await?, log: &log };

    let mut entries = Vec::new();
    for contestant in contestants {
        // This start is not counted. It also brings the files into memory.
        match arena.cold(&contestant, &mut Figures::default()).await {
            Ok(()) => entries.push((contestant, Figures::default())),
            Err(error) => println!("{} is left out: {error}", contestant.name),
        }
    }
    for _ in 0..STARTS {
        for (contestant, figures) in &mut entries {
            arena.cold(contestant, figures).await?;
        }
    }
    arena.warm(&mut entries).await?;
    for (number, memory) in MEMORIES.into_iter().enumerate() {
        for _ in 0..SLOW_STARTS {
            for (contestant, figures) in &mut entries {
                let first = arena.slow(contestant, memory).await?;
                figures.first_answers_slow[number].push(first.wall);
            }
        }
    }
    print(&entries);
    Ok(())
}

impl Arena<'_> {
    async fn start(&self, contestant: &Contestant) -> Result<(Function, Cost), Failure> {
        Function::start(contestant, &self.upstream, self.log).await
    }

    /// Starts a process and invokes it once.
    async fn cold(&self, contestant: &Contestant, to: &mut Figures) -> Result<(), Failure> {
        let before = self.upstream.counts();
        let (mut function, start) = self.start(contestant).await?;
        to.first_answers.push(function.invoke().await?);
        to.starts.push(start);
        function.end(Signal::SIGKILL).await?;
        to.requests = self.upstream.counts().requests - before.requests;
        Ok(())
    }

    /// Invokes one process of each contestant many times.
    async fn warm(&self, entries: &mut [(Contestant, Figures)]) -> Result<(), Failure> {
        let mut functions = Vec::new();
        for (contestant, figures) in entries.iter_mut() {
            let connections = self.upstream.counts().connections;
            let (mut function, _) = self.start(contestant).await?;
            for _ in 0..UNMEASURED {
                function.invoke().await?;
            }
            functions.push(function);
            figures.connections += self.upstream.counts().connections - connections;
        }
        for _ in 0..ANSWERS / TURN {
            for ((_, figures), function) in entries.iter_mut().zip(&mut functions) {
                function.settle().await?;
                let connections = self.upstream.counts().connections;
                let before = function.cpu()?;
                for _ in 0..TURN {
                    figures.later_answers.push(function.invoke().await?.wall);
                }
                function.settle().await?;
                figures.cpu_of_later_answers += function.cpu()?.saturating_sub(before);
                figures.connections += self.upstream.counts().connections - connections;
            }
        }
        for ((_, figures), function) in entries.iter_mut().zip(functions) {
            figures.peak_memory = function.peak_memory()?;
            function.end(Signal::SIGKILL).await?;
        }
        Ok(())
    }

    /// Starts a process at full speed, as Lambda does, and invokes it once with little memory.
    async fn slow(&self, contestant: &Contestant, memory: u32) -> Result<Cost, Failure> {
        let (mut function, _) = self.start(contestant).await?;
        let quota = Quota::hold(function.pid(), memory);
        let first = function.invoke().await?;
        drop(quota);
        function.end(Signal::SIGKILL).await?;
        Ok(first)
    }
}

/// A column: its heading, its figure for a contestant, and the number of decimals.
type Column = (&'static str, fn(&Contestant, &Figures) -> f64, usize);

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
const COLUMNS: [Column; 14] = [
    ("init", |_, of| wall(&of.starts), 1),
    ("CPU", |_, of| cpu(&of.starts), 1),
    ("first", |_, of| wall(&of.first_answers), 2),
    ("CPU", |_, of| cpu(&of.first_answers), 2),
    ("sum", |_, of| sum(of, |cost| cost.wall), 1),
    ("CPU", |_, of| sum(of, |cost| cost.cpu), 1),
    ("p50", |_, of| milliseconds(percentile(&of.later_answers, 50)), 3),
    ("p99", |_, of| milliseconds(percentile(&of.later_answers, 99)), 2),
    ("CPU", |_, of| milliseconds(of.cpu_of_later_answers) / ANSWERS as f64, 3),
    ("RSS", |_, of| of.peak_memory as f64 / 1e6, 1),
    ("size", |contestant, _| contestant.size as f64 / 1e6, 1),
    ("zip", |contestant, _| contestant.zipped as f64 / 1e6, 1),
    ("calls", |_, of| of.requests as f64, 0),
    ("conns", |_, of| of.connections as f64, 0),
];

const SLOW_COLUMNS: [Column; 2] = [
    ("128 MB", |_, of| milliseconds(percentile(&of.first_answers_slow[0], 50)), 1),
    ("256 MB", |_, of| milliseconds(percentile(&of.first_answers_slow[1], 50)), 1),
];

fn print(entries: &[(Contestant, Figures)]) {
    println!(
        "
Medians of {STARTS} fresh processes and of {ANSWERS} later answers of one process; milliseconds, MB.
init: start to first poll. first: first answer. sum: both. p50, p99: later answers. CPU: of the
process. RSS: at its peak. size, zip: of the upload. calls: to the upstream, until the first answer.
conns: to the upstream, for all answers of one process."
    );
    block(entries, &COLUMNS, false);
    println!("\nThe same, as multiples of ours.");
    block(entries, &COLUMNS, true);
    println!(
        "
The first answer, with the processor time that Lambda provides at this memory: {SLOW_STARTS} fresh
processes, milliseconds. After its first poll, a signal stops each when it has used its share of 20 ms."
    );
    block(entries, &SLOW_COLUMNS, false);
    println!("\nThe same, as multiples of ours.");
    block(entries, &SLOW_COLUMNS, true);
}

/// Prints a table; ours is the first row.
fn block(entries: &[(Contestant, Figures)], columns: &[Column], ratios: bool) {
    let headings = columns.iter().map(|(heading, ..)| format!("{heading:>7}"));
    println!("\n{:18}{}", "", headings.collect::<String>());
    let Some((ours, our_figures)) = entries.first() else { return };
    for (contestant, figures) in entries {
        let cells = columns.iter().map(|(_, figure, decimals)| {
            let value = figure(contestant, figures);
            match figure(ours, our_figures) {
                _ if !ratios => format!("{value:>7.decimals$}"),
                0.0 => format!("{:>7}", "-"),
                unit => format!("{:>7.2}", value / unit),
            }
        });
        println!("{:18}{}", contestant.name, cells.collect::<String>());
    }
}

fn wall(costs: &[Cost]) -> f64 {
    milliseconds(percentile(&costs.iter().map(|cost| cost.wall).collect::<Vec<_>>(), 50))
}

fn cpu(costs: &[Cost]) -> f64 {
    milliseconds(percentile(&costs.iter().map(|cost| cost.cpu).collect::<Vec<_>>(), 50))
}

/// The median cost of start and first answer together, process by process.
fn sum(figures: &Figures, part: impl Fn(&Cost) -> Duration) -> f64 {
    let pairs = figures.starts.iter().zip(&figures.first_answers);
    let sums: Vec<_> = pairs.map(|(start, first)| part(start) + part(first)).collect();
    milliseconds(percentile(&sums, 50))
}

fn percentile(of: &[Duration], percent: usize) -> Duration {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
