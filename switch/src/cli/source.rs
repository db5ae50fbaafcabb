//! Where a command looks: a stopped switch's folder, or a running switch through its admin port; and how it prints
//! what it found.

use std::{io::Write, path::PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use serde::{Serialize, de::DeserializeOwned};

use super::{Failure, progress::Progress};
use crate::{
    audit::{self, AuditError, ENTRIES_MAX, Entry, StoppedFolder},
    books::Books,
    journal::Seq,
};

/// The longest answer taken from an admin port, bytes: the files of a day with some million rows.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// Where to look.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// A stopped switch's data folder; it is copied, not changed
    #[arg(long)]
    data: Option<PathBuf>,
    /// A running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long)]
    admin: Option<String>,
}

/// Where a stopped folder's archive is.
#[derive(Debug, clap::Args)]
pub(super) struct ArchiveAt {
    /// The stopped switch's archive (journal.archive), if it is not the folder archive in its data folder
    #[arg(long, value_name = "DIR")]
    pub(super) archive: Option<PathBuf>,
}

/// Where to look, and how to print.
#[derive(Debug, clap::Args)]
pub(super) struct From {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    archive: ArchiveAt,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Why a running switch's answer could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {problem}")]
struct AdminError {
    url: String,
    problem: String,
}

impl From {
    /// The stopped folder, opened as a copy; nothing if a running switch is to be asked.
    pub(super) fn folder(&self) -> Result<Option<StoppedFolder>, Failure> {
        let Some(data) = &self.source.data else { return Ok(None) };
        let archive = self.archive.archive.as_deref();
        audit(StoppedFolder::open(data, archive, &mut Progress::new("records").callback())).map(Some)
    }

    /// Looks at the books of a stopped folder, or asks a running switch's page that shows the same.
    pub(super) fn look<T: DeserializeOwned>(
        &self,
        look: impl FnOnce(&Books) -> T,
        path: &str,
    ) -> Result<T, Failure> {
        match self.folder()? {
            Some(folder) => {
                let mut progress = Progress::new("records");
                Ok(look(&audit(folder.books(&mut progress.callback()))?))
            }
            None => self.ask(path),
        }
    }

    /// Records in words: so many from `first` on, or the last.
    pub(super) fn entries(&self, first: Option<Seq>, count: u64) -> Result<Vec<Entry>, Failure> {
        match self.folder()? {
            Some(folder) => {
                let count = usize::try_from(count).unwrap_or(ENTRIES_MAX);
                let events = audit(audit::read_events(folder.reader().as_ref(), first, count))?;
                Ok(audit::entries(&audit(folder.books(&mut |_| ()))?, &events))
            }
            None => {
                let first = first.map_or_else(String::new, |first| format!("&from={first}"));
                self.ask(&format!("/ledger/entries?count={count}{first}"))
            }
        }
    }

    /// Whether JSON is asked for.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Asks a running switch.
    pub(super) fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        ask(self.source.admin.as_deref().unwrap_or_default(), path)
    }

    /// Prints what was found, as JSON or by `table`.
    pub(super) fn print<T: Serialize>(
        &self,
        found: &T,
        out: &mut dyn Write,
        table: impl Fn(&T, &mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        print(self.json, found, out, table)
    }
}

/// What an audit found, or why it failed.
pub(super) fn audit<T>(result: Result<T, AuditError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::of(&error))
}

/// Asks the admin port at `base` for a page.
pub(super) fn ask<T: DeserializeOwned>(base: &str, path: &str) -> Result<T, Failure> {
    exchange(base, path, |agent, url| agent.get(url).call())
}

/// Sends something to the admin port at `base`.
pub(super) fn send<S: Serialize, T: DeserializeOwned>(
    base: &str,
    path: &str,
    what: &S,
) -> Result<T, Failure> {
    exchange(base, path, |agent, url| agent.post(url).send_json(what))
}

/// Sends bytes to the admin port at `base`.
pub(super) fn send_bytes<T: DeserializeOwned>(base: &str, path: &str, bytes: &[u8]) -> Result<T, Failure> {
    exchange(base, path, |agent, url| agent.post(url).send(bytes))
}

/// Gives the admin port at `base` an order.
pub(super) fn order<T: DeserializeOwned>(base: &str, path: &str) -> Result<T, Failure> {
    exchange(base, path, |agent, url| agent.post(url).send_json(serde_json::json!({})))
}

/// Fetches bytes from the admin port at `base`.
pub(super) fn fetch(base: &str, path: &str) -> Result<Vec<u8>, Failure> {
    answer(
        base,
        path,
        |agent, url| agent.get(url).call(),
        |mut body| body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec(),
    )
}

fn exchange<T: DeserializeOwned>(
    base: &str,
    path: &str,
    send: impl FnOnce(&ureq::Agent, &str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<T, Failure> {
    answer(base, path, send, |mut body| body.with_config().limit(ANSWER_BYTES_MAX).read_json())
}

fn answer<T>(
    base: &str,
    path: &str,
    send: impl FnOnce(&ureq::Agent, &str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    read: impl FnOnce(ureq::Body) -> Result<T, ureq::Error>,
) -> Result<T, Failure> {
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let failed = |problem: String| Failure::of(&AdminError { url: url.clone(), problem });
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = send(&agent, &url).map_err(|error| failed(error.to_string()))?;
    let status = answer.status();
    if !status.is_success() {
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        // A page that is not there says nothing; it is then a switch of another version, or no switch.
        let text = if text.trim().is_empty() { format!("answered {status}") } else { text };
        return Err(failed(text.trim_end().to_owned()));
    }
    read(answer.into_body()).map_err(|error| failed(error.to_string()))
}

/// Prints as JSON or by `table`.
pub(super) fn print<T: Serialize>(
    json: bool,
    found: &T,
    out: &mut dyn Write,
    table: impl Fn(&T, &mut dyn Write) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let printed = if json {
        serde_json::to_writer_pretty(&mut *out, found).map_err(Into::into).and_then(|()| writeln!(out))
    } else {
        table(found, out)
    };
    printed.map_err(|error| Failure::of(&error))
}

/// An empty table in the commands' style.
pub(super) fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}

/// Aligns columns of numbers.
pub(super) fn right_align(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
