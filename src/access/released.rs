//! The only data that may leave.

use super::permit::{Permit, View};

/// A value that was decided for this reader. It is the only data type that serializes; a template
/// context or a JSON body cannot take anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released<T>(T);

impl Permit<View> {
    /// Releases what was read under this permit. Called only where data is read (store,
    /// workspace); a test of the module layers holds that.
    pub(crate) fn release<T>(&self, value: T) -> Released<T> {
        Released(value)
    }
}

impl<T> Released<T> {
    /// Looks at the value.
    pub fn peek(&self) -> &T {
        &self.0
    }
    /// Derives a released value from this one alone: what it shows was released already.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Released<U> {
        Released(make(self.0))
    }
    /// The same by reference.
    pub fn derive<U>(&self, make: impl FnOnce(&T) -> U) -> Released<U> {
        Released(make(&self.0))
    }
    /// Two released values together.
    pub fn join<U>(self, other: Released<U>) -> Released<(T, U)> {
        Released((self.0, other.0))
    }
}

impl<T> Released<Vec<T>> {
    /// Each element, released.
    pub fn each(self) -> impl Iterator<Item = Released<T>> {
        self.0.into_iter().map(Released)
    }
}

impl<T: serde::Serialize> serde::Serialize for Released<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
