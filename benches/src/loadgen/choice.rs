//! Which terminals and cards of a city take part: those that a switch approves.
//!
//! Suspended merchants and acquirers, listed terminals and cards, revoked PSAMs, cards of unusual products and poor
//! cards are left out. Start at [`seats`] and [`cards`].

use cardswitch::{
    city::{
        AcquirerRow, CardRow, CardState, City, Dialect as Spoken, HostMac, Listed, MacKind, MerchantState,
        PsamState, TerminalRow, TestValues,
    },
    clock::Clock,
    terminal::CardInHand,
};

use super::{
    arguments::{Arguments, Dialect, Mac},
    error::LoadError,
};

/// Most cash machines that one connection speaks for.
const MACHINES_MAX: usize = 16;

/// A card with less than this part of the richest one's money is left out.
const POOR: i64 = 20;

/// The terminals of one connection: one, or several of one acquirer's cash machines. Field 41 of each.
pub type Seat = Vec<[u8; 8]>;

/// A card to pay with.
#[derive(Clone, Debug)]
pub struct Payer {
    /// What can be read off it.
    pub card: CardInHand,
    /// What the city says of it.
    pub row: CardRow,
    /// Its PIN, among what only of a test card is known.
    pub values: TestValues,
}

/// One seat for each connection, MAC algorithms (of `atm`: acquirers) in turn.
///
/// # Errors
/// [`LoadError::TooFewTerminals`].
pub fn seats(city: &City, arguments: &Arguments, connections: usize) -> Result<Vec<Seat>, LoadError> {
    let usable = city.terminals.iter().filter(|row| is_usable(city, arguments, row));
    let mut groups: Vec<(String, Vec<[u8; 8]>)> = Vec::new();
    for row in usable {
        let group = group(city, row);
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, terminals)) => terminals.push(row.terminal_id),
            None => groups.push((group, vec![row.terminal_id])),
        }
    }
    let found = groups.iter().map(|(_, terminals)| terminals.len()).sum();
    if found < connections {
        return Err(too_few(arguments.dialect, connections, found));
    }
    Ok(dealt(groups.into_iter().map(|(_, terminals)| terminals).collect(), connections, arguments.dialect))
}

fn is_usable(city: &City, arguments: &Arguments, row: &TerminalRow) -> bool {
    let spoken = match arguments.dialect {
        Dialect::Pos => Spoken::Pos,
        Dialect::Epos => Spoken::Epos,
        Dialect::Atm => Spoken::Atm,
    };
    let merchant = &city.merchants[row.merchant as usize];
    let listed = city.blacklist.iter().any(|entry| match &entry.listed {
        Listed::Terminal(id) => *id == row.terminal_id,
        Listed::Merchant(id) => *id == row.merchant_id,
        _ => false,
    });
    let psam = row.psam.and_then(|place| city.psams.get(place as usize));
    row.dialect == spoken
        && merchant.state == MerchantState::Active
        && !listed
        && psam.is_none_or(|psam| psam.state == PsamState::Active)
        && acquirer(city, row).is_none_or(|acquirer| acquirer.active)
        && arguments.mac.is_none_or(|mac| mac == mac_of(city, row))
}

/// Terminals that have this in common sit together or take turns.
fn group(city: &City, row: &TerminalRow) -> String {
    acquirer(city, row).map_or_else(|| format!("{:?}", row.mac), |acquirer| acquirer.id.to_string())
}

fn acquirer<'a>(city: &'a City, row: &TerminalRow) -> Option<&'a AcquirerRow> {
    let mut acquirers = city.acquirers.iter().filter(|_| row.dialect == Spoken::Atm);
    acquirers.find(|acquirer| acquirer.merchant == row.merchant)
}

fn mac_of(city: &City, row: &TerminalRow) -> Mac {
    match (acquirer(city, row).map(|acquirer| acquirer.mac), row.mac) {
        (Some(HostMac::Cbc3Des), _) => Mac::Cbc3Des,
        (None, MacKind::UnionPayEcb) => Mac::Ecb,
        _ => Mac::X919,
    }
}

fn too_few(dialect: Dialect, wanted: usize, found: usize) -> LoadError {
    // Of every 16 generated terminals, 14 are pos and 2 atm; each PSAM has an epos terminal.
    let (enough, psams) = match dialect {
        Dialect::Pos => (wanted.div_ceil(14) * 16, 16),
        Dialect::Epos => (16, wanted),
        Dialect::Atm => (wanted.div_ceil(2) * 16, 16),
    };
    LoadError::TooFewTerminals { dialect, wanted, found, enough, psams }
}

/// Deals terminals to connections, one of each group in turn. Cash machines that are left over join a connection of
/// their own group.
fn dealt(mut groups: Vec<Vec<[u8; 8]>>, connections: usize, dialect: Dialect) -> Vec<Seat> {
    let mut seats: Vec<(usize, Seat)> = Vec::with_capacity(connections);
    groups.iter_mut().for_each(|group| group.reverse());
    while seats.len() < connections {
        let before = seats.len();
        for (at, group) in groups.iter_mut().enumerate() {
            if seats.len() < connections
                && let Some(terminal) = group.pop()
            {
                seats.push((at, vec![terminal]));
            }
        }
        if seats.len() == before {
            break;
        }
    }
    if dialect == Dialect::Atm {
        for (at, group) in groups.iter_mut().enumerate() {
            let mut own: Vec<&mut Seat> =
                seats.iter_mut().filter(|(of, _)| *of == at).map(|(_, seat)| seat).collect();
            for turn in 0..own.len() * (MACHINES_MAX - 1) {
                let Some(terminal) = group.pop() else { break };
                let seat = turn % own.len();
                own[seat].push(terminal);
            }
        }
    }
    seats.into_iter().map(|(_, seat)| seat).collect()
}

/// Cards that can pay, among the first `count` rows of `cards.csv`.
///
/// # Errors
/// A wrong row, or no such card.
pub fn cards(city: &City, count: usize) -> Result<Vec<Payer>, LoadError> {
    // INVARIANT: the database of zones is part of the program, and UTC is in it.
    let month = Clock::new("UTC").expect("UTC is a time zone").now().year_month();
    let mut payers = Vec::new();
    for row in city.cards()?.take(count) {
        let row = row?;
        if may_pay(city, &row, month) {
            // Of a city whose keys are wrapped nobody knows the PINs, so nobody can pay.
            let Some(values) = row.test() else { continue };
            let card =
                CardInHand::with_track(row.pan.clone(), row.expiry_yymm, values.track2.expose().clone());
            payers.push(Payer { card, values: values.clone(), row });
        }
    }
    // Most cards are of the product that everybody has; others have rules of their own.
    let of =
        |product: u16, payers: &[Payer]| payers.iter().filter(|payer| payer.row.product == product).count();
    let usual = payers
        .iter()
        .map(|payer| payer.row.product)
        .max_by_key(|product| of(*product, &payers[..payers.len().min(1000)]));
    payers.retain(|payer| Some(payer.row.product) == usual);
    let money = |payer: &Payer| payer.row.opening.iter().sum::<i64>();
    let richest = payers.iter().map(money).max().unwrap_or_default();
    payers.retain(|payer| money(payer) > 0 && money(payer) >= richest / POOR);
    if payers.is_empty() { Err(LoadError::NoCards(count)) } else { Ok(payers) }
}

fn may_pay(city: &City, row: &CardRow, month: u16) -> bool {
    let bin = std::str::from_utf8(&row.pan.expose()[..6]).ok().and_then(|bin| bin.parse::<u32>().ok());
    let listed = city.blacklist.iter().any(|entry| match &entry.listed {
        Listed::Card(pan) => *pan == row.pan,
        Listed::Bin(listed) => Some(*listed) == bin,
        _ => false,
    });
    row.state == CardState::Active && row.expiry_yymm >= month && row.regions.is_empty() && !listed
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use clap::Parser;

    use super::*;

    fn city() -> City {
        City::open(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/city"))).unwrap()
    }

    fn seated(line: &str) -> Result<Vec<String>, LoadError> {
        let all = format!("loadgen --city c --to 127.0.0.1:1 {line}");
        let arguments = Arguments::try_parse_from(all.split_whitespace()).unwrap();
        let text = |id: &[u8; 8]| String::from_utf8_lossy(id).into_owned();
        let seats = seats(&city(), &arguments, arguments.connections)?;
        Ok(seats.iter().map(|seat| seat.iter().map(text).collect::<Vec<_>>().join("+")).collect())
    }

    #[test]
    fn terminals_of_both_algorithms_take_turns() {
        assert_eq!(seated("--connections 4").unwrap(), ["31000001", "31000002", "31000005", "31000003"]);
        assert_eq!(seated("--connections 2 --mac ecb").unwrap(), ["31000001", "31000005"]);
        assert_eq!(seated("--connections 2 --mac x9.19").unwrap(), ["31000002", "31000003"]);
    }

    #[test]
    fn cash_machines_sit_with_their_acquirer() {
        let two = seated("--dialect atm --connections 2").unwrap();
        assert_eq!(two, ["51000001+51000002+51000003+51000004", "51000005+51000006"]);
        let six = seated("--dialect atm --connections 6").unwrap();
        assert!(six.iter().all(|seat| !seat.contains('+')), "{six:?}");
        assert_eq!(seated("--dialect atm --connections 1 --mac cbc-3des").unwrap(), ["51000005+51000006"]);
    }

    #[test]
    fn more_connections_than_terminals_are_refused_with_advice() {
        for (line, found) in [
            ("--connections 12", 11),
            ("--dialect epos --connections 4", 3),
            ("--dialect atm --connections 7", 6),
        ] {
            let error = seated(line).unwrap_err().to_string();
            assert!(error.contains(&format!("the city has {found};")), "{error}");
            assert!(error.contains("cardswitch city generate"), "{error}");
        }
    }

    #[test]
    fn cards_that_play_a_part_do_not_pay() {
        let lines: Vec<u64> = cards(&city(), 10_000).unwrap().iter().map(|payer| payer.row.line).collect();
        for (name, line) in [
            ("poor", 5),
            ("blacklisted", 7),
            ("inactive", 8),
            ("lost", 9),
            ("expired", 12),
            ("medical", 13),
            ("prepaid", 16),
            ("bound to a region", 67),
        ] {
            assert!(!lines.contains(&line), "{name}");
        }
        assert!(lines.contains(&2) && lines.len() > 30, "{lines:?}");
        assert_eq!(cards(&city(), 1).unwrap().len(), 1, "the first card is a rich one");
    }
}
