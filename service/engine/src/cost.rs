//! What owning a car costs a month in Brazil: two totals that never count the same money twice.
//!
//! - **desembolso**: what leaves the account. Instalment, taxes, insurance, energy, maintenance.
//! - **custo econômico**: what is gone for good. Interest and depreciation in place of the instalment.
//!
//! Every part is rounded to the centavo, half to even; the totals are exact sums of the rounded parts. Income is used
//! for guidance and dropped.

mod financing;
mod running;

use jiff::civil::Date;

use crate::{
    catalogue::CatalogueCar,
    figures::{decimal, money, shortest},
    questionnaire::{Payment, Questionnaire},
    stock::Centavos,
    tables::{CostTable, Tables},
};

pub use financing::Financing;

/// How the monthly cost compares with the income.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinancialHealth {
    /// Comfortable.
    Green,
    /// Tight.
    Yellow,
    /// More than is wise.
    Red,
}

impl FinancialHealth {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

/// What a car costs a month, part by part.
#[derive(Clone, Debug, PartialEq)]
pub struct CostOfOwnership {
    /// The instalment; 0 when nothing is financed.
    pub financing_monthly: Centavos,
    /// Fuel or electricity.
    pub fuel_monthly: Centavos,
    /// Service, parts and tyres.
    pub maintenance_monthly: Centavos,
    /// A twelfth of a year's insurance.
    pub insurance_monthly: Centavos,
    /// A twelfth of a year's vehicle tax.
    pub ipva_monthly: Centavos,
    /// A twelfth of the yearly licensing fee.
    pub licensing_monthly: Centavos,
    /// A twelfth of the value lost in the coming year.
    pub depreciation_monthly: Centavos,
    /// Interest and IOF, spread evenly over the instalments.
    pub interest_monthly: Centavos,
    /// *Desembolso*: instalment, energy, maintenance, insurance, IPVA and licensing.
    pub total_monthly: Centavos,
    /// *Custo econômico*: interest, depreciation, energy, maintenance, insurance, IPVA and licensing.
    pub economic_total_monthly: Centavos,
    /// What was assumed, in Portuguese sentences with figures and dates.
    pub assumptions: Vec<String>,
    /// Within the stated monthly maximum, else the instalment within its part of the income; `None` without either.
    pub fits_budget: Option<bool>,
    /// `total_monthly` as % of the stated monthly maximum, else of the income, to one decimal; `None` without either.
    pub budget_percentage: Option<f64>,
    /// `None` when no income was disclosed.
    pub health: Option<FinancialHealth>,
}

/// Reais to centavos, half to even.
fn centavos(reais: f64) -> Centavos {
    Centavos((reais * 100.0).round_ties_even() as u64)
}

fn reais(amount: Centavos) -> f64 {
    amount.0 as f64 / 100.0
}

/// What a car would cost this buyer. Taxes are those of the buyer's state, else of the dealer's.
pub(crate) fn of(
    car: &CatalogueCar,
    dealer_state: &str,
    questionnaire: &Questionnaire,
    tables: &Tables,
    reference_date: Date,
) -> CostOfOwnership {
    let financing = Financing::of(car.car.price, car.age, &questionnaire.payment, tables);
    let running = running::Running::of(car, dealer_state, questionnaire, tables);
    let running_sum =
        running.fuel.0 + running.maintenance.0 + running.insurance.0 + running.ipva.0 + running.licensing.0;
    let total = Centavos(financing.instalment.0 + running_sum);
    let (fits_budget, budget_percentage, health) =
        guidance(financing.instalment, total, &questionnaire.payment, &tables.cost);

    let mut assumptions = vec![financing_sentence(
        &financing,
        car.car.price,
        &questionnaire.payment,
    )];
    assumptions.extend(running.assumptions);
    assumptions.push(format!(
        "Contas feitas em {}. O desembolso mensal soma parcela, combustível ou energia, manutenção, seguro, IPVA e \
         licenciamento; o custo econômico troca a parcela por juros e desvalorização.",
        crate::figures::date(reference_date)
    ));
    if let Some(range) = questionnaire.payment.income {
        assumptions.push(format!(
            "Renda considerada para a faixa informada: R$ {} por mês.",
            crate::figures::thousands(tables.cost.income(range) as u64)
        ));
    }
    CostOfOwnership {
        financing_monthly: financing.instalment,
        fuel_monthly: running.fuel,
        maintenance_monthly: running.maintenance,
        insurance_monthly: running.insurance,
        ipva_monthly: running.ipva,
        licensing_monthly: running.licensing,
        depreciation_monthly: running.depreciation,
        interest_monthly: financing.interest_monthly,
        total_monthly: total,
        economic_total_monthly: Centavos(financing.interest_monthly.0 + running.depreciation.0 + running_sum),
        assumptions,
        fits_budget,
        budget_percentage,
        health,
    }
}

/// Guidance, not law: whether it fits, the percentage of the yardstick, and how it compares with the income.
fn guidance(
    instalment: Centavos,
    total: Centavos,
    payment: &Payment,
    cost: &CostTable,
) -> (Option<bool>, Option<f64>, Option<FinancialHealth>) {
    let income = payment.income.map(|range| cost.income(range));
    let percent = |part: Centavos, whole: f64| reais(part) / whole * 100.0;
    let fits = match (payment.maximum_monthly, income) {
        (Some(maximum), _) => Some(total <= maximum),
        (None, Some(income)) => Some(percent(instalment, income) <= cost.instalment_percent_of_income),
        (None, None) => None,
    };
    let yardstick = payment
        .maximum_monthly
        .map(reais)
        .filter(|maximum| *maximum > 0.0)
        .or(income);
    let percentage = yardstick.map(|whole| (percent(total, whole) * 10.0).round() / 10.0);
    let health = income.map(|income| match percent(total, income) {
        share if share <= cost.green_percent_of_income => FinancialHealth::Green,
        share if share <= cost.yellow_percent_of_income => FinancialHealth::Yellow,
        _ => FinancialHealth::Red,
    });
    (fits, percentage, health)
}

fn financing_sentence(financing: &Financing, price: Centavos, payment: &Payment) -> String {
    let Financing {
        principal,
        iof,
        instalment,
        months,
        monthly_rate,
        down_payment,
        ..
    } = financing;
    if principal.0 == 0 {
        return format!("Pagamento à vista de {}, sem financiamento.", money(price));
    }
    let assumed = |given: bool| if given { "" } else { " (suposição nossa)" };
    let yearly = (1..=12).fold(1.0, |grown, _| grown * (1.0 + monthly_rate)) - 1.0;
    format!(
        "Financiamento: entrada de {}{}, {months} parcelas{} de {} com juros de {}% ao mês, ou {}% ao ano{}; IOF de {} \
         incluído.",
        money(*down_payment),
        assumed(payment.down_payment.is_some()),
        assumed(payment.months.is_some()),
        money(*instalment),
        decimal(monthly_rate * 100.0, 2),
        shortest(yearly * 100.0, 1),
        assumed(payment.monthly_rate.is_some()),
        money(*iof),
    )
}
