//! What would make a condition hold, in plain words.

use super::condition::excerpt;
use super::{Holds, Step};
use crate::expr::{Comparison, Logic, Node, Trace};

/// What would have to be otherwise; `None` when it holds.
pub(super) fn wish(trace: &Trace<'_>, told: &Step, text: &str) -> Option<String> {
    let words = excerpt(text, trace.part.span);
    match told.holds {
        Holds::Yes => return None,
        Holds::Withheld if trace.logic == Logic::Leaf => {
            return Some(format!("`{words}` would have to hold; whether it does is withheld from you"));
        }
        Holds::Undecided if trace.logic == Logic::Leaf => return Some(format!("`{words}` cannot be decided")),
        _ => {}
    }
    let inner = || trace.parts.iter().zip(&told.parts).filter_map(|(part, told)| wish(part, told, text)).collect::<Vec<_>>();
    Some(match trace.logic {
        Logic::Leaf => leaf(trace, text, &words),
        Logic::All => inner().join(", and "),
        Logic::Any => inner().join(", or "),
        Logic::Not => {
            format!("`{}` would have to be untrue", trace.parts.first().map(|p| excerpt(text, p.part.span)).unwrap_or_default())
        }
        Logic::If => format!("`{words}` would have to hold"),
    })
}

fn leaf(trace: &Trace<'_>, text: &str, words: &str) -> String {
    let of = |e: &crate::expr::Typed| excerpt(text, e.span);
    match &trace.part.node {
        Node::Compare(Comparison::Equal, a, b) if matches!(b.node, Node::Literal(_)) => {
            format!("`{}` would have to be `{}`", of(a), of(b).trim_matches('\''))
        }
        Node::Compare(Comparison::Equal, a, b) => format!("`{}` would have to be the same as `{}`", of(a), of(b)),
        Node::IsEmpty(a) => format!("`{}` would have to be empty", of(a)),
        Node::HasRole(role) => format!("they would need the user role {role}"),
        Node::SignedIn => "they would have to sign in".to_owned(),
        _ => format!("`{words}` would have to hold"),
    }
}
