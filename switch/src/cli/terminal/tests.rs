//! Which arguments are taken, and that none of them is printed back if it may be secret.

#![expect(clippy::unwrap_used, reason = "tests")]

use clap::{CommandFactory, Parser};
use hsm_sim::Pan;

use super::*;

#[derive(Debug, Parser)]
struct Shell {
    #[command(flatten)]
    args: Args,
}

fn parse(line: &str) -> Result<Shell, clap::Error> {
    Shell::try_parse_from(line.split(' '))
}

#[test]
fn arguments_are_taken_or_refused() {
    for (line, good) in [
        ("terminal pos sign-in", true),
        ("terminal pos purchase --amount 1.00 --card 9156009224100010 --pin 1234", true),
        ("terminal pos purchase --amount 1.00 --tap --repeat 2", true),
        ("terminal pos reversal --amount 1.00", true),
        ("terminal pos reversal --amount 1.00 --of completion-void", true),
        ("terminal pos reversal --amount 1.00 --of balance", false),
        ("terminal pos reversal --amount 1.00 --batch 0 --stan 999999", true),
        ("terminal pos reversal --amount 1.00 --stan 999999", false),
        ("terminal pos reversal --amount 1.00 --batch 1", false),
        ("terminal pos balance --to 127.0.0.1:1", true),
        ("terminal pos purchase", false),
        ("terminal pos purchase --amount 1", false),
        ("terminal pos purchase --amount 1.00 --tap --pin 1234", false),
        ("terminal pos balance --amount 1.00", false),
        ("terminal pos reversal --amount 1.00 --batch 1 --stan 1000000", false),
        ("terminal pos echo --repeat 1001", false),
        ("terminal pos echo --to nowhere", false),
        ("terminal pos void --amount 1.00", true),
        ("terminal pos void --amount 1.00 --rrn 632606000110", true),
        ("terminal pos void --amount 1.00 --rrn 632606000110 --approval 000110 --batch 1 --stan 1", true),
        ("terminal pos void --amount 1.00 --approval 000110 --batch 1", false),
        ("terminal pos void --amount 1.00 --batch 1 --stan 1", false),
        ("terminal pos void --amount 1.00 --rrn 63260600011", false),
        ("terminal pos void --amount 1.00 --approval 00011x", false),
        ("terminal pos refund --amount 1.00 --approval 000110", true),
        ("terminal pos pre-authorization --amount 1.00", true),
        ("terminal pos pre-authorization-void --amount 1.00", true),
        ("terminal pos completion --amount 1.00 --advice", true),
        ("terminal pos completion-void --amount 1.00", true),
        ("terminal pos pin-change --new-pin 4321", true),
        ("terminal pos pin-change", false),
        ("terminal pos balance --calling 1", false),
        ("terminal epos balance --calling 02100000001", true),
        ("terminal epos --calling 02100000001 balance", true),
        ("terminal epos refund --amount 1.00", true),
        ("terminal atm echo", true),
        ("terminal atm echo --listen 127.0.0.1:9000 --length binary --bitmap binary", true),
        ("terminal atm --length long echo", false),
        ("terminal atm withdrawal --amount 1.00 --fee 0.50", true),
        ("terminal atm balance --fee 0.50", false),
        ("terminal atm reversal --amount 1.00 --stays 0.40", true),
        ("terminal atm reversal --amount 1.00 --sent 1122003500 --stan 1 --of load", true),
        ("terminal atm reversal --amount 1.00 --stan 1", false),
        ("terminal atm purchase --amount 1.00", false),
    ] {
        assert_eq!(parse(line).is_ok(), good, "{line}");
    }
}

#[test]
fn every_help_has_examples() {
    fn check(command: &mut clap::Command) {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Examples:\n  cardswitch terminal"), "{}: {help}", command.get_name());
        command.get_subcommands_mut().filter(|command| command.get_name() != "help").for_each(check);
    }
    let mut shell = Shell::command();
    shell.build();
    check(&mut shell);
}

#[test]
fn a_card_number_and_a_pin_are_never_printed_back() {
    let line = "terminal pos pin-change --card 9156009224100011 --pin 54x21 --new-pin 65y43";
    let shown = format!("{:?}", parse(line).unwrap());
    assert!(!["9156009224100011", "54x21", "65y43"].iter().any(|secret| shown.contains(secret)), "{shown}");
    let wrong = Failure::from(CommandError::Card(Pan::parse(b"9156009224100011").unwrap_err()));
    assert_eq!((wrong.code, wrong.message.contains("0011")), (EXIT_USAGE, false));
    for pin in ["123", "54x21", "1234567890123"] {
        let line = format!("terminal pos pin-change --city ../fixtures/city --pin {pin} --new-pin {pin}");
        let failed = run(&parse(&line).unwrap().args, &mut Vec::new()).unwrap_err();
        assert_eq!((failed.code, failed.message.as_str()), (EXIT_USAGE, "--pin must be 4 to 12 digits"));
    }
}

#[test]
fn a_decline_says_nothing_on_standard_error() {
    let declined = Failure::from(CommandError::Declined);
    assert_eq!((declined.code, declined.message.as_str()), (EXIT_DECLINED, ""));
}
