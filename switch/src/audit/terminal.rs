//! One terminal for people: whose it is, what it speaks, how old its keys are, and who speaks for it. No key is shown.

use serde::{Deserialize, Serialize};

use super::masked_phone;
use crate::{
    books::{
        Acquirer, Books, Psam, Terminal, WorkingKeys, ZoneKeys,
        event::{MacScheme, TerminalDialect},
        parties::NONCE_MS,
    },
    hex,
};

/// A terminal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TerminalView {
    /// Field 41.
    pub terminal: String,
    /// Field 42.
    pub merchant: String,
    /// The merchant's name.
    pub merchant_name: String,
    /// Whether the merchant may take payments.
    pub merchant_active: bool,
    /// Merchant category code.
    pub category: u16,
    /// Region it stands in.
    pub region: u32,
    /// What it speaks.
    pub dialect: String,
    /// Its MAC; for an ATM, its acquirer's counts.
    pub mac: String,
    /// Whether it may load cards.
    pub may_load: bool,
    /// Whether it ended its shift and has sent nothing since.
    pub signed_off: bool,
    /// The last three digits of the number that it calls from.
    pub phone: Option<String>,
    /// Its working keys: current, pending, previous.
    pub keys: Vec<KeyView>,
    /// Its PSAM.
    pub psam: Option<PsamView>,
    /// Its acquirer.
    pub acquirer: Option<AcquirerView>,
}

/// Working keys or zone keys, by version.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyView {
    /// `current`, `pending` or `previous`.
    pub role: String,
    /// Counts the changes.
    pub version: u32,
    /// When they were first used, milliseconds since 1970 UTC, where that is recorded.
    pub since_ms: Option<i64>,
    /// When they end, milliseconds since 1970 UTC, where that is known.
    pub until_ms: Option<i64>,
    /// Check values of zone keys: PIN, MAC to the switch, MAC from the switch; hex.
    pub check_values: Vec<String>,
}

/// A PSAM.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PsamView {
    /// Its number.
    pub number: String,
    /// Version of the masters its keys come from.
    pub key_version: u8,
    /// Not to be served.
    pub revoked: bool,
    /// When its nonce was made, milliseconds since 1970 UTC, if it has signed in.
    pub nonce_since_ms: Option<i64>,
    /// When the nonce ends, milliseconds since 1970 UTC.
    pub nonce_until_ms: Option<i64>,
}

/// An acquirer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AcquirerView {
    /// Field 32.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it may speak.
    pub active: bool,
    /// Whether it has signed on, and not off since.
    pub signed_on: bool,
    /// The MAC of its messages.
    pub mac: String,
    /// Its zone keys: current, pending, previous.
    pub keys: Vec<KeyView>,
}

/// The terminal with this field 41.
#[must_use]
pub fn terminal(books: &Books, id: &str) -> Option<TerminalView> {
    let id = <[u8; 8]>::try_from(id.as_bytes()).ok()?;
    Some(view(books, books.terminal(books.find_terminal(&id)?)))
}

/// The word for what a terminal speaks.
pub(super) fn dialect(dialect: TerminalDialect) -> &'static str {
    match dialect {
        TerminalDialect::Pos => "pos",
        TerminalDialect::Epos => "epos",
        TerminalDialect::Atm => "atm",
    }
}

fn view(books: &Books, terminal: &Terminal) -> TerminalView {
    let merchant = books.merchants().get(terminal.merchant as usize);
    TerminalView {
        terminal: text(&terminal.id),
        merchant: merchant.map_or_else(String::new, |merchant| text(&merchant.id)),
        merchant_name: merchant.map_or_else(String::new, |merchant| merchant.name.clone()),
        merchant_active: merchant.is_some_and(|merchant| merchant.active),
        category: terminal.category,
        region: terminal.region,
        dialect: dialect(terminal.dialect).to_owned(),
        mac: mac(terminal.mac).to_owned(),
        may_load: terminal.may_load,
        signed_off: terminal.signed_off,
        phone: (!terminal.phone.is_empty()).then(|| masked_phone(&terminal.phone)),
        keys: working_keys(terminal),
        psam: terminal.psam.map(|psam| psam_view(books.psam(psam))),
        acquirer: terminal.acquirer.map(|acquirer| acquirer_view(books.acquirer(acquirer))),
    }
}

fn mac(scheme: MacScheme) -> &'static str {
    match scheme {
        MacScheme::UnionPayEcb => "ecb",
        MacScheme::X919 => "x9.19",
        MacScheme::Cbc3Des => "cbc-3des",
    }
}

fn working_keys(terminal: &Terminal) -> Vec<KeyView> {
    let key = |role: &str, keys: Option<&WorkingKeys>, until_ms: Option<i64>| {
        keys.map(|keys| KeyView {
            role: role.to_owned(),
            version: keys.version,
            since_ms: keys.used_since_ms,
            until_ms,
            check_values: Vec::new(),
        })
    };
    let keys = [
        key("current", terminal.current.as_deref(), None),
        key("pending", terminal.pending.as_deref(), None),
        key("previous", terminal.previous.as_deref(), Some(terminal.previous_until_ms)),
    ];
    keys.into_iter().flatten().collect()
}

fn psam_view(psam: &Psam) -> PsamView {
    let since_ms = psam.nonce.map(|_| psam.nonce_since_ms);
    PsamView {
        number: hex::digits(&psam.number),
        key_version: psam.key_version,
        revoked: psam.revoked,
        nonce_since_ms: since_ms,
        nonce_until_ms: since_ms.map(|since_ms| since_ms + NONCE_MS),
    }
}

fn acquirer_view(acquirer: &Acquirer) -> AcquirerView {
    let key = |role: &str, keys: Option<&ZoneKeys>, until_ms: Option<i64>| {
        keys.map(|keys| KeyView {
            role: role.to_owned(),
            version: keys.version,
            since_ms: None,
            until_ms,
            check_values: keys
                .texts
                .check_values
                .iter()
                .map(|value| hex::digits(value).to_uppercase())
                .collect(),
        })
    };
    let keys = [
        key("current", Some(&acquirer.current), None),
        key("pending", acquirer.pending.as_ref(), None),
        key("previous", acquirer.previous.as_ref(), Some(acquirer.previous_until_ms)),
    ];
    AcquirerView {
        id: acquirer.id.to_string(),
        name: acquirer.name.clone(),
        active: acquirer.active,
        signed_on: acquirer.signed_on,
        mac: mac(acquirer.mac).to_owned(),
        keys: keys.into_iter().flatten().collect(),
    }
}

fn text(id: &[u8]) -> String {
    String::from_utf8_lossy(id).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::settlement::testing::{History, KEY_BODY};

    #[test]
    fn a_terminal_shows_versions_and_check_values_and_no_key() {
        let history = History::of_two_days();
        let pos = terminal(&history.books, "31000001").unwrap();
        assert_eq!((pos.dialect.as_str(), pos.mac.as_str(), pos.keys.len()), ("pos", "x9.19", 1));
        assert_eq!((pos.keys[0].role.as_str(), pos.keys[0].version), ("pending", 1));
        assert_eq!(pos.psam.unwrap().number, "3100000000000101");
        let atm = terminal(&history.books, "51000001").unwrap();
        let acquirer = atm.acquirer.as_ref().unwrap();
        assert_eq!((acquirer.signed_on, acquirer.keys[0].version), (false, 1));
        assert_eq!(acquirer.keys[0].check_values, ["A1B2C3", "010203", "040506"]);
        assert!(!serde_json::to_string(&atm).unwrap().contains(KEY_BODY));
    }

    #[test]
    fn no_terminal_is_no_terminal() {
        let history = History::of_two_days();
        for id in ["31000099", "3100000", "", "310000011"] {
            assert_eq!(terminal(&history.books, id), None, "{id:?}");
        }
    }
}
