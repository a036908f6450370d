//! Instalments by the Tabela Price, with IOF financed along.

use crate::{
    figures::{push_count, push_decimal, push_shortest},
    questionnaire::Payment,
    stock::Centavos,
    tables::{CostTable, Tables},
};

use super::{centavos, reais};

/// Below this rate a month, interest on a million reais over 96 months is a twentieth of a centavo each month, and
/// `1 − (1+i)^−n` soon has no digits left to divide by.
const LEAST_RATE: f64 = 1e-9;

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
        let own = Terms::of_payment(payment, tables);
        Self::by(price, payment, Terms::at(&own, age, tables), &tables.cost)
    }

    pub(crate) fn by(price: Centavos, payment: &Payment, terms: &Terms, cost: &CostTable) -> Self {
        let usual = centavos(reais(price) * cost.down_payment_percent / 100.0);
        let down_payment = payment.down_payment.unwrap_or(usual).min(price);
        let principal = Centavos(price.0 - down_payment.0);
        let months = terms.months;
        let iof = centavos(reais(principal) * terms.iof_share);
        let financed = Centavos(principal.0 + iof.0);
        let instalment = centavos(terms.instalment(reais(financed)));
        let extra = (instalment.0 * u64::from(months)).saturating_sub(principal.0);
        Self {
            down_payment,
            principal,
            iof,
            months,
            monthly_rate: terms.monthly_rate,
            instalment,
            interest_monthly: centavos(reais(Centavos(extra)) / f64::from(months)),
        }
    }
}

/// A rate over a number of months, with all that follows from these two whatever the amount, and the words for them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    monthly_rate: f64,
    months: u16,
    /// `1 − (1+i)^−n`
    discount: f64,
    /// IOF for each real of principal.
    iof_share: f64,
    /// `, 48 parcelas (suposição nossa) de `
    pub(super) instalments_text: Box<str>,
    /// ` com juros de 2,08% ao mês, ou 28% ao ano (suposição nossa); IOF de `
    pub(super) rate_text: Box<str>,
}

impl Terms {
    /// What a buyer is assumed to get, by the yearly rate of the car's age.
    pub(crate) fn of_yearly_percent(percent: f64, cost: &CostTable) -> Self {
        let rate = twelfth_root(1.0 + percent / 100.0) - 1.0;
        Self::new(rate.max(0.0), None, false, cost)
    }

    /// The terms that a buyer states: one for each step of age, or one alone with a rate; none when nothing is stated.
    pub(crate) fn of_payment(payment: &Payment, tables: &Tables) -> Vec<Self> {
        match (payment.monthly_rate, payment.months) {
            (Some(rate), months) => vec![Self::new(rate.max(0.0), months, true, &tables.cost)],
            (None, Some(_)) => tables
                .terms
                .iter()
                .map(|usual| Self::new(usual.monthly_rate, payment.months, false, &tables.cost))
                .collect(),
            (None, None) => Vec::new(),
        }
    }

    /// Of a buyer's own terms, else of the usual ones, those for the age of a car.
    pub(crate) fn at<'terms>(own: &'terms [Self], age: u32, tables: &'terms Tables) -> &'terms Self {
        let terms = if own.is_empty() { &tables.terms } else { own };
        let step = tables.cost.yearly_rate_percent.step(age);
        &terms[step.min(terms.len() - 1)]
    }

    fn new(monthly_rate: f64, stated_months: Option<u16>, rate_stated: bool, cost: &CostTable) -> Self {
        let monthly_rate = if monthly_rate < LEAST_RATE {
            0.0
        } else {
            monthly_rate
        };
        let months = stated_months.unwrap_or(cost.months).max(1);
        let grown = (0..months).fold(1.0, |grown, _| grown * (1.0 + monthly_rate));
        let assumed = |stated: bool| if stated { "" } else { " (suposição nossa)" };
        let mut instalments_text = String::from(", ");
        push_count(&mut instalments_text, u64::from(months), "parcela", "parcelas");
        instalments_text.push_str(assumed(stated_months.is_some()));
        instalments_text.push_str(" de ");
        let yearly = (1..=12).fold(1.0, |grown, _| grown * (1.0 + monthly_rate)) - 1.0;
        let mut rate_text = String::from(" com juros de ");
        push_decimal(&mut rate_text, monthly_rate * 100.0, 2);
        rate_text.push_str("% ao mês, ou ");
        push_shortest(&mut rate_text, yearly * 100.0, 1);
        rate_text.push_str("% ao ano");
        rate_text.push_str(assumed(rate_stated));
        rate_text.push_str("; IOF de ");
        let mut terms = Self {
            monthly_rate,
            months,
            discount: 1.0 - 1.0 / grown,
            iof_share: 0.0,
            instalments_text: instalments_text.into(),
            rate_text: rate_text.into(),
        };
        terms.iof_share = terms.iof_on_one_real(cost);
        terms
    }

    /// `PV·i / (1 − (1+i)^−n)`, and `PV/n` without interest.
    fn instalment(&self, present_value: f64) -> f64 {
        if self.monthly_rate == 0.0 {
            present_value / f64::from(self.months)
        } else {
            present_value * self.monthly_rate / self.discount
        }
    }

    /// The fixed part, and for each instalment the daily part of what it repays for the days until then. Linear in the
    /// principal; once the days have reached their bound, all that is still owed counts with it.
    fn iof_on_one_real(&self, cost: &CostTable) -> f64 {
        let part = self.instalment(1.0);
        let mut owed = 1.0;
        let mut days_owed = 0.0;
        for month in 1..=u32::from(self.months) {
            let days = cost.iof_days_per_month * month;
            if days >= cost.iof_days_at_most {
                days_owed += owed * f64::from(cost.iof_days_at_most);
                break;
            }
            let repaid = part - owed * self.monthly_rate;
            owed -= repaid;
            days_owed += repaid * f64::from(days);
        }
        cost.iof_fixed_percent / 100.0 + days_owed * cost.iof_daily_percent / 100.0
    }
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

    /// Prevents the closed form of IOF from leaving the schedule, month by month, that the decree describes.
    #[test]
    fn iof_is_that_of_the_schedule() {
        let tables = Tables::bundled().unwrap();
        let cost = &tables.cost;
        for months in [1, 2, 11, 12, 13, 24, 48, 96] {
            // At higher rates the schedule itself loses centavos: each month multiplies its error by 1 + rate.
            for rate in [0.0, 0.001, 0.0208, 0.05] {
                for price in [1_u64, 99_999, 4_387_651, 6_000_000, 123_456_789] {
                    let payment = Payment {
                        down_payment: Some(Centavos(0)),
                        months: Some(months),
                        monthly_rate: Some(rate),
                        ..Payment::default()
                    };
                    let financing = Financing::of(Centavos(price), 5, &payment, &tables);
                    let part = Terms::of_payment(&payment, &tables)[0].instalment(reais(Centavos(price)));
                    let mut owed = reais(Centavos(price));
                    let mut iof = owed * cost.iof_fixed_percent / 100.0;
                    for month in 1..=u32::from(months) {
                        let repaid = part - owed * rate;
                        owed -= repaid;
                        let days = (30 * month).min(365);
                        iof += repaid * cost.iof_daily_percent / 100.0 * f64::from(days);
                    }
                    assert_eq!(financing.iof, centavos(iof), "{price} over {months} at {rate}");
                }
            }
        }
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

        for rate in [5e-324, 2e-91, 1e-17, 1e-13, 9e-10, 1e-9, 1.1e-9] {
            let hardly_any = Payment {
                monthly_rate: Some(rate),
                ..payment
            };
            let almost = Financing::of(Centavos(1_000_000), 1, &hardly_any, &tables);
            assert_eq!(
                (almost.iof, almost.instalment),
                (financing.iof, financing.instalment),
                "{rate}"
            );
        }

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
