//! The specifications that come with the crate: files in `specs/`, compiled when they are first asked for.

use std::sync::LazyLock;

use crate::field::Encoding;
use crate::spec::Spec;

/// A specification of this crate.
struct Shipped {
    name: &'static str,
    toml: &'static str,
    spec: LazyLock<Spec>,
}

/// Names, files and compiled tables. A file's own name is its row's, which a test holds them to.
macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(Shipped {
            name: $name,
            toml: include_str!(concat!("../specs/", $name, ".toml")),
            spec: LazyLock::new(|| own(include_str!(concat!("../specs/", $name, ".toml")))),
        }),*]
    };
}

static SHIPPED: [Shipped; 9] = shipped![
    "pos",
    "epos",
    "atm",
    "iso1987-ascii",
    "iso1987-binary",
    "iso1993-ascii",
    "iso1993-binary",
    "iso2003-binary",
    "ipm",
];

const POS: &Shipped = &SHIPPED[0];
const ATM: &Shipped = &SHIPPED[2];

impl Spec {
    /// The specification of this crate with this name; [`Spec::shipped_names`] has them all.
    #[must_use]
    pub fn shipped(name: &str) -> Option<&'static Spec> {
        find(name).map(|shipped| &*shipped.spec)
    }

    /// The names of the specifications of this crate: `pos`, `epos` and `atm`, which the switch speaks, and editions
    /// of the standard to begin a specification from.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|shipped| shipped.name)
    }

    /// The file of a specification of this crate.
    #[must_use]
    pub fn shipped_toml(name: &str) -> Option<&'static str> {
        find(name).map(|shipped| shipped.toml)
    }

    /// The table of the UnionPay-style POS dialect.
    #[must_use]
    pub fn pos() -> &'static Spec {
        &POS.spec
    }

    /// The table of ISO 8583:1987 in ASCII, as ATM hosts speak it, with hex
    /// bitmaps.
    #[must_use]
    pub fn atm() -> &'static Spec {
        &ATM.spec
    }

    /// The same table with binary bitmaps, as other ATM hosts send them.
    #[must_use]
    pub fn atm_binary_bitmap() -> &'static Spec {
        static SPEC: LazyLock<Spec> = LazyLock::new(|| {
            let mut spec = own(ATM.toml);
            spec.bitmap = Encoding::Packed;
            spec
        });
        &SPEC
    }
}

fn find(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

/// Compiles a file of this crate.
fn own(text: &str) -> Spec {
    // INVARIANT: the file is part of this crate, and its tests compile it.
    Spec::from_toml(text).expect("the specification in this crate is valid")
}
