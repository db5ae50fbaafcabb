//! Kills a switch under load, again and again, and holds what its terminals were told against what is on record. Or cuts the
//! power under the store, at any moment and with any part of what was not synced. Or walks the books beside a model of them.
//!
//! The switch is `cardswitch` itself, built into this program so that it is always today's: given one of its commands
//! (`crash serve …`), this program is it. The load and the comparison are in [`switch_tests::load`]; the suite runs a few
//! rounds of them. The power cuts are in [`switch_tests::power`], the walks in [`switch_tests::model`].

use std::{io::Write, path::PathBuf, process::ExitCode, time::Instant};

use indicatif::{ProgressBar, ProgressStyle};
use switch_tests::{
    load::{Told, check, load},
    model::{Start, Tally},
    power,
    process::{Launch, Process},
    random::{Random, SEED_VARIABLE},
};

const HELP: &str = "\
Kills a switch under load with SIGKILL at random moments, starts it again, and compares.

Usage: crash [--rounds N] [--per-folder N]
       crash --power N [--keep DIR]
       crash --model SEEDS [--steps N]

  --rounds N      kills [100]
  --per-folder N  kills until the data folder is a fresh one; each comparison reads all of it [50]
  --power N       power cuts under the store, instead of kills
  --model SEEDS   random histories of the books beside a model, instead of kills
  --steps N       requests and orders in each history [100000]
  --keep DIR      leave disks that do not open as they should in this folder, as the power cut left them

Six terminals send purchases, loads, wrong PINs and reversals. After each kill the stopped folder is proved (check values,
chain, anchor, a replay from the first record, invariants), and everything that any terminal was told so far must be on
record, once, as it was told; balances must be what the requests add up to. Checkpoints are saved all the while. The first
thing that is lost, doubled or wrong ends the run with a panic that says what, and exit code 101.

With --power every write, sync and change of a name that the store makes is recorded with strace, while records are
appended, checkpoints saved, processes ended, killed, or met by syncs and writes that fail. From the record come disks that
a power cut may leave: what was synced, and of the rest any part, torn at sectors, in any order. The store must
open each with every record it had acknowledged, once, in order, and go on. Exit code 1 if one does not.

With --model the books of a small city and a naive model of them are asked the same: purchases, loads, holds and all that
follows them, repeated, spoiled, reversed, late, and officers' orders. Every answer and every amount that either side moved
must agree, step by step, and now and then everything. History N of a seed has the seed plus N, so that parts can be walked
apart. Exit code 1 at the first that differs, with what led to it.

The seed is printed; CARDSWITCH_TEST_SEED gives one.

Example:
  cargo run --release -p switch-tests --bin crash -- --rounds 1000
  cargo run --release -p switch-tests --bin crash -- --power 10000
  cargo run --release -p switch-tests --bin crash -- --model 1000";

/// A line is printed after so many rounds.
const TELL_EVERY: u32 = 25;

/// Without a terminal to draw on, a line is printed after so many power cuts.
const TELL_EVERY_POINTS: u64 = 1_000;
/// Power cuts in one recorded run.
const POINTS_PER_RUN: u64 = 60;

#[derive(Clone, Debug)]
struct Plan {
    rounds: u32,
    per_folder: u32,
    power: Option<u32>,
    model: Option<u32>,
    steps: u32,
    keep: Option<PathBuf>,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(power::COMMAND) {
        return power::drive(std::env::args().skip(2));
    }
    if std::env::args().nth(1).is_some_and(|first| !first.starts_with('-')) {
        return cardswitch::cli::main();
    }
    match arguments(std::env::args().skip(1)) {
        Ok(Some(Plan { power: Some(points), keep, .. })) => cut_power(points, keep),
        Ok(Some(Plan { model: Some(seeds), steps, .. })) => walk(seeds, steps.into()),
        Ok(Some(plan)) => kill(&plan),
        Ok(None) => {
            say(HELP);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            switch_tests::tell(&format!("crash: {problem}; see --help"));
            ExitCode::from(64)
        }
    }
}

fn cut_power(points: u32, keep: Option<PathBuf>) -> ExitCode {
    if !power::can_record() {
        switch_tests::tell("crash: --power needs strace, which is not here or may not trace");
        return ExitCode::FAILURE;
    }
    let program = std::env::current_exe().expect("this program has a path");
    let mut random = Random::seeded("crash --power");
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} power cuts, {elapsed_precise}, {eta} left");
    let bar = ProgressBar::new(points.into()).with_style(style.expect("a template"));
    let plan = power::Plan {
        points: points.into(),
        points_per_run: POINTS_PER_RUN,
        program,
        keep,
        believe_syncs: true,
        trims: true,
    };
    let report = power::run(&plan, &mut random, &mut |done| {
        bar.set_position(done);
        if bar.is_hidden() && done % TELL_EVERY_POINTS == 0 {
            switch_tests::tell(&format!("{done} power cuts"));
        }
    });
    bar.finish_and_clear();
    say(&format!("{}; {SEED_VARIABLE}={}", report.text(), random.seed()));
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn walk(seeds: u32, steps: u64) -> ExitCode {
    let (seed, begun) = (Random::seeded("crash --model").seed(), Instant::now());
    let (start, mut tally) = (Start::city(), Tally::default());
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} histories, {elapsed_precise}, {eta} left");
    let bar = ProgressBar::new(seeds.into()).with_style(style.expect("a template"));
    for nth in 0..seeds {
        match start.walk(seed.wrapping_add(nth.into()), steps) {
            Ok(walked) => tally.add(&walked),
            Err(why) => {
                bar.finish_and_clear();
                switch_tests::tell(&format!("crash: {why}"));
                return ExitCode::FAILURE;
            }
        }
        bar.inc(1);
        if bar.is_hidden() && (nth + 1) % TELL_EVERY == 0 {
            switch_tests::tell(&format!("{} histories, {} s", nth + 1, begun.elapsed().as_secs()));
        }
    }
    bar.finish_and_clear();
    let per_second = u128::from(tally.steps) * 1_000 / begun.elapsed().as_millis().max(1);
    say(&tally.text());
    say(&format!(
        "{seeds} histories, {} steps, {per_second} a second: books and model agree; {SEED_VARIABLE}={seed}",
        tally.steps
    ));
    ExitCode::SUCCESS
}

fn kill(plan: &Plan) -> ExitCode {
    let program = std::env::current_exe().expect("this program has a path");
    let (mut random, begun) = (Random::seeded("crash"), Instant::now());
    let (mut round, mut answers, mut approved) = (0, 0, 0);
    while round < plan.rounds {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let launch = Launch::new(&program.to_string_lossy(), &folder.path().join("data"))
            .set("BOOKS__PIN_TRIES_MAX", "10")
            .set("JOURNAL__CHECKPOINT_RECORDS", "1");
        let mut told = Told::new();
        for batch in 1..=plan.per_folder.min(plan.rounds - round) {
            round += 1;
            load(launch.start(), batch, &mut random, &mut told, Process::kill9);
            check(&launch, &told, &format!("round {round}, {SEED_VARIABLE}={}", random.seed()));
            if round % TELL_EVERY == 0 {
                let so_far = answers + told.len();
                switch_tests::tell(&format!(
                    "{round} kills, {so_far} answers, {} s",
                    begun.elapsed().as_secs()
                ));
            }
        }
        answers += told.len();
        approved += told.values().filter(|answer| answer.code == "00").count();
    }
    say(&format!(
        "{round} kills, {answers} answers, {approved} approved: none lost, none doubled, all books add up"
    ));
    ExitCode::SUCCESS
}

fn say(text: &str) {
    // Nobody may be listening.
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// What is to be done; `None` if help is wanted.
fn arguments(mut given: impl Iterator<Item = String>) -> Result<Option<Plan>, String> {
    let mut plan = Plan { rounds: 100, per_folder: 50, power: None, model: None, steps: 100_000, keep: None };
    while let Some(option) = given.next() {
        let number = match option.as_str() {
            "--help" | "-h" => return Ok(None),
            "--rounds" => &mut plan.rounds,
            "--per-folder" => &mut plan.per_folder,
            "--power" => plan.power.insert(0),
            "--model" => plan.model.insert(0),
            "--steps" => &mut plan.steps,
            "--keep" => {
                plan.keep = Some(given.next().map(PathBuf::from).ok_or("--keep needs a folder")?);
                continue;
            }
            other => return Err(format!("{other} is not an option")),
        };
        let value = given.next().and_then(|value| value.parse().ok()).filter(|value| *value > 0);
        *number = value.ok_or(format!("{option} needs a number above 0"))?;
    }
    Ok(Some(plan))
}
