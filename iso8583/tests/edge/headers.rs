//! Headers of any bytes: there and back again, or an error that points inside.

use bytes::BytesMut;
use iso8583::header::{HEADERS_MAX, HeaderForm, Headers};
use proptest::prelude::*;

fn any_name() -> impl Strategy<Value = String> {
    let names = ["tpdu", "application", "dial", "dial?", "text:ISO?????????", "text:??"];
    prop_oneof![
        6 => prop::sample::select(names.to_vec()).prop_map(str::to_owned),
        1 => (1..=64).prop_map(|count| format!("opaque:{count}")),
    ]
}

fn any_headers() -> impl Strategy<Value = Headers> {
    prop::collection::vec(any_name(), 0..=HEADERS_MAX)
        .prop_map(|names| Headers::from_names(names).expect("each is a name"))
}

/// Bytes that such a header may have: what identifies it, and mostly digits.
fn plausible(form: &HeaderForm) -> BoxedStrategy<Vec<u8>> {
    let digits = |count: usize| prop::collection::vec(prop_oneof![9 => 0u8..10, 1 => any::<u8>()], count);
    match form {
        HeaderForm::Tpdu => digits(4).prop_map(|rest| [&[0x60][..], &rest].concat()).boxed(),
        HeaderForm::Application => digits(6).boxed(),
        HeaderForm::Dial | HeaderForm::DialIfThere => {
            digits(28).prop_map(|rest| [b"LRI\x00\x1C", &rest[..]].concat()).boxed()
        }
        HeaderForm::Opaque(count) => prop::collection::vec(any::<u8>(), usize::from(*count)).boxed(),
        HeaderForm::Text(_) => Just(b"ISO016000055"[..form.bytes().min(12)].to_vec()).boxed(),
    }
}

fn headers_and_bytes() -> impl Strategy<Value = (Headers, Vec<u8>)> {
    any_headers().prop_flat_map(|headers| {
        let parts: Vec<_> = headers.forms().iter().map(plausible).collect();
        let rest = prop::collection::vec(any::<u8>(), 0..20);
        (Just(headers), parts, rest)
            .prop_map(|(headers, parts, rest)| (headers, [parts.concat(), rest].concat()))
    })
}

/// What must hold of any headers and any bytes.
fn examine(headers: &Headers, bytes: &[u8]) -> Result<(), TestCaseError> {
    match headers.parse(bytes) {
        Err(error) => prop_assert!(error.offset <= bytes.len(), "{error}"),
        Ok((parts, message)) => {
            let mut written = BytesMut::new();
            parts.iter().for_each(|header| header.write(&mut written));
            prop_assert_eq!(&written[..], parts.bytes());
            prop_assert_eq!([parts.bytes(), message].concat(), bytes);
            for header in parts.iter() {
                prop_assert!(!header.to_string().is_empty());
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn plausible_headers_come_back_as_they_were((headers, bytes) in headers_and_bytes()) {
        examine(&headers, &bytes)?;
    }

    #[test]
    fn no_bytes_panic_and_errors_point_inside(
        headers in any_headers(),
        bytes in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        examine(&headers, &bytes)?;
    }

    #[test]
    fn an_answer_to_an_answer_has_the_headers_of_the_request((headers, bytes) in headers_and_bytes()) {
        if let Ok((parts, _)) = headers.parse(&bytes) && parts.dial().is_none() {
            let (mut once, mut twice) = (BytesMut::new(), BytesMut::new());
            parts.write_answer(&mut once);
            let (answer, rest) = headers.parse(&once).expect("an answer's headers are of the same form");
            prop_assert!(rest.is_empty());
            answer.write_answer(&mut twice);
            prop_assert_eq!(&twice[..], parts.bytes());
        }
    }

    #[test]
    fn a_name_is_made_from_its_form_and_the_other_way_round(headers in any_headers()) {
        let names = headers.forms().iter().map(ToString::to_string);
        prop_assert_eq!(Headers::from_names(names), Ok(headers.clone()));
    }
}
