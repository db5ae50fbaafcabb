//! Clearing: the files that `cardswitch settle` wrote, held against what the terminals counted.
//!
//! Start at [`Play::clearing`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::DemoError;
use super::play::Play;
use super::report::Report;
use super::tally::{Issuer, Payee};

impl Play<'_> {
    /// Reads the day's files in `folder`: each issuer's trailer, each payee's line, each file's hash.
    pub(super) fn clearing(&mut self, folder: &Path, day: Date) -> Result<(), DemoError> {
        self.report.group("The day's files against the terminals' own count");
        let mut sealed = true;
        let mut read = |name: String| {
            let text = fs::read_to_string(folder.join(name)).map_err(DemoError::system("read a day's file"));
            text.inspect(|text| sealed &= is_sealed(text))
        };
        for (issuer, counted) in &self.tally.issuers {
            let rows = rows(&read(format!("issuer-{issuer}-{day}.csv"))?);
            let found = rows.iter().find_map(trailer);
            let net = counted.debits + counted.credits;
            let tried = format!("cards of {issuer}, {} rows", counted.rows);
            self.report.filed(&tried, net, found.as_ref(), Some(counted));
        }
        for (file, what, counted) in [
            ("merchants", "merchant", &self.tally.merchants),
            ("acquirers", "acquirer", &self.tally.acquirers),
        ] {
            let rows = rows(&read(format!("{file}-{day}.csv"))?);
            payees(self.report, what, &rows.iter().filter_map(payee).collect(), counted);
        }
        self.report.fact("last lines of the files", "SHA-256 of all above", sealed);
        Ok(())
    }
}

/// One row for each payee that is in the file or was counted.
fn payees(
    report: &mut Report,
    what: &str,
    found: &BTreeMap<String, Payee>,
    counted: &BTreeMap<String, Payee>,
) {
    let all: BTreeSet<&String> = found.keys().chain(counted.keys()).collect();
    for id in all {
        let net = counted.get(id).map_or(0, |payee| payee.net);
        report.filed(&format!("net of {what} {id}"), net, found.get(id), counted.get(id));
    }
}

/// The rows of a file below its header.
fn rows(text: &str) -> Vec<csv::StringRecord> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    reader.records().filter_map(Result::ok).collect()
}

/// `trailer`, rows, debits (count, sum), credits (count, sum), currency.
fn trailer(row: &csv::StringRecord) -> Option<Issuer> {
    let number = |column: usize| row.get(column)?.parse().ok();
    (row.get(0)? == "trailer").then_some(())?;
    Some(Issuer {
        rows: number(1)?,
        debits_count: number(2)?,
        debits: number(3)?,
        credits_count: number(4)?,
        credits: number(5)?,
    })
}

/// Id, name, currency, given (count, sum), back (count, sum), fees, net. A trailer has one column less.
fn payee(row: &csv::StringRecord) -> Option<(String, Payee)> {
    let number = |column: usize| row.get(column)?.parse().ok();
    let id = row.get(0).filter(|id| *id != "trailer")?;
    let payee = Payee {
        given_count: number(3)?,
        given: number(4)?,
        back_count: number(5)?,
        back: number(6)?,
        fees: number(7)?,
        net: number(8)?,
    };
    Some((id.to_owned(), payee))
}

/// Whether the last line is `sha256,` and the hash of what stands above it, hex.
fn is_sealed(text: &str) -> bool {
    let Some((above, last)) = text.trim_end().rsplit_once('\n') else { return false };
    let mut hash = Sha256::new();
    hash.update(above);
    hash.update("\n");
    let hex = hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // A string takes all that is written.
        let _always_fits = write!(hex, "{byte:02x}");
        hex
    });
    last.strip_prefix("sha256,") == Some(&hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash is what `printf 'a,b\n1,2\n' | sha256sum` says.
    const SEALED: &str =
        "a,b\n1,2\nsha256,492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470\n";

    #[test]
    fn a_seal_is_the_hash_of_the_lines_above() {
        assert!(is_sealed(SEALED));
        for text in ["", "\n", "a,b\n", &SEALED.replace('1', "3"), &SEALED.replace("sha256", "sha1")] {
            assert!(!is_sealed(text), "{text}");
        }
    }

    #[test]
    fn a_file_is_read_by_its_columns() {
        let text = "h\ntrailer,3,2,-500,1,100,156\nsha256,x\n";
        let want = Issuer { rows: 3, debits_count: 2, debits: -500, credits_count: 1, credits: 100 };
        assert_eq!(rows(text).iter().find_map(trailer), Some(want));
        let text = "h\nM1,\"Shop, old\",156,2,900,1,100,3,797\ntrailer,1,2,900,1,100,3,797,156\nsha256,x\n";
        let found: BTreeMap<_, _> = rows(text).iter().filter_map(payee).collect();
        let shop = Payee { given_count: 2, given: 900, back_count: 1, back: 100, fees: 3, net: 797 };
        assert_eq!(found, BTreeMap::from([("M1".to_owned(), shop)]));
    }

    #[test]
    fn a_payee_in_one_place_only_fails() {
        let (file, till) = (BTreeMap::from([("A".to_owned(), Payee::default())]), BTreeMap::new());
        let mut report = Report::default();
        payees(&mut report, "merchant", &file, &till);
        payees(&mut report, "merchant", &till, &file);
        payees(&mut report, "merchant", &file, &file);
        assert_eq!((report.failed(), report.total()), (2, 3));
    }
}
