//! Field 39: the response code for each reason, and what each code means to people.

use crate::books::reason::Reason;

/// Field 39 for each reason. UnionPay's codes, in every dialect; the dialects' documents have the table with what a
/// terminal does.
#[must_use]
pub fn response_code(reason: Reason) -> &'static [u8; 2] {
    match reason {
        Reason::Approved => b"00",
        Reason::PartlyApproved => b"10",
        Reason::InvalidMerchant => b"03",
        Reason::Capture => b"04",
        Reason::InvalidTransaction | Reason::TimeOutOfRange | Reason::KeyRefused => b"12",
        Reason::InvalidAmount => b"13",
        Reason::NoSuchCard => b"14",
        Reason::NoOriginal => b"25",
        Reason::FormatError => b"30",
        Reason::CaptureFraud => b"34",
        Reason::Unsupported => b"40",
        Reason::Lost => b"41",
        Reason::Stolen => b"43",
        Reason::InsufficientFunds => b"51",
        Reason::Expired => b"54",
        Reason::WrongPin | Reason::PinRequired => b"55",
        Reason::NotPermittedToHolder => b"57",
        Reason::TerminalNotPermitted
        | Reason::PsamNotPermitted
        | Reason::BindingMismatch
        | Reason::Reflected => b"58",
        Reason::VerificationFailed | Reason::SuspectedFraud => b"59",
        Reason::AmountLimit => b"61",
        Reason::Restricted => b"62",
        Reason::AmountDiffers => b"64",
        Reason::TooManySignIns | Reason::CountLimit => b"65",
        Reason::LateOriginal => b"68",
        Reason::PinTriesExceeded => b"75",
        Reason::SignInAgain => b"77",
        Reason::NotActive => b"78",
        Reason::NotSignedOn => b"91",
        Reason::DuplicateDiffers | Reason::Replay => b"94",
        Reason::Overloaded | Reason::SystemError => b"96",
        Reason::TerminalUnknown => b"97",
        Reason::PinFormat => b"99",
        Reason::MacFailed => b"A0",
    }
}

/// What a response code means, for people.
#[must_use]
pub fn response_meaning(code: &[u8]) -> &'static str {
    match code {
        b"00" => "approved",
        b"03" => "invalid merchant",
        b"04" => "keep the card",
        b"10" => "approved in part",
        b"12" => "invalid transaction",
        b"13" => "invalid amount",
        b"14" => "no such card",
        b"25" => "no original",
        b"30" => "format error",
        b"34" => "suspected fraud, keep the card",
        b"40" => "not supported",
        b"41" => "lost card",
        b"43" => "stolen card",
        b"51" => "insufficient funds",
        b"54" => "expired card",
        b"55" => "wrong or missing PIN",
        b"57" => "not permitted to cardholder",
        b"58" => "not permitted to terminal",
        b"59" => "verification failed",
        b"61" => "amount limit",
        b"62" => "restricted card",
        b"64" => "amount differs",
        b"65" => "count limit",
        b"68" => "too late",
        b"75" => "PIN tries exceeded",
        b"77" => "sign in again",
        b"78" => "card not active",
        b"91" => "not signed on",
        b"94" => "duplicate",
        b"96" => "system busy or faulty",
        b"97" => "terminal unknown",
        b"99" => "PIN format",
        b"A0" => "MAC failed",
        _ => "not a code of this switch",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_with_a_meaning() {
        for reason in Reason::ALL {
            let code = response_code(reason);
            assert_ne!(response_meaning(code), response_meaning(b"??"), "{}", reason.name());
        }
    }
}
