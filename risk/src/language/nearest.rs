//! What may have been meant by a name that nothing has.
//!
//! Start at [`nearest`].

/// The name that is written most nearly like this one, if one is near enough to be a slip; a name without its group
/// is near to the one with it.
pub(crate) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    // Nothing in the language is as long; the distance takes the product of both lengths.
    if name.len() > 64 {
        return Vec::new();
    }
    let limit = 1 + name.len() / 4;
    let behind_dot = |known: &str| known.split_once('.').is_some_and(|(_, word)| word == name);
    let far = |known: &str| if behind_dot(known) { 0 } else { distance(name, known) };
    let found = names.into_iter().map(|known| (far(known), known)).min();
    found.filter(|(far, _)| *far <= limit).map(|(_, known)| known.to_owned()).into_iter().collect()
}

/// How many letters have to be changed, added, left out or exchanged with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(!a.eq_ignore_ascii_case(b));
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["amount", "mcc", "last.speed", "channel"];
        let cases = [
            ("amont", Some("amount")),
            ("amuont", Some("amount")),
            ("Amount", Some("amount")),
            ("chanel", Some("channel")),
            ("speed", Some("last.speed")),
            ("last.sped", Some("last.speed")),
            ("weather", None),
        ];
        for (name, want) in cases {
            assert_eq!(nearest(name, names).first().map(String::as_str), want, "{name}");
        }
        assert!(nearest(&"a".repeat(100_000), names).is_empty());
    }
}
