//! What may be told: model text, or what was derived from released data.

use crate::access::Released;

/// A value ready to leave: made of model text alone, of what the caller sent or is, or of data
/// that was released to the caller. There is no public constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<T>(Inner<T>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Inner<T> {
    Fixed(T),
    Released(Released<T>),
}

impl<T> Told<T> {
    /// Something that holds no data: a text of the model, or what the caller sent or is.
    pub(super) fn fixed(value: T) -> Self {
        Self(Inner::Fixed(value))
    }
    /// The same for tests of what is made of it.
    #[cfg(test)]
    pub(crate) fn for_test(value: T) -> Self {
        Self::fixed(value)
    }
    /// Looks at the value.
    pub fn peek(&self) -> &T {
        match &self.0 {
            Inner::Fixed(value) => value,
            Inner::Released(value) => value.peek(),
        }
    }
    /// Whether data went into it.
    pub fn is_data(&self) -> bool {
        matches!(self.0, Inner::Released(_))
    }
    /// What follows from it alone.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Told<U> {
        Told(match self.0 {
            Inner::Fixed(value) => Inner::Fixed(make(value)),
            Inner::Released(value) => Inner::Released(value.map(make)),
        })
    }
    /// The same by reference.
    pub fn derive<U>(&self, make: impl FnOnce(&T) -> U) -> Told<U> {
        Told(match &self.0 {
            Inner::Fixed(value) => Inner::Fixed(make(value)),
            Inner::Released(value) => Inner::Released(value.derive(make)),
        })
    }
    /// Two values together.
    pub fn join<U>(self, other: Told<U>) -> Told<(T, U)> {
        Told(match (self.0, other.0) {
            (Inner::Fixed(a), Inner::Fixed(b)) => Inner::Fixed((a, b)),
            (Inner::Released(a), Inner::Fixed(b)) => Inner::Released(a.map(|a| (a, b))),
            (Inner::Fixed(a), Inner::Released(b)) => Inner::Released(b.map(|b| (a, b))),
            (Inner::Released(a), Inner::Released(b)) => Inner::Released(a.join(b)),
        })
    }
}

impl<T> From<Released<T>> for Told<T> {
    fn from(value: Released<T>) -> Self {
        Self(Inner::Released(value))
    }
}

impl<T: serde::Serialize> serde::Serialize for Told<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.peek().serialize(serializer)
    }
}
