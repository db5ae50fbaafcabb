//! Key components: parts of a key that different people enter, so that none of them
//! knows the key. The key is their XOR.
//!
//! Start at [`KeyComponent`]. Who the custodians are, and that they are who they
//! say, is for the operator's procedures.

use crate::{
    Entropy, HsmError,
    aes_key::AesKey,
    des_key::{DesKey, set_odd_parity},
    hex,
};
use arrayvec::ArrayString;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest key there is, in bytes.
const BYTES_MAX: usize = 32;
/// Fewer people than this would mean that one knows the key.
const COMPONENTS_MIN: usize = 2;
/// More than this is a mistake.
const COMPONENTS_MAX: usize = 9;
/// How often a component is drawn before the random source is held to be broken.
const DRAWS_MAX: usize = 4;
/// The longest name of a custodian, in characters.
const CUSTODIAN_MAX: usize = 32;

/// What kind of key a component is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ComponentForm {
    /// 8 or 16 bytes of odd parity.
    Des,
    /// 16, 24 or 32 bytes.
    Aes,
}

/// Why a component, or a set of them, was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ComponentError {
    /// A length that no key of this kind has, or not the same as the others'.
    #[error("component has a wrong length")]
    Length,
    /// A byte with an even number of ones: something was mistyped.
    #[error("component has a byte of even parity")]
    Parity,
    /// The text is not upper-case hex digits, two for each byte.
    #[error("component is not upper-case hex digits")]
    Digits,
    /// A component of zeros or another value that is no random one.
    #[error("component is a weak key")]
    Weak,
    /// It is not the component it should be: something was mistyped.
    #[error("component has another check value than expected")]
    CheckValue,
    /// The custodian's name is empty or too long, or has a character that does not print.
    #[error("custodian must have a name of 1 to 32 printable characters")]
    Custodian,
    /// Fewer than two components.
    #[error("a key needs at least two components")]
    TooFew,
    /// More than nine components.
    #[error("a key has at most nine components")]
    TooMany,
    /// Two components from one custodian.
    #[error("two components come from one custodian")]
    SameCustodian,
    /// Two components are the same, and cancel out.
    #[error("two components are equal")]
    Equal,
    /// Components of another kind of key.
    #[error("component is for another kind of key")]
    Form,
}

/// One custodian's part of a key. Wiped on drop; `Debug` shows whose it is and its
/// check value.
pub struct KeyComponent {
    custodian: ArrayString<CUSTODIAN_MAX>,
    form: ComponentForm,
    bytes: Clear,
    check_value: [u8; 3],
}

impl KeyComponent {
    /// A component as a custodian enters it, perhaps with the check value that stands
    /// beside it on the form.
    ///
    /// # Errors
    /// [`ComponentError::Custodian`], [`ComponentError::Length`],
    /// [`ComponentError::Parity`], [`ComponentError::Weak`],
    /// [`ComponentError::CheckValue`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "taking the bytes is what makes the caller give them up"
    )]
    pub fn new(
        custodian: &str,
        form: ComponentForm,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<[u8; 3]>,
    ) -> Result<Self, ComponentError> {
        let printable = custodian.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        let custodian = ArrayString::from(custodian).map_err(|_| ComponentError::Custodian)?;
        if custodian.trim().is_empty() || !printable {
            return Err(ComponentError::Custodian);
        }
        let check_value = check(form, &bytes)?;
        if expected.is_some_and(|expected| !bool::from(expected.ct_eq(&check_value))) {
            return Err(ComponentError::CheckValue);
        }
        Ok(Self { custodian, form, bytes: Clear::of(&bytes), check_value })
    }

    /// A component as it stands on a form: upper-case hex digits.
    ///
    /// # Errors
    /// [`ComponentError::Digits`], and as [`KeyComponent::new`].
    pub fn from_hex(
        custodian: &str,
        form: ComponentForm,
        digits: &str,
        expected: Option<[u8; 3]>,
    ) -> Result<Self, ComponentError> {
        let mut bytes = Zeroizing::new(vec![0; digits.len().div_ceil(2)]);
        if !hex::decode(digits.as_bytes(), &mut bytes) {
            return Err(ComponentError::Digits);
        }
        Self::new(custodian, form, bytes, expected)
    }

    /// A new component of `length` bytes, drawn for a custodian.
    ///
    /// # Errors
    /// [`ComponentError::Length`] for a length that no key of this kind has,
    /// [`ComponentError::Weak`] if `entropy` gives one weak value after another, and
    /// [`ComponentError::Custodian`].
    pub fn draw(
        custodian: &str,
        form: ComponentForm,
        length: usize,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, ComponentError> {
        if length > BYTES_MAX {
            return Err(ComponentError::Length);
        }
        let mut outcome = Err(ComponentError::Weak);
        for _ in 0..DRAWS_MAX {
            let mut bytes = Zeroizing::new(vec![0; length]);
            entropy.fill(&mut bytes);
            if form == ComponentForm::Des {
                set_odd_parity(&mut bytes);
            }
            outcome = Self::new(custodian, form, bytes, None);
            if !matches!(outcome, Err(ComponentError::Weak)) {
                break;
            }
        }
        outcome
    }

    /// Its bytes as upper-case hex digits, for the one form that its custodian keeps.
    /// They come out nowhere else.
    #[must_use]
    pub fn expose_hex(&self) -> Zeroizing<String> {
        // With its whole room at once: a text that grows leaves copies behind.
        let mut digits = Zeroizing::new(String::with_capacity(2 * BYTES_MAX));
        digits.extend(self.bytes.as_bytes().iter().flat_map(|byte| hex::upper_byte(*byte)).map(char::from));
        digits
    }

    /// Its check value: three bytes of the encryption of zeros, for AES of their CMAC.
    #[must_use]
    pub fn check_value(&self) -> [u8; 3] {
        self.check_value
    }

    /// Whose it is.
    #[must_use]
    pub fn custodian(&self) -> &str {
        &self.custodian
    }
}

impl fmt::Debug for KeyComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.check_value;
        write!(f, "KeyComponent({} {a:02X}{b:02X}{c:02X})", self.custodian)
    }
}

/// A component alone: its length, its parity, its check value.
fn check(form: ComponentForm, bytes: &[u8]) -> Result<[u8; 3], ComponentError> {
    match form {
        ComponentForm::Des => {
            if !matches!(bytes.len(), 8 | 16) {
                return Err(ComponentError::Length);
            }
            if bytes.iter().any(|byte| byte.count_ones() % 2 == 0) {
                return Err(ComponentError::Parity);
            }
            DesKey::new(bytes).map(|key| key.check_value()).map_err(|_| ComponentError::Weak)
        }
        ComponentForm::Aes => {
            let key = AesKey::new(bytes).map_err(|_: HsmError| ComponentError::Length)?;
            // AES knows no weak keys; one value in every byte is a finger on a keyboard.
            if bytes.iter().all(|byte| *byte == bytes[0]) {
                return Err(ComponentError::Weak);
            }
            Ok(key.check_value())
        }
    }
}

/// Clear bytes of some length, wiped on drop.
pub(crate) struct Clear {
    bytes: Zeroizing<[u8; BYTES_MAX]>,
    length: usize,
}

impl Clear {
    /// INVARIANT: `bytes` are at most [`BYTES_MAX`], which [`check`] has seen to.
    fn of(bytes: &[u8]) -> Self {
        let mut clear = Self { bytes: Zeroizing::new([0; BYTES_MAX]), length: bytes.len() };
        clear.bytes[..bytes.len()].copy_from_slice(bytes);
        clear
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The key that the components make: their XOR, for DES with its parity set.
///
/// # Errors
/// See [`ComponentError`].
pub(crate) fn sum(components: &[KeyComponent], form: ComponentForm) -> Result<Clear, ComponentError> {
    match components.len() {
        0..COMPONENTS_MIN => return Err(ComponentError::TooFew),
        COMPONENTS_MIN..=COMPONENTS_MAX => {}
        _ => return Err(ComponentError::TooMany),
    }
    let mut sum = Clear { bytes: Zeroizing::new([0; BYTES_MAX]), length: components[0].bytes.length };
    for (place, component) in components.iter().enumerate() {
        check_beside(component, &components[..place], form, sum.length)?;
        for (byte, other) in sum.bytes.iter_mut().zip(component.bytes.as_bytes()) {
            *byte ^= other;
        }
    }
    if form == ComponentForm::Des {
        set_odd_parity(&mut sum.bytes[..components[0].bytes.length]);
    }
    Ok(sum)
}

/// One component beside those before it.
fn check_beside(
    component: &KeyComponent,
    earlier: &[KeyComponent],
    form: ComponentForm,
    length: usize,
) -> Result<(), ComponentError> {
    if component.form != form {
        return Err(ComponentError::Form);
    }
    if component.bytes.length != length {
        return Err(ComponentError::Length);
    }
    let same_person =
        |other: &KeyComponent| other.custodian.trim().eq_ignore_ascii_case(component.custodian.trim());
    if earlier.iter().any(same_person) {
        return Err(ComponentError::SameCustodian);
    }
    if earlier.iter().any(|other| other.bytes.bytes.ct_eq(&*component.bytes.bytes).into()) {
        return Err(ComponentError::Equal);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{Lmk, vectors};

    const DES: [&str; 3] = [
        "0123456789ABCDEFFEDCBA9876543210",
        "1A860862082F5D1C3D8C0BA4B5E9F1C7",
        "9D0B1602D05BBA98F1A7C2CE1F70A846",
    ];

    fn component(custodian: &str, form: ComponentForm, hex: &str) -> Result<KeyComponent, ComponentError> {
        KeyComponent::new(custodian, form, Zeroizing::new(vectors::bytes(hex)), None)
    }

    fn aes(custodian: &str, seed: u8) -> KeyComponent {
        let bytes = (0..32).map(|place: u8| place.wrapping_mul(seed)).collect();
        KeyComponent::new(custodian, ComponentForm::Aes, Zeroizing::new(bytes), None).unwrap()
    }

    #[test]
    fn each_fault_of_a_component_has_its_own_error() {
        use ComponentError::{Custodian, Length, Parity, Weak};
        use ComponentForm::{Aes, Des};
        for (name, custodian, form, hex, want) in [
            ("good", "Alice", Des, DES[0], None),
            ("no name", " ", Des, DES[0], Some(Custodian)),
            ("a long name", &"x".repeat(33), Des, DES[0], Some(Custodian)),
            ("a name on two lines", "A\nB", Des, DES[0], Some(Custodian)),
            ("short", "Alice", Des, &DES[0][..30], Some(Length)),
            ("triple length", "Alice", Des, &DES.concat()[..48], Some(Length)),
            ("one byte of even parity", "Alice", Des, "0023456789ABCDEFFEDCBA9876543210", Some(Parity)),
            ("equal halves", "Alice", Des, "0123456789ABCDEF0123456789ABCDEF", Some(Weak)),
            ("AES needs no parity", "Alice", Aes, "00112233445566778899AABBCCDDEEFF", None),
            ("AES of zeros", "Alice", Aes, "00000000000000000000000000000000", Some(Weak)),
            ("AES of a wrong length", "Alice", Aes, "0011223344556677", Some(Length)),
        ] {
            assert_eq!(component(custodian, form, hex).err(), want, "{name}");
        }
    }

    #[test]
    fn each_fault_of_a_set_has_its_own_error() {
        let des =
            |custodian: &str, number: usize| component(custodian, ComponentForm::Des, DES[number]).unwrap();
        let refused = |components: &[KeyComponent]| sum(components, ComponentForm::Des).err();
        assert_eq!(refused(&[]), Some(ComponentError::TooFew));
        assert_eq!(refused(&[des("Alice", 0)]), Some(ComponentError::TooFew));
        assert_eq!(refused(&[des("Alice", 0), des("alice ", 1)]), Some(ComponentError::SameCustodian));
        assert_eq!(refused(&[des("Alice", 0), des("Bob", 1), des("Carol", 0)]), Some(ComponentError::Equal));
        assert_eq!(refused(&[des("Alice", 0), aes("Bob", 3)]), Some(ComponentError::Form));
        let short = component("Bob", ComponentForm::Des, &DES[1][..16]).unwrap();
        assert_eq!(refused(&[des("Alice", 0), short]), Some(ComponentError::Length));
        let many: Vec<_> = (0..10).map(|number: u8| aes(&format!("{number}"), number + 1)).collect();
        assert_eq!(sum(&many, ComponentForm::Aes).err(), Some(ComponentError::TooMany));
        assert!(sum(&many[..9], ComponentForm::Aes).is_ok());
    }

    #[test]
    fn the_sum_has_odd_parity_and_no_order() {
        let des =
            |custodian: &str, number: usize| component(custodian, ComponentForm::Des, DES[number]).unwrap();
        let key = sum(&[des("A", 0), des("B", 1)], ComponentForm::Des).unwrap();
        let other = sum(&[des("B", 1), des("A", 0)], ComponentForm::Des).unwrap();
        assert_eq!(key.as_bytes(), other.as_bytes());
        assert!(key.as_bytes().iter().all(|byte| byte.count_ones() % 2 == 1));
        let clear: Vec<_> =
            vectors::bytes(DES[0]).iter().zip(vectors::bytes(DES[1])).map(|(a, b)| a ^ b).collect();
        assert_eq!(
            DesKey::new(key.as_bytes()).unwrap().check_block(),
            DesKey::new(&clear).unwrap().check_block()
        );
    }

    #[test]
    fn a_component_drawn_for_a_form_comes_back_from_it() {
        for (form, length) in [(ComponentForm::Aes, 32), (ComponentForm::Aes, 16), (ComponentForm::Des, 16)] {
            let mut next = 0_u8;
            let mut counting = |bytes: &mut [u8]| {
                for byte in bytes {
                    (*byte, next) = (next, next.wrapping_add(7));
                }
            };
            let drawn = KeyComponent::draw("Alice", form, length, &mut counting).unwrap();
            let digits = drawn.expose_hex();
            assert_eq!(digits.len(), 2 * length);
            let read = KeyComponent::from_hex("Alice", form, &digits, Some(drawn.check_value())).unwrap();
            assert_eq!(read.bytes.as_bytes(), drawn.bytes.as_bytes());
            let small = digits.to_lowercase();
            assert_eq!(
                KeyComponent::from_hex("Alice", form, &small, None).err(),
                Some(ComponentError::Digits)
            );
        }
        let mut broken = |bytes: &mut [u8]| bytes.fill(0);
        let drawn = KeyComponent::draw("Alice", ComponentForm::Aes, 32, &mut broken);
        assert_eq!(drawn.err(), Some(ComponentError::Weak), "a source that gives nothing but zeros");
        for length in [0, 33] {
            let drawn = KeyComponent::draw("Alice", ComponentForm::Aes, length, &mut broken);
            assert_eq!(drawn.err(), Some(ComponentError::Length), "{length} bytes");
        }
        for odd in ["A", "0G", " 00"] {
            let read = KeyComponent::from_hex("Alice", ComponentForm::Aes, odd, None);
            assert_eq!(read.err(), Some(ComponentError::Digits), "{odd}");
        }
    }

    #[test]
    fn a_component_with_another_check_value_was_mistyped() {
        let bytes = || Zeroizing::new(vectors::bytes(DES[0]));
        let with = |expected| KeyComponent::new("Alice", ComponentForm::Des, bytes(), Some(expected));
        let good = with([0x08, 0xD7, 0xB4]).unwrap();
        assert_eq!(format!("{good:?}"), "KeyComponent(Alice 08D7B4)");
        assert_eq!(with([0x08, 0xD7, 0xB5]).err(), Some(ComponentError::CheckValue));
    }

    #[test]
    fn a_local_master_key_has_components_of_its_own_length() {
        let lmk = Lmk::from_components(&[aes("Alice", 3), aes("Bob", 5)]).unwrap();
        let again = Lmk::from_components(&[aes("Bob", 5), aes("Alice", 3)]).unwrap();
        assert_eq!(lmk.check_value(), again.check_value());
        assert!(!lmk.is_test());
        let half = |custodian| component(custodian, ComponentForm::Aes, DES[usize::from(custodian == "Bob")]);
        let short = [half("Alice").unwrap(), half("Bob").unwrap()];
        assert_eq!(Lmk::from_components(&short).err(), Some(ComponentError::Length));
        assert_eq!(Lmk::from_components(&[aes("Alice", 3)]).err(), Some(ComponentError::TooFew));
    }
}
