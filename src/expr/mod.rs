//! The one expression language: row rules, validation, decisions, calculated members, visibility.
//!
//! Text is parsed into a [`syntax`](parse) tree with positions, checked against the model into a
//! [`Typed`] tree, and read in two ways: evaluated in memory ([`evaluate`]), or lowered to SQL by
//! the store. Logic is two-valued: a comparison with an empty side is false, in both readings; a
//! property test holds them together.
//!
//! It deliberately has no loops, no definitions (predicates are written at an entity), no access to time but through the caller's
//! clock, and never reads a value as text of its own language (ASVS 1.3.2, 1.3.7).

mod check;
mod evaluate;
mod lex;
mod numbers;
mod parse;
mod predicate;
mod settle;
mod sql_gap;
mod template;
mod trace;
mod typed;

pub use check::{MemberType, Schema, Scope, check, check_assigned, check_calculated, check_condition, is_function};
pub use evaluate::{Data, Environment, EvalError, compare_values, evaluate, evaluate_strictly, holds};
pub use lex::Span;
pub use numbers::{declared_value, sum_values};
pub use parse::{Fault, Syntax, parse};
pub use predicate::{Predicate, is_constant};
pub use settle::{Split, settle, split};
pub use sql_gap::{rounding, sql_gap};
pub use template::{Part, Template, check_template};
pub use trace::{Logic, Read, Side, Trace, trace};
pub use typed::{Aggregate, Arithmetic, Comparison, Function, Node, Root, Typed};
