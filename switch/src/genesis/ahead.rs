//! Cards read ahead: a thread reads the file and has the HSM work while the importer applies and writes.
//!
//! At most [`PAGES_AHEAD`] pages of [`PAGE`] cards wait, so memory does not grow with the file. The order is the
//! file's. Start at [`read_ahead`].

use arrayvec::ArrayString;
use crossbeam::channel::{Sender, bounded};
use hsm_sim::{CvvCheck, Hsm, HsmError, PanToken, TokenRequest};

use super::{GenesisError, IssuerHandles};
use crate::{
    books::{
        cards::CardDays,
        event::{CardState, IssuedCard, Pvv, Token},
    },
    city::{self, CardRow, CardValues, Cards, City, LiveKeys, TestValues},
};

/// Cards for which the HSM is asked at once.
const PAGE: usize = 1024;

/// Pages that may wait for the importer.
const PAGES_AHEAD: usize = 8;

/// A card to be issued, and the line it stands on.
pub(super) struct ReadyCard {
    pub(super) line: u64,
    pub(super) card: IssuedCard,
    pub(super) days: CardDays,
}

/// Hands over every card of the city, in order, made on a thread of its own.
pub(super) fn read_ahead<E: From<GenesisError>>(
    city: &City,
    keys: &LiveKeys,
    issuer: IssuerHandles,
    hsm: &mut Hsm,
    mut take: impl FnMut(ReadyCard) -> Result<(), E>,
) -> Result<(), E> {
    let cards = city.cards_in_books().map_err(GenesisError::from)?;
    if !hsm.is_test() {
        cards.refuse_test_cards().map_err(GenesisError::from)?;
    }
    let (pages, ready) = bounded(PAGES_AHEAD);
    let mut desk = Desk { keys, issuer, hsm, tokens: Vec::new(), verified: Vec::new() };
    std::thread::scope(|scope| {
        // If taking fails the channel closes with `ready`, and the thread ends at its next page.
        let ready = ready;
        let work = move || {
            // Nobody listens any more: the importer has an error of its own.
            let _importer_gone = desk.work(cards, &pages).or_else(|error| pages.send(Err(error)));
        };
        let name = std::thread::Builder::new().name("cards".to_owned());
        name.spawn_scoped(scope, work).map_err(GenesisError::Thread)?;
        for page in &ready {
            page?.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    })
}

/// What the reading thread works with.
struct Desk<'a> {
    keys: &'a LiveKeys,
    issuer: IssuerHandles,
    hsm: &'a mut Hsm,
    tokens: Vec<Result<PanToken, HsmError>>,
    verified: Vec<Result<(), HsmError>>,
}

type Page = Result<Vec<ReadyCard>, GenesisError>;

impl Desk<'_> {
    /// Sends page after page until the file ends, or nobody listens.
    fn work(&mut self, mut cards: Cards<'_>, pages: &Sender<Page>) -> Result<(), GenesisError> {
        loop {
            let rows: Vec<CardRow> = cards.by_ref().take(PAGE).collect::<Result<_, _>>()?;
            if rows.is_empty() || pages.send(Ok(self.page(&rows)?)).is_err() {
                return Ok(());
            }
        }
    }

    fn page(&mut self, rows: &[CardRow]) -> Result<Vec<ReadyCard>, GenesisError> {
        let IssuerHandles { pvk, cvk, token } = self.issuer;
        let requests: Vec<_> = rows.iter().map(|row| TokenRequest { key: token, pan: &row.pan }).collect();
        self.hsm.tokenise_pans(&requests, &mut self.tokens);
        let tested = rows.iter().filter_map(|row| Some((row, row.test()?)));
        let checks: Vec<_> = tested.map(|(row, values)| cvv_check(cvk, row, values)).collect();
        self.hsm.verify_cvvs(&checks, &mut self.verified);
        let mut verified = self.verified.iter();
        let pvki = self.keys.pvki;
        let mut page = Vec::with_capacity(rows.len());
        for (row, token) in rows.iter().zip(&self.tokens) {
            let fault = |source| GenesisError::Hsm { what: format!("cards.csv line {}", row.line), source };
            let pvv = match &row.values {
                CardValues::Verified(pvv) => *pvv.expose(),
                CardValues::Test(values) => {
                    // A card whose track will never verify is a fault of the file, not something to find out at a till.
                    // A batch call returns one result an item.
                    verified.next().copied().unwrap_or(Ok(())).map_err(fault)?;
                    self.hsm.test_pvv(pvk, pvki, &row.pan, values.pin.expose()).map_err(fault)?
                }
            };
            let token = Token((*token).map_err(fault)?.0);
            let card = issued(row, token, pvki, Pvv(pvv));
            page.push(ReadyCard { line: row.line, card, days: row.days });
        }
        Ok(page)
    }
}

fn cvv_check<'a>(cvk: hsm_sim::KeyHandle, row: &'a CardRow, values: &TestValues) -> CvvCheck<'a> {
    CvvCheck {
        cvk,
        pan: &row.pan,
        expiry: expiry_digits(row.expiry_yymm),
        service_code: row.service_code,
        cvv: *values.cvv.expose(),
    }
}

fn issued(row: &CardRow, token: Token, pvki: u8, pvv: Pvv) -> IssuedCard {
    IssuedCard {
        token,
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
        pvki,
        pvv,
        // A phone has at most 15 digits, so it always fits.
        phone: row
            .phone
            .map_or_else(ArrayString::new, |phone| ArrayString::from(phone.expose()).unwrap_or_default()),
        regions: row.regions.clone(),
        opening: row.opening.clone(),
        deposit: 0,
    }
}

fn expiry_digits(yymm: u16) -> [u8; 4] {
    [1000, 100, 10, 1].map(|place| b'0' + (yymm / place % 10) as u8)
}
