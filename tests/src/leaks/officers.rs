//! Two officers with keys, what they order, and the journal's copies: files that a switch's own folder does not have.
//!
//! Start at [`Officers::enrol`], which adds their keys to what is looked for.

use std::{fs, net::SocketAddr, path::PathBuf};

use cardswitch::hex;

use super::{forms, shown::Shown};
use crate::search::{Kind, Search};

/// Their names.
const NAMES: [&str; 2] = ["alice", "bob"];

/// Two officers, and where their files are.
#[derive(Debug)]
pub struct Officers {
    folder: PathBuf,
}

impl Officers {
    /// Draws their keys with the program's own command; from now on these are looked for.
    ///
    /// # Panics
    /// The program draws no key.
    pub fn enrol(shown: &mut Shown<'_>, search: &mut Search) -> Self {
        // The key files themselves are not searched.
        let officers = Self { folder: shown.folder.join("officers") };
        fs::create_dir_all(officers.orders()).expect("a folder");
        let mut enrolled = Vec::new();
        for name in NAMES {
            let file = officers.text(&format!("{name}.officer"));
            let printed = shown.output(&["order", "officer", "--name", name, "--out", &file]);
            enrolled.extend(printed.expect("an officer"));
            let written = fs::read_to_string(&file).expect("a key file");
            let key = written.split('"').find_map(hex::bytes::<32>).expect("a key of 64 hex digits");
            search.add(Kind::OfficerKey, name, forms::of_key(&key));
        }
        fs::write(officers.enrolled(), enrolled).expect("a folder");
        officers
    }

    /// The file of those whose orders count.
    #[must_use]
    pub fn enrolled(&self) -> PathBuf {
        self.folder.join("officers.toml")
    }

    /// The folder of the orders.
    #[must_use]
    pub fn orders(&self) -> PathBuf {
        self.folder.join("orders")
    }

    /// Orders to a serving switch, one that is carried out and some that are refused, with a card number wherever one fits.
    ///
    /// # Panics
    /// The first is not carried out.
    pub fn order(&self, shown: &mut Shown<'_>, admin: SocketAddr, asked_for: &[u8]) {
        let pan = String::from_utf8_lossy(asked_for).into_owned();
        let [alice, bob] = NAMES.map(|name| self.text(&format!("{name}.officer")));
        let (admin, enrolled) = (format!("http://{admin}"), self.enrolled().to_string_lossy().into_owned());
        let tries = self.text(&format!("orders/tries-{}.order", shown.count));
        let made = ["order", "card", "reset-pin-tries", "--card", "1", "--officer", &alice, "--out", &tries];
        assert!(
            shown.run(&[&made[..], &["--admin", &admin, "--why", "came in with papers"]].concat()),
            "an order"
        );
        shown.run(&["order", "carry-out", &tries, "--admin", &admin]);
        assert!(shown.run(&["order", "sign", &tries, "--officer", &bob]), "a second signature");
        shown.run(&["order", "show", &tries, "--officers", &enrolled]);
        assert!(shown.run(&["order", "carry-out", &tries, "--admin", &admin]), "it is carried out");
        let why_pan = format!("card {pan}");
        for (card, why, officer) in [
            (pan.as_str(), "a number for a place", &alice),
            ("1", &why_pan, &alice),
            ("1", "nobody's key", &pan),
            ("4294967295", "no such card", &bob),
        ] {
            let file = self.text(&format!("orders/mistake-{}.order", shown.count));
            let made = ["order", "card", "reset-pin-tries", "--card", card, "--officer", officer];
            shown.run(&[&made[..], &["--admin", &admin, "--out", &file, "--why", why]].concat());
            shown.run(&["order", "sign", &file, "--officer", &bob]);
            shown.run(&["order", "carry-out", &file, "--admin", &admin]);
        }
        shown.run(&["order", "officer", "--name", &pan, "--out", &self.text("orders/none.officer")]);
    }

    fn text(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }
}
