//! What owning a car costs a month in Brazil: two totals that never count the same money twice.
//!
//! - **desembolso**: what leaves the account. Instalment, taxes, insurance, energy, maintenance.
//! - **custo econômico**: what is gone for good. Interest and depreciation in place of the instalment.
//!
//! Every part is rounded to the centavo, half to even; the totals are exact sums of the rounded parts. Income is used
//! for guidance and dropped.
//!
//! Which cars are recommended does not depend on any of this, so accounts are made apart, for the cars that are shown.

mod financing;
mod running;

use std::borrow::Cow;

use jiff::civil::Date;

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    figures::{money, push_money},
    questionnaire::{Payment, Questionnaire},
    stock::{Centavos, Dealership},
    tables::{CostTable, ECONOMY_COLUMNS, STATES, Tables},
};

pub use financing::Financing;
pub(crate) use financing::Terms;
use running::{Running, State};

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
pub struct CostOfOwnership<'catalogue> {
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
    pub assumptions: Vec<Cow<'catalogue, str>>,
    /// Within the stated monthly maximum, else the instalment within its part of the income; `None` without either.
    pub fits_budget: Option<bool>,
    /// `total_monthly` as % of the stated monthly maximum, else of the income, to one decimal; `None` without either.
    pub budget_percentage: Option<f64>,
    /// `None` when no income was disclosed.
    pub health: Option<FinancialHealth>,
}

impl CostOfOwnership<'_> {
    /// The same, free of the catalogue that it was worked out from.
    #[must_use]
    pub fn into_owned(self) -> CostOfOwnership<'static> {
        let assumptions = self.assumptions.into_iter();
        CostOfOwnership {
            assumptions: assumptions.map(|text| Cow::Owned(text.into_owned())).collect(),
            ..self
        }
    }
}

/// Reais to centavos, half to even; not negative. By hand, because without SSE4.1 rounding is a call.
fn centavos(reais: f64) -> Centavos {
    let scaled = reais * 100.0;
    let whole = scaled as u64;
    let rest = scaled - whole as f64;
    let up = rest > 0.5 || (rest == 0.5 && whole % 2 == 1);
    Centavos(whole + u64::from(up))
}

fn reais(amount: Centavos) -> f64 {
    amount.0 as f64 / 100.0
}

/// What is the same for every car of one answer: the buyer, their terms of credit and their mix of town and road.
pub struct Accounts<'catalogue, 'buyer> {
    questionnaire: &'buyer Questionnaire,
    tables: &'catalogue Tables,
    dated: &'catalogue str,
    /// The buyer's state when there is such a state; else each car is taxed in its dealer's.
    state: Option<State<'buyer, 'catalogue>>,
    /// Which share of city driving counts.
    mix: usize,
    terms: Vec<Terms>,
}

/// A kind of buyer who says nothing of money, by the state whose taxes apply and the mix of town and road: a car costs
/// each of a kind the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UsualBuyer(usize);

impl UsualBuyer {
    /// How many kinds there are.
    pub const KINDS: usize = (STATES.len() + 1) * ECONOMY_COLUMNS;

    /// A number below [`Self::KINDS`], of each kind its own.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0
    }
}

impl<'catalogue, 'buyer> Accounts<'catalogue, 'buyer> {
    /// For one buyer and the cars of one catalogue.
    #[must_use]
    pub fn of(catalogue: &'catalogue Catalogue, questionnaire: &'buyer Questionnaire) -> Self {
        let tables = catalogue.tables();
        let state = questionnaire
            .state
            .as_deref()
            .map(|state| State::of(state, true, tables));
        Self {
            questionnaire,
            tables,
            dated: &catalogue.dated,
            state: state.filter(State::exists),
            mix: tables.criteria.economy_column(questionnaire.usage),
            terms: Terms::of_payment(&questionnaire.payment, tables),
        }
    }

    /// Which kind of buyer this is; `None` for one who says how they pay, what they earn or how far they drive.
    #[must_use]
    pub fn usual_buyer(&self) -> Option<UsualBuyer> {
        // The first for those who are taxed where the dealer is.
        let state = match &self.state {
            Some(state) => 1 + state.place()?,
            None => 0,
        };
        let is_usual = self.questionnaire.payment == Payment::default();
        is_usual.then_some(UsualBuyer(state * ECONOMY_COLUMNS + self.mix))
    }

    /// What a car would cost this buyer. Taxes are those of the buyer's state, else of the dealer's.
    #[must_use]
    pub fn of_car(
        &self,
        car: &'catalogue CatalogueCar,
        dealership: &Dealership,
    ) -> CostOfOwnership<'catalogue> {
        let Self {
            questionnaire,
            tables,
            ..
        } = self;
        let payment = &questionnaire.payment;
        let terms = Terms::at(&self.terms, car.age, tables);
        let financing = Financing::by(car.car.price, payment, terms, &tables.cost);
        let mut assumptions = Vec::with_capacity(8);
        assumptions.push(Cow::Owned(financing_sentence(
            &financing,
            car.car.price,
            payment,
            terms,
        )));
        let running = Running::of(self, car, &dealership.state, &mut assumptions);
        let running_sum = running.fuel.0
            + running.maintenance.0
            + running.insurance.0
            + running.ipva.0
            + running.licensing.0;
        let total = Centavos(financing.instalment.0 + running_sum);
        let (fits_budget, budget_percentage, health) =
            guidance(financing.instalment, total, payment, &tables.cost);
        assumptions.push(Cow::Borrowed(self.dated));
        if let Some(range) = payment.income {
            assumptions.push(Cow::Borrowed(tables.texts.income(range)));
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
            economic_total_monthly: Centavos(
                financing.interest_monthly.0 + running.depreciation.0 + running_sum,
            ),
            assumptions,
            fits_budget,
            budget_percentage,
            health,
        }
    }
}

/// The sentence that dates an account and says what its two totals are.
pub(crate) fn dated(reference_date: Date) -> String {
    format!(
        "Contas feitas em {}. O desembolso mensal soma parcela, combustível ou energia, manutenção, seguro, IPVA e \
         licenciamento; o custo econômico troca a parcela por juros e desvalorização.",
        crate::figures::date(reference_date)
    )
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

fn financing_sentence(financing: &Financing, price: Centavos, payment: &Payment, terms: &Terms) -> String {
    let Financing {
        principal,
        iof,
        instalment,
        down_payment,
        ..
    } = financing;
    if principal.0 == 0 {
        return format!("Pagamento à vista de {}, sem financiamento.", money(price));
    }
    let mut text = String::with_capacity(224);
    text.push_str("Financiamento: entrada de ");
    push_money(&mut text, *down_payment);
    if payment.down_payment.is_none() {
        text.push_str(" (suposição nossa)");
    }
    text.push_str(&terms.instalments_text);
    push_money(&mut text, *instalment);
    text.push_str(&terms.rate_text);
    push_money(&mut text, *iof);
    text.push_str(" incluído.");
    text
}
