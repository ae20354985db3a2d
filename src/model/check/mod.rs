//! Sources → model, with every finding at once.
//!
//! The passes go from names to expressions to whole-app questions. A pass never stops at the first
//! fault; what could not be resolved is left out and reported.

mod app;
mod checker;
mod closure;
mod constant;
mod domain;
mod exclude;
mod facts;
mod flow;
mod joins;
mod known;
mod page;
mod parse;
mod predicate;
mod reach;
mod reads;
mod rights;
mod runners;
mod solve;
mod steps;
mod widget;

pub use closure::{each_activity, each_widget};

use super::files::Files;
use super::finding::{Findings, Severity};
use super::types::Model;
use checker::Checker;

/// Loads and checks an app. The model is there only when nothing is an error.
pub fn load(files: &Files) -> (Option<Model>, Findings) {
    let mut checker = Checker::new(files);
    let Some(sources) = checker.parse() else {
        return (None, checker.findings());
    };
    checker.names(&sources);
    checker.domain(&sources);
    checker.roles(&sources);
    checker.signatures(&sources);
    checker.app(&sources);
    checker.domain_expressions(&sources);
    checker.flows(&sources);
    checker.pages(&sources);
    checker.closure(&sources);
    checker.reach(&sources);
    checker.joins();
    checker.flow_rights(&sources);
    let (model, findings) = checker.finish();
    let sound = findings.count(Severity::Error) == 0;
    (sound.then_some(model), findings)
}
