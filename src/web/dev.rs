//! Pages of demo mode: the outbox and the model's findings. Without demo mode there are none.

use super::reply::Reply;
use super::request::Request;
use super::state::Web;
use crate::model::Findings;
use serde_json::{Value, json};

impl Web {
    /// `GET /dev/outbox`
    pub fn outbox(&self, request: &Request) -> Reply {
        let Some(outbox) = self.app.demo.as_ref().and(self.app.mailer.as_outbox()) else { return self.nowhere(request) };
        let (_, _, shell) = self.as_visitor(request);
        let mails: Vec<Value> = outbox.list().unwrap_or_default().iter().map(|mail| {
            json!({"id": mail.id, "to": mail.to, "subject": mail.subject, "at": super::account::moment(mail.at), "href": format!("/dev/outbox/{}", mail.id)})
        }).collect();
        self.system(request, &shell, 200, "system/outbox.html", "Outbox", &json!({"mails": mails}))
    }

    /// `GET /dev/outbox/<id>`
    pub fn outbox_mail(&self, request: &Request, id: &str) -> Reply {
        let Some(outbox) = self.app.demo.as_ref().and(self.app.mailer.as_outbox()) else { return self.nowhere(request) };
        let Ok(Some(mail)) = outbox.read(id) else { return self.nowhere(request) };
        let (_, _, shell) = self.as_visitor(request);
        let values = json!({
            "to": mail.to, "from": mail.from, "subject": mail.subject, "at": super::account::moment(mail.at), "parts": parts(&mail.text),
        });
        // Mails hold links.
        self.system(request, &shell, 200, "system/outbox_mail.html", &mail.subject, &values).not_compressed()
    }

    /// `GET /dev/findings`
    pub fn findings(&self, request: &Request) -> Reply {
        if self.app.demo.is_none() {
            return self.nowhere(request);
        }
        let (live, _, shell) = self.as_visitor(request);
        let rejected = self.app.rejected();
        let (summary, findings): (&str, &Findings) = match &rejected {
            Some(rejected) => (
                "The changed model does not run. The last good one is still running; save a mended file and it is read again.",
                rejected,
            ),
            None => ("What the check says about the running model.", &live.findings),
        };
        let all: Vec<Value> = findings.0.iter().map(|one| json!({
            "severity": one.severity, "code": one.code, "place": one.place(), "message": one.message, "excerpt": excerpt(one), "hint": one.hint,
        })).collect();
        let values = json!({"app": live.model.title, "summary": summary, "findings": all});
        self.system(request, &shell, 200, "system/findings.html", "Findings", &values)
    }
}

fn excerpt(finding: &crate::model::Finding) -> Option<String> {
    let before = " ".repeat(usize::try_from(finding.column).unwrap_or(1).saturating_sub(1));
    (!finding.excerpt.is_empty()).then(|| format!("{}\n{before}{}", finding.excerpt, "^".repeat(finding.length.max(1))))
}

/// A mail's text, its links apart.
fn parts(text: &str) -> Vec<Value> {
    let mut out = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push(json!({"text": "\n"}));
        }
        let link = line.trim();
        if (link.starts_with("http://") || link.starts_with("https://")) && !link.contains(char::is_whitespace) {
            out.push(json!({"text": link, "href": link}));
        } else {
            out.push(json!({"text": line}));
        }
    }
    out
}
