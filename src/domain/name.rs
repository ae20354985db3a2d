//! Names as authors write them, and the suggestion for a misspelt one.

use std::fmt;
use std::sync::Arc;

/// A simple name: cheap to clone, compared by text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Makes a name of any text; the model checker is what judges its shape.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}
impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
impl From<&Name> for Name {
    fn from(name: &Name) -> Self {
        name.clone()
    }
}
impl From<&String> for Name {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}
impl From<String> for Name {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// A name qualified by its module: `hr.Employee`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QName {
    /// The module.
    pub module: Name,
    /// The name inside the module.
    pub name: Name,
}

impl QName {
    /// Joins a module and a name.
    pub fn new(module: impl Into<Name>, name: impl Into<Name>) -> Self {
        Self { module: module.into(), name: name.into() }
    }
    /// Reads `module.Name`; `None` when there is not exactly one point with text on both sides.
    pub fn parse(text: &str) -> Option<Self> {
        let (module, name) = text.split_once('.')?;
        let simple = |part: &str| !part.is_empty() && !part.contains('.');
        (simple(module) && simple(name)).then(|| Self::new(module, name))
    }
}

impl fmt::Display for QName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}
impl fmt::Debug for QName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// The candidate that a misspelt `word` most likely meant, or `None` when nothing is near.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

/// Optimal-string-alignment distance (insert, delete, replace, swap neighbours).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let at = |r: &[usize], k: usize| r.get(k).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, j) + usize::from(from != to)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_suggested_and_a_stranger_is_not() {
        let names = ["department", "salary", "status"];
        assert_eq!(did_you_mean("departmnet", names), Some("department"));
        assert_eq!(did_you_mean("Salery", names), Some("salary"));
        assert_eq!(did_you_mean("colour", names), None);
    }

    #[test]
    fn a_qualified_name_has_exactly_one_point() {
        assert!(QName::parse("hr.Employee").is_some());
        for wrong in ["hr", ".x", "hr.", "a.b.c", ""] {
            assert!(QName::parse(wrong).is_none(), "{wrong}");
        }
    }
}
