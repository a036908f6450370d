//! Points on the Earth as integers, so that who is near is the same on every processor.
//!
//! A point is a vector of length 2^30; the dot product of two is exact in 64 bits and falls as their distance grows.
//! A distance in km therefore becomes a least dot product once, and from then on integers decide. The sine needed for
//! both is made of `+ − × ÷` alone, which every processor does alike; the one of the system's library is not.

/// Mean radius of the Earth (IUGG), km.
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// The length of a vector.
const UNIT: f64 = (1_u64 << 30) as f64;

/// A point on the Earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitVector {
    x: i32,
    y: i32,
    z: i32,
}

impl UnitVector {
    /// The point at degrees north and degrees east, within 90 and 180.
    #[must_use]
    pub fn from_degrees(latitude: f64, longitude: f64) -> Self {
        let (across, up) = (cosine(latitude), sine(latitude));
        let scaled = |length: f64| (length * UNIT).round() as i32;
        Self {
            x: scaled(across * cosine(longitude)),
            y: scaled(across * sine(longitude)),
            z: scaled(up),
        }
    }

    /// 2^60 for one point with itself, less the farther apart two points are.
    pub(crate) fn dot(self, other: Self) -> i64 {
        let product = |a: i32, b: i32| i64::from(a) * i64::from(b);
        product(self.x, other.x) + product(self.y, other.y) + product(self.z, other.z)
    }

    /// Great-circle distance, to be shown; nothing is decided by it.
    pub(crate) fn distance_km(self, other: Self) -> f64 {
        let squared = |a: i32, b: i32| (f64::from(a) - f64::from(b)).powi(2);
        let chord = (squared(self.x, other.x) + squared(self.y, other.y) + squared(self.z, other.z)).sqrt();
        2.0 * EARTH_RADIUS_KM * (chord / (2.0 * UNIT)).min(1.0).asin()
    }
}

/// The least dot product of two points that are at most so far apart.
pub(crate) fn least_dot(km: f64) -> i64 {
    let degrees = km / EARTH_RADIUS_KM * (180.0 / std::f64::consts::PI);
    if degrees >= 180.0 {
        return i64::MIN;
    }
    (cosine(degrees) * UNIT * UNIT).round() as i64
}

fn cosine(degrees: f64) -> f64 {
    // 1 − 2 sin²(½ x): exact near 1, where short distances are told apart.
    let half = sine(degrees / 2.0);
    1.0 - 2.0 * half * half
}

/// Sine of −180 to 180 degrees, to 15 digits.
fn sine(degrees: f64) -> f64 {
    let size = degrees.abs();
    let folded = if size > 90.0 { 180.0 - size } else { size };
    let radians = |degrees: f64| degrees * (std::f64::consts::PI / 180.0);
    // Up to 45 degrees the series of ten terms is exact to the last digit; beyond, the cosine's is used.
    let value = if folded <= 45.0 {
        let x = radians(folded);
        x * series(x * x, 2)
    } else {
        let x = radians(90.0 - folded);
        series(x * x, 1)
    };
    if degrees < 0.0 { -value } else { value }
}

/// `1 − s/(n(n+1)) · (1 − s/((n+2)(n+3)) · …)`: the cosine of √s for `first` 1, the sine divided by √s for 2.
fn series(square: f64, first: u32) -> f64 {
    (0..10_u32).rev().fold(1.0, |sum, term| {
        let n = first + 2 * term;
        1.0 - square / f64::from(n * (n + 1)) * sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a sine of our own that is not one.
    #[test]
    fn sine_and_cosine_agree_with_the_library() {
        for tenth in -1800..=1800 {
            let degrees = f64::from(tenth) / 10.0;
            assert!(
                (sine(degrees) - degrees.to_radians().sin()).abs() < 1e-15,
                "{degrees}"
            );
            assert!(
                (cosine(degrees) - degrees.to_radians().cos()).abs() < 1e-15,
                "{degrees}"
            );
        }
    }

    /// Prevents distances that a map contradicts, and a limit that lets in what lies beyond it.
    #[test]
    fn distances_are_those_of_the_map() {
        let at = UnitVector::from_degrees;
        let (sao_paulo, rio) = (at(-23.5475, -46.6361), at(-22.9064, -43.1822));
        for (from, to, km) in [
            (sao_paulo, rio, 360.0),
            (sao_paulo, sao_paulo, 0.0),
            // One degree of latitude.
            (at(0.0, -50.0), at(1.0, -50.0), 111.195),
            (at(0.0, -90.0), at(0.0, 90.0), 20_015.1),
        ] {
            let measured = from.distance_km(to);
            assert!((measured - km).abs() < 1.0, "{measured} is not {km}");
            if km > 1.0 && km < 20_000.0 {
                assert!(from.dot(to) >= least_dot(measured + 0.001));
                assert!(from.dot(to) < least_dot(measured - 0.001));
            }
        }
        assert!(sao_paulo.dot(sao_paulo) >= least_dot(0.1));
    }

    /// Prevents a processor or a library from deciding by another integer than the one computed elsewhere, with forty
    /// digits: `round(cos(km / 6371.0088) · 2^60)`, and the vector of São Paulo.
    #[test]
    fn the_integers_are_the_same_everywhere() {
        let off = |km: f64, exact: i64| (least_dot(km) - exact).abs();
        // 256 of 2^60 are less than a micrometre.
        assert!(off(20.0, 1_152_915_823_761_466_540) <= 256);
        assert!(off(600.0, 1_147_812_517_307_648_472) <= 256);
        let sao_paulo = UnitVector {
            x: 675_870_420,
            y: -715_615_568,
            z: -428_969_741,
        };
        assert_eq!(UnitVector::from_degrees(-23.5475, -46.6361), sao_paulo);
    }
}
