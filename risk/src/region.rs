//! Regions: where a card or a product may be used, by the six-digit codes of GB/T 2260.
//!
//! A code is three pairs of digits, province, prefecture and county; trailing pairs of zeros stand for all that is
//! below. Whether a code exists is not looked up.

/// Whether a list of allowed codes lets a card be used in `region`, the terminal's. An empty list is everywhere.
#[must_use]
pub fn allows(allowed: &[u32], region: u32) -> bool {
    allowed.is_empty() || allowed.iter().any(|code| covers(*code, region))
}

/// Whether `code` is `region` or covers it: 310000 covers 310101, 310100 covers 310101 but not 310000.
#[must_use]
pub fn covers(code: u32, region: u32) -> bool {
    let pairs = [1_000_000_u32, 10_000, 100];
    let below = pairs.into_iter().find(|below| code.is_multiple_of(*below)).unwrap_or(1);
    code / below == region / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_cover_what_is_below_them() {
        let cases: [(&str, &[u32], u32, bool); 11] = [
            ("no list is everywhere", &[], 310_101, true),
            ("a county is itself", &[310_101], 310_101, true),
            ("and not its neighbour", &[310_101], 310_104, false),
            ("a prefecture covers its counties", &[310_100], 310_101, true),
            ("and no other prefecture's", &[310_100], 310_201, false),
            ("a province covers its prefectures and counties", &[310_000], 310_230, true),
            ("and no other province", &[310_000], 320_101, false),
            ("a part does not cover the whole", &[310_100], 310_000, false),
            ("a single zero at the end covers nothing", &[310_110], 310_111, false),
            ("one code of several is enough", &[110_000, 310_101], 310_101, true),
            ("a terminal without a region is nowhere", &[310_000], 0, false),
        ];
        for (name, allowed, region, want) in cases {
            assert_eq!(allows(allowed, region), want, "{name}");
        }
    }
}
