//! A list of cars in parts.

use std::{
    fmt, iter, mem,
    ops::{Index, IndexMut},
    slice, vec,
};

use super::Car;

/// Cars in a part, some 270 KB.
const PART: usize = 1024;

/// Cars in a row, held in parts: a list that grows moves none of them, and one that is taken apart car by car gives its
/// memory back meanwhile. In one piece a hundred thousand take their memory twice each time that they move.
#[derive(Clone, Default, PartialEq)]
pub struct Cars {
    /// All but the last are full, and none is empty.
    parts: Vec<Vec<Car>>,
}

impl Cars {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { parts: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts
            .last()
            .map_or(0, |last| (self.parts.len() - 1) * PART + last.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The car at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Car> {
        self.parts.get(place / PART)?.get(place % PART)
    }

    /// Adds a car at the end.
    pub fn push(&mut self, car: Car) {
        match self.parts.last_mut() {
            Some(last) if last.len() < PART => last.push(car),
            _ => self.parts.push(vec![car]),
        }
    }

    /// Exchanges the cars at two places.
    ///
    /// # Panics
    /// When there is no car at one of them, as for a slice.
    pub fn swap(&mut self, one: usize, other: usize) {
        let (low, high) = (one.min(other), one.max(other));
        let (low_part, high_part) = (low / PART, high / PART);
        if low_part == high_part {
            self.parts[low_part].swap(low % PART, high % PART);
        } else {
            let (before, from_high) = self.parts.split_at_mut(high_part);
            mem::swap(&mut before[low_part][low % PART], &mut from_high[0][high % PART]);
        }
    }

    /// In their order.
    pub fn iter(&self) -> Iter<'_> {
        self.parts.iter().flatten()
    }

    /// In their order, to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_> {
        self.parts.iter_mut().flatten()
    }
}

/// Cars that are lent.
pub type Iter<'a> = iter::Flatten<slice::Iter<'a, Vec<Car>>>;
/// Cars that are lent to be changed.
pub type IterMut<'a> = iter::Flatten<slice::IterMut<'a, Vec<Car>>>;
/// Cars that are given away, and the memory of each part with its last.
pub type IntoIter = iter::Flatten<vec::IntoIter<Vec<Car>>>;

impl fmt::Debug for Cars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self).finish()
    }
}

impl Index<usize> for Cars {
    type Output = Car;

    fn index(&self, place: usize) -> &Car {
        &self.parts[place / PART][place % PART]
    }
}

impl IndexMut<usize> for Cars {
    fn index_mut(&mut self, place: usize) -> &mut Car {
        &mut self.parts[place / PART][place % PART]
    }
}

impl IntoIterator for Cars {
    type Item = Car;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        self.parts.into_iter().flatten()
    }
}

impl<'a> IntoIterator for &'a Cars {
    type Item = &'a Car;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Cars {
    type Item = &'a mut Car;
    type IntoIter = IterMut<'a>;

    fn into_iter(self) -> IterMut<'a> {
        self.iter_mut()
    }
}

impl Extend<Car> for Cars {
    fn extend<More: IntoIterator<Item = Car>>(&mut self, more: More) {
        for car in more {
            self.push(car);
        }
    }
}

impl FromIterator<Car> for Cars {
    fn from_iter<Given: IntoIterator<Item = Car>>(given: Given) -> Self {
        let mut cars = Self::new();
        cars.extend(given);
        cars
    }
}

impl From<Vec<Car>> for Cars {
    fn from(cars: Vec<Car>) -> Self {
        cars.into_iter().collect()
    }
}

impl<const NUMBER: usize> From<[Car; NUMBER]> for Cars {
    fn from(cars: [Car; NUMBER]) -> Self {
        cars.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::{synthetic, tables::Tables};

    /// So many cars, each told from the others by its odometer.
    fn vector(number: usize) -> Vec<Car> {
        let tables = Tables::bundled().unwrap();
        let one = synthetic::stock(&tables, 1, date(2026, 11, 25), 7).cars[0].clone();
        let numbered = |odometer_km| Car {
            odometer_km,
            ..one.clone()
        };
        (0..number as u32).map(numbered).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Prevents a car from being lost, moved or doubled where two parts meet: whatever a vector does, a list does.
        #[test]
        fn a_list_is_a_vector_in_parts(
            number in prop_oneof![0..4_usize, PART - 2..PART + 3, 2 * PART - 2..2 * PART + 3],
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 8),
        ) {
            let mut expected = vector(number);
            let mut cars = Cars::from(expected.clone());
            prop_assert_eq!((cars.len(), cars.is_empty()), (number, number == 0));
            for (one, other) in places.iter().filter(|_| number > 0) {
                let (one, other) = (one.index(number), other.index(number));
                expected.swap(one, other);
                cars.swap(one, other);
                cars[one].doors = Some(7);
                expected[one].doors = Some(7);
                prop_assert_eq!(&cars[other], &expected[other]);
            }
            for (car, expected) in cars.iter_mut().zip(&mut expected) {
                car.year = car.odometer_km as u16;
                expected.year = car.year;
            }
            prop_assert!(cars.get(number).is_none());
            prop_assert_eq!(cars.get(number.wrapping_sub(1)), expected.last());
            prop_assert!(cars.parts.iter().rev().skip(1).all(|part| part.len() == PART));
            prop_assert!(cars.iter().eq(&expected));
            prop_assert_eq!(cars.clone().into_iter().collect::<Vec<_>>(), expected);
        }
    }
}
