//! How much each criterion weighs for one buyer: integers that sum to 256 exactly.

use crate::{
    questionnaire::{Priorities, Quality, Questionnaire},
    recommendation::Criterion,
    tables::{Flag, Tables},
};

/// What all weights sum to.
pub(crate) const TOTAL: u16 = 256;

/// A weight for each of [`Criterion::ALL`]; 0 = the criterion plays no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weights([u16; 12]);

impl Weights {
    /// The weights of a buyer's answers; `near` = the distance counts, `wishes` = any brand,
    /// body, fuel or gearbox is wished.
    pub(crate) fn of(questionnaire: &Questionnaire, near: bool, wishes: bool, tables: &Tables) -> Self {
        let criteria = &tables.criteria;
        let mut weights = [0; 12];
        weights[Criterion::Price.index()] = criteria.price_weight;
        weights[Criterion::Wear.index()] = criteria.wear_weight;
        weights[Criterion::Distance.index()] = if near { criteria.distance_weight } else { 0 };
        weights[Criterion::Preferences.index()] = if wishes { criteria.preferences_weight } else { 0 };
        weights[..8].fill(criteria.least_per_quality);
        let left = TOTAL - weights.iter().sum::<u16>();
        let claims = claims(questionnaire, tables);
        for (weight, share) in weights.iter_mut().zip(apportion(u128::from(left), claims)) {
            *weight += share as u16;
        }
        Self(weights)
    }

    pub(crate) fn of_criterion(&self, criterion: Criterion) -> u16 {
        self.0[criterion.index()]
    }

    pub(crate) fn all(&self) -> &[u16; 12] {
        &self.0
    }

    /// The criteria that have a weight, with it.
    pub(crate) fn taking_part(&self) -> impl Iterator<Item = (Criterion, u16)> {
        Criterion::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, weight)| *weight > 0)
    }

    /// The least weight that is heavier than the mean of the criteria that have one.
    pub(crate) fn least_above_average(&self) -> u16 {
        // The price always has a weight, or a quality does: the count is not 0.
        TOTAL / self.taking_part().count() as u16 + 1
    }

    /// The heaviest qualities, ties by index.
    pub(crate) fn heaviest(&self, count: usize) -> Vec<Quality> {
        let mut qualities = Quality::ALL.to_vec();
        qualities.sort_by_key(|quality| (std::cmp::Reverse(self.0[quality.index()]), quality.index()));
        qualities.truncate(count);
        qualities
    }
}

/// The priority that a quality counts with, whatever a caller passed in.
pub(crate) fn priority(priorities: &Priorities, quality: Quality) -> u8 {
    priorities.0[quality.index()].clamp(1, 5)
}

/// Priority value × the use's factor × the factor of each flag that the answers raise.
fn claims(questionnaire: &Questionnaire, tables: &Tables) -> [u128; 8] {
    let profile = tables.weights.profile(questionnaire.usage);
    Quality::ALL.map(|quality| {
        let value =
            tables.criteria.priority_values[usize::from(priority(&questionnaire.priorities, quality)) - 1];
        Flag::raised(questionnaire)
            .map(|flag| u128::from(tables.weights.flag(flag)[quality.index()]))
            .fold(
                u128::from(value) * u128::from(profile[quality.index()]),
                |claim, factor| claim * factor,
            )
    })
}

/// Quotient and remainder. Few claims need more than 64 bits, and dividing 128 takes many times as long.
fn divide(claim: u128, sum: u128) -> (u128, u128) {
    match (u64::try_from(claim), u64::try_from(sum)) {
        (Ok(claim), Ok(sum)) => (u128::from(claim / sum), u128::from(claim % sum)),
        _ => (claim / sum, claim % sum),
    }
}

/// Shares of `total` in proportion to the claims, by exact largest remainder, ties by index. They sum to `total`.
pub(crate) fn apportion<const N: usize>(total: u128, claims: [u128; N]) -> [u128; N] {
    let sum: u128 = claims.iter().sum();
    if sum == 0 {
        return [0; N];
    }
    let divided = claims.map(|claim| divide(total * claim, sum));
    let mut shares = divided.map(|(share, _)| share);
    let mut by_remainder: [usize; N] = std::array::from_fn(|index| index);
    by_remainder.sort_unstable_by_key(|&index| (std::cmp::Reverse(divided[index].1), index));
    let left = total - shares.iter().sum::<u128>();
    for &index in by_remainder.iter().take(left as usize) {
        shares[index] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::apportion;

    /// Prevents shares that do not sum, or ties that fall differently from one run to the next.
    #[test]
    fn shares_sum_and_ties_go_to_the_first() {
        // 10 × 1/3 = 3 rest 1 each: one unit is left, the first gets it.
        assert_eq!(apportion(10, [1, 1, 1]), [4, 3, 3]);
        // 7 × 5/9 = 3 rest 8, 7 × 3/9 = 2 rest 3, 7 × 1/9 = 0 rest 7: two left, for rests 8 and 7.
        assert_eq!(apportion(7, [5, 3, 1]), [4, 2, 1]);
        assert_eq!(apportion(5, [0, 0]), [0, 0]);
    }
}
