//! An invented data set: cards with habits, and thieves without.
//!
//! Each card pays at a few terminals of its own region, more by day than by night. Now and then one is stolen, and for
//! some hours much is paid with it in quick succession elsewhere. The same plan gives the same file.
//!
//! Start at [`generate`].

use std::io::{self, Write};

use jiff::{Timestamp, tz::TimeZone};

/// What to invent.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rows.
    pub transactions: u64,
    /// Cards.
    pub cards: u64,
    /// Terminals; every merchant has four.
    pub terminals: u64,
    /// Days that they are spread over.
    pub days: u64,
    /// What everything is drawn from.
    pub seed: u64,
}

/// 2026-01-01 in Shanghai, milliseconds since 1970 UTC.
const BEGIN_MS: u64 = 1_767_196_800_000;

/// Requests of a stolen card.
const SPREE: u64 = 12;

const CATEGORIES: [u16; 6] = [5_411, 5_812, 5_541, 4_111, 5_732, 7_995];

/// Numbers from a seed (SplitMix64).
struct Random(u64);

/// A stolen card.
struct Stolen {
    card: u64,
    left: u64,
}

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// Writes a data set; `progress` hears the number of each row.
///
/// # Errors
/// It cannot be written.
pub fn generate(plan: &Plan, out: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut random = Random(plan.seed);
    let (mut at_ms, mut stolen): (u64, Vec<Stolen>) = (BEGIN_MS, Vec::new());
    // Fraud is rare, and a small set still has some.
    let rows_for_a_theft = (plan.transactions / 200).clamp(200, 4_000);
    let gap_ms = plan.days.saturating_mul(86_400_000) / plan.transactions.max(1);
    writeln!(out, "time,reference,card,terminal,merchant,mcc,region,amount,fraud")?;
    for number in 1..=plan.transactions {
        progress(number);
        // Nights are quieter: in seven hours of them as much happens as in one of the day.
        let night = (at_ms / 3_600_000 + 8) % 24 < 7;
        at_ms += random.below(gap_ms.max(1)) * if night { 7 } else { 1 } * 3 / 2;
        if random.below(rows_for_a_theft) == 0 {
            stolen.push(Stolen { card: random.below(plan.cards), left: SPREE / 2 + random.below(SPREE) });
        }
        let thief = if random.below(100) < 3 { stolen.last_mut() } else { None };
        let fraud = thief.is_some();
        let card = match thief {
            Some(thief) => {
                thief.left -= 1;
                thief.card
            }
            None => random.below(plan.cards),
        };
        stolen.retain(|stolen| stolen.left > 0);
        let row = Drawn::draw(&mut random, plan, card, fraud);
        let time = Timestamp::from_millisecond(i64::try_from(at_ms).unwrap_or(i64::MAX));
        let time = time.unwrap_or_default().to_zoned(TimeZone::fixed(jiff::tz::offset(8))).datetime();
        let Drawn { terminal, amount, region } = row;
        let (merchant, mcc) = (terminal / 4, CATEGORIES[usize::try_from(terminal / 4 % 6).unwrap_or(0)]);
        writeln!(
            out,
            "{} {},R{number},c{card},t{terminal},m{merchant},{mcc},{region},{}.{:02},{}",
            time.date(),
            time.time().with().subsec_nanosecond(0).build().unwrap_or_default(),
            amount / 100,
            amount % 100,
            u8::from(fraud)
        )?;
    }
    Ok(())
}

/// What is drawn for a row.
struct Drawn {
    terminal: u64,
    amount: u64,
    region: u64,
}

impl Drawn {
    fn draw(random: &mut Random, plan: &Plan, card: u64, fraud: bool) -> Self {
        let (near, far) = (card * 7 % plan.terminals.max(1), random.below(plan.terminals));
        let terminal = if fraud || random.below(20) == 0 {
            far
        } else {
            (near + random.below(5)) % plan.terminals.max(1)
        };
        let most = if fraud { 200_000 } else { 30_000 };
        // The least of two draws: small amounts are more common.
        let amount = 100 + random.below(most).min(random.below(most));
        Self { terminal, amount, region: 310_000 + terminal % 16 }
    }
}
