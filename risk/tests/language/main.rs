//! The language of rules held against other ways to compute the same: a walk over the tree, and an implementation of
//! CEL. Rules and requests are random; `RISK_PAIRS` sets how many pairs are tried, `RISK_SEED` begins elsewhere.

mod allocation;
mod cel;
mod equal;
mod errors;
mod explaining;
mod files;
mod formatting;
mod generate;
mod hostile;
mod reference;
mod walk;

/// Pairs of rule and request to try, and the seed, which is printed.
#[expect(clippy::print_stdout, reason = "the seed, to try it again")]
fn scale(pairs: usize) -> (usize, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let pairs = number("RISK_PAIRS").and_then(|pairs| usize::try_from(pairs).ok()).unwrap_or(pairs);
    let seed = number("RISK_SEED").unwrap_or(20_261_122);
    println!("{pairs} pairs, seed {seed}");
    (pairs, seed)
}
