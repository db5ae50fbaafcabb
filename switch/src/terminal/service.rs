//! What a card can be used for at a POS terminal, the codes that say so, and how an earlier transaction is named.

use iso8583::Message;

/// What a card can be used for here. The codes are UnionPay's; those of a PIN change are the switch's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// Pay the merchant.
    Purchase,
    /// Ask what is on the card.
    Balance,
    /// Put money on the card.
    Load,
    /// Take back a purchase of the same batch, whole.
    Void,
    /// Give back all or part of a purchase or completion.
    Refund,
    /// Hold an amount for later.
    PreAuthorization,
    /// Let go of what was held.
    PreAuthorizationVoid,
    /// Pay out of what was held, and ask whether that is possible.
    Completion,
    /// Say that it was paid out of what was held.
    CompletionAdvice,
    /// Take back a completion of the same batch, whole.
    CompletionVoid,
    /// Replace the PIN.
    PinChange,
}

/// Message type, processing code (field 3), condition code (field 25), message type code (field 60.1).
pub(super) type Codes = (u16, u64, u64, u8);

impl Service {
    /// Every service.
    pub const ALL: [Self; 11] = [
        Self::Purchase,
        Self::Balance,
        Self::Load,
        Self::Void,
        Self::Refund,
        Self::PreAuthorization,
        Self::PreAuthorizationVoid,
        Self::Completion,
        Self::CompletionAdvice,
        Self::CompletionVoid,
        Self::PinChange,
    ];

    pub(super) fn codes(self) -> Codes {
        match self {
            Self::Purchase => (0x0200, 0, 0, 22),
            Self::Balance => (0x0200, 310_000, 0, 1),
            Self::Load => (0x0200, 630_000, 91, 46),
            Self::Void => (0x0200, 200_000, 0, 23),
            Self::Refund => (0x0220, 200_000, 0, 25),
            Self::PreAuthorization => (0x0100, 30_000, 6, 10),
            Self::PreAuthorizationVoid => (0x0100, 200_000, 6, 11),
            Self::Completion => (0x0200, 0, 6, 20),
            Self::CompletionAdvice => (0x0220, 0, 6, 24),
            Self::CompletionVoid => (0x0200, 200_000, 6, 21),
            Self::PinChange => (0x0200, 900_000, 0, 60),
        }
    }

    /// The service that a request asked for; `None` if it was none, as a sign-in or a reversal.
    pub(super) fn of(request: &Message<'_>) -> Option<Self> {
        let digits = request.digits(60)?;
        let kind = digits.iter().take(2).fold(0, |kind, digit| kind * 10 + digit);
        let codes = (request.mti().raw(), request.number(3)?, request.number(25)?, kind);
        Self::ALL.into_iter().find(|service| service.codes() == codes)
    }

    /// Whether a 0400 can take it back. What was only asked, and what was told (an advice), cannot be.
    #[must_use]
    pub fn is_reversible(self) -> bool {
        !matches!(self, Self::Balance | Self::Refund | Self::CompletionAdvice)
    }

    /// Whether field 4 says how much.
    #[must_use]
    pub fn has_amount(self) -> bool {
        !matches!(self, Self::Balance | Self::PinChange)
    }

    /// What must have come before it and is named in it.
    #[must_use]
    pub fn follows(self) -> Option<Self> {
        match self {
            Self::Void | Self::Refund => Some(Self::Purchase),
            Self::PreAuthorizationVoid | Self::Completion | Self::CompletionAdvice => {
                Some(Self::PreAuthorization)
            }
            Self::CompletionVoid => Some(Self::Completion),
            Self::Purchase | Self::Balance | Self::Load | Self::PreAuthorization | Self::PinChange => None,
        }
    }
}

/// What a void, a refund or a completion names: an earlier transaction, by what its answer said of it. A switch needs
/// the RRN or the approval code.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Original {
    /// Field 37 of its answer.
    pub rrn: Option<[u8; 12]>,
    /// Field 38 of its answer.
    pub approval: Option<[u8; 6]>,
    /// Its batch and its STAN, six digits each: field 61.
    pub number: Option<(u32, u32)>,
}
