//! What a sample of a given size can show: the one-sided 95 % bound of a share, and the 95th percentile.
//!
//! Must not know: what is counted.

/// Chance of passing wrongly that a claim may carry: the bounds are one-sided 95 % ones.
const ERROR: f64 = 0.05;

/// Samples from which a 95th percentile means something: with 59, the chance that all lie below the true one is under
/// 5 % (0.95^59 = 0.0485).
pub(super) const P95_SAMPLES: usize = 59;

/// Sample size above which no claim is worth waiting for; ends the search for the size that would do.
const LARGEST_SAMPLE: u64 = 10_000_000;

/// Whether `bad` out of `n` shows that the true share of good ones lies above `share`: the one-sided 95 %
/// Clopper-Pearson lower bound does. 299 with none bad show 0.99, 473 with one.
pub(super) fn shows_above(n: u64, bad: u64, share: f64) -> bool {
    // The bound lies above `share` just when so few bad ones would be rarer than 5 % at `share` itself.
    n > 0 && chance_of_at_most(bad, n, 1.0 - share) < ERROR
}

/// Smallest sample that shows more than `share` with `bad` bad ones in it; `None` when none of any sensible size does.
pub(super) fn needed(bad: u64, share: f64) -> Option<u64> {
    let mut high = bad + 1;
    while !shows_above(high, bad, share) {
        high = high.checked_mul(2).filter(|high| *high <= LARGEST_SAMPLE)?;
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if shows_above(middle, bad, share) { high = middle } else { low = middle }
    }
    Some(high)
}

/// The one-sided 95 % Clopper-Pearson lower bound of the share of good ones, to six digits.
pub(super) fn lower_bound(n: u64, bad: u64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if shows_above(n, bad, middle) { low = middle } else { high = middle }
    }
    low
}

/// P(X <= k) for X binomial with `n` trials of chance `p`, summed in logarithms so that large `n` do not underflow.
fn chance_of_at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let odds = p.ln() - (-p).ln_1p();
    let mut term = n as f64 * (-p).ln_1p();
    let mut sum = term;
    for i in 0..k {
        term += ((n - i) as f64).ln() - ((i + 1) as f64).ln() + odds;
        let (high, low) = if sum > term { (sum, term) } else { (term, sum) };
        sum = high + (low - high).exp().ln_1p();
    }
    sum.exp()
}

/// The 95th percentile by nearest rank; `None` of nothing.
pub(super) fn p95(samples: &mut [u64]) -> Option<u64> {
    samples.sort_unstable();
    let rank = (samples.len() * 95).div_ceil(100);
    rank.checked_sub(1).and_then(|index| samples.get(index).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_nine_per_cent_needs_299_with_none_lost_and_473_with_one() {
        assert!(!shows_above(298, 0, 0.99) && shows_above(299, 0, 0.99));
        assert!(!shows_above(472, 1, 0.99) && shows_above(473, 1, 0.99));
        assert_eq!((needed(0, 0.99), needed(1, 0.99), needed(2, 0.99)), (Some(299), Some(473), Some(628)));
        assert_eq!(needed(0, 0.95), Some(59));
        assert_eq!(needed(0, 1.0), None);
        assert!(!shows_above(0, 0, 0.5));
        assert!(!shows_above(1_000_000, 20_000, 0.99), "no underflow into a pass");
    }

    #[test]
    fn lower_bound_agrees_with_tables() {
        // 0.05^(1/n) for none bad; 18 of 20 good: 0.717 in the tables of Clopper and Pearson.
        assert!((lower_bound(20, 0) - 0.05_f64.powf(1.0 / 20.0)).abs() < 1e-6);
        assert!((lower_bound(20, 2) - 0.7174).abs() < 1e-4, "{}", lower_bound(20, 2));
        assert!(lower_bound(5, 5) < 1e-6);
    }

    #[test]
    fn p95_is_the_nearest_rank() {
        assert_eq!(p95(&mut []), None);
        assert_eq!(p95(&mut [7]), Some(7));
        let mut hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(p95(&mut hundred), Some(95));
        let mut fifty_nine: Vec<u64> = (1..=59).collect();
        assert_eq!(p95(&mut fifty_nine), Some(57));
    }
}
