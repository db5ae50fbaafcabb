//! What officers order, and the proof that two of them did: the maker says what is to be done and signs, the checker reads it
//! and signs as well. An order is a file that goes from one to the other; nobody needs the other's key or machine.
//!
//! Officers are enrolled by their public keys in one file ([`officers`]); each has a key file of its own ([`key`]). The file
//! of an order is read and written in [`mod@file`]. What follows from an order is not known here.
//!
//! Start at [`Officers::check`].

pub mod file;
pub mod key;
pub mod officers;

pub use key::OfficerKey;
pub use officers::{Officers, OfficersError};

use crate::books::order::{Order, SignedOrder};

/// Signed in front of an order, so that the signature is good for nothing else.
const CONTEXT: &[u8] = b"cardswitch order\x01";

/// How long an order may be carried out, unless its maker says otherwise, hours.
pub const VALID_H: u16 = 24;

/// Why an order is not to be carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OrderError {
    /// Two officers are needed.
    #[error(
        "the order has {0} of 2 signatures; have another officer read it and sign with `cardswitch order sign`"
    )]
    Unsigned(usize),
    /// One is needed.
    #[error("nobody has signed the order")]
    Nobody,
    /// Somebody signed what is not theirs to sign.
    #[error("{0} is enrolled as {1}")]
    NotTheirs(String, &'static str),
    /// One signed twice.
    #[error("{0} has signed this order before; another officer must")]
    Twice(String),
    /// Nobody of that name is enrolled.
    #[error("{0} is no enrolled officer")]
    Unknown(String),
    /// The order or the signature was changed, or it was made with another key.
    #[error("the signature of {0} is not of this order and the enrolled key")]
    Forged(String),
    /// Its time is over.
    #[error("the order's time is over; make a new one")]
    Expired,
}

/// The bytes that are signed: the context and the order in `postcard`'s form, which is the same wherever it is made.
fn signed_bytes(order: &Order) -> Vec<u8> {
    let mut bytes = CONTEXT.to_vec();
    // INVARIANT: the flavour writes to a Vec and an order has a serial form.
    postcard::to_io(order, &mut bytes).expect("orders serialise to memory");
    bytes
}

impl Officers {
    /// Whether as many different officers signed this order as it needs, and its time is not over.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn check(&self, signed: &SignedOrder, now_ms: i64) -> Result<(), OrderError> {
        self.check_signatures(signed)?;
        if now_ms > signed.order.expires_ms { Err(OrderError::Expired) } else { Ok(()) }
    }

    /// Whether as many different officers signed this order as it needs, whenever that was.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn check_signatures(&self, signed: &SignedOrder) -> Result<(), OrderError> {
        let bytes = signed_bytes(&signed.order);
        for (place, signature) in signed.signatures.iter().enumerate() {
            let name = || signature.officer.to_string();
            let earlier = &signed.signatures[..place];
            let officer = self.find(&signature.officer).ok_or_else(|| OrderError::Unknown(name()))?;
            // By key as well: somebody who is enrolled twice is still one.
            let twice = earlier.iter().any(|earlier| {
                let other = self.find(&earlier.officer);
                earlier.officer == signature.officer || other.is_some_and(|other| other.key == officer.key)
            });
            if twice {
                return Err(OrderError::Twice(name()));
            }
            if !officer.role.may_sign(&signed.order.what) {
                return Err(OrderError::NotTheirs(name(), officer.role.words()));
            }
            if !officer.signed(&bytes, signature) {
                return Err(OrderError::Forged(name()));
            }
        }
        match (signed.signatures.len(), signed.order.what.signatures_needed()) {
            (has, needed) if has >= needed => Ok(()),
            (_, 1) => Err(OrderError::Nobody),
            (has, _) => Err(OrderError::Unsigned(has)),
        }
    }
}

#[cfg(test)]
mod tests;
