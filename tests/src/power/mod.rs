//! Power loss: what the store writes is recorded call by call, and from the record are built disks as a power cut may leave
//! them, at any moment and with any part of what was not synced; the real store must open each with everything that it had
//! acknowledged.
//!
//! A chain of runs is a journal's life: a process (`driver`) appends through the real store under strace and ends well, is
//! killed, or meets a sync or write that fails; the next goes on from the system's cache as a restart does, or from one of the
//! disks that a power cut may leave, so that recoveries are cut off as well. `trace` reads what strace wrote, `reading` turns it into changes, `disk` is
//! the model of what is durable, `image` chooses what survives, `verdict` knows what must be there.
//!
//! Left out: disks that return something else than what was written; that is the business of the journal's tests of damage.
//!
//! Start at [`run`].

mod disk;
mod driver;
mod image;
mod reading;
mod trace;
mod verdict;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, File},
    io::BufReader,
    panic::PanicHookInfo,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

pub use self::driver::{COMMAND, drive};
use self::{
    disk::Disk,
    driver::{Order, marks_beside},
    image::{Cut, Names, image, pending_names},
    verdict::{Fault, Told},
};
use crate::random::{Random, SEED_VARIABLE};

/// Runs in one chain.
const RUNS: u32 = 6;
/// One image in so many is appended to and opened again.
const GOES_ON: u64 = 4;

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// Images to build and open.
    pub points: u64,
    /// Images of one run.
    pub points_per_run: u64,
    /// A program that becomes the driver when its first argument is [`COMMAND`].
    pub program: PathBuf,
    /// Where images that fail are kept.
    pub keep: Option<PathBuf>,
    /// Whether syncs are taken for what they are. A store whose syncs do nothing must be found out: that shows that this looks.
    pub believe_syncs: bool,
    /// Whether so many checkpoints are saved that old records leave for the archive.
    pub trims: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Images that were opened.
    pub points: u64,
    /// Runs that were recorded.
    pub runs: u64,
    /// Of these, ended by an abort, and by a sync or write that was made to fail.
    pub aborted: u64,
    /// See `aborted`.
    pub failed: u64,
    /// Images taken while a batch was under way.
    pub unsure: u64,
    /// Bytes that the runs wrote.
    pub written: u64,
    /// Runs whose trace broke off where it cannot be followed; their chain ends there.
    pub unreadable: u64,
    /// What was wrong with images, and how often.
    pub faults: BTreeMap<String, u64>,
}

impl Report {
    /// Whether every image opened with all that was acknowledged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} power cuts ({} inside a commit) in {} runs ({} killed, {} with a failed sync or write), {} MiB written",
            self.points,
            self.unsure,
            self.runs,
            self.aborted,
            self.failed,
            self.written >> 20,
        );
        if self.unreadable > 0 {
            let _never = write!(text, "; {} traces could not be followed", self.unreadable);
        }
        if self.is_clean() {
            text.push_str(": none lost, none doubled, every disk opened");
        }
        for (fault, count) in &self.faults {
            let _never = write!(text, "\n{count} x {fault}");
        }
        text
    }
}

/// Whether strace is there and may trace.
#[must_use]
pub fn can_record() -> bool {
    let mut strace = Command::new("strace");
    strace
        .args(["-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Cuts the power as often as planned; `progress` hears of every point.
///
/// # Panics
/// The machine has no room for the images.
pub fn run(plan: &Plan, random: &mut Random, progress: &mut dyn FnMut(u64)) -> Report {
    let hook = std::panic::take_hook();
    let tell = move |panic: &PanicHookInfo<'_>| {
        // The store turns its engine's panics over damaged files into errors; those are counted, not told.
        if !cardswitch::journal::catches_store_panics() {
            hook(panic);
        }
    };
    std::panic::set_hook(Box::new(tell));
    let mut campaign = Campaign { plan, report: Report::default(), progress };
    // The first chain has the seed that was given, so that one which failed can be seen again alone.
    let mut seed = random.seed();
    while campaign.report.points < plan.points {
        campaign.chain(seed);
        seed = random.next_u64();
    }
    campaign.report
}

struct Campaign<'a> {
    plan: &'a Plan,
    report: Report,
    progress: &'a mut dyn FnMut(u64),
}

/// How a run ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Well,
    Abort,
    /// This call fails at this one of its turns.
    Fails(&'static str, u64),
}

/// A journal's life, as far as it has come.
struct Chain {
    seed: u64,
    random: Random,
    place: TempDir,
    folder: PathBuf,
    disk: Disk,
    told: Told,
}

impl Chain {
    fn new(seed: u64) -> Self {
        let place = memory_folder();
        let folder = place.path().join("journal-0");
        fs::create_dir(&folder).expect("a new folder");
        let disk = Disk::of(&folder);
        Self { seed, random: Random::new(seed), place, folder, disk, told: Told::new(seed) }
    }

    fn order(&mut self, run: u32, trims: bool) -> (Order, End) {
        let heavy = self.random.below(4) == 0;
        let commits = 10 + self.random.below(60);
        let end = match self.random.below(8) {
            0..=2 => End::Well,
            3..=5 => End::Abort,
            6 => End::Fails("fdatasync", 1 + self.random.below(2 * commits)),
            _ => End::Fails("pwrite64", 1 + self.random.below(2 * commits)),
        };
        // Early enough for the start itself now and then, late enough for the end on a slow machine.
        let magnitude = 8 + self.random.below(14);
        let abort_after_us = if end == End::Abort { 1 + self.random.below(1 << magnitude) } else { 0 };
        let order = Order {
            folder: self.folder.clone(),
            marks: marks_beside(&self.folder),
            seed: self.seed,
            run,
            commits,
            heavy,
            anchor_lag_ms: if self.random.below(4) == 0 { 0 } else { 2 },
            abort_after_us,
            saves_max: if trims { u64::MAX } else { u64::from(run == 0) },
            drops: self.random.below(2) == 0,
        };
        (order, end)
    }

    /// The last run's process is gone; the power is not.
    fn restart(&mut self) {
        self.disk.process_ended();
    }

    /// Goes on from what a power cut left.
    fn go_on_from(&mut self, left: Left, run: u32) {
        let folder = self.place.path().join(format!("journal-{}", run + 1));
        left.choice.image(&left.disk, &folder);
        // In memory they would stay until the chain ends.
        fs::remove_dir_all(&self.folder).expect("a folder of ours");
        self.disk = Disk::of(&folder);
        self.told = left.told;
        self.folder = folder;
    }
}

/// What a power cut leaves of a disk.
struct Choice {
    cut: Cut,
    random: Random,
}

impl Choice {
    /// Each time the same.
    fn image(&self, disk: &Disk, folder: &Path) {
        image(disk, self.cut, &mut self.random.clone(), folder);
    }
}

/// A disk at a power cut, and what it leaves of it.
struct Left {
    disk: Disk,
    told: Told,
    choice: Choice,
}

impl Campaign<'_> {
    fn chain(&mut self, seed: u64) {
        let mut chain = Chain::new(seed);
        for run in 0..RUNS {
            if self.report.points >= self.plan.points || !self.run(&mut chain, run) {
                return;
            }
        }
    }

    /// Records a run and cuts the power in it. Whether the chain goes on.
    fn run(&mut self, chain: &mut Chain, run: u32) -> bool {
        let (order, end) = chain.order(run, self.plan.trims);
        let what = format!("{SEED_VARIABLE} of the chain {}, run {run}, {end:?}", chain.seed);
        let (mut trace, refused) = record(&self.plan.program, &order, end);
        if !self.plan.believe_syncs {
            trace.forget_syncs();
        }
        chain.told.begin_run(run);
        self.report.runs += 1;
        self.report.aborted += u64::from(end == End::Abort);
        self.report.failed += u64::from(matches!(end, End::Fails(..)));
        if refused && !matches!(end, End::Fails(..)) {
            let start = "a start behind a kill or a power cut".to_owned();
            self.fault(&Fault::Refused(start), &what, None);
            return false;
        }
        let mut steps = match chain.disk.run(trace, &order.folder, &order.marks) {
            Ok(steps) => steps,
            Err(why) => {
                assert!(end != End::Well, "{what}: {why}");
                self.report.unreadable += 1;
                return false;
            }
        };
        self.report.written += steps.written();
        let mut points = self.points(&mut chain.random, &steps.moments);
        points.push(steps.end + 1);
        let goes_on_from = chain.random.index(points.len());
        let mut left = None;
        for (nth, point) in points.iter().enumerate() {
            for mark in chain.disk.advance(&mut steps, *point) {
                if let Err(fault) = chain.told.take(&mark) {
                    self.fault(&fault, &what, None);
                    return false;
                }
            }
            let choice =
                Choice { cut: Cut::draw(&mut chain.random), random: Random::new(chain.random.next_u64()) };
            self.point(chain, &choice, &format!("{what}, line {point}"));
            if nth == goes_on_from {
                left = Some(Left { disk: chain.disk.clone(), told: chain.told.clone(), choice });
            }
        }
        // What a sync or write that failed has left in the system's cache is nothing to rely on.
        let power_cut = matches!(end, End::Fails(..)) || chain.random.below(3) == 0;
        match left {
            Some(left) if power_cut => chain.go_on_from(left, run),
            _ => chain.restart(),
        }
        true
    }

    /// Moments in order: half of them anywhere, half close behind another, where one call is under way.
    fn points(&self, random: &mut Random, moments: &[usize]) -> Vec<usize> {
        let left = self.plan.points - self.report.points;
        let count = left.min(self.plan.points_per_run).saturating_sub(1);
        let mut points: Vec<usize> = (0..count)
            .filter(|_| !moments.is_empty())
            .map(|_| moments[random.index(moments.len())] + random.index(2))
            .collect();
        points.sort_unstable();
        points
    }

    fn point(&mut self, chain: &Chain, choice: &Choice, what: &str) {
        self.report.points += 1;
        self.report.unsure += u64::from(chain.told.is_unsure());
        let folder = chain.place.path().join("image");
        choice.image(&chain.disk, &folder);
        let goes_on = choice.random.clone().below(GOES_ON) == 0;
        if let Err(fault) = chain.told.judge(&folder, goes_on) {
            let what = format!("{what}, {:?}", choice.cut);
            self.keep(&fault, &what, chain, choice);
            self.fault(&fault, &what, Some(choice.cut.names));
        }
        fs::remove_dir_all(&folder).expect("a folder of ours");
        (self.progress)(self.report.points);
    }

    fn keep(&self, fault: &Fault, what: &str, chain: &Chain, choice: &Choice) {
        let Some(keep) = &self.plan.keep else { return };
        fs::create_dir_all(keep).expect("a folder for images");
        let to = keep.join(format!("image-{}", self.report.points));
        choice.image(&chain.disk, &to);
        let (acknowledged, pending) = (chain.told.acknowledged(), pending_names(&chain.disk));
        let story = format!("{fault:?}\n{what}\n{acknowledged} acknowledged\npending names: {pending:?}\n");
        fs::write(to.with_extension("txt"), story).expect("a story");
    }

    fn fault(&mut self, fault: &Fault, what: &str, names: Option<Names>) {
        crate::tell(&format!("{fault:?}: {what}"));
        let names = match names {
            Some(Names::Ordered) => ", names in order",
            Some(Names::Any) => ", names in any order",
            None => "",
        };
        let kind = match fault {
            Fault::Refused(why) => format!("refused{names}: {why}"),
            Fault::Wrong(why) => format!("lost or wrong{names}: {why}"),
        };
        *self.report.faults.entry(kind).or_default() += 1;
    }
}

/// Runs the driver under strace. Returns what it did, and whether the store would not open.
fn record(program: &Path, order: &Order, end: End) -> (trace::Trace, bool) {
    let file = order.folder.with_extension("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-xx", "-s", "16777216", "-e", trace::CALLS, "-o"]).arg(&file);
    if let End::Fails(call, turn) = end {
        strace.args(["-e", &format!("inject={call}:error=EIO:when={turn}")]);
    }
    strace.arg(program).args(order.arguments()).stdout(Stdio::null());
    let output = strace.stderr(Stdio::piped()).output().expect("strace runs");
    let refused = output.status.code() == Some(3);
    let text = File::open(&file).expect("a trace");
    let trace = trace::read(BufReader::with_capacity(1 << 20, text));
    fs::remove_file(&file).expect("a file of ours");
    (trace, refused)
}

/// A folder in memory where there is one: a disk that waits for syncs shows nothing more here.
fn memory_folder() -> TempDir {
    let shared = Path::new("/dev/shm");
    let folder = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}
