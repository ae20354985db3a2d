//! What no rule of the model decides, as a tree.

use super::decide::blank;
use super::{Explanation, Holds, Step, StepKind};
use crate::access::Ground;
use crate::access::denied::Layer;

/// A refusal that no rule of the model made: its ground, and what the layers said to it.
pub fn grounded(ground: Ground, layer: Layer, decisions: &[String]) -> Explanation {
    let mut reason = Step::new(StepKind::Note, Holds::No, ground.told());
    reason.parts = decisions.iter().map(|said| Step::new(StepKind::Note, Holds::Undecided, said)).collect();
    let mut found = blank(layer, Holds::No);
    found.summary = format!("{}: refused", ground.id());
    found.reasons.push(reason);
    found.would_change.push(ground.change().to_owned());
    found
}
