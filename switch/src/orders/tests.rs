#![expect(clippy::unwrap_used, reason = "tests")]

use super::{
    file::{OrderText, draft, read, sign, write},
    key::KeyProblem,
    officers::Role,
    *,
};
use crate::books::{
    alerts::{AlertStep, Disposition, RuleId},
    decide::operations::Operation,
    holder_limits::HolderLimits,
    order::{JournalPlace, What},
};

const NOW_MS: i64 = 1_795_000_000_000;

fn officer(folder: &tempfile::TempDir, name: &str, seed: u8) -> OfficerKey {
    let path = folder.path().join(format!("{name}.officer"));
    OfficerKey::draw(&path, name, &mut |bytes: &mut [u8]| bytes.fill(seed)).unwrap()
}

fn order() -> SignedOrder {
    let what = What::BeginEpoch { epoch: 2, keeps: 17, hash: [9; 32] };
    draft([1; 16], NOW_MS, VALID_H, what, "disk swapped after the fire").unwrap()
}

#[test]
fn an_order_counts_only_with_the_signatures_of_two_enrolled_officers() {
    let folder = tempfile::tempdir().unwrap();
    let [alice, bob, carol] =
        [("alice", 1), ("bob", 2), ("carol", 3)].map(|(name, seed)| officer(&folder, name, seed));
    let officers = Officers::of(&[&alice, &bob]);
    let signed_by = |keys: &[&OfficerKey]| {
        let mut signed = order();
        keys.iter().for_each(|key| signed.signatures.push(key.sign(&signed.order)));
        signed
    };
    let good = signed_by(&[&alice, &bob]);
    assert_eq!(officers.check(&good, NOW_MS), Ok(()));

    let mut later = good.clone();
    later.order.what = What::BeginEpoch { epoch: 2, keeps: 16, hash: [9; 32] };
    let mut renamed = signed_by(&[&alice, &carol]);
    renamed.signatures[1].officer = "bob".try_into().unwrap();
    let mut bent = good.clone();
    bent.signatures[1].scalar[0] ^= 1;
    let of = |name: &str| name.to_owned();
    let rows = [
        ("nobody signed", signed_by(&[]), OrderError::Unsigned(0)),
        ("one signed", signed_by(&[&alice]), OrderError::Unsigned(1)),
        ("one signed twice", signed_by(&[&alice, &alice]), OrderError::Twice(of("alice"))),
        ("a stranger signed", signed_by(&[&alice, &carol]), OrderError::Unknown(of("carol"))),
        ("a stranger under another's name", renamed, OrderError::Forged(of("bob"))),
        ("another order", later, OrderError::Forged(of("alice"))),
        ("a changed signature", bent, OrderError::Forged(of("bob"))),
    ];
    for (name, signed, want) in rows {
        assert_eq!(officers.check(&signed, NOW_MS), Err(want), "{name}");
    }
    let over = good.order.expires_ms + 1;
    assert_eq!(officers.check(&good, over), Err(OrderError::Expired));
    assert_eq!(officers.check_signatures(&good), Ok(()));
}

#[test]
fn one_person_under_two_names_is_still_one() {
    let folder = tempfile::tempdir().unwrap();
    let (alice, twin) = (officer(&folder, "alice", 1), officer(&folder, "twin", 1));
    let mut signed = order();
    for key in [&alice, &twin] {
        signed.signatures.push(key.sign(&signed.order));
    }
    let refused = Officers::of(&[&alice, &twin]).check(&signed, NOW_MS);
    assert_eq!(refused, Err(OrderError::Twice("twin".to_owned())));

    let line = |key: &OfficerKey| {
        format!("[[officer]]\nname = \"{}\"\nkey = \"{}\"\n", key.name(), crate::hex::digits(&key.public()))
    };
    let path = folder.path().join("officers.toml");
    std::fs::write(&path, line(&alice) + &line(&twin)).unwrap();
    assert!(
        Officers::read(&path)
            .unwrap_err()
            .to_string()
            .ends_with("officer[1]: this name or key stands there twice")
    );
    std::fs::write(&path, line(&alice)).unwrap();
    assert!(Officers::read(&path).unwrap_err().to_string().contains("2 to 64 officers"));
    std::fs::write(&path, line(&alice) + &line(&officer(&folder, "bob", 2))).unwrap();
    assert_eq!(
        Officers::read(&path).unwrap().check(&signed, NOW_MS),
        Err(OrderError::Unknown("twin".to_owned()))
    );
}

#[test]
fn a_file_goes_from_maker_to_checker_and_each_signs_once() {
    let folder = tempfile::tempdir().unwrap();
    let (alice, bob) = (officer(&folder, "alice", 1), officer(&folder, "bob", 2));
    let path = folder.path().join("epoch.order");
    let mut made = order();
    sign(&mut made, &alice).unwrap();
    write(&path, &made).unwrap();
    let mut checked = read(&path).unwrap();
    assert_eq!(checked, made);
    assert_eq!(sign(&mut checked, &alice), Err(OrderError::Twice("alice".to_owned())));
    sign(&mut checked, &bob).unwrap();
    assert_eq!(Officers::of(&[&alice, &bob]).check(&checked, NOW_MS), Ok(()));

    let text = serde_json::to_string(&OrderText::of(&checked)).unwrap();
    let rows = [
        ("{}", "it is no order: line 1, column 2"),
        (&text.replace("\"keeps\":17", "\"keeps\":17,\"also\":1"), "it is no order: line 1"),
        (&text.replace("0909", "09"), "what.begin_epoch.hash must be 64 hex digits"),
        (&text.replace("\"alice\"", "\"al ice\""), "a signature must be a name and 128 hex digits"),
    ];
    for (text, want) in rows {
        std::fs::write(&path, text).unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.contains(want), "{refused}");
    }
}

#[test]
fn an_officers_key_is_its_owners_alone_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let alice = officer(&folder, "alice", 1);
    let path = folder.path().join("alice.officer");
    let again = OfficerKey::read(&path).unwrap();
    assert_eq!((again.name(), again.public()), (alice.name(), alice.public()));
    assert!(!format!("{alice:?}").contains("0101"));

    let twice = OfficerKey::draw(&path, "alice", &mut |bytes: &mut [u8]| bytes.fill(2)).unwrap_err();
    assert!(matches!(twice.problem, KeyProblem::Exists));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(OfficerKey::read(&path).unwrap_err().problem, KeyProblem::Open(0o640)));
    let nameless = OfficerKey::draw(&folder.path().join("x"), "a b", &mut |_: &mut [u8]| ()).unwrap_err();
    assert!(matches!(nameless.problem, KeyProblem::Name));
}

#[test]
fn a_reason_is_needed_and_holds_no_card_number() {
    let what = || What::BeginEpoch { epoch: 2, keeps: 17, hash: [9; 32] };
    for why in ["", "  ", "card 9156003355800035 was hit", &"x".repeat(201), "two\nlines"] {
        assert!(draft([1; 16], NOW_MS, VALID_H, what(), why).is_err(), "{why}");
    }
}

#[test]
fn one_signature_is_enough_for_alerts_and_holders_and_an_analysts_or_tellers_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let people = [("alice", 1), ("bob", 2), ("ann", 3), ("tina", 4)];
    let [alice, bob, ann, tina] = people.map(|(name, seed)| officer(&folder, name, seed));
    let officers = Officers::of(&[&alice, &bob]).with(Role::Analyst, &ann).with(Role::Teller, &tina);
    let journal = JournalPlace { record: 7, hash: [9; 32] };
    let handled = || What::HandleAlert { journal, alert: 5, step: AlertStep::Dispose(Disposition::Fraud) };
    let rule = RuleId::from("much").unwrap();
    let snoozed = || What::SnoozeRule { journal, alert: 5, rule, until_ms: NOW_MS + 1 };
    let epoch = || What::BeginEpoch { epoch: 2, keeps: 17, hash: [9; 32] };
    let theirs = || Err(OrderError::NotTheirs("ann".to_owned(), Role::Analyst.words()));
    let of_tellers = || Err(OrderError::NotTheirs("tina".to_owned(), Role::Teller.words()));
    let operate = |operation| What::OperateIn { journal, operation };
    let limits = || operate(Operation::SetHolderLimits { card: 7, limits: HolderLimits::default() });
    let unblock = || operate(Operation::Unblock { card: 7 });
    let rows = [
        ("an analyst says what an alert was", handled(), vec![&ann], Ok(())),
        ("an officer does", handled(), vec![&bob], Ok(())),
        ("nobody does", handled(), vec![], Err(OrderError::Nobody)),
        ("an analyst alone snoozes", snoozed(), vec![&ann], Err(OrderError::Unsigned(1))),
        ("an officer lets an analyst snooze", snoozed(), vec![&ann, &bob], Ok(())),
        ("an analyst orders an epoch", epoch(), vec![&alice, &ann], theirs()),
        ("an analyst limits a card", limits(), vec![&ann], theirs()),
        ("a teller limits a card", limits(), vec![&tina], Ok(())),
        ("a teller unblocks a card", unblock(), vec![&alice, &tina], of_tellers()),
        ("a teller says what an alert was", handled(), vec![&tina], of_tellers()),
    ];
    for (name, what, keys, want) in rows {
        let mut signed = draft([1; 16], NOW_MS, 1, what, "the holder called back").unwrap();
        keys.iter().for_each(|key| sign(&mut signed, key).unwrap());
        assert_eq!(officers.check(&signed, NOW_MS), want, "{name}");
        assert_eq!(OrderText::of(&signed).order().as_ref(), Ok(&signed), "{name}: as a file");
    }
}
