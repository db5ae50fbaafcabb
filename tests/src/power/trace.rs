//! What strace writes of a process, read back as calls on files.
//!
//! strace runs with `-f -xx -s` of everything, so each byte that went to a file is there. A call has two moments, by line:
//! where it began and where it returned; between the two another thread's calls may stand. Only successful calls that
//! change a file, a name or a descriptor are kept, and syncs.
//!
//! Left out: which bytes reached the disk (`disk`). Start at [`read`].

use std::{collections::HashMap, io::BufRead, path::PathBuf};

/// The calls that are traced. A call that changes files and is none of them would be missed; the comparison with the real
/// folder behind every run (`disk`) would show it.
pub(super) const CALLS: &str = "trace=openat,creat,open,close,dup,dup2,dup3,fcntl,lseek,write,writev,pwrite64,pwritev,pwritev2,fsync,\
     fdatasync,ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,\
     copy_file_range,sendfile";

/// A file descriptor of the traced process.
pub(super) type Descriptor = u64;

/// A place in the trace: the number of a line.
pub(super) type Moment = usize;

/// What a call did.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Open {
        path: PathBuf,
        creates: bool,
        truncates: bool,
        appends: bool,
        fd: Descriptor,
    },
    Close {
        fd: Descriptor,
    },
    Duplicate {
        of: Descriptor,
        fd: Descriptor,
    },
    Seek {
        fd: Descriptor,
        to: u64,
    },
    /// At the descriptor's place if there is no offset.
    Write {
        fd: Descriptor,
        offset: Option<u64>,
        bytes: Vec<u8>,
    },
    SetLength {
        fd: Descriptor,
        len: u64,
    },
    Sync {
        fd: Descriptor,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    MakeFolder {
        path: PathBuf,
    },
}

/// A call and its moments.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) action: Action,
    pub(super) begun: Moment,
    /// `None` if the process ended inside it: it may have happened, in part, or not.
    pub(super) returned: Option<Moment>,
}

/// A trace.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// In the order in which they began.
    pub(super) calls: Vec<Call>,
    /// The number of lines.
    pub(super) end: Moment,
}

/// A call that has begun: its name, its arguments as text, and where it stands among the calls.
struct Begun {
    name: String,
    arguments: Vec<u8>,
    at: Moment,
}

/// Reads a trace to its end.
///
/// # Panics
/// A call is not understood: what it did would be missing.
pub(super) fn read(mut from: impl BufRead) -> Trace {
    let mut trace = Trace::default();
    let mut under_way: HashMap<u64, Begun> = HashMap::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).expect("the trace is readable") > 0 {
        trace.end += 1;
        let (thread, text) = split_thread(line.trim_ascii_end());
        if let Some(rest) = text.strip_prefix(b"<... ") {
            if let Some(begun) = under_way.remove(&thread) {
                trace.take(begun, result_of(rest), true);
            }
        } else if let Some(begun) = begin(text, trace.end) {
            match text.strip_suffix(b" <unfinished ...>") {
                Some(_) => _ = under_way.insert(thread, begun),
                None => trace.take(begun, result_of(text), true),
            }
        }
        line.clear();
    }
    for begun in under_way.into_values() {
        trace.take(begun, None, false);
    }
    trace.calls.sort_by_key(|call| call.begun);
    trace
}

impl Trace {
    /// As of a program that syncs nothing.
    pub(super) fn forget_syncs(&mut self) {
        self.calls.retain(|call| !matches!(call.action, Action::Sync { .. }));
    }

    /// Adds a call; `result` is what it returned, `None` if that is unknown or an error.
    fn take(&mut self, begun: Begun, result: Option<u64>, has_returned: bool) {
        if has_returned && result.is_none() {
            return;
        }
        let returned = has_returned.then_some(self.end);
        if let Some(action) = understood(&begun, result) {
            self.calls.push(Call { action, begun: begun.at, returned });
        }
    }
}

fn split_thread(line: &[u8]) -> (u64, &[u8]) {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (number(&line[..digits]), line[digits..].trim_ascii_start())
}

/// The call that a line begins; `None` if it tells of a signal or of the end.
fn begin(text: &[u8], at: Moment) -> Option<Begun> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let name = std::str::from_utf8(&text[..open]).ok()?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let inside = text.strip_suffix(b" <unfinished ...>").unwrap_or(text);
    is_name.then(|| Begun { name: name.to_owned(), arguments: inside[open + 1..].to_vec(), at })
}

/// The number behind the last ` = `; `None` for an error or `?`.
fn result_of(text: &[u8]) -> Option<u64> {
    let at = text.windows(3).rposition(|three| three == b" = ")?;
    let digits = text[at + 3..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then(|| number(&text[at + 3..at + 3 + digits]))
}

/// The arguments of a call, one after the other.
struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    /// The next as text, to the comma.
    fn word(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| matches!(byte, b',' | b')')).unwrap_or(self.0.len());
        let word = &self.0[..end];
        self.0 = self.0[(end + 1).min(self.0.len())..].trim_ascii_start();
        word
    }

    fn number(&mut self) -> u64 {
        number(self.word())
    }

    /// The next, a string in hexadecimal: `"\x41\x42"`.
    fn string(&mut self) -> Vec<u8> {
        let inside = self.0.strip_prefix(b"\"").expect("a string");
        let end = inside.iter().position(|byte| *byte == b'"').expect("a string ends");
        let bytes = inside[..end].chunks_exact(4).map(|four| digit(four[2]) << 4 | digit(four[3])).collect();
        assert!(!inside[end + 1..].starts_with(b"..."), "strace cut a string off");
        self.0 = inside[end + 1..].trim_ascii_start();
        self.0 = self.0.strip_prefix(b",").unwrap_or(self.0).trim_ascii_start();
        bytes
    }

    fn path(&mut self) -> PathBuf {
        PathBuf::from(String::from_utf8(self.string()).expect("paths of tests are UTF-8"))
    }

    /// A path behind its folder, which must be the current one: paths are absolute here.
    fn path_at(&mut self) -> PathBuf {
        let folder = self.word();
        let path = self.path();
        assert!(folder == b"AT_FDCWD" || path.is_absolute(), "a path relative to a descriptor");
        path
    }
}

fn digit(of: u8) -> u8 {
    match of {
        b'0'..=b'9' => of - b'0',
        _ => of - b'a' + 10,
    }
}

fn number(text: &[u8]) -> u64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn understood(begun: &Begun, result: Option<u64>) -> Option<Action> {
    let mut given = Arguments(&begun.arguments);
    Some(match begun.name.as_str() {
        "openat" => {
            let path = given.path_at();
            let flags = given.word();
            let has = |flag: &[u8]| flags.split(|byte| *byte == b'|').any(|one| one == flag);
            let (creates, truncates, appends) = (has(b"O_CREAT"), has(b"O_TRUNC"), has(b"O_APPEND"));
            Action::Open { path, creates, truncates, appends, fd: result? }
        }
        "close" => Action::Close { fd: given.number() },
        "dup" | "dup2" | "dup3" => Action::Duplicate { of: given.number(), fd: result? },
        "fcntl" => {
            let of = given.number();
            given.word().starts_with(b"F_DUPFD").then_some(Action::Duplicate { of, fd: result? })?
        }
        "lseek" => Action::Seek { fd: given.number(), to: result? },
        "write" | "pwrite64" => {
            let (fd, mut bytes) = (given.number(), given.string());
            let _length = given.number();
            let offset = (begun.name == "pwrite64").then(|| given.number());
            // A call that was cut off may have written all of it; the folder tells (`disk`).
            bytes.truncate(result.map_or(usize::MAX, |written| usize::try_from(written).expect("a length")));
            Action::Write { fd, offset, bytes }
        }
        "fsync" | "fdatasync" => result.map(|_| Action::Sync { fd: given.number() })?,
        "ftruncate" => Action::SetLength { fd: given.number(), len: given.number() },
        "rename" => Action::Rename { from: given.path(), to: given.path() },
        "renameat" | "renameat2" => Action::Rename { from: given.path_at(), to: given.path_at() },
        "unlink" | "rmdir" => Action::Remove { path: given.path() },
        "unlinkat" => Action::Remove { path: given.path_at() },
        "mkdir" => Action::MakeFolder { path: given.path() },
        "mkdirat" => Action::MakeFolder { path: given.path_at() },
        other => panic!("the traced program calls {other}, whose effect on files is not known here"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_two_threads_are_told_apart_and_keep_their_moments() {
        let text = b"7 openat(AT_FDCWD, \"\\x2f\\x61\", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 3\n\
            7 pwrite64(3, \"\\x00\\x41\\xff\", 3, 16 <unfinished ...>\n\
            8 fdatasync(3 <unfinished ...>\n\
            7 <... pwrite64 resumed>)           = 2\n\
            8 <... fdatasync resumed>)          = 0\n\
            8 --- SIGCHLD {si_signo=SIGCHLD} ---\n\
            8 fdatasync(3) = -1 EIO (Input/output error) (INJECTED)\n\
            7 rename(\"\\x61\", \"\\x62\" <unfinished ...>\n\
            7 +++ killed by SIGKILL +++\n";
        let trace = read(&text[..]);
        let moments: Vec<_> = trace.calls.iter().map(|call| (call.begun, call.returned)).collect();
        assert_eq!(moments, [(1, Some(1)), (2, Some(4)), (3, Some(5)), (8, None)]);
        let Action::Open { path, creates: true, truncates: false, fd: 3, .. } = &trace.calls[0].action else {
            panic!("{:?}", trace.calls[0]);
        };
        assert_eq!(path, &PathBuf::from("/a"));
        let Action::Write { fd: 3, offset: Some(16), bytes } = &trace.calls[1].action else {
            panic!("{:?}", trace.calls[1]);
        };
        assert_eq!(bytes, &[0, 0x41], "as much as was written");
        assert!(matches!(trace.calls[3].action, Action::Rename { .. }), "it may have happened");
        assert_eq!(trace.end, 9);
    }

    #[test]
    #[should_panic(expected = "linkat")]
    fn a_call_that_is_not_understood_is_not_passed_over() {
        let _trace = read(&b"7 linkat(AT_FDCWD, \"\\x61\", AT_FDCWD, \"\\x62\", 0) = 0\n"[..]);
    }
}
