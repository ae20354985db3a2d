//! Trees of reasons as HTML: the same in the overlay and in the administration. Every text goes through [`escaped`].

use super::cells::escaped;
use crate::access::explain::{Holds, Step, StepKind};
use crate::page::MarkRef;

/// The fixed texts, in one language.
pub(super) struct Signs {
    holds: String,
    fails: String,
    withheld: String,
    open: String,
    reason: String,
}

impl Signs {
    /// With the fixed texts translated by `say`.
    pub(super) fn new(say: impl Fn(&str) -> String) -> Self {
        let text = |text: &str| escaped(&say(text));
        Self {
            holds: text("holds"),
            fails: text("does not hold"),
            withheld: text("withheld from you"),
            open: text("depends"),
            reason: text("Reason"),
        }
    }

    /// Steps, one below the other.
    pub(super) fn steps(&self, steps: &[Step]) -> String {
        let mut out = String::new();
        self.list(steps, &mut out);
        out
    }

    fn list(&self, steps: &[Step], out: &mut String) {
        if steps.is_empty() {
            return;
        }
        out.push_str("<ul class=\"why\">");
        steps.iter().for_each(|step| self.step(step, out));
        out.push_str("</ul>");
    }

    fn step(&self, step: &Step, out: &mut String) {
        let kind = match step.kind {
            StepKind::Place => "place",
            StepKind::Guardrail => "guardrail",
            StepKind::Rule => "rule",
            StepKind::Part => "part",
            StepKind::Note => "note",
        };
        let (word, sign, said) = match step.holds {
            Holds::Yes => ("yes", "✓", &self.holds),
            Holds::No => ("no", "✗", &self.fails),
            Holds::Withheld => ("withheld", "?", &self.withheld),
            Holds::Undecided => ("open", "~", &self.open),
        };
        out.push_str(&format!("<li class=\"why-{kind} is-{word}\">"));
        if step.kind != StepKind::Note || step.holds == Holds::No {
            out.push_str(&format!(
                "<span class=\"why-sign\" aria-hidden=\"true\">{sign}</span><span class=\"vh\">{said}: </span>"
            ));
        }
        let tag = if step.kind == StepKind::Part && step.parts.is_empty() { "code" } else { "span" };
        out.push_str(&format!("<{tag}>{}</{tag}>", escaped(&step.text)));
        if let Some(place) = &step.place {
            out.push_str(&format!(" <span class=\"why-at\">{}</span>", escaped(place)));
        }
        for compared in &step.values {
            let value = match &compared.value {
                Some(value) => format!("<b>{}</b>", escaped(value)),
                None => format!("<i>{}</i>", self.withheld),
            };
            out.push_str(&format!("<span class=\"why-value\"><code>{}</code> = {value}</span>", escaped(&compared.of)));
        }
        self.list(&step.parts, out);
        out.push_str("</li>");
    }

    /// A number that leads to its reason.
    pub(super) fn badge(&self, mark: MarkRef, out: &mut String) {
        let MarkRef { number, tone } = mark;
        let reason = &self.reason;
        out.push_str(&format!(
            "<a class=\"xray-badge xray-{tone}\" href=\"#xray-{number}\"><span class=\"vh\">{reason} </span>{number}</a>"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::explain::Compared;

    #[test]
    fn every_text_of_a_reason_is_escaped_and_what_is_withheld_is_said() {
        let hostile = "<script>alert(1)</script>";
        let step = Step {
            kind: StepKind::Part,
            holds: Holds::Withheld,
            text: hostile.into(),
            place: Some(hostile.into()),
            values: vec![
                Compared { of: hostile.into(), value: Some(hostile.into()) },
                Compared { of: "this.pay".into(), value: None },
            ],
            parts: vec![],
        };
        let html = Signs::new(str::to_owned).steps(&[Step { kind: StepKind::Rule, parts: vec![step.clone()], ..step }]);
        assert!(!html.contains("<script") && html.matches("&lt;script&gt;").count() == 8, "{html}");
        assert!(html.contains("<code>this.pay</code> = <i>withheld from you</i>"), "{html}");
        assert_eq!(Signs::new(str::to_owned).steps(&[]), "");
    }
}
