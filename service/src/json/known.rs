//! Values of which the writer knows more than their type says. Each is a type of one part, whose name the writer
//! recognises.

use serde::ser::{Serialize, Serializer};

/// JSON that was written before, to be taken as it is: what [`with_text`](super::with_text) made of a part that stays the
/// same.
///
/// Only that writer knows it; whatever else writes it makes a text of it.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a>(&'a str);

impl<'a> Written<'a> {
    pub(super) const NAME: &'static str = "$faciliauto::Written";

    /// Takes what was written.
    #[must_use]
    pub fn new(json: &'a str) -> Self {
        Self(json)
    }
}

impl Serialize for Written<'_> {
    fn serialize<Target: Serializer>(&self, target: Target) -> Result<Target::Ok, Target::Error> {
        target.serialize_newtype_struct(Self::NAME, self.0)
    }
}

/// Tenths of a percent as a number with one decimal: the double nearest to it prints as that decimal, and the writer
/// need not look for more.
#[derive(Clone, Copy, Debug)]
pub struct Tenths(pub u16);

impl Tenths {
    pub(super) const NAME: &'static str = "$faciliauto::Tenths";
}

impl Serialize for Tenths {
    fn serialize<Target: Serializer>(&self, target: Target) -> Result<Target::Ok, Target::Error> {
        target.serialize_newtype_struct(Self::NAME, &(f64::from(self.0) / 10.0))
    }
}
