//! Figures as short words: rates, times, counts, shares. What is not known is a dash.

#![expect(clippy::float_arithmetic, reason = "units of figures for people to look at; no money comes here")]

use super::interval::Quantile;

/// What stands where the switch tells nothing.
pub(super) const UNKNOWN: &str = "–";

/// A whole number in groups of three: `1 203 456`.
pub(super) fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Something a second, without the unit: one decimal below 10, so that what is rare does not read as nothing.
pub(super) fn rate(value: f64) -> String {
    if value > 0.0 && value < 9.95 { format!("{:.1}", value.max(0.1)) } else { whole(value) }
}

/// A length of time in seconds: `420 µs`, `1.52 ms`, `2.1 s`.
pub(super) fn seconds(value: f64) -> String {
    let (scaled, unit) = match value {
        value if value < 0.001 => (value * 1e6, "µs"),
        value if value < 1.0 => (value * 1e3, "ms"),
        value => (value, "s"),
    };
    let decimals = match scaled {
        scaled if unit == "µs" || scaled >= 100.0 => 0,
        scaled if scaled >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$} {unit}")
}

/// A quantile of seconds.
pub(super) fn quantile(value: Option<Quantile>) -> String {
    match value {
        Some(Quantile::Near(value)) => seconds(value),
        Some(Quantile::Above(bound)) => format!(">{}", seconds(bound)),
        None => UNKNOWN.into(),
    }
}

/// Nanoseconds as microseconds.
pub(super) fn microseconds(nanoseconds: f64) -> String {
    let value = nanoseconds / 1e3;
    if value < 100.0 { format!("{value:.1} µs") } else { format!("{value:.0} µs") }
}

/// A share in hundredths: 0.123 is `12.3 %`.
pub(super) fn share(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

/// How long ago something was: `45 s`, `2 h 03 min`, `3 d 4 h`.
pub(super) fn age(seconds: f64) -> String {
    let part = |unit: f64, of: f64| ((seconds / unit).floor() % of).abs();
    match seconds {
        seconds if seconds < 60.0 => format!("{:.0} s", seconds.floor()),
        seconds if seconds < 3600.0 => format!("{} min {:02.0} s", part(60.0, 60.0), part(1.0, 60.0)),
        seconds if seconds < 86_400.0 => format!("{} h {:02.0} min", part(3600.0, 24.0), part(60.0, 60.0)),
        _ => format!("{} d {} h", part(86_400.0, f64::INFINITY), part(3600.0, 24.0)),
    }
}

/// Bytes in binary units.
pub(super) fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    match value {
        value if value < KIB * KIB => format!("{:.0} KiB", value / KIB),
        value if value < KIB * KIB * KIB => format!("{:.0} MiB", value / KIB / KIB),
        value => format!("{:.2} GiB", value / KIB / KIB / KIB),
    }
}

/// What is known, as words; else a dash.
pub(super) fn or_unknown(value: Option<f64>, words: impl FnOnce(f64) -> String) -> String {
    value.map_or_else(|| UNKNOWN.into(), words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        let rows: [(String, &str); 24] = [
            (whole(0.0), "0"),
            (whole(999.6), "1 000"),
            (whole(1_203_456.0), "1 203 456"),
            (whole(-12_345.0), "-12 345"),
            (whole(-123.0), "-123"),
            (rate(0.0), "0"),
            (rate(0.01), "0.1"),
            (rate(9.94), "9.9"),
            (rate(9.96), "10"),
            (rate(12_345.0), "12 345"),
            (seconds(0.000_42), "420 µs"),
            (seconds(0.001_52), "1.52 ms"),
            (seconds(0.0152), "15.2 ms"),
            (seconds(0.1523), "152 ms"),
            (seconds(2.1), "2.10 s"),
            (quantile(Some(Quantile::Above(2.0))), ">2.00 s"),
            (quantile(None), "–"),
            (microseconds(23_140.0), "23.1 µs"),
            (share(0.1234), "12.3 %"),
            (age(59.9), "59 s"),
            (age(125.0), "2 min 05 s"),
            (age(7_385.0), "2 h 03 min"),
            (age(1_000_000.0), "11 d 13 h"),
            (bytes(50_435_456.0), "48 MiB"),
        ];
        for (found, want) in rows {
            assert_eq!(found, want);
        }
    }
}
