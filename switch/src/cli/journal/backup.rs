//! `cardswitch journal backup`: a running switch's journal, copied to a folder while it serves.

use std::{io::Write, path::PathBuf, time::Duration};

use super::unprinted;
use crate::{
    audit::utc,
    cli::{
        Failure,
        progress::Progress,
        source::{ask, fetch},
    },
    console::journal::{Ends, split},
    hex,
    journal::{Backup, Seq},
};

/// Arguments of `journal backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch journal backup --admin http://127.0.0.1:18580 --to /mnt/backup\n  cardswitch journal \
                  backup --admin http://127.0.0.1:18580 --to /mnt/backup --follow --every-s 10\n\nThe second time it goes on \
                  where the folder ends. Every extent is verified before it is written, and read back. The switch answers \
                  callers on its own machine only: from elsewhere, come through a tunnel."
)]
pub(super) struct Args {
    /// The running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long)]
    admin: String,
    /// The folder of the backup; made if it is not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Go on with what comes, until interrupted
    #[arg(long)]
    follow: bool,
    /// With --follow: seconds between two copies; as much can be missing from the backup
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every_s: u64,
}

/// Why the journal cannot be backed up to this folder.
#[derive(Debug, thiserror::Error)]
enum BackupError {
    #[error(
        "the folder ends at record {end} and the switch has records from {first} on only: those between are gone from its \
         archive; begin a new folder, and keep this one"
    )]
    Gap { end: Seq, first: Seq },
    #[error(
        "the folder ends at record {end}, and the switch's journal at {last}: it has been set back, or is another; begin a new \
         folder, and keep this one"
    )]
    Ahead { end: Seq, last: Seq },
    #[error(
        "the switch's journal has another hash at record {0} than the folder: it is another journal; begin a new folder"
    )]
    Other(Seq),
    #[error("the switch's answer cannot be read; ask a switch of this version")]
    Torn,
}

fn refused(error: &BackupError) -> Failure {
    Failure::of(error)
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let mut backup = Backup::open(&args.to, &mut Progress::new("records verified").callback())?;
    loop {
        let before = backup.end().seq;
        let ends: Ends = ask(&args.admin, "/journal/ends")?;
        copy(&args.admin, &mut backup, &ends)?;
        let checkpoint = copy_checkpoint(&args.admin, &backup, &ends)?;
        if !args.follow || backup.end().seq > before {
            let end = backup.end();
            let records = end.seq - before.min(end.seq);
            let checkpoint = checkpoint.map_or_else(String::new, |seq| format!(", checkpoint {seq}"));
            writeln!(
                out,
                "{records} records copied, up to {} of {}{checkpoint}\n  chain {}",
                end.seq,
                utc(end.time_ms),
                hex::digits(&end.hash)
            )
            .and_then(|()| out.flush())
            .map_err(unprinted)?;
        }
        if !args.follow {
            return Ok(());
        }
        pause(Duration::from_secs(args.every_s));
    }
}

/// Copies extents up to where the journal ended when it was asked.
fn copy(admin: &str, backup: &mut Backup, ends: &Ends) -> Result<(), Failure> {
    let end = backup.end();
    if end.seq > ends.last {
        return Err(refused(&BackupError::Ahead { end: end.seq, last: ends.last }));
    }
    if end.seq == ends.last && end.seq > 0 && hex::digits(&end.hash) != ends.hash {
        return Err(refused(&BackupError::Other(end.seq)));
    }
    if end.seq > 0 && end.seq + 1 < ends.first {
        return Err(refused(&BackupError::Gap { end: end.seq, first: ends.first }));
    }
    let mut progress = Progress::of(ends.last, "records");
    let mut heard = progress.callback();
    while backup.end().seq < ends.last {
        let next = (backup.end().seq + 1).max(ends.first);
        let piece = fetch(admin, &format!("/journal/extents?from={next}"))?;
        let extents = split(&piece).filter(|extents| !extents.is_empty());
        for extent in extents.ok_or_else(|| refused(&BackupError::Torn))? {
            backup.put(extent)?;
        }
        heard(backup.end().seq);
    }
    Ok(backup.finish()?)
}

/// Brings the newest checkpoint, if the folder has the records up to it. One that is replaced meanwhile is left for the next
/// time: a backup without one only takes longer to restore.
fn copy_checkpoint(admin: &str, backup: &Backup, ends: &Ends) -> Result<Option<Seq>, Failure> {
    let Some(seq) = ends.checkpoint.filter(|seq| *seq <= backup.end().seq) else { return Ok(None) };
    if backup.has_checkpoint(seq)? {
        return Ok(Some(seq));
    }
    let piece = |offset| fetch(admin, &format!("/journal/checkpoints/{seq}?offset={offset}"));
    match backup.take_checkpoint::<Failure>(seq, piece) {
        Ok(()) => Ok(Some(seq)),
        Err(failure) => {
            tracing::warn!(seq, problem = failure.message, "no checkpoint could be copied");
            Ok(None)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a command that waits for somebody else's work")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
