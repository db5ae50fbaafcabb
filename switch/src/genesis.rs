//! Genesis: an empty journal imports a city once. From then on the journal is the truth and the files are not read.
//!
//! Clear test keys and PINs end here: keys become key blocks under the LMK, PINs become verification values, card
//! numbers become tokens, and only those go into events.

use arrayvec::ArrayString;
use hsm_sim::{Entropy, Hsm, HsmError, KeyBlock, KeyHandle, KeyUsage, Pan, TokenRequest};
use jiff::{ToSpan, tz::TimeZone};

use crate::{
    books::{
        event::{
            CardState, Event, InstalledTerminal, IssuedCard, JoinedAcquirer, KeyRole, KeyText, ListedReason,
            ListedSubject, MacScheme, OpenedMerchant, PsamMasters, Pvv, TerminalDialect, Token, ZoneKeyTexts,
        },
        policy::Policy,
        product::{PinRule, Product},
        request::Phone,
    },
    city::{
        self, BlacklistRow, CITY_CURRENCY, CardRow, City, CityError, Dialect, Listed, MacKind, MerchantState,
        TerminalRow, TestKeys,
    },
    ledger::purse::PurseType,
};

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
    /// The key file names a key version that a PSAM needs and does not have, or the zone is unknown.
    #[error("time zone {0:?} is not in the IANA time zone database")]
    Zone(String),
}

/// The events that make a city, in order, handed to `emit` one by one.
///
/// # Errors
/// The first fault found; what was emitted before must be thrown away.
pub fn import(
    city: &City,
    keys: &TestKeys,
    policy: Policy,
    zone: &str,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
    emit: &mut dyn FnMut(Event),
) -> Result<(), GenesisError> {
    city.check_keys(keys)?;
    let zone = TimeZone::get(zone).map_err(|_| GenesisError::Zone(zone.to_owned()))?;
    emit(Event::PolicySet(policy));
    let issuer = import_keys(keys, hsm, entropy, emit)?;
    emit_products(city, emit);
    for orderer in &city.orderers {
        let (name, float) = (orderer.orderer.clone(), orderer.float_minor);
        emit(Event::OrdererOpened { name, currency: CITY_CURRENCY, float });
    }
    for merchant in &city.merchants {
        emit(Event::MerchantOpened(OpenedMerchant {
            id: merchant.merchant_id,
            name: merchant.name.clone(),
            active: merchant.state == MerchantState::Active,
            currency: CITY_CURRENCY,
            fee_bp: u32::from(merchant.fee_bp),
            fee_min: merchant.fee_min,
            fee_max: merchant.fee_max,
            load_line: merchant.load_line,
        }));
    }
    import_psams(city, keys, hsm, entropy, emit)?;
    import_acquirers(city, keys, hsm, entropy, emit)?;
    for row in &city.terminals {
        emit(Event::TerminalInstalled(terminal(city, row, hsm, entropy)?));
    }
    for row in city.cards()? {
        emit(Event::CardIssued(card(&row?, keys, &issuer, hsm)?));
    }
    for row in &city.blacklist {
        emit(listed(row, &issuer, &zone, hsm)?);
    }
    let rules = city.rules()?;
    if !rules.is_empty() {
        emit(Event::RulesPublished(rules));
    }
    emit(Event::GenesisDone);
    Ok(())
}

struct IssuerHandles {
    pvk: KeyHandle,
    cvk: KeyHandle,
    token: KeyHandle,
}

fn import_keys(
    keys: &TestKeys,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
    emit: &mut dyn FnMut(Event),
) -> Result<IssuerHandles, GenesisError> {
    let mut import = |role: KeyRole, usage, index, key: &[u8]| -> Result<KeyHandle, GenesisError> {
        let fault = |source| GenesisError::Hsm { what: format!("the {role:?} key"), source };
        let block = hsm.import_clear_test_key(usage, key, entropy).map_err(fault)?;
        emit(Event::KeyInstalled { role, index, block: text(&block) });
        hsm.load_key(&block).map_err(fault)
    };
    Ok(IssuerHandles {
        pvk: import(KeyRole::PinVerification, KeyUsage::PinVerification, keys.pvki, keys.pvk.expose())?,
        cvk: import(KeyRole::CardVerification, KeyUsage::CardVerification, 0, keys.cvk.expose())?,
        token: import(KeyRole::Token, KeyUsage::Token, 0, keys.token.expose())?,
    })
}

fn emit_products(city: &City, emit: &mut dyn FnMut(Event)) {
    for purse in &city.products.purses {
        emit(Event::PurseDefined(PurseType {
            name: purse.name.clone(),
            currency: purse.currency,
            categories: purse.mcc.clone(),
            floor: purse.floor_minor,
            max: purse.max_minor,
            cash: purse.cash,
        }));
    }
    for product in &city.products.products {
        emit(Event::ProductDefined(Product {
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
            hold_ms: i64::from(product.hold_h) * 3_600_000,
        }));
    }
}

fn import_psams(
    city: &City,
    keys: &TestKeys,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
    emit: &mut dyn FnMut(Event),
) -> Result<(), GenesisError> {
    for masters in &keys.psam_masters {
        let version = masters.version;
        let mut import = |usage, key: &[u8; 16]| {
            hsm.import_clear_test_key(usage, key, entropy)
                .map(|block| text(&block))
                .map_err(|source| GenesisError::Hsm { what: format!("PSAM masters {version}"), source })
        };
        emit(Event::PsamMastersInstalled(PsamMasters {
            version,
            pin: import(KeyUsage::PsamPin, masters.pin.expose())?,
            mac: import(KeyUsage::PsamMac, masters.mac.expose())?,
            track: import(KeyUsage::PsamTrack, masters.track.expose())?,
            auth: import(KeyUsage::PsamAuth, masters.auth.expose())?,
        }));
    }
    for psam in &city.psams {
        let revoked = psam.state == city::PsamState::Revoked;
        emit(Event::PsamIssued { number: psam.psam_no, key_version: psam.key_version, revoked });
    }
    Ok(())
}

fn import_acquirers(
    city: &City,
    keys: &TestKeys,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
    emit: &mut dyn FnMut(Event),
) -> Result<(), GenesisError> {
    for acquirer in &city.acquirers {
        // `check_keys` has seen to it that every acquirer has a zone.
        let Some(zone) = keys.zone(&acquirer.id) else { continue };
        let mac = match acquirer.mac {
            city::HostMac::X919 => MacScheme::X919,
            city::HostMac::Cbc3Des => MacScheme::Cbc3Des,
        };
        let mac_usage = match mac {
            MacScheme::Cbc3Des => KeyUsage::MacCbc3Des,
            _ => KeyUsage::MacX919,
        };
        let mut import = |usage, key: &[u8]| -> Result<(KeyText, [u8; 3]), GenesisError> {
            let fault = |source| GenesisError::Hsm { what: format!("acquirer {}", acquirer.id), source };
            let block = hsm.import_clear_test_key(usage, key, entropy).map_err(fault)?;
            let handle = hsm.load_key(&block).map_err(fault)?;
            let check_value = hsm.check_value(handle).map_err(fault)?;
            hsm.unload_key(handle);
            Ok((text(&block), check_value))
        };
        let (zmk, _) = import(KeyUsage::ZoneMaster, zone.zmk.expose())?;
        let (pin, pin_check) = import(KeyUsage::PinEncryption, zone.pin.expose())?;
        let (mac_to_switch, to_check) = import(mac_usage, zone.mac_to_switch.expose())?;
        let (mac_from_switch, from_check) = import(mac_usage, zone.mac_from_switch.expose())?;
        let check_values = [pin_check, to_check, from_check];
        emit(Event::AcquirerJoined(JoinedAcquirer {
            id: acquirer.id,
            name: acquirer.name.clone(),
            mac,
            active: acquirer.active,
            currency: CITY_CURRENCY,
            zmk,
            keys: ZoneKeyTexts { pin, mac_to_switch, mac_from_switch, check_values },
        }));
    }
    Ok(())
}

fn terminal(
    city: &City,
    row: &TerminalRow,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
) -> Result<InstalledTerminal, GenesisError> {
    let tmk = hsm
        .import_clear_test_key(KeyUsage::KeyEncryption, row.tmk.expose(), entropy)
        .map_err(|source| GenesisError::Hsm { what: terminal_name(&row.terminal_id), source })?;
    Ok(InstalledTerminal {
        id: row.terminal_id,
        merchant: u32::from(row.merchant),
        category: row.mcc,
        region: row.region,
        dialect: match row.dialect {
            Dialect::Pos => TerminalDialect::Pos,
            Dialect::Epos => TerminalDialect::Epos,
            Dialect::Atm => TerminalDialect::Atm,
        },
        mac: match row.mac {
            MacKind::UnionPayEcb => MacScheme::UnionPayEcb,
            MacKind::X919 => MacScheme::X919,
        },
        tmk: text(&tmk),
        may_load: row.may_load,
        psam: row.psam.map(u32::from),
        // A phone has at most 15 digits, so it always fits.
        phone: row
            .phone
            .as_ref()
            .map_or_else(Phone::new, |phone| Phone::from(phone.expose()).unwrap_or_default()),
        acquirer: city.acquirer_of(row),
    })
}

fn card(
    row: &CardRow,
    keys: &TestKeys,
    issuer: &IssuerHandles,
    hsm: &mut Hsm,
) -> Result<IssuedCard, GenesisError> {
    let fault = |source| GenesisError::Hsm { what: format!("cards.csv line {}", row.line), source };
    let expiry = expiry_digits(row.expiry_yymm);
    let cvv = hsm.test_cvv(issuer.cvk, &row.pan, &expiry, &row.service_code).map_err(fault)?;
    if cvv != *row.cvv.expose() {
        // A card whose track will never verify is a fault of the file, not something to find out at a till.
        return Err(fault(HsmError::VerificationFailed));
    }
    let pvv = hsm.test_pvv(issuer.pvk, keys.pvki, &row.pan, row.pin.expose()).map_err(fault)?;
    Ok(IssuedCard {
        token: tokenise(hsm, issuer, &row.pan).map_err(fault)?,
        bin: row.pan.bin(),
        last_four: row.pan.last_four(),
        product: row.product,
        orderer: row.orderer,
        state: match row.state {
            city::CardState::Active => CardState::Active,
            city::CardState::Inactive => CardState::Inactive,
            city::CardState::Lost => CardState::Lost,
            city::CardState::Stolen => CardState::Stolen,
            city::CardState::Blocked => CardState::Blocked,
            city::CardState::Closed => CardState::Closed,
        },
        expiry_yymm: row.expiry_yymm,
        pvki: keys.pvki,
        pvv: Pvv(pvv),
        // A phone has at most 15 digits, so it always fits.
        phone: row
            .phone
            .map_or_else(ArrayString::new, |phone| ArrayString::from(phone.expose()).unwrap_or_default()),
        regions: row.regions.clone(),
        opening: row.opening.clone(),
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

fn expiry_digits(yymm: u16) -> [u8; 4] {
    [1000, 100, 10, 1].map(|place| b'0' + (yymm / place % 10) as u8)
}

fn terminal_name(id: &[u8; 8]) -> String {
    format!("terminal {}", String::from_utf8_lossy(id))
}

fn text(block: &KeyBlock) -> KeyText {
    KeyText(block.as_str().into())
}
