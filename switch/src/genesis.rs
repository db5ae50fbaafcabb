//! Genesis: an empty journal imports a city once. From then on the journal is the truth and the files are not read.
//!
//! Clear test keys and PINs end here: keys become key blocks under the LMK, PINs become verification values, card
//! numbers become tokens, and only those go into events. A city of key blocks has neither to begin with.
//!
//! Start at [`import`]; whoever takes the events is an [`Importing`]. Cards, of which there may be millions, are read
//! and worked out on a thread of their own, see `genesis/ahead.rs`.

mod ahead;
#[cfg(test)]
mod tests;

use hsm_sim::{Entropy, Hsm, HsmError, KeyBlock, KeyHandle, Pan, TokenRequest};
use jiff::{ToSpan, tz::TimeZone};

use crate::{
    books::{
        cards::CardDays,
        event::{
            CardState, Event, InstalledTerminal, IssuedCard, JoinedAcquirer, KeyRole, KeyText, ListedReason,
            ListedSubject, MacScheme, OpenedMerchant, PsamMasters, TerminalDialect, Token, ZoneKeyTexts,
        },
        fees::FeeRule,
        policy::Policy,
        product::{PinRule, Product},
        request::Phone,
    },
    city::{
        self, BlacklistRow, CITY_CURRENCY, City, CityError, Dialect, FeeRow, KeyFile, Listed, LiveKeys,
        MacKind, MerchantState, TerminalRow,
    },
    clock::days_since_1970,
    keys::blocks::{self, KeyFault},
    ledger::{Currency, purse::PurseType},
};

const HOUR_MS: i64 = 3_600_000;

/// Why a city could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// A file is at fault.
    #[error(transparent)]
    City(#[from] CityError),
    /// The HSM refuses a key or a value.
    #[error("{what}: the HSM refuses it")]
    Hsm {
        /// What was being imported.
        what: String,
        /// Why.
        #[source]
        source: HsmError,
    },
    /// A key is refused.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The change of the local master key cannot be brought to its end.
    #[error("the previous LMK cannot be let go of")]
    Rotation(#[source] HsmError),
    /// The key file names a key version that a PSAM needs and does not have, or the zone is unknown.
    #[error("time zone {0:?} is not in the IANA time zone database")]
    Zone(String),
    /// The system gives no thread.
    #[error("cannot start a thread to read the cards")]
    Thread(#[source] std::io::Error),
}

/// Whoever takes the events of an import.
pub trait Importing {
    /// Why an event could not be taken, or not be made.
    type Error: From<GenesisError>;

    /// Takes the next event. After an error nothing more is handed over.
    ///
    /// # Errors
    /// It could not be taken.
    fn take(&mut self, event: &Event) -> Result<(), Self::Error>;

    /// What an error of taking a card says of the city: they that have the books need not be told before by somebody
    /// who keeps all card numbers a second time.
    fn fault_of_card(&self, error: &Self::Error) -> Option<CardFault>;
}

/// Why a card cannot be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardFault {
    /// It was taken before.
    Twice,
    /// What is left of its orderer's float in this currency does not cover it.
    NotCovered {
        /// ISO 4217 number.
        currency: Currency,
    },
}

/// The events that make a city, in order, handed over one by one.
///
/// # Errors
/// The first fault found; what was handed over before must be thrown away.
pub fn import<I: Importing>(
    city: &City,
    keys: &KeyFile,
    policy: Policy,
    zone: &str,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
    into: &mut I,
) -> Result<(), I::Error> {
    city.check_keys(keys).map_err(GenesisError::from)?;
    let keys = &match keys {
        KeyFile::Test(keys) => blocks::of_test(keys, city, hsm, entropy).map_err(GenesisError::from)?,
        KeyFile::Live(keys) => {
            blocks::check(keys, hsm).map_err(GenesisError::from)?;
            LiveKeys::clone(keys)
        }
    };
    let zone = TimeZone::get(zone).map_err(|_| GenesisError::Zone(zone.to_owned()))?;
    let rules = city.rules().map_err(GenesisError::from)?;
    into.take(&Event::PolicySet(policy))?;
    let issuer = import_keys(keys, hsm, into)?;
    import_products(city, into)?;
    for orderer in &city.orderers {
        let (name, float) = (orderer.orderer.clone(), orderer.float_minor);
        into.take(&Event::OrdererOpened { name, currency: CITY_CURRENCY, float })?;
    }
    for merchant in &city.merchants {
        into.take(&Event::MerchantOpened(OpenedMerchant {
            id: merchant.merchant_id,
            name: merchant.name.clone(),
            active: merchant.state == MerchantState::Active,
            currency: CITY_CURRENCY,
            fee_bp: u32::from(merchant.fee_bp),
            fee_min: merchant.fee_min,
            fee_max: merchant.fee_max,
            load_line: merchant.load_line,
        }))?;
    }
    import_psams(city, keys, into)?;
    import_acquirers(city, keys, hsm, into)?;
    for row in &city.currencies {
        into.take(&Event::AccountOpened(row.opened))?;
    }
    for (terminal, row) in (0..).zip(&city.terminals) {
        into.take(&Event::TerminalInstalled(installed(city, row, hsm, entropy)?))?;
        if let Some(spot) = row.spot {
            into.take(&Event::TerminalPlaced { terminal, spot })?;
        }
    }
    import_cards(city, keys, issuer, hsm, into)?;
    for row in &city.blacklist {
        into.take(&listed(row, &issuer, &zone, hsm)?)?;
    }
    if !rules.is_empty() {
        into.take(&Event::RulesPublished(rules))?;
    }
    if !city.fees.is_empty() {
        into.take(&Event::FeesPublished(city.fees.iter().map(fee_rule).collect()))?;
    }
    if let Some(chart) = &city.chart {
        into.take(&Event::ChartPublished(chart.clone()))?;
    }
    into.take(&Event::GenesisDone)
}

/// Issues the cards, in the order of their file.
fn import_cards<I: Importing>(
    city: &City,
    keys: &LiveKeys,
    issuer: IssuerHandles,
    hsm: &mut Hsm,
    into: &mut I,
) -> Result<(), I::Error> {
    let mut cards = 0..;
    ahead::read_ahead(city, keys, issuer, hsm, |ready| {
        let (line, orderer) = (ready.line, ready.card.orderer);
        let in_hand =
            matches!(ready.card.state, CardState::Inactive | CardState::Active | CardState::Blocked);
        let due = city.products.products[usize::from(ready.card.product)].deposit_minor;
        let deposit = if in_hand { due } else { 0 };
        let taken = into.take(&Event::CardIssued(IssuedCard { deposit, ..ready.card }));
        taken.map_err(|error| match into.fault_of_card(&error) {
            Some(CardFault::Twice) => GenesisError::from(city.second_card(line)).into(),
            Some(CardFault::NotCovered { currency }) => {
                GenesisError::from(city.float_fault(orderer, currency)).into()
            }
            None => error,
        })?;
        match (cards.next(), ready.days) {
            (Some(card), days) if days != CardDays::default() => into.take(&Event::CardDated { card, days }),
            _ => Ok(()),
        }
    })
}

#[derive(Clone, Copy)]
struct IssuerHandles {
    pvk: KeyHandle,
    cvk: KeyHandle,
    token: KeyHandle,
}

fn import_keys<I: Importing>(
    keys: &LiveKeys,
    hsm: &mut Hsm,
    into: &mut I,
) -> Result<IssuerHandles, I::Error> {
    let mut import = |role: KeyRole, index, block: &KeyBlock| -> Result<KeyHandle, I::Error> {
        let fault = |source| GenesisError::Hsm { what: format!("the {role:?} key"), source };
        into.take(&Event::KeyInstalled { role, index, block: text(block) })?;
        Ok(hsm.load_key(block).map_err(fault)?)
    };
    Ok(IssuerHandles {
        pvk: import(KeyRole::PinVerification, keys.pvki, &keys.pvk)?,
        cvk: import(KeyRole::CardVerification, 0, &keys.cvk)?,
        token: import(KeyRole::Token, 0, &keys.token)?,
    })
}

fn import_products<I: Importing>(city: &City, into: &mut I) -> Result<(), I::Error> {
    for purse in &city.products.purses {
        into.take(&Event::PurseDefined(PurseType {
            name: purse.name.clone(),
            currency: purse.currency,
            categories: purse.mcc.clone(),
            floor: purse.floor_minor,
            max: purse.max_minor,
            cash: purse.cash,
            last_day: purse.last_day.map(days_since_1970),
        }))?;
    }
    for product in &city.products.products {
        let hold_by_mcc = product.hold_h_by_mcc.iter();
        into.take(&Event::ProductDefined(Product {
            name: product.name.clone(),
            purses: product.purses.clone(),
            load_purse: product.load_purse,
            balance_max: product.balance_max_minor,
            pin: match product.pin {
                city::PinRule::Always => PinRule::Always,
                city::PinRule::Above(max) => PinRule::ContactlessAbove(max),
            },
            balance_needs_pin: product.balance_needs_pin,
            regions: product.regions.clone(),
            hold_ms: i64::from(product.hold_h) * HOUR_MS,
            hold_by_category: hold_by_mcc.map(|(mcc, hours)| (*mcc, i64::from(*hours) * HOUR_MS)).collect(),
            completion_over_pct: product.completion_over_pct,
            late_completion: product.late_completion,
            deposit: product.deposit_minor,
        }))?;
    }
    Ok(())
}

/// An entry of a fee schedule, as the books have it.
#[must_use]
pub fn fee_rule(row: &FeeRow) -> FeeRule {
    FeeRule {
        name: row.name.clone(),
        currency: row.currency,
        percent_bp: row.percent_bp,
        fixed: row.fixed_minor,
        min: row.min_minor,
        max: row.max_minor,
        categories: row.mcc.clone(),
        channels: row.channels.iter().map(|channel| terminal_dialect(*channel)).collect(),
        products: row.products.clone(),
        merchants: row.merchants.clone(),
        first_day: row.first_day.map(days_since_1970),
        last_day: row.last_day.map(days_since_1970),
    }
}

fn terminal_dialect(dialect: Dialect) -> TerminalDialect {
    match dialect {
        Dialect::Pos => TerminalDialect::Pos,
        Dialect::Epos => TerminalDialect::Epos,
        Dialect::Atm => TerminalDialect::Atm,
    }
}

fn import_psams<I: Importing>(city: &City, keys: &LiveKeys, into: &mut I) -> Result<(), I::Error> {
    for masters in &keys.psam_masters {
        into.take(&Event::PsamMastersInstalled(PsamMasters {
            version: masters.version,
            pin: text(&masters.pin),
            mac: text(&masters.mac),
            track: text(&masters.track),
            auth: text(&masters.auth),
        }))?;
    }
    for psam in &city.psams {
        let revoked = psam.state == city::PsamState::Revoked;
        into.take(&Event::PsamIssued { number: psam.psam_no, key_version: psam.key_version, revoked })?;
    }
    Ok(())
}

fn import_acquirers<I: Importing>(
    city: &City,
    keys: &LiveKeys,
    hsm: &mut Hsm,
    into: &mut I,
) -> Result<(), I::Error> {
    for acquirer in &city.acquirers {
        // `check_keys` has seen to it that every acquirer has a zone.
        let Some(zone) = keys.zone(&acquirer.id) else { continue };
        let (mac, role) = match acquirer.mac {
            city::HostMac::X919 => (MacScheme::X919, city::KeyRole::ZoneMacX919),
            city::HostMac::Cbc3Des => (MacScheme::Cbc3Des, city::KeyRole::ZoneMacCbc3Des),
        };
        let mut look = |name: &str, role, block| {
            let name = format!("keys.toml, {name} of acquirer {}", acquirer.id);
            blocks::look(hsm, &name, &[role], block)
                .map(|known| known.check_value)
                .map_err(GenesisError::from)
        };
        let check_values = [
            look("pin", city::KeyRole::ZonePin, &zone.pin)?,
            look("mac_to_switch", role, &zone.mac_to_switch)?,
            look("mac_from_switch", role, &zone.mac_from_switch)?,
        ];
        into.take(&Event::AcquirerJoined(JoinedAcquirer {
            id: acquirer.id,
            name: acquirer.name.clone(),
            mac,
            active: acquirer.active,
            currency: CITY_CURRENCY,
            zmk: text(&zone.zmk),
            keys: ZoneKeyTexts {
                pin: text(&zone.pin),
                mac_to_switch: text(&zone.mac_to_switch),
                mac_from_switch: text(&zone.mac_from_switch),
                check_values,
            },
        }))?;
    }
    Ok(())
}

fn installed(
    city: &City,
    row: &TerminalRow,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
) -> Result<InstalledTerminal, GenesisError> {
    let tmk = blocks::of_terminal(row, hsm, entropy)?;
    Ok(InstalledTerminal {
        id: row.terminal_id,
        merchant: row.merchant,
        category: row.mcc,
        region: row.region,
        dialect: terminal_dialect(row.dialect),
        mac: match row.mac {
            MacKind::UnionPayEcb => MacScheme::UnionPayEcb,
            MacKind::X919 => MacScheme::X919,
        },
        tmk: text(&tmk),
        may_load: row.may_load,
        psam: row.psam,
        // A phone has at most 15 digits, so it always fits.
        phone: row
            .phone
            .as_ref()
            .map_or_else(Phone::new, |phone| Phone::from(phone.expose()).unwrap_or_default()),
        acquirer: city.acquirer_of(row),
    })
}

fn listed(
    row: &BlacklistRow,
    issuer: &IssuerHandles,
    zone: &TimeZone,
    hsm: &mut Hsm,
) -> Result<Event, GenesisError> {
    let subject = match &row.listed {
        Listed::Card(pan) => ListedSubject::Card(
            tokenise(hsm, issuer, pan)
                .map_err(|source| GenesisError::Hsm { what: "a card of blacklist.csv".to_owned(), source })?,
        ),
        Listed::Terminal(id) => ListedSubject::Terminal(*id),
        Listed::Merchant(id) => ListedSubject::Merchant(*id),
        Listed::Bin(bin) => ListedSubject::Bin(*bin),
    };
    let reason = match row.reason {
        city::ListReason::Lost => ListedReason::Lost,
        city::ListReason::Stolen => ListedReason::Stolen,
        city::ListReason::Fraud => ListedReason::Fraud,
        city::ListReason::Restricted => ListedReason::Restricted,
    };
    // The last day counts whole: the entry ends where the next day begins in the city's zone.
    let expires_ms = row
        .expires
        .and_then(|day| day.checked_add(1.day()).ok())
        .and_then(|next| next.to_zoned(zone.clone()).ok())
        .map(|midnight| midnight.timestamp().as_millisecond());
    Ok(Event::Listed { subject, reason, expires_ms, source: row.source.clone() })
}

fn tokenise(hsm: &mut Hsm, issuer: &IssuerHandles, pan: &Pan) -> Result<Token, HsmError> {
    let mut tokens = Vec::with_capacity(1);
    hsm.tokenise_pans(&[TokenRequest { key: issuer.token, pan }], &mut tokens);
    // INVARIANT: a batch call returns one result an item.
    tokens.pop().expect("one result for one item").map(|token| Token(token.0))
}

fn text(block: &KeyBlock) -> KeyText {
    KeyText(block.as_str().into())
}
