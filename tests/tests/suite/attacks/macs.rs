//! MACs that are cut short, left out, or put where they cover too little.

use cardswitch::terminal::{AtmOrder, AtmService, Entry, PosTerminal, Service};
use iso8583::Builder;
use switch_tests::{
    clients::assert_approved,
    forge::{self, Tap},
    watch::Watch,
};

use super::{ACQUIRER, RICH, draw, scene};

#[test]
fn a_mac_that_is_not_whole_is_none() {
    let (switch, clients) = scene();
    let card = clients.card(RICH);
    let (mut host, machine) = clients.atm("51000001");
    let prepared = |terminal: &mut PosTerminal| {
        let frame = terminal.prepare(Service::Purchase, &card.card, Some(100), None, Entry::Contactless);
        frame.expect("signed in")
    };
    let of_epos =
        clients.epos("41000001").prepare(Service::Purchase, &card.card, Some(100), None, Entry::Contactless);
    let of_atm = host.prepare(&AtmOrder {
        pin: Some(card.pin.expose()),
        amount: Some(100),
        ..AtmOrder::new(AtmService::Withdrawal, &machine, &card.card)
    });
    let rows = [
        ("pos", prepared(&mut clients.pos("31000001")), Tap::pos(switch.address())),
        ("pos", prepared(&mut clients.pos("31000002")), Tap::pos(switch.address())),
        ("epos", of_epos.expect("signed in"), Tap::pos(switch.epos_address())),
        ("atm", of_atm.expect("a withdrawal"), Tap::atm(switch.atm_address())),
    ];
    for (dialect, frame, mut line) in rows {
        let mac = forge::mac_of(&frame).to_vec();
        let zero = if dialect == "atm" { b'0' } else { 0 };
        let (half, zeros) = (&mac[..mac.len() / 2], vec![zero; mac.len() / 2]);
        let attempts = [
            ("left out", forge::without_mac(&frame), "A0"),
            ("half of it and zeros", forge::with_mac(&frame, &[half, &zeros].concat()), "A0"),
            ("zeros", forge::with_mac(&frame, &[&zeros[..], &zeros].concat()), "A0"),
            ("its halves swapped", forge::with_mac(&frame, &[&mac[mac.len() / 2..], half].concat()), "A0"),
            ("promised and not there", forge::with_mac(&frame, &[]), "30"),
            ("half of it and the end", forge::with_mac(&frame, half), "30"),
        ];
        let watch = Watch::begin(&switch);
        for (name, bytes, want) in attempts {
            let answer = line.ask(&bytes);
            assert_eq!(forge::code(&answer), want, "{dialect}: {name}");
            let message = answer.message().expect("an answer");
            assert!(!message.has(64) && !message.has(128), "{dialect}, {name}: the switch is no oracle");
        }
        watch.answered(dialect, "format_error", 2);
        watch.ends((dialect, "mac_failed", 4), &[]);
        assert_eq!(line.code(frame.as_bytes()), "00", "{dialect}: whole, it is a request");
    }
}

#[test]
fn a_mac_in_field_64_does_not_stand_for_fields_behind_it() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    let paid = draw(&mut host, &machine, &card, 10_000);
    assert_approved(&paid);
    let zone = clients.zone(ACQUIRER);
    let head = |message: &mut Builder<'_, '_>, stan: u64| {
        message.number(7, forge::transmitted(0))?.number(11, stan)?.digits(32, ACQUIRER.as_bytes()).map(drop)
    };
    let sign_off = forge::atm_frame_open_at_the_end(
        &zone,
        0x0800,
        |message| head(message, 900),
        |message| message.number(70, 2).map(drop),
    );
    let original =
        format!("0200{:06}{:010}{ACQUIRER:0>11}{:011}", paid.stan, paid.transmitted().unwrap_or(0), 0);
    let reversal = forge::atm_frame_open_at_the_end(
        &zone,
        0x0420,
        |message| {
            message.number(3, 10_000)?.number(4, 10_000)?;
            head(message, 901)?;
            message.text(41, &machine)?.text(49, b"156").map(drop)
        },
        |message| message.digits(90, original.as_bytes()).map(drop),
    );
    let mut line = Tap::atm(switch.atm_address());
    let watch = Watch::begin(&switch);
    assert_eq!(line.code(&sign_off), "A0", "field 70 would be open to anyone");
    assert_eq!(line.code(&reversal), "A0", "field 90 would be open to anyone");
    watch.ends(("atm", "mac_failed", 2), &[]);
    assert_approved(&host.reverse(&paid, None).expect("an answer"));
}
