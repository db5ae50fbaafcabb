//! Card products: which purses a card has, in which order they pay, and when a PIN is needed. Data, not code.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::ledger::{Minor, purse::PURSES_MAX};

/// When a purchase needs a PIN.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PinRule {
    /// Always.
    Always,
    /// Not for a contactless purchase up to and including this amount, minor units.
    ContactlessAbove(Minor),
}

/// The most regions a product or a card may name.
pub const REGIONS_MAX: usize = 8;

/// Region codes of six digits (GB/T 2260); one that ends in zeros covers everything below it.
pub type Regions = ArrayVec<u32, REGIONS_MAX>;

/// The most merchant categories with a hold time of their own.
pub const HOLDS_BY_CATEGORY_MAX: usize = 16;

/// One product.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Product {
    /// Its name in files and tables.
    pub name: String,
    /// Positions of its purse types, in order of use.
    pub purses: ArrayVec<u16, PURSES_MAX>,
    /// Which of `purses` a load goes to (index into `purses`).
    pub load_purse: u8,
    /// What all purses together may hold after a load, minor units.
    pub balance_max: Minor,
    /// When a purchase needs a PIN.
    pub pin: PinRule,
    /// Whether a balance inquiry needs a PIN.
    pub balance_needs_pin: bool,
    /// Regions where its cards may be used; empty is everywhere.
    pub regions: Regions,
    /// How long a pre-authorization holds money, milliseconds.
    pub hold_ms: i64,
    /// The same at merchants of these categories, which comes first.
    pub hold_by_category: ArrayVec<(u16, i64), HOLDS_BY_CATEGORY_MAX>,
    /// By how much a completion may be above what is held, in per cent of it.
    pub completion_over_pct: u8,
    /// Whether a completion is still paid after its hold's time is over.
    pub late_completion: bool,
    /// Deposit for the card itself, minor units of the load purse's currency; taken at issue, held apart.
    pub deposit: Minor,
}

impl Product {
    /// How long a pre-authorization at a merchant of this category holds money, milliseconds.
    #[must_use]
    pub fn hold_ms_at(&self, category: u16) -> i64 {
        let own = self.hold_by_category.iter().find(|(of, _)| *of == category);
        own.map_or(self.hold_ms, |(_, hold_ms)| *hold_ms)
    }

    /// The most that may be completed of a hold of this much, minor units.
    #[must_use]
    pub fn completion_max(&self, held: Minor) -> Minor {
        let over = i128::from(held) * i128::from(self.completion_over_pct) / 100;
        held.saturating_add(Minor::try_from(over).unwrap_or(0))
    }

    /// Whether a purchase of this amount needs a PIN.
    #[must_use]
    pub fn purchase_needs_pin(&self, contactless: bool, amount: Minor) -> bool {
        match self.pin {
            PinRule::Always => true,
            PinRule::ContactlessAbove(max) => !contactless || amount > max,
        }
    }
}
