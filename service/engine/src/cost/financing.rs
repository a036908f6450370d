//! Instalments by the Tabela Price, with IOF financed along.

use crate::{questionnaire::Payment, stock::Centavos, tables::Tables};

use super::{centavos, reais};

/// How a price would be paid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Financing {
    /// Paid at once.
    pub down_payment: Centavos,
    /// Price less down payment, before IOF.
    pub principal: Centavos,
    /// Tax on the credit, computed once on the schedule of the principal and then financed too.
    pub iof: Centavos,
    /// Number of instalments.
    pub months: u16,
    /// Rate a month, as a fraction.
    pub monthly_rate: f64,
    /// Each instalment.
    pub instalment: Centavos,
    /// Interest and IOF over the whole term, spread evenly over the months.
    pub interest_monthly: Centavos,
}

impl Financing {
    /// By the buyer's terms; what they left open comes from the data file, the rate by the age of the car in years.
    #[must_use]
    pub fn of(price: Centavos, age: u32, payment: &Payment, tables: &Tables) -> Self {
        let cost = &tables.cost;
        let usual = centavos(reais(price) * cost.down_payment_percent / 100.0);
        let down_payment = payment.down_payment.unwrap_or(usual).min(price);
        let principal = Centavos(price.0 - down_payment.0);
        let months = payment.months.unwrap_or(cost.months).max(1);
        let monthly_rate = payment
            .monthly_rate
            .unwrap_or_else(|| twelfth_root(1.0 + cost.yearly_rate_percent.at(age) / 100.0) - 1.0)
            .max(0.0);

        let mut owed = reais(principal);
        let part = instalment(owed, monthly_rate, months);
        let mut iof = owed * cost.iof_fixed_percent / 100.0;
        for month in 1..=u32::from(months) {
            let repaid = part - owed * monthly_rate;
            owed -= repaid;
            let days = (cost.iof_days_per_month * month).min(cost.iof_days_at_most);
            iof += repaid * cost.iof_daily_percent / 100.0 * f64::from(days);
        }
        let iof = centavos(iof);
        let financed = Centavos(principal.0 + iof.0);
        let instalment = centavos(instalment(reais(financed), monthly_rate, months));
        let extra = (instalment.0 * u64::from(months)).saturating_sub(principal.0);
        Self {
            down_payment,
            principal,
            iof,
            months,
            monthly_rate,
            instalment,
            interest_monthly: centavos(reais(Centavos(extra)) / f64::from(months)),
        }
    }
}

/// `PV·i / (1 − (1+i)^−n)`, and `PV/n` without interest.
fn instalment(present_value: f64, rate: f64, months: u16) -> f64 {
    if rate == 0.0 {
        return present_value / f64::from(months);
    }
    let grown = (0..months).fold(1.0, |grown, _| grown * (1.0 + rate));
    present_value * rate / (1.0 - 1.0 / grown)
}

/// By Newton's method: `powf` may differ from one processor or libc to another, these four operations do not.
fn twelfth_root(value: f64) -> f64 {
    let mut root = 1.0;
    for _ in 0..40 {
        let eleventh = (0..11).fold(1.0, |power, _| power * root);
        root -= (eleventh * root - value) / (12.0 * eleventh);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents any drift of IOF or instalment: the case was computed apart from this code, to the centavo.
    #[test]
    fn the_golden_case_holds_to_the_centavo() {
        let tables = Tables::bundled().unwrap();
        // R$ 60.000, a car of 4 to 6 years (28 % a year); 20 % down and 48 months are the defaults.
        let financing = Financing::of(Centavos(6_000_000), 5, &Payment::default(), &tables);
        assert_eq!(financing.down_payment, Centavos(1_200_000));
        assert_eq!(financing.principal, Centavos(4_800_000));
        assert_eq!(financing.iof, Centavos(151_262));
        assert_eq!(financing.instalment, Centavos(164_009));
        assert_eq!(financing.instalment.0 * u64::from(financing.months), 7_872_432);
        // (78.724,32 − 48.000,00) / 48 = 640,09
        assert_eq!(financing.interest_monthly, Centavos(64_009));
    }

    /// Prevents a division by zero where the buyer pays no interest, and credit where they owe nothing.
    #[test]
    fn no_interest_and_no_debt_are_plain_divisions() {
        let tables = Tables::bundled().unwrap();
        let payment = Payment {
            down_payment: Some(Centavos(0)),
            months: Some(10),
            monthly_rate: Some(0.0),
            ..Payment::default()
        };
        let financing = Financing::of(Centavos(1_000_000), 1, &payment, &tables);
        // 38,00 fixed + 1.000 a month × 0,0082 % × (30 + 60 + … + 300 = 1650 days) = 135,30
        assert_eq!(financing.iof, Centavos(17_330));
        assert_eq!(financing.instalment, Centavos(101_733));

        let all_cash = Payment {
            down_payment: Some(Centavos(2_000_000)),
            ..Payment::default()
        };
        let financing = Financing::of(Centavos(1_000_000), 1, &all_cash, &tables);
        assert_eq!(
            (
                financing.principal,
                financing.iof,
                financing.instalment,
                financing.interest_monthly
            ),
            (Centavos(0), Centavos(0), Centavos(0), Centavos(0))
        );
    }

    /// Prevents a wrong band: 28 % a year is 2.0785 % a month.
    #[test]
    fn the_rate_follows_the_age_of_the_car() {
        let tables = Tables::bundled().unwrap();
        for (ages, yearly) in [(0..=3, 1.25), (4..=6, 1.28), (7..=10, 1.31), (11..=19, 1.35)] {
            for age in ages {
                let rate = Financing::of(Centavos(100), age, &Payment::default(), &tables).monthly_rate;
                assert!(
                    ((1.0 + rate).powi(12) - yearly).abs() < 1e-12,
                    "age {age}: {rate}"
                );
            }
        }
    }
}
