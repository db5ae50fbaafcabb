//! The memory of a running process: a core dump of it, and what each part of it is called.
//!
//! The dump is gcore's: everything that the process has written, and the registers of its threads. Where there is no
//! gcore, or it is not let, the same ranges are read out of `/proc` while the process stands still. Start at
//! [`Memory::of`].

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    process::{Command, Stdio},
};

/// What was in a process's memory.
pub struct Memory {
    /// How it was had.
    pub taken: &'static str,
    /// Its parts, and what they are.
    pub parts: Vec<Part>,
}

/// A range of memory.
pub struct Part {
    /// Address of its first byte; 0 for registers.
    pub address: u64,
    /// What it is: `[heap]`, `stack of io`, a file, `registers`.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({} parts by {})", self.parts.len(), self.taken)
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes at {:#x})", self.name, self.bytes.len(), self.address)
    }
}

impl Memory {
    /// That of a running process, which goes on afterwards. The dump is made in `scratch`, and removed unless it is to be
    /// kept.
    ///
    /// # Panics
    /// The process's memory can be had in neither way.
    #[must_use]
    pub fn of(process: u32, scratch: &Path, keep: bool) -> Self {
        let regions = regions(process);
        match by_gcore(process, scratch, keep, &regions) {
            Some(parts) => Self { taken: "gcore", parts },
            None => Self { taken: "/proc/PID/mem", parts: by_proc(process, &regions) },
        }
    }

    /// How many bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }
}

/// A line of `/proc/PID/maps`.
struct Region {
    range: Range<u64>,
    written: bool,
    name: String,
}

fn regions(process: u32) -> Vec<Region> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("the process runs");
    let mut regions: Vec<Region> = maps.lines().filter_map(region).collect();
    for (thread, pointer) in stack_pointers(process) {
        if let Some(region) = regions.iter_mut().find(|region| region.range.contains(&pointer)) {
            region.name = format!("stack of {thread}");
        }
    }
    regions
}

fn region(line: &str) -> Option<Region> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let range = number(start)?..number(end)?;
    let written = words.next()?.starts_with("rw");
    let path = words.nth(3).unwrap_or_default();
    let file = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
    // The allocator gives threads heaps of their own, at multiples of 64 MiB.
    let name = match file {
        Some(name) if path.starts_with('/') => name,
        _ if !path.is_empty() => path.to_owned(),
        _ if range.start % (64 << 20) == 0 => "heap of a thread".to_owned(),
        _ => "anonymous".to_owned(),
    };
    Some(Region { range, written, name })
}

/// Where the stack of each thread that waits for something ends now.
fn stack_pointers(process: u32) -> Vec<(String, u64)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let tasks = tasks.filter_map(|task| Some(task.ok()?.path()));
    tasks
        .filter_map(|task| {
            let name = fs::read_to_string(task.join("comm")).ok()?.trim_end().to_owned();
            let call = fs::read_to_string(task.join("syscall")).ok()?;
            let pointer = call.split_whitespace().rev().nth(1)?.strip_prefix("0x")?;
            Some((name, u64::from_str_radix(pointer, 16).ok()?))
        })
        .collect()
}

/// What is at an address.
fn name_at(regions: &[Region], address: u64) -> String {
    let region = regions.iter().find(|region| region.range.contains(&address));
    region.map_or_else(|| "unknown".to_owned(), |region| region.name.clone())
}

fn by_gcore(process: u32, scratch: &Path, keep: bool, regions: &[Region]) -> Option<Vec<Part>> {
    let prefix = scratch.join("core");
    let dumped = Command::new("gcore")
        .arg("-o")
        .arg(&prefix)
        .arg(process.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let path = scratch.join(format!("core.{process}"));
    let parts = dumped.ok().filter(std::process::ExitStatus::success).and_then(|_| segments(&path, regions));
    if !keep {
        // There may be none.
        let _removed = fs::remove_file(path);
    }
    parts
}

/// The segments of a core file (ELF, 64 bits, little-endian): memory, and notes, which hold the registers.
fn segments(path: &Path, regions: &[Region]) -> Option<Vec<Part>> {
    const LOAD: u64 = 1;
    const NOTE: u64 = 4;
    let mut file = File::open(path).ok()?;
    let mut header = [0; 64];
    file.read_exact(&mut header).ok()?;
    if !header.starts_with(b"\x7FELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (number(&header, 32, 8), number(&header, 54, 2), number(&header, 56, 2));
    let mut parts = Vec::new();
    for entry in 0..count {
        let mut row = [0; 56];
        file.read_exact_at(&mut row, table + entry * size).ok()?;
        let kind = number(&row, 0, 4);
        let (offset, address, length) = (number(&row, 8, 8), number(&row, 16, 8), number(&row, 32, 8));
        // What the process cannot write it has not written: that is the program itself, with its sample city.
        let fixed =
            kind == LOAD && regions.iter().any(|region| region.range.contains(&address) && !region.written);
        if !matches!(kind, LOAD | NOTE) || length == 0 || fixed {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        let name = if kind == NOTE { "registers".to_owned() } else { name_at(regions, address) };
        parts.push(Part { address, name, bytes });
    }
    Some(parts)
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn by_proc(process: u32, regions: &[Region]) -> Vec<Part> {
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &process.to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the command kill");
    };
    signal("-STOP");
    let memory = File::open(format!("/proc/{process}/mem")).expect("leave to read the process's memory");
    let parts = regions.iter().filter(|region| region.written).filter_map(|region| {
        let mut bytes = vec![0; usize::try_from(region.range.end - region.range.start).ok()?];
        memory.read_exact_at(&mut bytes, region.range.start).ok()?;
        Some(Part { address: region.range.start, name: region.name.clone(), bytes })
    });
    let parts = parts.collect();
    signal("-CONT");
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_says_what_is_where() {
        let rows = [
            ("5581c0000000-5581c0021000 rw-p 00000000 00:00 0    [heap]", "[heap]", true),
            ("7f0a01000000-7f0a01100000 rw-p 00000000 00:00 0", "anonymous", true),
            ("7f0a04000000-7f0a04100000 rw-p 00000000 00:00 0", "heap of a thread", true),
            ("7f0a05000000-7f0a05100000 r--p 00001000 08:01 77   /usr/lib/libc.so.6", "libc.so.6", false),
        ];
        for (line, name, written) in rows {
            let region = region(line).expect("a line of a map");
            assert_eq!((region.name.as_str(), region.written), (name, written), "{line}");
        }
        assert!(region("nonsense").is_none());
    }

    #[test]
    fn what_a_process_holds_is_in_its_memory_by_either_way() {
        // `sleep` keeps its arguments on its stack.
        let mut child = Command::new("sleep").arg("31.41592653").spawn().expect("the command sleep");
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let holds = |parts: &[Part]| {
            let found = |part: &Part| part.bytes.windows(11).any(|bytes| bytes == b"31.41592653");
            parts.iter().any(|part| part.name == "stack of sleep" && found(part))
        };
        std::thread::sleep(std::time::Duration::from_millis(100));
        let read = by_proc(child.id(), &regions(child.id()));
        let dumped = Memory::of(child.id(), scratch.path(), false);
        child.kill().and_then(|()| child.wait()).expect("a child");
        assert!(holds(&read), "{read:?}");
        assert!(dumped.parts.iter().any(|part| part.bytes.windows(11).any(|bytes| bytes == b"31.41592653")));
    }
}
