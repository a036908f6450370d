//! Single cars: what becomes of one is decided and written without the stock that it is in, however large that is.

use faciliauto_engine::stock::Car;

use super::{ATTEMPTS, Answered, CarReceipt, Desk, Identity, IfMatch, answered_before, tag, to_remember};
use crate::{
    error::ApiError,
    state::{
        Basis, Change, Head, State, Written,
        dealers::{CarFacts, CarGlance, CarUpdate, DealerView, DealershipGlance, SoldMark},
        once::VERSION_MADE,
    },
    stock::{fingerprint::Fingerprint, rows, upload::CarPatch},
};

impl Desk {
    /// Changes one car, and neither reads nor writes the others.
    pub(crate) async fn patch_car(
        &self,
        id: &str,
        car_id: &str,
        patch: CarPatch,
        condition: Option<IfMatch>,
        identity: Option<&Identity>,
    ) -> Result<Written<Answered<CarReceipt>>, ApiError> {
        let _turn = self.writing.lock().await;
        for attempt in 0..ATTEMPTS {
            let state = self.store.current();
            let CarGlance { head, dealership } = state.glance(id, car_id).await?;
            let seen = match &dealership {
                None => Err(ApiError::DealershipNotFound),
                Some(dealership) => match self.in_memory(&head, dealership, id, car_id) {
                    Ok(None) => in_store(&*state, id, car_id).await,
                    Ok(Some(seen)) => Ok(seen),
                    Err(error) => Err(error),
                },
            };
            // After the stock was seen, so that an answer given meanwhile is found or makes the commit fail.
            if let Some(before) = answered_before(&*state, &head, identity).await? {
                return Ok(before);
            }
            let Seen {
                head,
                fingerprint,
                car: before,
            } = seen?;
            let etag = tag(fingerprint);
            if condition
                .as_ref()
                .is_some_and(|condition| !condition.names(&etag))
            {
                return Err(ApiError::EtagMismatch);
            }
            let facts = CarFacts {
                available: patch.available.unwrap_or(before.available),
                price: patch.price.unwrap_or(before.price),
                // Whoever changes a car has just looked at it.
                confirmed_on: (!before.sample).then_some(self.clock.today()),
            };
            let mut car = before.clone();
            facts.give(&mut car);
            let fingerprint = fingerprint.after(&before, &car);
            let mark = patch.available.map(|available| SoldMark {
                dealership: id.to_owned(),
                car: car_id.to_owned(),
                sold: !available,
            });
            let mut receipt = CarReceipt {
                id: car_id.to_owned(),
                dealership_id: id.to_owned(),
                disponivel: facts.available,
                preco: rows::reais(facts.price),
                catalog_version: VERSION_MADE.to_owned(),
                etag: tag(fingerprint),
            };
            let change = Change {
                basis: Basis::Version(head.version),
                put: Vec::new(),
                remove: Vec::new(),
                marks: mark.into_iter().collect(),
                updates: vec![CarUpdate {
                    dealership: id.to_owned(),
                    car: car_id.to_owned(),
                    facts,
                    fingerprint,
                }],
                once: to_remember(identity, &receipt)?,
            };
            if let Some(written) = self.commit(&*state, change, attempt).await? {
                return Ok(written.map(|head| {
                    receipt.catalog_version = head.version.to_string();
                    Answered::now(receipt)
                }));
            }
        }
        Err(ApiError::StockMoved)
    }

    /// A car that is to change, when the stock in memory has the same cars as that in the store.
    fn in_memory(
        &self,
        head: &Head,
        dealership: &DealershipGlance,
        id: &str,
        car_id: &str,
    ) -> Result<Option<Seen>, ApiError> {
        let DealershipGlance {
            version,
            fingerprint,
            facts,
        } = dealership;
        let served = self.showroom.served();
        let Some(served) = served.filter(|served| served.has_put(&head.version.epoch, id, version)) else {
            return Ok(None);
        };
        let item = served
            .catalogue
            .car(car_id)
            .filter(|item| item.car.dealership_id == id);
        let mut car = item.ok_or(ApiError::CarNotFound)?.car.clone();
        // Memory may be behind an update.
        if let Some(facts) = facts {
            facts.give(&mut car);
        }
        Ok(Some(Seen {
            head: head.clone(),
            fingerprint: *fingerprint,
            car,
        }))
    }
}

/// A car that is to change, and what the change is decided on.
struct Seen {
    head: Head,
    /// Of its dealership's stock.
    fingerprint: Fingerprint,
    car: Car,
}

/// Reads the whole stock for one car: right after it was put, until it is in memory.
async fn in_store(state: &dyn State, id: &str, car_id: &str) -> Result<Seen, ApiError> {
    let DealerView {
        head,
        stock,
        fingerprint,
        ..
    } = state.dealer(id).await?;
    let stock = stock.ok_or(ApiError::DealershipNotFound)?;
    let car = stock.cars.into_iter().find(|car| car.id == car_id);
    Ok(Seen {
        head,
        fingerprint,
        car: car.ok_or(ApiError::CarNotFound)?,
    })
}
