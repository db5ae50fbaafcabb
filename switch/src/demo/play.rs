//! What is played: who pays where, what should come of it, and the balances that follow, added up here.
//!
//! Start at [`Play::first_day`]. The parts of cards and terminals are those of `fixtures/README.md`.

use std::net::SocketAddr;
use std::path::Path;

use hsm_sim::MacAlgorithm;

use super::DemoError;
use super::interrupt::Interrupt;
use super::report::{Report, Want};
use crate::terminal::{Entry, Exchange, PosTerminal, Sample, Service, TestCard};

/// A card by its part; its place in [`ROLES`].
#[derive(Clone, Copy)]
enum Role {
    Rich,
    LongPin,
    Tap,
    Poor,
    Forgetful,
    Listed,
    New,
    Medical,
    Ordinary,
}

/// In the order of the variants: the part, the card's line in `cards.csv`, and what to call it.
const ROLES: [(Role, u64, &str); 9] = [
    (Role::Rich, 2, "the rich card"),
    (Role::LongPin, 3, "the 19-digit card"),
    (Role::Tap, 4, "the tapped card"),
    (Role::Poor, 5, "the poor card"),
    (Role::Forgetful, 6, "the locked card"),
    (Role::Listed, 7, "the blacklisted card"),
    (Role::New, 8, "the new prepaid card"),
    (Role::Medical, 13, "the medical card"),
    (Role::Ordinary, 18, "an ordinary card"),
];

/// A terminal by its part; its place in [`DESKS`].
#[derive(Clone, Copy)]
enum Desk {
    Till,
    NewTill,
    Counter,
    Bus,
    Pharmacy,
}

/// In the order of the variants: the part and the terminal's id.
const DESKS: [(Desk, &str); 5] = [
    (Desk::Till, "31000001"),
    (Desk::NewTill, "31000002"),
    (Desk::Counter, "31000003"),
    (Desk::Bus, "31000005"),
    (Desk::Pharmacy, "31000008"),
];

/// What is typed for a PIN.
#[derive(Clone, Copy)]
enum Pin {
    Right,
    Wrong,
    /// Nothing: the card is tapped.
    Untyped,
}

/// A card, and what the play has left on it.
struct Played {
    test: TestCard,
    /// Minor units, added up here.
    balance: i64,
}

/// The players, and the paper the play is written on.
pub(super) struct Play<'a> {
    interrupt: &'a Interrupt,
    pub(super) report: &'a mut Report,
    terminals: Vec<PosTerminal>,
    cards: Vec<Played>,
    /// The purchase that is sent again after the crash.
    kept: Option<Exchange>,
}

impl<'a> Play<'a> {
    /// Takes terminals and cards from the city's folder.
    pub(super) fn open(
        city: &Path,
        interrupt: &'a Interrupt,
        report: &'a mut Report,
    ) -> Result<Self, DemoError> {
        let sample = Sample::open(city)?;
        let terminals = DESKS.iter().map(|(_, id)| sample.terminal(Some(id))).collect::<Result<_, _>>()?;
        let cards = ROLES.iter().map(|(_, line, _)| {
            let test = sample.card_in_line(*line)?;
            Ok(Played { balance: test.opening, test })
        });
        let cards = cards.collect::<Result<_, DemoError>>()?;
        Ok(Self { interrupt, report, terminals, cards, kept: None })
    }

    /// Everything before the crash.
    pub(super) fn first_day(&mut self, switch: SocketAddr) -> Result<(), DemoError> {
        for (desk, _) in DESKS {
            self.sign_in(desk, switch)?;
        }
        self.spend(Desk::NewTill, Role::Rich, 2_580, Pin::Right, "00", "purchase with PIN")?;
        self.spend(Desk::Till, Role::LongPin, 1_990, Pin::Right, "00", "19-digit card, 12-digit PIN")?;
        self.spend(Desk::Bus, Role::Tap, 200, Pin::Untyped, "00", "tap on the bus, no PIN")?;
        self.decline()?;
        self.forge()?;
        self.repeat()?;
        self.reverse()?;
        self.split()?;
        self.activate()?;
        self.ask(Desk::NewTill, Role::Rich, "balance")
    }

    /// Everything after it: the switch must remember what it answered and what it owes.
    pub(super) fn after_the_crash(&mut self, switch: SocketAddr) -> Result<(), DemoError> {
        if let Some(kept) = self.kept.take() {
            let terminal = &mut self.terminals[Desk::NewTill as usize];
            terminal.connect(switch)?;
            let again = terminal.repeat(&kept)?;
            self.report.exchange(terminal, "an old purchase, same bytes", approved(kept.balance), &again);
            self.report.fact("answers before and after", "the same bytes", again.answer == kept.answer);
        }
        self.sign_in(Desk::NewTill, switch)?;
        for (role, _, title) in ROLES {
            match role {
                // These two are told no balance; what they are told must not have changed either.
                Role::Forgetful => drop(self.spend(Desk::NewTill, role, 100, Pin::Right, "75", title)?),
                Role::Listed => drop(self.spend(Desk::NewTill, role, 100, Pin::Right, "59", title)?),
                _ => self.ask(Desk::NewTill, role, &format!("balance, {title}"))?,
            }
        }
        Ok(())
    }

    fn decline(&mut self) -> Result<(), DemoError> {
        let role = Role::Forgetful;
        self.spend(Desk::NewTill, role, 500, Pin::Wrong, "55", "wrong PIN")?;
        self.spend(Desk::NewTill, role, 500, Pin::Wrong, "55", "wrong PIN again")?;
        self.spend(Desk::NewTill, role, 500, Pin::Wrong, "75", "wrong PIN a third time")?;
        self.spend(Desk::NewTill, role, 500, Pin::Right, "75", "right PIN, too late")?;
        self.spend(Desk::NewTill, Role::Listed, 500, Pin::Right, "59", "blacklisted for fraud")?;
        self.spend(Desk::Till, Role::Poor, 600, Pin::Right, "51", "more than is on the card").map(drop)
    }

    /// A request whose amount was changed on the way, under a STAN the switch has not seen.
    fn forge(&mut self) -> Result<(), DemoError> {
        let (terminal, card) = self.players(Desk::NewTill, Role::Rich)?;
        let (hand, pin) = (&card.test.card, card.test.pin.expose());
        let frame = terminal.prepare(Service::Purchase, hand, Some(1_000), Some(pin), Entry::Stripe)?;
        // A purchase has field 4; were it missing, the approval would fail the expectation.
        let exchange = terminal.send(&frame.changed(4).unwrap_or(frame))?;
        self.note(Desk::NewTill, "a byte changed on the way", want("A0"), &exchange);
        self.ask(Desk::NewTill, Role::Rich, "balance: nothing was paid")
    }

    fn repeat(&mut self) -> Result<(), DemoError> {
        let (desk, role) = (Desk::NewTill, Role::Ordinary);
        let first = self.spend(desk, role, 1_000, Pin::Right, "00", "purchase")?;
        let mut same = true;
        for tried in ["the same bytes again", "the same bytes a third time"] {
            let again = self.players(desk, role)?.0.repeat(&first)?;
            same &= again.answer == first.answer;
            self.note(desk, tried, approved(first.balance), &again);
        }
        self.report.fact("the three answers", "the same bytes", same);
        self.kept = Some(first);
        self.ask(desk, role, "balance: paid once")
    }

    fn reverse(&mut self) -> Result<(), DemoError> {
        let (desk, role, amount) = (Desk::Till, Role::LongPin, 10_000);
        let paid = self.spend(desk, role, amount, Pin::Right, "00", "purchase")?;
        let (terminal, card) = self.players(desk, role)?;
        let reversed = terminal.reverse(&paid)?;
        card.balance += amount;
        self.note(desk, "its reversal", want("00"), &reversed);
        self.ask(desk, role, "balance: as before")?;
        let again = self.players(desk, role)?.0.repeat(&reversed)?;
        self.note(desk, "the reversal again", want("00"), &again);
        self.report.fact("the two answers", "the same bytes", again.answer == reversed.answer);
        self.ask(desk, role, "balance: reversed once")
    }

    /// 30.00 medical and 50.00 general: the pharmacy takes medical money first, so 40.00 there leaves 40.00 general,
    /// which a till shows by refusing one fen more and granting that.
    fn split(&mut self) -> Result<(), DemoError> {
        let role = Role::Medical;
        self.spend(Desk::Pharmacy, role, 4_000, Pin::Right, "00", "medicine, from two purses")?;
        self.spend(Desk::Till, role, 4_001, Pin::Right, "51", "food, a fen more than is left")?;
        self.spend(Desk::Till, role, 4_000, Pin::Right, "00", "food, all that is left").map(drop)
    }

    fn activate(&mut self) -> Result<(), DemoError> {
        let role = Role::New;
        self.spend(Desk::NewTill, role, 2_000, Pin::Right, "78", "new card, not active yet")?;
        let (terminal, card) = self.players(Desk::Counter, role)?;
        let exchange = terminal.load(&card.test.card, 5_000, Entry::Stripe)?;
        card.balance += 5_000;
        let want = approved(Some(card.balance));
        self.note(Desk::Counter, "its first load activates it", want, &exchange);
        self.spend(Desk::NewTill, role, 2_000, Pin::Right, "00", "purchase with it").map(drop)
    }

    fn sign_in(&mut self, desk: Desk, switch: SocketAddr) -> Result<(), DemoError> {
        let terminal = &mut self.terminals[desk as usize];
        terminal.connect(switch)?;
        // Wrong check values would be an error.
        let exchange = terminal.sign_in()?;
        let tried = match terminal.algorithm() {
            MacAlgorithm::UnionPayEcb => "sign in, check values right, MAC ecb",
            _ => "sign in, check values right, MAC x9.19",
        };
        self.note(desk, tried, want("00"), &exchange);
        Ok(())
    }

    /// A purchase of which `code` is expected, and with 00 the balance that follows.
    fn spend(
        &mut self,
        desk: Desk,
        role: Role,
        amount: i64,
        pin: Pin,
        code: &'static str,
        tried: &str,
    ) -> Result<Exchange, DemoError> {
        let (terminal, card) = self.players(desk, role)?;
        let mut digits = card.test.pin.expose().clone();
        if let (Pin::Wrong, Some(last)) = (pin, digits.last_mut()) {
            *last = b'0' + (*last - b'0' + 1) % 10;
        }
        let exchange = match pin {
            Pin::Untyped => terminal.purchase(&card.test.card, amount, None, Entry::Contactless)?,
            _ => terminal.purchase(&card.test.card, amount, Some(&digits), Entry::Stripe)?,
        };
        let mut want = want(code);
        if code == "00" {
            card.balance -= amount;
            want.balance = Some(card.balance);
        }
        self.note(desk, tried, want, &exchange);
        Ok(exchange)
    }

    /// A balance inquiry that must show what was added up here.
    fn ask(&mut self, desk: Desk, role: Role, tried: &str) -> Result<(), DemoError> {
        let (terminal, card) = self.players(desk, role)?;
        let pin = card.test.pin.expose();
        let exchange = terminal.balance(&card.test.card, Some(pin), Entry::Stripe)?;
        let want = approved(Some(card.balance));
        self.note(desk, tried, want, &exchange);
        Ok(())
    }

    fn players(&mut self, desk: Desk, role: Role) -> Result<(&mut PosTerminal, &mut Played), DemoError> {
        if self.interrupt.came() {
            return Err(DemoError::Interrupted);
        }
        // In range: there is one for each variant.
        Ok((&mut self.terminals[desk as usize], &mut self.cards[role as usize]))
    }

    fn note(&mut self, desk: Desk, tried: &str, want: Want, exchange: &Exchange) {
        self.report.exchange(&self.terminals[desk as usize], tried, want, exchange);
    }
}

fn want(code: &'static str) -> Want {
    Want { code, balance: None }
}

fn approved(balance: Option<i64>) -> Want {
    Want { code: "00", balance }
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
        let (interrupt, mut report) = (Interrupt::default(), Report::default());
        let play = Play::open(dir.path(), &interrupt, &mut report).unwrap();
        for (place, (role, line, title)) in ROLES.into_iter().enumerate() {
            assert_eq!((role as usize, play.cards[place].test.line), (place, line), "{title}");
        }
        for (place, (desk, id)) in DESKS.into_iter().enumerate() {
            assert_eq!(
                (desk as usize, play.terminals[place].id()),
                (place, id.as_bytes().try_into().unwrap())
            );
        }
        let opening = |role| play.cards[role as usize].balance;
        assert_eq!((opening(Role::Poor), opening(Role::New), opening(Role::Medical)), (500, 0, 8_000));
        assert_eq!(play.cards[Role::LongPin as usize].test.pin.expose().len(), 12);
    }
}
