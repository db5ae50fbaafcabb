//! The leak search: known secrets are played through the real program, and then looked for in everything it leaves
//! behind and, once it is quiet, in its memory.
//!
//! Secrets and their forms are in [`secrets`], [`forms`] and [`schedule`], the traffic in [`day`], what the switch
//! shows in [`shown`], what officers order in [`officers`], its memory in [`memory`], what may be there in [`found`]. Start at [`run`]; the suite runs
//! [`day`] and [`shown`] by itself, without memory.

pub mod day;
pub mod forms;
pub mod found;
pub mod memory;
pub mod officers;
pub mod report;
pub mod schedule;
pub mod secrets;
pub mod shown;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use cardswitch::{
    city::TestKeys,
    clock::{Clock, date_of_day},
    terminal::Sample,
};

use self::{
    day::{CASH_MACHINE, Day},
    found::{in_file, in_memory},
    memory::Memory,
    officers::Officers,
    report::Report,
    shown::{Shown, copy_city},
};
use crate::{
    city::City,
    process::Launch,
    search::{Kind, Ready, Search},
};

/// How long the switch is left alone before its memory is taken: longer than any of its own pauses.
const QUIET: Duration = Duration::from_secs(6);

/// STANs of the second day begin here, above all of the first.
const SECOND_DAY: u32 = 400_000;

/// So that some of a day is archived while it lasts.
const CHECKPOINT_RECORDS: &str = "300";

/// Files of the city that a start needs that does not import.
const NEEDED_AGAIN: [&str; 2] = ["cardswitch.toml", "keys.toml"];

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program.
    pub program: PathBuf,
    /// Where everything is left for a closer look, if anywhere.
    pub keep: Option<PathBuf>,
}

/// The city, its secrets, and what was learned of them.
#[derive(Debug)]
pub struct Stage {
    /// The city.
    pub city: City,
    /// Its terminals and cards.
    pub sample: Sample,
    /// Its keys.
    pub keys: TestKeys,
    /// Everything secret so far.
    pub search: Search,
    /// The keys of the cash machine's zone as they are now.
    pub zone: [[u8; 16]; 3],
}

impl Stage {
    /// Before anything is played.
    ///
    /// # Panics
    /// The sample city cannot be read.
    #[must_use]
    pub fn open() -> Self {
        let folder = City::folder();
        let (city, sample) = (City::open(), Sample::open(&folder).expect("the sample city"));
        let keys = TestKeys::open(&folder.join("keys.toml")).expect("the test keys");
        let row = city.terminal_row(CASH_MACHINE);
        let acquirer = city.files().acquirers.iter().find(|acquirer| acquirer.merchant == row.merchant);
        let zone = keys.zone(&acquirer.expect("its acquirer").id).expect("its zone");
        let zone = [&zone.pin, &zone.mac_to_switch, &zone.mac_from_switch].map(|key| *key.expose());
        let search = secrets::of_city(&city, &keys);
        Self { city, sample, keys, search, zone }
    }

    /// Plays a day and takes note of what came of it.
    pub fn play(&mut self, ports: cardswitch::app::Ports, first_stan: u32) -> day::Played {
        let Self { city, sample, keys, search, zone } = self;
        let day = Day { city, sample, keys, ports, first_stan, zone: *zone };
        let played = day.play(search);
        *zone = played.zone;
        played
    }

    /// The number of the card that is named to the admin port and the commands, and used nowhere else.
    ///
    /// # Panics
    /// The city has no cards.
    #[must_use]
    pub fn asked_for(&self) -> Vec<u8> {
        self.city.cards().last().expect("cards").pan.expose().to_vec()
    }
}

/// The business day that has begun, as `settle` wants it named.
///
/// # Panics
/// The zone of the sample city is unknown.
#[must_use]
pub fn today() -> String {
    let mut clock = Clock::new("Asia/Shanghai").expect("the city's zone");
    date_of_day(clock.now().business_day(0)).to_string()
}

/// Runs everything.
///
/// # Panics
/// The switch does not start, serve or stop.
#[must_use]
pub fn run(plan: &Plan, say: impl Fn(&str)) -> Report {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = plan.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    let city_copy = folder.join("city");
    copy_city(&City::folder(), &city_copy);
    let mut stage = Stage::open();
    let mut shown = Shown { program: &plan.program, folder: &folder, count: 0 };
    let keep = plan.keep.is_some();
    let officers = Officers::enrol(&mut shown, &mut stage.search);
    let (mirror, copies) = (folder.join("mirror"), folder.join("copies"));
    fs::create_dir_all(&copies).expect("a folder");
    let launch = |format: &str| {
        Launch::new(&plan.program.to_string_lossy(), &folder.join("data"))
            .in_city(&city_copy)
            .set("LOG__LEVEL", "trace")
            .set("LOG__FORMAT", format)
            .set("BOOKS__PIN_TRIES_MAX", "10")
            .set("ORDERS__OFFICERS", &officers.enrolled().to_string_lossy())
            .set("JOURNAL__MIRROR", &mirror.to_string_lossy())
            .set("JOURNAL__HEAD_COPY", &copies.join("head").to_string_lossy())
            .set("JOURNAL__CHECKPOINT_RECORDS", CHECKPOINT_RECORDS)
            .set("NOTICES__FILE", &copies.join("notices.jsonl").to_string_lossy())
    };
    say("first start: import, a day, log as text");
    let (first, of_import) =
        watched(&launch("text"), &mut stage, &mut shown, &officers, (1, "log.text"), false);
    for path in fs::read_dir(&city_copy).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let needed = NEEDED_AGAIN.iter().any(|name| path.ends_with(name));
        if !needed {
            fs::remove_file(path).expect("a copy");
        }
    }
    say("second start: from the journal, another day, log as JSON");
    let (second, of_second) =
        watched(&launch("json"), &mut stage, &mut shown, &officers, (SECOND_DAY, "log.json"), keep);
    say("commands on the stopped folder, and on mistakes");
    let asked_for = stage.asked_for();
    shown.commands_in(&folder.join("data"), &City::folder(), &today(), &asked_for);
    shown.copies_of(&folder.join("data"), &mirror);
    shown.mistakes_in(&City::folder(), &folder.join("mistakes"));
    shown.decoded(&stage.city, &stage.sample);
    let (sent, approved) = (first.0 + second.0, first.1 + second.1);
    let search = stage.search.ready();
    say("the control");
    let mut doubts = search.blind_spots();
    say("the search");
    let mut places = vec![
        in_file(&search, "log as text", &folder.join("log.text")),
        in_file(&search, "log as JSON", &folder.join("log.json")),
        in_file(&search, "admin pages and metrics", &folder.join("pages")),
        in_file(&search, "what commands print", &folder.join("commands")),
        in_file(&search, "data folder", &folder.join("data")),
        in_file(&search, "settlement files", &folder.join("settled")),
        in_file(&search, "mirror", &mirror),
        in_file(&search, "backup, export, restored folder", &copies),
        in_file(&search, "orders", &officers.orders()),
    ];
    let mut import = in_memory(&search, "memory behind an import", &of_import);
    import.for_information = true;
    places.push(import);
    places.push(in_memory(&search, "memory behind a later start", &of_second));
    doubts.extend(doubts_about(&places, &folder, &search));
    Report { secrets: search.secrets(), needles: search.needles(), sent, approved, places, doubts }
}

/// Starts the program, plays a day from a STAN on, asks for everything, takes its memory when it is quiet, stops it, and
/// gives its log a name.
fn watched(
    launch: &Launch,
    stage: &mut Stage,
    shown: &mut Shown<'_>,
    officers: &Officers,
    (first_stan, log): (u32, &str),
    keep: bool,
) -> ((usize, usize), Memory) {
    let process = launch.start();
    let played = stage.play(process.ports, first_stan);
    let asked_for = stage.asked_for();
    shown.pages(process.ports.admin, &asked_for);
    shown.commands_on(process.ports.admin, &asked_for);
    officers.order(shown, process.ports.admin, &asked_for);
    shown.copies(process.ports.admin);
    let quiet_since = Instant::now();
    while quiet_since.elapsed() < QUIET {
        std::thread::sleep(Duration::from_millis(100));
    }
    let memory = Memory::of(process.id(), shown.folder, keep);
    let counts = (played.sent, played.approved);
    drop(played);
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0), "the switch stops well");
    fs::rename(launch.log(), shown.folder.join(log)).expect("its log");
    (counts, memory)
}

/// What would make a clean search worth nothing: a silent log, a short day, keys in the HSM's cache that are not seen.
fn doubts_about(places: &[found::Looked], folder: &Path, search: &Ready) -> Vec<String> {
    let mut doubts = Vec::new();
    for (log, word) in [("log.text", "DEBUG"), ("log.json", "\"level\":\"DEBUG\"")] {
        if !fs::read_to_string(folder.join(log)).unwrap_or_default().contains(word) {
            doubts.push(format!("{log} is not at its most talkative"));
        }
    }
    for memory in places.iter().filter(|place| place.name.starts_with("memory")) {
        for kind in [Kind::WorkingKey, Kind::PsamMaster, Kind::PsamKey, Kind::ZoneKey, Kind::IssuerKey] {
            let name = format!("in the HSM's cache: {}", kind.name());
            if !memory.exempt.contains_key(&name) {
                doubts.push(format!("{}: the HSM holds a {} that is not seen", memory.name, kind.name()));
            }
        }
    }
    if !folder.join("data/archive").is_dir() {
        doubts.push("nothing was archived".to_owned());
    }
    if places.iter().any(|place| place.bytes == 0) || search.secrets() == 0 {
        doubts.push("a place is empty".to_owned());
    }
    doubts
}
