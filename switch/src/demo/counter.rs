//! At the counter: paying, being refused, taking back, holding; by terminals of the dialect `pos`.
//!
//! Start at [`Play::counter`].

use super::DemoError;
use super::cast::{Desk, Role};
use super::play::{Pin, Play, Step};
use super::report::Want;
use crate::terminal::{Entry, Exchange, Service};

impl Play<'_> {
    pub(super) fn counter(&mut self) -> Result<(), DemoError> {
        self.report.group("Paying, and being declined");
        self.spend(Desk::NewTill, Role::Rich, 2_580, Pin::Right, "00", "purchase with PIN")?;
        self.spend(Desk::Till, Role::LongPin, 1_990, Pin::Right, "00", "19-digit card, 12-digit PIN")?;
        self.spend(Desk::Bus, Role::Tap, 200, Pin::Untyped, "00", "tap on the bus, no PIN")?;
        self.decline()?;
        self.forge()?;
        self.report.group("Sent again, taken back, out of order");
        self.repeat()?;
        self.take_back()?;
        self.overtake()?;
        self.report.group("Purses and loads");
        self.split()?;
        self.activate()?;
        self.fill()?;
        self.report.group("Held, completed, voided, refunded");
        self.hold()?;
        self.give_back()?;
        self.ask(Desk::NewTill, Role::Rich, "balance, the rich card")
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
        let (hand, pin) = (&card.test.card, card.pin());
        let frame = terminal.prepare(Service::Purchase, hand, Some(1_000), Some(&pin), Entry::Stripe)?;
        // A purchase has field 4; were it missing, the approval would fail the expectation.
        let exchange = terminal.send(&frame.changed(4).unwrap_or(frame))?;
        self.note(Desk::NewTill, "a byte changed on the way", Want::code("A0"), &exchange);
        self.ask(Desk::NewTill, Role::Rich, "balance: nothing was paid")
    }

    fn repeat(&mut self) -> Result<(), DemoError> {
        let (desk, role) = (Desk::NewTill, Role::Ordinary);
        let first = self.spend(desk, role, 1_000, Pin::Right, "00", "purchase")?;
        let mut same = true;
        for tried in ["the same bytes again", "the same bytes a third time"] {
            let again = self.players(desk, role)?.0.repeat(&first)?;
            same &= again.answer == first.answer;
            self.note(desk, tried, Want::balance(first.balance), &again);
        }
        self.report.fact("the three answers", "the same bytes", same);
        self.kept = Some(first);
        self.ask(desk, role, "balance: paid once")
    }

    fn take_back(&mut self) -> Result<(), DemoError> {
        let (desk, role) = (Desk::Till, Role::LongPin);
        let paid = self.spend(desk, role, 10_000, Pin::Right, "00", "purchase")?;
        let reversed = self.reverse(desk, role, &paid, "its reversal")?;
        self.ask(desk, role, "balance: as before")?;
        let again = self.players(desk, role)?.0.repeat(&reversed)?;
        self.note(desk, "the reversal again", Want::code("00"), &again);
        self.report.fact("the two answers", "the same bytes", again.answer == reversed.answer);
        self.ask(desk, role, "balance: reversed once")
    }

    /// A purchase that is late on its way; the terminal reverses it before the switch has seen it.
    fn overtake(&mut self) -> Result<(), DemoError> {
        let (desk, role, amount) = (Desk::NewTill, Role::Ordinary, 700);
        let (terminal, card) = self.players(desk, role)?;
        let (hand, pin) = (&card.test.card, card.pin());
        let late = terminal.prepare(Service::Purchase, hand, Some(amount), Some(&pin), Entry::Stripe)?;
        let stan = late.message().ok().and_then(|message| message.number(11)).unwrap_or_default();
        // Six digits.
        let stan = u32::try_from(stan).unwrap_or_default();
        let reversed = terminal.reverse_earlier(Service::Purchase, stan, amount)?;
        let original = terminal.send(&late)?;
        self.note(desk, "a reversal before its original", Want::code("00"), &reversed);
        self.note(desk, "the original, late", Want::code("68"), &original);
        self.ask(desk, role, "balance: nothing was paid")
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
        self.load(role, 5_000, "00", "its first load activates it")?;
        self.spend(Desk::NewTill, role, 2_000, Pin::Right, "00", "purchase with it").map(drop)
    }

    /// 1.00 fits on the card.
    fn fill(&mut self) -> Result<(), DemoError> {
        self.load(Role::NearlyFull, 101, "61", "load, a fen above the card's maximum")?;
        self.load(Role::NearlyFull, 100, "00", "load, up to the maximum")
    }

    fn load(&mut self, role: Role, amount: i64, code: &'static str, tried: &str) -> Result<(), DemoError> {
        let (service, pin) = (Service::Load, Pin::Untyped);
        let step = Step { service, amount, pin, of: None, moves: amount, code, tried };
        self.step(Desk::Counter, role, &step).map(drop)
    }

    /// What a completion leaves of a hold is free again.
    fn hold(&mut self) -> Result<(), DemoError> {
        let (desk, role, pin) = (Desk::NewTill, Role::Guest, Pin::Right);
        let (held, paid) = (5_000, 4_200);
        let service = Service::PreAuthorization;
        let tried = "pre-authorization";
        let step = Step { service, amount: held, pin, of: None, moves: -held, code: "00", tried };
        let hold = self.step(desk, role, &step)?;
        let (service, moves, tried) = (Service::Completion, held - paid, "completion for less");
        let step = Step { service, amount: paid, pin, of: Some(&hold), moves, code: "00", tried };
        self.step(desk, role, &step)?;
        self.ask(desk, role, "balance: the rest is free")
    }

    fn give_back(&mut self) -> Result<(), DemoError> {
        let (desk, role) = (Desk::NewTill, Role::Guest);
        let paid = self.spend(desk, role, 2_000, Pin::Right, "00", "purchase")?;
        self.follow(Service::Void, 2_000, &paid, "00", "its void")?;
        let paid = self.spend(desk, role, 3_000, Pin::Right, "00", "purchase")?;
        self.follow(Service::Refund, 1_000, &paid, "00", "refund of a part")?;
        self.follow(Service::Refund, 2_001, &paid, "64", "refund, a fen more than is left")?;
        self.ask(desk, role, "balance: refunded once")
    }

    /// The guest gets money back.
    fn follow(
        &mut self,
        service: Service,
        amount: i64,
        of: &Exchange,
        code: &'static str,
        tried: &str,
    ) -> Result<(), DemoError> {
        let step = Step { service, amount, pin: Pin::Right, of: Some(of), moves: amount, code, tried };
        self.step(Desk::NewTill, Role::Guest, &step).map(drop)
    }
}
