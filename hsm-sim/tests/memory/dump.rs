//! The memory of a child process that waits.
//!
//! A core dump by gcore, which has the registers too; where there is no gcore, or it is not let, the same ranges out
//! of `/proc`. What the child cannot write is left out only in the latter.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
    process::{Command, Stdio},
};

/// What is in the memory of `process`.
pub(crate) fn of(process: u32, name: &str) -> Vec<u8> {
    by_gcore(process, name).unwrap_or_else(|| by_proc(process))
}

fn by_gcore(process: u32, name: &str) -> Option<Vec<u8>> {
    let prefix = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("memory-{name}"));
    let dumped = Command::new("gcore")
        .arg("-o")
        .arg(&prefix)
        .arg(process.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let path = prefix.with_extension(process.to_string());
    let memory = dumped.ok().filter(std::process::ExitStatus::success).and_then(|_| fs::read(&path).ok());
    // There may be none.
    let _removed = fs::remove_file(path);
    memory
}

fn by_proc(process: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).expect("leave to read a child's memory");
    let mut all = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        if words.next().unwrap().starts_with("rw") {
            let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
            // What the kernel does not show is none of the child's.
            if memory.read_exact_at(&mut bytes, start).is_ok() {
                all.append(&mut bytes);
            }
        }
    }
    all
}

#[test]
fn a_childs_memory_is_had_in_either_way() {
    // `sleep` keeps its arguments on its stack.
    let mut child = Command::new("sleep").arg("31.41592653").spawn().unwrap();
    let holds = |bytes: &[u8]| bytes.windows(11).any(|bytes| bytes == b"31.41592653");
    while !fs::read(format!("/proc/{}/cmdline", child.id())).is_ok_and(|line| holds(&line)) {
        std::thread::yield_now();
    }
    let (read, dumped) = (by_proc(child.id()), of(child.id(), "sleep"));
    child.kill().and_then(|()| child.wait()).unwrap();
    assert!(holds(&read) && holds(&dumped));
}
