//! Who is paid, where, and behind whom: merchants, acquirers, terminals, PSAMs, orderers and the list.

use super::{
    Folder, Plan, RowResult,
    cards::{CardNumbers, KINDS},
    draw::Draws,
    put,
};
use crate::city::{acquirers::ACQUIRERS, blacklist, parties, terminals};

/// What a float has beyond the opening balances of its cards, for loads, minor units.
pub(super) const FLOAT_SPARE_MINOR: i64 = 100_000_000_000_000;

/// The line of an agent on which loads at its terminals draw, minor units.
const LOAD_LINE_MINOR: i64 = 1_000_000_000_000;

/// POS terminals and cash machines come in groups of this many.
const GROUP: u64 = 16;

/// Terminals for one merchant, about.
const TERMINALS_PER_MERCHANT: u64 = 8;

/// The least number of merchants with POS terminals: one of each trade.
const SHOPS_MIN: u64 = TRADES.len() as u64;

/// Cards that are not listed whatever the size of the city: the first ones, which tests take.
const UNLISTED: u64 = 10_000;

/// A trade: name, category (ISO 18245), fee in hundredths of a percent, lowest and highest fee, line for loads.
struct Trade(&'static str, u16, u16, i64, i64, i64);

const TRADES: [Trade; 8] = [
    Trade("Supermarket", 5411, 38, 0, 2600, 0),
    Trade("Bus Line", 4111, 20, 0, 500, 0),
    Trade("Pharmacy", 5912, 30, 0, 2000, 0),
    Trade("Restaurant", 5812, 60, 1, 8000, 0),
    Trade("Hospital", 8062, 0, 0, 0, 0),
    Trade("Bookshop", 5942, 60, 1, 8000, 0),
    Trade("Filling Station", 5541, 30, 0, 2600, 0),
    Trade("Agent Outlet", 6012, 0, 0, 0, LOAD_LINE_MINOR),
];

/// Where telephone terminals stand.
const PHONE_SHOP: Trade = Trade("Phone Shop", 4814, 50, 5, 500, 0);
/// Where cash machines stand.
const BANK: Trade = Trade("Cash Machines of Bank", 6011, 0, 0, 0, 0);

/// Districts of Shanghai (GB/T 2260): no product or rule of a generated city is bound to another region.
const REGIONS: [u32; 8] = [310_101, 310_104, 310_105, 310_106, 310_107, 310_109, 310_110, 310_115];

/// F32, name and MAC of the two acquirers.
pub(super) const BANKS: [(&str, &str, &str); 2] =
    [("31060110", "North Bank ATM Network", "x9.19"), ("31060220", "South Bank ATM Network", "cbc-3des")];

pub(super) fn write(
    plan: &Plan,
    draws: &Draws,
    totals: &[i64; KINDS.len()],
    folder: &mut Folder<'_>,
) -> RowResult {
    let merchants = Merchants::of(plan);
    folder.text(parties::MERCHANTS, &merchants.text())?;
    folder.text(ACQUIRERS, &merchants.acquirers())?;
    folder.text(parties::ORDERERS, &orderers(totals))?;
    folder.text(blacklist::FILE, &listed(plan, draws))?;
    folder.table(terminals::PSAMS, "psam_no,key_version,state", plan.psams, |row, index| {
        put!(row, "{},{},active\n", psam_no(index), 1 + index % 2);
        Ok(())
    })?;
    let header = "terminal_id,merchant_id,mcc,region,dialect,mac,tmk,psam_no,phone,may_load";
    folder.table(terminals::TERMINALS, header, plan.terminals + plan.psams, |row, index| {
        match index.checked_sub(plan.terminals) {
            None => merchants.terminal(row, index, draws),
            Some(psam) => merchants.telephone(row, psam, draws),
        }
        Ok(())
    })
}

/// The merchants in the order of their file: shops, phone shops, the two banks.
struct Merchants {
    shops: u64,
    phone_shops: u64,
}

impl Merchants {
    fn of(plan: &Plan) -> Self {
        Self {
            shops: plan.terminals.div_ceil(TERMINALS_PER_MERCHANT).max(SHOPS_MIN),
            phone_shops: plan.psams.div_ceil(TERMINALS_PER_MERCHANT),
        }
    }

    /// The merchant at this place: its trade, and its region.
    fn at(&self, place: u64) -> (&'static Trade, u32) {
        let trade = match place.checked_sub(self.shops) {
            None => &TRADES[wrapped(place, TRADES.len())],
            Some(beyond) if beyond < self.phone_shops => &PHONE_SHOP,
            Some(_) => &BANK,
        };
        (trade, REGIONS[wrapped(place / SHOPS_MIN, REGIONS.len())])
    }

    fn bank(&self, bank: u64) -> u64 {
        self.shops + self.phone_shops + bank
    }

    fn text(&self) -> String {
        let mut text = b"merchant_id,name,mcc,region,state,fee_bp,fee_min,fee_max,load_line\n".to_vec();
        for place in 0..self.bank(BANKS.len() as u64) {
            let (Trade(name, mcc, fee_bp, fee_min, fee_max, load_line), region) = self.at(place);
            let number = place + 1;
            put!(text, "{},{name} {number},{mcc},{region},active,", self.id(place));
            put!(text, "{fee_bp},{fee_min},{fee_max},{load_line}\n");
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// F42: fifteen digits.
    fn id(&self, place: u64) -> String {
        format!("89831{:04}{:06}", self.at(place).0.1, place + 1)
    }

    fn acquirers(&self) -> String {
        let mut text = "acquirer_id,name,merchant_id,mac,state\n".to_owned();
        for ((id, name, mac), bank) in BANKS.iter().zip(0..) {
            text.push_str(&format!("{id},{name},{},{mac},active\n", self.id(self.bank(bank))));
        }
        text
    }

    /// A POS terminal or a cash machine. In a group the even POS terminals speak `ecb`, and the last two may load.
    fn terminal(&self, row: &mut Vec<u8>, index: u64, draws: &Draws) {
        let (group, place) = (index / GROUP, index % GROUP);
        let Some(bank) = place.checked_sub(GROUP - 2) else {
            let id = format!("31{:06}", group * (GROUP - 2) + place + 1);
            let mac = if place.is_multiple_of(2) { "ecb" } else { "x9.19" };
            let may_load = place >= GROUP - 4;
            return self.write(row, &id, index % self.shops, ("pos", mac), draws, "", may_load);
        };
        let id = format!("51{:06}", group * 2 + bank + 1);
        self.write(row, &id, self.bank(bank), ("atm", "x9.19"), draws, "", false);
    }

    fn telephone(&self, row: &mut Vec<u8>, psam: u64, draws: &Draws) {
        let id = format!("41{:06}", psam + 1);
        // Lines that begin with 0210 are nobody's.
        let bound = format!("{},0210{:07}", psam_no(psam), psam + 1);
        let merchant = self.shops + psam % self.phone_shops;
        self.write(row, &id, merchant, ("epos", "x9.19"), draws, &bound, false);
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a row")]
    fn write(
        &self,
        row: &mut Vec<u8>,
        id: &str,
        merchant: u64,
        (dialect, mac): (&str, &str),
        draws: &Draws,
        bound: &str,
        may_load: bool,
    ) {
        let (Trade(_, mcc, ..), region) = self.at(merchant);
        let tmk = draws.des_key(&format!("tmk {id}"));
        let bound = if bound.is_empty() { "," } else { bound };
        let may_load = if may_load { "yes" } else { "no" };
        put!(row, "{id},{},{mcc},{region},{dialect},{mac},{tmk},{bound},{may_load}\n", self.id(merchant));
    }
}

fn psam_no(index: u64) -> String {
    format!("31{:014}", index + 1)
}

fn orderers(totals: &[i64; KINDS.len()]) -> String {
    let names = ["City Card Centre", "Gift Card Works", "Health Insurance Fund"];
    let mut text = "orderer,name,float\n".to_owned();
    for ((kind, name), total) in KINDS.iter().zip(names).zip(totals) {
        text.push_str(&format!("{},{name},{}\n", kind.orderer, total + FLOAT_SPARE_MINOR));
    }
    text
}

/// One card in 100,000 and one more, a terminal and a BIN that the city does not have. A city too small to have cards
/// beyond those never listed lists numbers that it did not issue.
fn listed(plan: &Plan, draws: &Draws) -> String {
    let count = plan.cards / 100_000 + 1;
    let beyond = plan.cards.saturating_sub(UNLISTED);
    let (first, step) =
        if beyond < count { (plan.cards.max(UNLISTED), 1) } else { (UNLISTED, beyond / count) };
    let numbers = CardNumbers::new(draws);
    let mut text = b"kind,value,reason,source,expires\n".to_vec();
    for entry in 0..count {
        text.extend_from_slice(b"card,");
        text.extend_from_slice(&numbers.pan(first + entry * step));
        text.extend_from_slice(b",fraud,risk desk,\n");
    }
    text.extend_from_slice(
        b"terminal,39999999,stolen,field service,\nbin,915699,restricted,scheme bulletin,\n",
    );
    String::from_utf8_lossy(&text).into_owned()
}

/// A place in a list that is gone through again and again.
fn wrapped(number: u64, length: usize) -> usize {
    // INVARIANT: a remainder is below the length, which is a usize.
    usize::try_from(number % length as u64).expect("a place in a short list")
}
