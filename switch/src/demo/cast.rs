//! Who plays: cards and terminals by their part, as `fixtures/README.md` gives it to them, and what each has left.
//!
//! Start at [`Cast::open`].

use std::path::Path;

use crate::city::City;
use crate::terminal::{AtmHost, EposTerminal, PosTerminal, Sample, SampleError, TestCard};

/// A card by its part; its place in [`ROLES`].
#[derive(Clone, Copy)]
pub(super) enum Role {
    Rich,
    LongPin,
    Tap,
    Poor,
    Forgetful,
    Listed,
    New,
    Medical,
    NearlyFull,
    Ordinary,
    Guest,
    Caller,
    Busy,
    Noticed,
    Cash,
    NewPin,
}

/// In the order of the variants: the part, the card's line in `cards.csv`, and what to call it.
pub(super) const ROLES: [(Role, u64, &str); 16] = [
    (Role::Rich, 2, "the rich card"),
    (Role::LongPin, 3, "the 19-digit card"),
    (Role::Tap, 4, "the tapped card"),
    (Role::Poor, 5, "the poor card"),
    (Role::Forgetful, 6, "the locked card"),
    (Role::Listed, 7, "the blacklisted card"),
    (Role::New, 8, "the new prepaid card"),
    (Role::Medical, 13, "the medical card"),
    (Role::NearlyFull, 16, "the nearly full card"),
    (Role::Ordinary, 18, "an ordinary card"),
    (Role::Guest, 19, "the guest's card"),
    (Role::Caller, 20, "the card at the telephone"),
    (Role::Busy, 62, "the busy prepaid card"),
    (Role::Noticed, 63, "the card with a phone"),
    (Role::Cash, 65, "the card at the ATM"),
    (Role::NewPin, 66, "the card with a new PIN"),
];

/// A `pos` terminal by its part; its place in [`DESKS`].
#[derive(Clone, Copy)]
pub(super) enum Desk {
    Till,
    NewTill,
    Counter,
    Bus,
    Pharmacy,
}

/// In the order of the variants: the part and the terminal's id.
pub(super) const DESKS: [(Desk, &str); 5] = [
    (Desk::Till, "31000001"),
    (Desk::NewTill, "31000002"),
    (Desk::Counter, "31000003"),
    (Desk::Bus, "31000005"),
    (Desk::Pharmacy, "31000008"),
];

/// The telephone terminal that keeps to the rules.
pub(super) const PHONE: &str = "41000001";
/// One whose thief took it to another line.
const MOVED_PHONE: &str = "41000002";
/// That line: its neighbour's.
const WRONG_LINE: &str = "02100000001";
/// A cash machine of the acquirer whose host plays.
const MACHINE: &str = "51000001";

/// A card, and what the play has left on it.
pub(super) struct Played {
    pub(super) test: TestCard,
    /// Who ordered it: whose file its transactions stand in.
    pub(super) orderer: String,
    /// Minor units, added up here.
    pub(super) balance: i64,
    /// The PIN it was given in the play, ASCII digits.
    pub(super) new_pin: Option<&'static [u8]>,
}

impl Played {
    /// What its holder types.
    pub(super) fn pin(&self) -> Vec<u8> {
        self.new_pin.unwrap_or(self.test.pin.expose()).to_vec()
    }

    /// What a stranger types: another last digit.
    pub(super) fn wrong_pin(&self) -> Vec<u8> {
        let mut digits = self.pin();
        if let Some(last) = digits.last_mut() {
            *last = b'0' + (*last - b'0' + 1) % 10;
        }
        digits
    }

    /// The number as tables of the switch show it: BIN, last four.
    pub(super) fn masked(&self) -> String {
        let digits = self.test.card.pan().expose();
        let text = |part: &[u8]| part.escape_ascii().to_string();
        format!("{}…{}", text(&digits[..6]), text(&digits[digits.len() - 4..]))
    }
}

/// All of them.
pub(super) struct Cast {
    pub(super) terminals: Vec<PosTerminal>,
    pub(super) phone: EposTerminal,
    pub(super) moved_phone: EposTerminal,
    pub(super) host: AtmHost,
    pub(super) machine: [u8; 8],
    pub(super) cards: Vec<Played>,
}

impl Cast {
    /// Takes terminals and cards from a city's folder.
    pub(super) fn open(dir: &Path, city: &City) -> Result<Self, SampleError> {
        let sample = Sample::open(dir)?;
        let terminals = DESKS.iter().map(|(_, id)| sample.terminal(Some(id)));
        let moved = sample.epos_terminal(Some(MOVED_PHONE), entropy())?.calling_from(WRONG_LINE);
        let (host, machine) = sample.atm_host(Some(MACHINE), entropy())?;
        Ok(Self {
            terminals: terminals.collect::<Result<_, _>>()?,
            phone: sample.epos_terminal(Some(PHONE), entropy())?,
            moved_phone: moved.map_err(SampleError::Terminal)?,
            host,
            machine,
            cards: ROLES.iter().map(|(_, line, _)| played(&sample, city, *line)).collect::<Result<_, _>>()?,
        })
    }
}

fn played(sample: &Sample, city: &City, line: u64) -> Result<Played, SampleError> {
    let test = sample.card_in_line(line)?;
    let mut orderer = None;
    for row in city.cards()? {
        let row = row?;
        if row.line == line {
            orderer = city.orderers.get(usize::from(row.orderer)).map(|orderer| orderer.orderer.clone());
            break;
        }
    }
    Ok(Played { balance: test.opening, orderer: orderer.ok_or(SampleError::NoCard)?, test, new_pin: None })
}

fn entropy() -> Box<dyn hsm_sim::Entropy + Send> {
    #[expect(clippy::disallowed_methods, reason = "a terminal is no part of the switch and its replay")]
    Box::new(|bytes: &mut [u8]| {
        // INVARIANT: the system's random source does not fail after boot; without it no key may be made.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::demo::city;

    #[test]
    fn the_embedded_city_has_the_cards_and_terminals_of_the_play() {
        let dir = tempfile::tempdir().unwrap();
        city::unpack(dir.path()).unwrap();
        let cast = Cast::open(dir.path(), &City::open(dir.path()).unwrap()).unwrap();
        for (place, (role, line, title)) in ROLES.into_iter().enumerate() {
            assert_eq!((role as usize, cast.cards[place].test.line), (place, line), "{title}");
        }
        for (place, (desk, id)) in DESKS.into_iter().enumerate() {
            let terminal = cast.terminals[place].id();
            assert_eq!((desk as usize, terminal), (place, id.as_bytes().try_into().unwrap()));
        }
        let card = |role| &cast.cards[role as usize];
        let opening = |role| card(role).balance;
        assert_eq!((opening(Role::Poor), opening(Role::New), opening(Role::Medical)), (500, 0, 8_000));
        assert_eq!((opening(Role::NearlyFull), card(Role::NearlyFull).orderer.as_str()), (499_900, "GIFT"));
        assert_eq!(card(Role::LongPin).pin().len(), 12);
        assert_eq!(card(Role::Rich).masked(), "915600…0010");
    }

    #[test]
    fn a_wrong_pin_differs_in_its_last_digit() {
        let dir = tempfile::tempdir().unwrap();
        city::unpack(dir.path()).unwrap();
        let cast = Cast::open(dir.path(), &City::open(dir.path()).unwrap()).unwrap();
        for card in &cast.cards {
            let (right, wrong) = (card.pin(), card.wrong_pin());
            let last = right.len() - 1;
            assert!(right[..last] == wrong[..last] && right[last] != wrong[last]);
            assert!(wrong.iter().all(u8::is_ascii_digit));
        }
    }
}
