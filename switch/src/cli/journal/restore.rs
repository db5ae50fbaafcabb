//! `cardswitch journal restore`: a new data folder from an archive, a backup, or both.

use std::{io::Write, path::PathBuf};

use serde::Serialize;

use crate::{
    audit::utc,
    cli::{Failure, progress::Progress, source::print},
    hex,
    journal::{Seq, Until},
    restore::{Wanted, restore},
};

/// Arguments of `journal restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch journal restore --from /mnt/backup --to /var/lib/cardswitch-restored\n  cardswitch \
                  journal restore --from /var/lib/cardswitch/archive --from /mnt/backup --to restored --until-time \
                  2026-11-21T18:00:00+08:00\n\nThe state's hash is that of `ledger verify` at the same record. Nothing is \
                  overwritten, and the folder has its name only once it is whole. Make sure that the old switch is stopped, \
                  and stays so, before the restored one serves."
)]
pub(super) struct Args {
    /// Folders of segments: a backup, an archive; checkpoints beside them are used
    #[arg(long, value_name = "DIR", required = true)]
    from: Vec<PathBuf>,
    /// The new data folder; it must not be there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The last record to restore
    #[arg(long, value_name = "RECORD", conflicts_with = "until_time")]
    until: Option<Seq>,
    /// Restore what was recorded up to this time, such as 2026-11-21T18:00:00+08:00
    #[arg(long, value_name = "TIME")]
    until_time: Option<jiff::Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Made {
    last: Seq,
    time: String,
    state_hash: String,
    head: String,
    replayed_from: Seq,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let until = match (args.until, args.until_time) {
        (Some(record), _) => Until::Record(record),
        (None, Some(time)) => Until::Time(time.as_millisecond()),
        (None, None) => Until::End,
    };
    let mut progress = Progress::new("records");
    let wanted = Wanted { from: &args.from, to: &args.to, until };
    let restored = restore(wanted, &mut progress.callback()).map_err(|error| Failure::of(&error))?;
    drop(progress);
    let made = Made {
        last: restored.seq,
        time: utc(restored.time_ms),
        state_hash: hex::digits(&restored.state_hash),
        head: hex::digits(&restored.chain_hash),
        replayed_from: restored.replayed_from,
    };
    print(args.json, &made, out, |made, out| {
        writeln!(out, "restored up to record {} of {} in {}", made.last, made.time, args.to.display())?;
        let from = match made.replayed_from {
            0 => "every record was replayed".to_owned(),
            seq => format!("from the checkpoint at record {seq} on"),
        };
        writeln!(out, "  state {} ({from})\n  chain {}", made.state_hash, made.head)?;
        writeln!(
            out,
            "if the old switch answered anything behind that record, begin a new epoch before this one serves: cardswitch order epoch"
        )
    })
}
