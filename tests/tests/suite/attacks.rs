//! The attacker's list. For each attack: how it is answered, what counts it, and that nothing was posted for it.
//!
//! The attacker hears and sends on every line, and may have a terminal of his own; he has no keys of others. Changed and
//! truncated bytes are in `bad_input`, forged sign-ins of `pos` in `keys`, money taken twice in `money`.

mod identity;
mod macs;
mod refunds;
mod replay;
mod zone_keys;

use cardswitch::{
    books::notices::{Cause, Recipient},
    terminal::{AtmHost, Entry, EposTerminal, Exchange, Order, PosTerminal, Service, TestCard},
};
use hsm_sim::{KeyUsage, emulator::Zone};
use iso8583::{Builder, EncodeError};
use switch_tests::{clients::Clients, forge, in_process::InProcess};

/// Lines of `cards.csv` with ordinary cards of some thousands.
const RICH: u64 = 65;
const OTHER: u64 = 66;

const ACQUIRER: &str = "31060110";

/// A PIN key, a MAC key to the switch and one from it, that no zone of the sample city has.
const NEW: [u128; 3] = [
    0x43B6_A88A_13E9_2C0E_9BAE_017A_4FB3_9B58,
    0xAEFE_8CC1_8FA8_2657_C2D6_510D_2C7A_4368,
    0x1C97_4C13_8386_1001_DA2F_DC32_AB5E_3B86,
];

/// A switch and who calls it.
fn scene() -> (InProcess, Clients) {
    let switch = InProcess::start();
    let clients = Clients::of(&switch);
    (switch, clients)
}

fn pay(terminal: &mut EposTerminal, card: &TestCard, amount: i64) -> Exchange {
    let pin = Some(card.pin.expose().as_slice());
    terminal.purchase(&card.card, amount, pin, Entry::Stripe).expect("an answer")
}

fn draw(host: &mut AtmHost, terminal: &[u8; 8], card: &TestCard, amount: i64) -> Exchange {
    let pin = Some(card.pin.expose().as_slice());
    host.withdrawal(terminal, &card.card, pin, amount, None).expect("an answer")
}

fn buy(terminal: &mut PosTerminal, card: &TestCard, amount: i64) -> Exchange {
    let order = Order {
        amount: Some(amount),
        pin: Some(card.pin.expose()),
        ..Order::new(Service::Purchase, &card.card, Entry::Stripe)
    };
    terminal.order(&order).expect("an answer")
}

/// Whom the newest notice is for, and why.
fn last_notice(switch: &InProcess) -> Option<(Recipient, Cause)> {
    switch.look(|books| {
        let last = books.notices().last_id();
        books.notices().after(last.saturating_sub(1)).last().map(|notice| (notice.to, notice.subject.cause))
    })
}

/// 0800 with this field 70, sent some seconds from now.
fn link(zone: &Zone, acquirer: &str, from_now_s: i64, stan: u64, code: u64) -> Vec<u8> {
    forge::atm_frame(zone, (0x0800, 128), |message| {
        message.number(7, forge::transmitted(from_now_s))?.number(11, stan)?;
        message.digits(32, acquirer.as_bytes())?.number(70, code).map(drop)
    })
}

/// A withdrawal of 1.00 at 51000001.
fn withdrawal(zone: &Zone, acquirer: &str, stan: u64, card: &TestCard) -> Vec<u8> {
    let block = zone.pin_block(card.pin.expose(), card.card.pan()).expect("a PIN");
    forge::atm_frame(zone, (0x0200, 64), |message| {
        message.digits(2, card.card.pan().expose())?.number(3, 10_000)?.number(4, 100)?;
        message.number(7, forge::transmitted(0))?.number(11, stan)?.number(22, 11)?;
        message.digits(32, acquirer.as_bytes())?.text(41, b"51000001")?.text(49, b"156")?;
        message.bytes(52, &block).map(drop)
    })
}

/// Blocks of a PIN key, a MAC key to the switch, a MAC key from it.
fn new_blocks(clients: &Clients, zone: &Zone, keys: &[u128; 3]) -> Vec<String> {
    let usages = [KeyUsage::PinEncryption, KeyUsage::MacX919, KeyUsage::MacX919];
    let blocks = usages.into_iter().zip(keys);
    blocks.map(|(usage, key)| zone.key_block(usage, &key.to_be_bytes(), clients.entropy().as_mut())).collect()
}

/// 0800 with field 70 = 161 and these blocks in their places.
fn key_change(zone: &Zone, stan: u64, blocks: &[String]) -> Vec<u8> {
    let field: String =
        (1..).zip(blocks).map(|(place, block)| format!("{place:02}{:03}{block}", block.len())).collect();
    key_change_with(zone, stan, &field)
}

fn key_change_with(zone: &Zone, stan: u64, field: &str) -> Vec<u8> {
    let put = |message: &mut Builder<'_, '_>| -> Result<(), EncodeError> {
        message.number(7, forge::transmitted(0))?.number(11, stan)?.digits(32, ACQUIRER.as_bytes())?;
        message.text(48, field.as_bytes())?.number(70, 161).map(drop)
    };
    forge::atm_frame(zone, (0x0800, 128), put)
}
