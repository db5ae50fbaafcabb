//! `cardswitch order`: what two officers sign. One makes the order and signs it, the other reads it and signs it too, and then
//! anyone may have it carried out.

mod alert;
mod list;
mod operate;
mod rules;
mod terms;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{
    Failure,
    progress::Progress,
    source::{ask, print, send},
};
use crate::{
    app::system_entropy,
    books::{
        decide::operations::Operation,
        order::{JournalPlace, SIGNATURES_MAX, SignedOrder, What},
    },
    city::City,
    clock::Clock,
    config::Config,
    console::{CarriedOut, HeadView, Parties},
    epoch, genesis, hex,
    journal::Seq,
    keys::CheckValue,
    lists::beside,
    orders::{
        OfficerKey, Officers, VALID_H,
        file::{self, OrderText, WhatText},
    },
};

/// Arguments of `order`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example, to go on from the last record that is whole when the journal is damaged:\n  cardswitch order officer \
                  --name alice --out alice.officer      (once; so does bob)\n  cardswitch order epoch --data data --why \"disk \
                  failed\" --officer alice.officer --out epoch.order\n  cardswitch order sign epoch.order --officer \
                  bob.officer\n  cardswitch order carry-out epoch.order --config cardswitch.toml\n\nWhat an order is and who \
                  signs it: docs/operations.md, \"Orders\"."
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Draw an officer's key and print the entry for the file of officers
    #[command(
        after_help = "Example:\n  cardswitch order officer --name alice --out alice.officer >> officers.toml"
    )]
    Officer {
        /// The officer's name: letters, digits, hyphens and underscores
        #[arg(long)]
        name: String,
        /// The officer's key file, which must not be there
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// An analyst, whose signature counts for alerts alone
        #[arg(long)]
        analyst: bool,
        /// A teller, whose signature counts for the limits of cardholders alone
        #[arg(long, conflicts_with = "analyst")]
        teller: bool,
    },
    /// Order a new epoch: the journal goes on from an earlier record
    Epoch(Epoch),
    /// Order something for a card: a deposit, a replacement, a transfer, wrong PINs forgotten
    Card(operate::Args),
    /// Order that a fee schedule comes into force, in place of the one before
    #[command(
        after_help = "Example:\n  cardswitch order fees --city city --admin http://127.0.0.1:18580 --why \"terms of \
                            2027\" --officer alice.officer --out fees.order\n\nThe schedule is the city's fees.toml. Its \
                            products and merchants must be those of the running switch."
    )]
    Fees {
        /// The city's folder
        #[arg(long, value_name = "DIR")]
        city: PathBuf,
        /// A running switch's admin port, such as http://127.0.0.1:18580
        #[arg(long, value_name = "URL")]
        admin: String,
        #[command(flatten)]
        made: Made,
    },
    /// Order that a chart of accounts comes into force, in place of the one before
    #[command(
        after_help = "Example:\n  cardswitch order chart --city city --admin http://127.0.0.1:18580 --why \"operator's \
                            share\" --officer alice.officer --out chart.order\n\nThe chart is the city's chart.toml. Its \
                            products and merchants must be those of the running switch."
    )]
    Chart {
        /// The city's folder
        #[arg(long, value_name = "DIR")]
        city: PathBuf,
        /// A running switch's admin port, such as http://127.0.0.1:18580
        #[arg(long, value_name = "URL")]
        admin: String,
        #[command(flatten)]
        made: Made,
    },
    /// Order that a set of rules comes into force, in place of the one before
    #[command(
        after_help = "Example:\n  cardswitch order rules cards.toml cash.toml --admin http://127.0.0.1:18580 --why \"night cash, tried since October\" --officer \
                            alice.officer --out rules.order\n\nThe files are those that `cardswitch rules check` finds good; \
                            docs/rules.md describes them. Whoever makes the order is their author, whoever signs it approves \
                            them."
    )]
    Rules {
        /// The files of the set
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        made: Made,
    },
    /// Order a change of a list by name: entries that come on it or go, from a file or one by one
    List(Box<list::Args>),
    /// Read an order, and sign it
    #[command(after_help = "Example:\n  cardswitch order sign epoch.order --officer bob.officer")]
    Sign {
        /// The order
        file: PathBuf,
        /// The key file of the officer who signs
        #[arg(long, value_name = "FILE")]
        officer: PathBuf,
    },
    /// Show an order, and whether its signatures count
    #[command(after_help = "Example:\n  cardswitch order show epoch.order --officers officers.toml")]
    Show {
        /// The order
        file: PathBuf,
        /// The file of officers
        #[arg(long, value_name = "FILE")]
        officers: Option<PathBuf>,
        /// Print JSON instead
        #[arg(long)]
        json: bool,
    },
    /// Carry out an order that two officers have signed
    CarryOut(CarryOut),
}

/// Arguments of `order epoch`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch order epoch --data data --why \"disk failed\" --officer alice.officer --out \
                  epoch.order\n  cardswitch order epoch --data data --keeps 48120 --why \"restored from Tuesday's backup\" \
                  --officer alice.officer --out epoch.order\n\nThe data folder is only read. What is cut off is kept \
                  beside the journal."
)]
struct Epoch {
    /// The data folder of a stopped switch
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Its archive, where journal.archive names another folder
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// The last record to keep; without it, the last one that is whole
    #[arg(long, value_name = "RECORD")]
    keeps: Option<Seq>,
    #[command(flatten)]
    made: Made,
}

/// By whom an order is made, why, and for how long.
#[derive(Debug, clap::Args)]
pub(super) struct Made {
    /// Why; the journal keeps it for ever
    #[arg(long)]
    why: String,
    /// The key file of the officer who makes the order
    #[arg(long, value_name = "FILE")]
    officer: PathBuf,
    /// Hours in which it may be carried out
    #[arg(long, value_name = "HOURS", default_value_t = VALID_H, value_parser = clap::value_parser!(u16).range(1..=168))]
    valid_h: u16,
    /// The file of the order
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Made {
    pub(super) fn new(why: &str, officer: &Path, out: &Path) -> Self {
        let (officer, out) = (officer.to_owned(), out.to_owned());
        Self { why: why.to_owned(), officer, valid_h: VALID_H, out }
    }
}

/// Which journal it is for. An order is good in that one alone.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// The admin port of the running switch that it is for, such as http://127.0.0.1:18580
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// A record of the journal that it is for and the chain's hash there, from its log or from /journal/head, if that port
    /// cannot be reached from here
    #[arg(long, value_name = "RECORD:HASH", value_parser = place)]
    at: Option<JournalPlace>,
}

impl Of {
    fn place(&self) -> Result<JournalPlace, Failure> {
        match &self.at {
            Some(place) => Ok(*place),
            None => head_of(self.admin.as_deref().unwrap_or_default()),
        }
    }
}

/// A place of a journal as `RECORD:HASH`.
fn place(text: &str) -> Result<JournalPlace, &'static str> {
    let (record, hash) = text.split_once(':').ok_or(PLACE)?;
    Ok(JournalPlace { record: record.parse().map_err(|_| PLACE)?, hash: hex::bytes(hash).ok_or(PLACE)? })
}

const PLACE: &str = "it must be a record, a colon, and the 64 hex digits of the chain's hash there";

/// Arguments of `order carry-out`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch order carry-out epoch.order --config cardswitch.toml\n  cardswitch order carry-out \
                  tries.order --admin http://127.0.0.1:18580\n\nAn epoch begins in the folder of a stopped switch; \
                  everything else is done by a running one, once."
)]
struct CarryOut {
    /// The order
    file: PathBuf,
    #[command(flatten)]
    at: At,
    /// The data folder, instead of the configured one
    #[arg(long, value_name = "DIR", conflicts_with = "admin")]
    data: Option<PathBuf>,
}

/// Who carries it out.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct At {
    /// A stopped switch's configuration: whose orders count, and where its data folder is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.action {
        Action::Officer { name, out: path, analyst, teller } => {
            let key =
                OfficerKey::draw(path, name, &mut system_entropy).map_err(|error| Failure::usage(&error))?;
            let public = hex::digits(&key.public());
            let role = match (analyst, teller) {
                (true, _) => "analyst = true\n",
                (_, true) => "teller = true\n",
                _ => "",
            };
            tell(out, format_args!("[[officer]]\nname = \"{}\"\nkey = \"{public}\"\n{role}", key.name()))
        }
        Action::Epoch(args) => {
            let mut progress = Progress::new("records");
            let folder = epoch::Folder { data: &args.data, archive: args.archive.as_deref() };
            let what = epoch::point(folder, args.keeps, &mut progress.callback());
            drop(progress);
            make(what.map_err(|error| Failure::of(&error))?, &args.made, out)
        }
        Action::Card(args) => {
            let what = What::OperateIn { journal: args.journal()?, operation: args.operation() };
            make(what, args.made(), out)
        }
        Action::Fees { city, admin, made } => {
            let what = What::OperateIn { operation: fees(city, admin)?, journal: head_of(admin)? };
            make(what, made, out)
        }
        Action::Chart { city, admin, made } => {
            let what = What::OperateIn { operation: chart(city, admin)?, journal: head_of(admin)? };
            make(what, made, out)
        }
        Action::Rules { files, of, made } => {
            let files = rules::ordered(files)?;
            make(What::PublishPackedRulesIn { journal: of.place()?, files }, made, out)
        }
        Action::List(args) => {
            let Some(changing) = list::changing(args, out)? else { return Ok(()) };
            beside::write(&changing.made.out, &changing.rows).map_err(|error| Failure::of(&error))?;
            let (journal, change) = (changing.of.place()?, changing.change);
            make(What::ChangeListIn { journal, change }, &changing.made, out)
        }
        Action::Sign { file, officer } => sign(file, officer, out),
        Action::Show { file, officers, json } => show(file, officers.as_deref(), *json, out),
        Action::CarryOut(args) => carry_out(args, out),
    }
}

/// Where a running switch's journal ends: a place that no other journal has.
pub(super) fn head_of(admin: &str) -> Result<JournalPlace, Failure> {
    let head: HeadView = ask(admin, "/journal/head")?;
    let no_hash =
        || Failure { message: format!("{admin}/journal/head: its hash is not 64 hex digits"), code: 1 };
    Ok(JournalPlace { record: head.record, hash: hex::bytes(&head.hash).ok_or_else(no_hash)? })
}

/// A city's fee schedule.
fn fees(city: &Path, admin: &str) -> Result<Operation, Failure> {
    let city = served_city(city, admin)?;
    Ok(Operation::PublishFees(city.fees.iter().map(genesis::fee_rule).collect()))
}

/// A city's chart of accounts; without one, the built-in one.
fn chart(city: &Path, admin: &str) -> Result<Operation, Failure> {
    Ok(Operation::PublishChart(served_city(city, admin)?.chart.unwrap_or_default()))
}

/// The city that a switch serves. Fees and charts name products and merchants by position, so both sides must have them in
/// the same order.
fn served_city(city: &Path, admin: &str) -> Result<City, Failure> {
    let city = City::open(city).map_err(|error| Failure::usage(&error))?;
    let served = served_parties(admin)?;
    let products = city.products.products.iter().map(|product| product.name.clone());
    let name = |id: &[u8; 15]| String::from_utf8_lossy(id).trim_end().to_owned();
    let merchants = city.merchants.iter().map(|merchant| name(&merchant.merchant_id));
    let same = products.eq(served.products) && merchants.eq(served.merchants);
    if !same {
        let message = "the products and merchants of this city are not those of the running switch, which the order would \
                       name wrongly; use the files that it imported";
        return Err(Failure { message: message.to_owned(), code: crate::config::EXIT_USAGE });
    }
    Ok(city)
}

/// Page by page.
fn served_parties(admin: &str) -> Result<Parties, Failure> {
    let mut all: Parties = ask(admin, "/parties")?;
    while let Some(behind) = all.next {
        let page: Parties = ask(admin, &format!("/parties?behind={behind}"))?;
        all.merchants.extend(page.merchants);
        // A port that answers with the same page again and again is none of ours.
        all.next = page.next.filter(|next| *next > behind);
    }
    Ok(all)
}

/// An order with its maker's signature.
fn drafted(what: What, why: &str, valid_h: u16, officer: &Path) -> Result<SignedOrder, Failure> {
    let officer = OfficerKey::read(officer).map_err(|error| Failure::usage(&error))?;
    let mut id = [0; 16];
    system_entropy(&mut id);
    let order = file::draft(id, now_ms()?, valid_h, what, why);
    let mut order = order.map_err(|message| Failure { message, code: crate::config::EXIT_USAGE })?;
    file::sign(&mut order, &officer).map_err(|error| Failure::of(&error))?;
    Ok(order)
}

/// An order that one signature is enough for, carried out as soon as it is made.
pub(super) fn send_at_once(
    what: What,
    why: &str,
    officer: &Path,
    admin: &str,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let order = drafted(what, why, 1, officer)?;
    let CarriedOut { seq } = send(admin, "/orders", &OrderText::of(&order))?;
    tell(out, format_args!("done: record {seq}"))
}

pub(super) fn make(what: What, made: &Made, out: &mut dyn Write) -> Result<(), Failure> {
    let order = drafted(what, &made.why, made.valid_h, &made.officer)?;
    file::write(&made.out, &order).map_err(|error| Failure::of(&error))?;
    table(&OrderText::of(&order), out)?;
    tell(
        out,
        format_args!("\nnow another officer: cardswitch order sign {} --officer FILE", made.out.display()),
    )
}

fn sign(path: &Path, officer: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let officer = OfficerKey::read(officer).map_err(|error| Failure::usage(&error))?;
    let mut order = file::read(path).map_err(|error| Failure::usage(&error))?;
    if let What::ChangeListIn { change, .. } = &order.order.what {
        // Who signs has the rows: what they hash to says nothing to people.
        list::show_rows(path, change, out)?;
    }
    file::sign(&mut order, &officer).map_err(|error| Failure::usage(&error))?;
    file::write(path, &order).map_err(|error| Failure::of(&error))?;
    table(&OrderText::of(&order), out)
}

fn show(path: &Path, officers: Option<&Path>, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let order = file::read(path).map_err(|error| Failure::usage(&error))?;
    print(json, &OrderText::of(&order), out, |text, out| {
        table(text, out).map_err(|failure| std::io::Error::other(failure.message))
    })?;
    let Some(officers) = officers else { return Ok(()) };
    let officers = Officers::read(officers).map_err(|error| Failure::usage(&error))?;
    officers.check(&order, now_ms()?).map_err(|error| Failure::of(&error))?;
    if json {
        Ok(())
    } else {
        let signed = if order.order.what.signatures_needed() == 1 {
            "an enrolled officer"
        } else {
            "two enrolled officers"
        };
        tell(out, format_args!("{signed} signed it: it can be carried out"))
    }
}

fn carry_out(args: &CarryOut, out: &mut dyn Write) -> Result<(), Failure> {
    let order = file::read(&args.file).map_err(|error| Failure::usage(&error))?;
    match &args.at.config {
        Some(config) => in_folder(config, args.data.as_deref(), &order, out),
        None => {
            let admin = args.at.admin.as_deref().unwrap_or_default();
            let text = OrderText::of(&order);
            let CarriedOut { seq } = match &order.order.what {
                What::ChangeListIn { change, .. } => list::carry_out(&args.file, &text, change, admin)?,
                _ => send(admin, "/orders", &text)?,
            };
            tell(out, format_args!("carried out: record {seq}"))
        }
    }
}

fn in_folder(
    config: &Path,
    data: Option<&Path>,
    order: &SignedOrder,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let config = Config::from_file_and_env(config).map_err(|error| Failure::usage(&error))?;
    let Some(officers) = &config.orders.officers else {
        let message = "orders.officers: nobody's order counts; name the file of officers there".to_owned();
        return Err(Failure { message, code: crate::config::EXIT_USAGE });
    };
    let officers = Officers::read(officers).map_err(|error| Failure::usage(&error))?;
    let mut clock = Clock::new("UTC").map_err(|error| Failure::of(&error))?;
    let mut progress = Progress::new("records");
    let begun = epoch::begin(
        epoch::Folder { data: data.unwrap_or(&config.data.dir), archive: config.journal.archive.as_deref() },
        order,
        &officers,
        &mut clock,
        &mut progress.callback(),
    );
    drop(progress);
    let epoch::Begun { epoch, seq, before, acquirers } = begun.map_err(|error| Failure::of(&error))?;
    tell(
        out,
        format_args!(
            "epoch {epoch} begins with record {seq}\nthe journal of before is in {}\nterminals, PSAMs and acquirers sign in \
             anew",
            before.display()
        ),
    )?;
    acquirers.iter().try_for_each(|keys| tell(out, format_args!("{}", keys_known(keys))))
}

/// By which zone keys an acquirer is known now; both ends can compare them.
fn keys_known(keys: &epoch::AcquirerKeys) -> String {
    let values = |of: &[[u8; 3]; 3]| of.map(|value| CheckValue(value).to_string()).join(" ");
    let pending =
        keys.pending.as_ref().map(|pending| format!(", or, given and not used yet, {}", values(pending)));
    let lost = if keys.changed_since {
        "; it was given others since, which are lost: it must go back to these, and then change them"
    } else {
        ""
    };
    let pending = pending.unwrap_or_default();
    format!(
        "acquirer {} has zone keys with check values {}{pending}{lost}",
        keys.acquirer,
        values(&keys.current)
    )
}

pub(super) fn now_ms() -> Result<i64, Failure> {
    Ok(Clock::new("UTC").map_err(|error| Failure::of(&error))?.now().unix_ms())
}

fn table(order: &OrderText, out: &mut dyn Write) -> Result<(), Failure> {
    tell(out, format_args!("order    {}", order.id))?;
    match &order.what {
        WhatText::BeginEpoch { epoch, keeps, hash } => {
            tell(
                out,
                format_args!(
                    "what     begin epoch {epoch}: keep the records up to {keeps}, nothing behind it"
                ),
            )?;
            tell(out, format_args!("         chain hash there {hash}"))?;
        }
        WhatText::Operate(operation) => operate::show(operation, out)?,
        WhatText::OperateIn { record, hash, operation } => {
            operate::show(operation, out)?;
            tell(out, format_args!("journal  that has, at record {record}, the chain hash {hash}"))?;
        }
        WhatText::PublishRules(files) => tell(out, format_args!("what     {}", rules::words(files)))?,
        WhatText::PublishRulesIn { record, hash, files } => {
            tell(out, format_args!("what     {}", rules::words(files)))?;
            tell(out, format_args!("journal  that has, at record {record}, the chain hash {hash}"))?;
        }
        WhatText::PublishPackedRulesIn { record, hash, files } => {
            tell(out, format_args!("what     {}", rules::packed_words(files)))?;
            tell(out, format_args!("journal  that has, at record {record}, the chain hash {hash}"))?;
        }
        WhatText::ChangeListIn { record, hash, change } => {
            tell(out, format_args!("what     {}", list::words(change)))?;
            tell(out, format_args!("journal  that has, at record {record}, the chain hash {hash}"))?;
        }
        WhatText::HandleAlert { record, hash, alert, step } => {
            tell(out, format_args!("what     {}", alert::handled(*alert, step)))?;
            tell(out, format_args!("journal  that has, at record {record}, the chain hash {hash}"))?;
        }
        WhatText::SnoozeRule { record, hash, alert, rule, until } => {
            tell(out, format_args!("what     {}", alert::snoozed(*alert, rule, until)))?;
            tell(out, format_args!("journal  that has, at record {record}, the chain hash {hash}"))?;
        }
    }
    tell(out, format_args!("why      {}", order.why))?;
    tell(out, format_args!("made     {}, to be carried out by {}", order.made, order.expires))?;
    let names: Vec<&str> = order.signatures.iter().map(|signature| signature.officer.as_str()).collect();
    let needed = order.order().map_or(SIGNATURES_MAX, |signed| signed.order.what.signatures_needed());
    tell(out, format_args!("signed   {} ({} of {needed})", names.join(", "), names.len()))
}

fn tell(out: &mut dyn Write, line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    writeln!(out, "{line}").map_err(|error| Failure::of(&error))
}
