//! The child: this test program once more, told by an environment variable what to do.

use crate::{
    batches,
    job::{Job, OTHERS, PVKI},
};
use hsm_sim::{
    Hsm, HsmLimits, KeyBlock, KeyHandle, KeyRef, Lmk, MacAlgorithm, MacRequest, Pan, PinCheck, PsamNumber,
    SessionHandle, SessionPurpose, SessionRequest,
};
use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

/// Names the file of the child's job.
const JOB: &str = "HSM_SIM_MEMORY_JOB";
/// What the child says when it has done it.
const QUIET: &str = "quiet\n";

/// A child that has done its job and waits.
pub(crate) struct Waiting {
    child: Child,
    /// Open until it ends, because it still has something to say then.
    said: BufReader<ChildStdout>,
    file: PathBuf,
}

/// Gives a child a job, and bytes to keep in memory, and waits until it is done.
pub(crate) fn start(name: &str, job: &Job, planted: &[Vec<u8>]) -> Waiting {
    let file =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("memory-{name}-{}", std::process::id()));
    fs::write(&file, written(job, planted)).unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child::does_its_job_and_waits", "--nocapture"])
        .env(JOB, &file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with(QUIET) {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "the child ended early");
    }
    Waiting { child, said, file }
}

impl Waiting {
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stop(&mut self) {
        drop(self.child.stdin.take());
        self.said.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
        fs::remove_file(&self.file).unwrap();
    }
}

/// The key blocks, what is planted, the other keys, and a line for each item, bytes in hexadecimal.
fn written(job: &Job, planted: &[Vec<u8>]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let mut lines = job.blocks.to_vec();
    lines.push(planted.iter().map(|bytes| hex(bytes)).collect::<Vec<_>>().join(" "));
    lines.extend(job.others.iter().map(|(block, _)| block.clone()));
    lines.extend(job.items.iter().map(|item| {
        let [psam, random, block, pan, pvv] =
            [&item.psam[..], &item.random, &item.block, &item.pan, &item.pvv].map(hex);
        format!("{psam} {random} {} {block} {pan} {pvv}", item.stan)
    }));
    lines.join("\n")
}

/// What an item is for the child.
struct Given {
    key: KeyRef,
    block: [u8; 8],
    pan: Pan,
    pvv: [u8; 4],
}

fn given(line: &str, master: KeyHandle) -> Given {
    let words: Vec<&str> = line.split(' ').collect();
    let array = |at: usize| *bytes(words[at]).first_chunk().unwrap();
    let psam = PsamNumber::parse_bcd(&array(0)).unwrap();
    let key = KeyRef::OneTime { master, psam, random: array(1), stan: words[2].parse().unwrap() };
    let pvv = *bytes(words[5]).first_chunk().unwrap();
    Given { key, block: array(3), pan: Pan::parse(&bytes(words[4])).unwrap(), pvv }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().as_chunks::<2>().0;
    digits.iter().map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Verifies all PINs, half of them under sessions; what is left is the HSM.
#[inline(never)]
fn work<'a>(mut lines: impl Iterator<Item = &'a str>) -> Hsm {
    let mut hsm = Hsm::with_limits(Lmk::test(), HsmLimits { key_slots: 2 * OTHERS, unwrapped_keys: 8192 });
    let mut load = |hsm: &mut Hsm| hsm.load_key(&KeyBlock::parse(lines.next().unwrap()).unwrap()).unwrap();
    let (master, pvk) = (load(&mut hsm), load(&mut hsm));
    let others: Vec<KeyHandle> = (0..OTHERS).map(|_| load(&mut hsm)).collect();
    use_and_unload(&mut hsm, &others);
    let items: Vec<Given> = lines.map(|line| given(line, master)).collect();
    let checks: Vec<PinCheck<'_>> = items
        .iter()
        .map(|Given { key, block, pan, pvv }| PinCheck {
            pin_key: *key,
            block: *block,
            pan,
            pvk,
            pvki: PVKI,
            pvv: *pvv,
        })
        .collect();
    let (mut verified, mut derived) = (Vec::new(), Vec::new());
    for (number, batch) in batches(checks.len()).enumerate() {
        let checks = &checks[batch];
        if number % 8 < 4 {
            hsm.verify_pins(checks, &mut verified);
        } else {
            let request =
                |check: &PinCheck<'_>| SessionRequest { key: check.pin_key, purpose: SessionPurpose::Pin };
            hsm.derive_sessions(&checks.iter().map(request).collect::<Vec<_>>(), &mut derived);
            let sessions: Vec<SessionHandle> = derived.iter().map(|session| session.unwrap()).collect();
            let under = |(check, session)| PinCheck { pin_key: KeyRef::Session(session), ..check };
            let checks: Vec<_> = checks.iter().copied().zip(sessions.iter().copied()).map(under).collect();
            hsm.verify_pins(&checks, &mut verified);
            hsm.end_sessions(&sessions);
        }
        assert!(verified.len() == checks.len() && verified.iter().all(Result::is_ok), "every PIN is right");
    }
    hsm
}

/// Makes MACs under keys, all at once and one by one, and unloads them.
fn use_and_unload(hsm: &mut Hsm, keys: &[KeyHandle]) {
    let request = |key: &KeyHandle| MacRequest {
        key: (*key).into(),
        algorithm: MacAlgorithm::X919,
        data: b"a message that is not whole blocks",
    };
    let requests: Vec<MacRequest<'_>> = keys.iter().map(request).collect();
    let (mut together, mut alone) = (Vec::new(), Vec::new());
    hsm.generate_macs(&requests, &mut together);
    for (request, mac) in requests.iter().zip(&together) {
        hsm.generate_macs(std::slice::from_ref(request), &mut alone);
        assert!(mac.is_ok() && alone[0] == *mac);
    }
    keys.iter().for_each(|key| hsm.unload_key(*key));
}

#[test]
fn does_its_job_and_waits() {
    let Some(file) = env::var_os(JOB) else { return };
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let blocks = [lines.next().unwrap(), lines.next().unwrap()];
    let planted: Vec<Vec<u8>> = lines.next().unwrap().split_whitespace().map(bytes).collect();
    let hsm = work(blocks.into_iter().chain(lines));
    std::io::stdout().write_all(QUIET.as_bytes()).unwrap();
    // Until it is told to go.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop((hsm, planted));
}
