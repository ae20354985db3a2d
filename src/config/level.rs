//! How grave something is.

use serde::Deserialize;
use std::fmt;

/// How grave a message or an event is; the words are Mendix's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every step.
    Trace,
    /// For finding faults.
    Debug,
    /// The ordinary course of things.
    #[default]
    Info,
    /// Worth a look.
    Warning,
    /// Something failed, or somebody insists.
    Error,
    /// Somebody must act now.
    Critical,
}

impl Level {
    /// All, from the least to the most grave.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The word for it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.id() == text)
    }
    /// Its place among all, as it is stored.
    pub fn rank(self) -> i32 {
        self as i32
    }
    /// Reads a stored place.
    pub fn of_rank(rank: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.rank() == rank)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
