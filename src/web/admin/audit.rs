//! The record of what happened.

use super::super::reply::Reply;
use super::super::request::Request;
use super::super::state::Web;
use super::{Place as Spot, address, path, second, typed};
use crate::access::Part;
use crate::access::explain::Explanation;
use crate::app::Shell;
use crate::app::admin::{Reasoned, ToldDetail, ToldRecord, TrailPage};
use crate::audit::{EventKind, Filter, Place, Report, Severity, Start};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Value, json};

const PLACE: Spot = Spot { part: Part::Audit, template: "admin/audit.html" };
const WHY: Spot = Spot { part: Part::Audit, template: "admin/why.html" };
/// The filters of the page, by their names in its address.
const FILTERS: [&str; 8] = ["q", "who", "event", "severity", "from", "to", "request", "object"];

/// Where a page of the record begins, by its name in the address.
const BEFORE: &str = "before";
const AFTER: &str = "after";

impl Web {
    /// `GET /admin/audit`
    pub(super) fn audit_page(&self, request: &Request) -> Reply {
        let filter = filter(request);
        let from = from(request);
        let (shell, found) = self.app.look(&request.ask, Part::Audit, |admin, conn| admin.trail(conn, &filter, &from));
        match found {
            Ok(found) => self.trail(request, &shell, &found, None),
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    /// `GET /admin/audit/why?reference=…`: the full reason of a refusal.
    pub(super) fn why_page(&self, request: &Request) -> Reply {
        let reference = typed(request, "reference").unwrap_or_default();
        let (shell, found) = self.app.look(&request.ask, Part::Audit, |admin, conn| admin.reasons(conn, &reference));
        match found {
            Ok(found) => {
                let refusals: Vec<Value> = found.iter().map(|one| self.reasoned(&request.ask.language, one)).collect();
                let values = json!({"reference": reference, "refusals": refusals});
                self.part(request, &shell, 200, &WHY, values)
            }
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    fn reasoned(&self, language: &str, found: &Reasoned) -> Value {
        let tree = |told: &Explanation| {
            json!({
                "granted": told.granted, "summary": told.summary, "layer": told.layer.title(), "would_change": told.would_change,
                "reasons": self.renderer().steps(language, &told.reasons),
            })
        };
        let wanted = found
            .wanted
            .iter()
            .map(|one| json!({"question": one.question, "then": one.then.as_ref().map(tree), "now": one.now.as_ref().map(tree)}));
        let mut told = record(&found.record);
        let layers = found.record.details.iter().filter(|detail| matches!(detail.name.as_str(), "layer" | "layers"));
        let decisions = layers.filter_map(|detail| detail.values.clone()).flat_map(|(old, new)| [old, new]).flatten();
        let more = json!({
            "roles_then": found.roles_then, "roles_now": found.roles_now, "same_roles": found.roles_then == found.roles_now,
            "model_changed": found.model_changed, "wanted": wanted.collect::<Vec<_>>(), "decisions": decisions.collect::<Vec<_>>(),
            "way": found.way, "ground": found.ground.as_ref().map(tree),
        });
        if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
            told.extend(more);
        }
        told
    }

    /// `GET /admin/audit/verify`: a page that was loaded again; nothing is walked for it.
    pub(super) fn to_audit(&self, _: &Request) -> Reply {
        Reply::redirect(path(Part::Audit))
    }

    /// `POST /admin/audit/verify`
    pub(super) fn verify_audit(&self, request: &Request) -> Reply {
        let (shell, found) = self.app.verify(&request.ask, request.field("_csrf"));
        match found {
            Ok((report, page)) => self.trail(request, &shell, &page, Some(&report)),
            Err(refusal) => self.refused(request, &shell, &refusal),
        }
    }

    fn trail(&self, request: &Request, shell: &Shell, found: &TrailPage, verified: Option<&Report>) -> Reply {
        let typed: Vec<(&str, Option<String>)> = FILTERS.iter().map(|name| (*name, typed(request, name))).collect();
        let to = |name: &'static str, place: &Option<Place>| {
            let place = place.as_ref().map(Place::text)?;
            let set = typed.iter().map(|(name, value)| (*name, value.as_deref().unwrap_or_default()));
            Some(address(path(Part::Audit), &set.chain([(name, place.as_str())]).collect::<Vec<_>>()))
        };
        let paging = json!({
            "shown": found.records.len(), "later": to(AFTER, &found.later), "earlier": to(BEFORE, &found.earlier),
            "looked_to": found.looked_to.map(second),
        });
        let filters: serde_json::Map<String, Value> = typed.iter().map(|(name, value)| ((*name).into(), json!(value))).collect();
        let events: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.id()).collect();
        let values = json!({
            "filters": filters, "events": events, "severities": Severity::ALL.map(Severity::id), "paging": paging,
            "records": found.records.iter().map(record).collect::<Vec<_>>(), "verified": verified.map(verdict),
        });
        self.part(request, shell, 200, &PLACE, values)
    }
}

/// Where the page begins; a place that is none is the latest.
fn from(request: &Request) -> Start {
    let place = |name| Place::parse(request.parameter(name));
    let before = place(BEFORE).map(Start::Before);
    before.or_else(|| place(AFTER).map(Start::After)).unwrap_or(Start::Latest)
}

fn filter(request: &Request) -> Filter {
    let day = |name: &str| typed(request, name).and_then(|text| day(&text));
    let midnight = |day: NaiveDate| NaiveDateTime::new(day, NaiveTime::MIN);
    Filter {
        account: None,
        who: typed(request, "who"),
        event: typed(request, "event"),
        severity: typed(request, "severity").and_then(|word| Severity::parse(&word)),
        from: day("from").map(midnight),
        // The last day belongs to it.
        to: day("to").and_then(|day| day.succ_opt()).map(midnight),
        request: typed(request, "request"),
        object: typed(request, "object"),
        text: typed(request, "q"),
    }
}

/// A date that both databases know; anything else is no filter.
fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| (1..9_999).contains(&day.year()))
}

fn record(told: &ToldRecord) -> Value {
    let one = &told.record;
    let refused = [EventKind::Denied.id(), EventKind::OfferRefused.id(), EventKind::Incident.id()].contains(&one.event.as_str());
    let why = one.request_id.as_deref().filter(|_| refused).map(|id| address("/admin/audit/why", &[("reference", id)]));
    let same = one.object.as_deref().map(|object| address(path(Part::Audit), &[("object", object)]));
    // What a refusal notes is for its explanation.
    let noted = if refused && one.event != EventKind::Incident.id() { &[] } else { told.details.as_slice() };
    json!({
        "seq": one.n, "lane": one.lane, "node": one.node, "at": second(one.at), "severity": one.severity.id(), "event": one.event,
        "who": one.caller.as_ref().map(|who| &who.name), "summary": one.summary, "object": one.object, "same": same, "request_id": one.request_id,
        "why": why, "details": noted.iter().map(detail).collect::<Vec<_>>(),
        "withheld": noted.iter().any(|detail| detail.values.is_none()),
    })
}

fn detail(told: &ToldDetail) -> Value {
    let withheld = json!({"state": "withheld", "text": "", "tone": null, "align": "left", "kind": "text"});
    match &told.values {
        Some((old, new)) => json!({"name": told.name, "old": old, "new": new}),
        None => json!({"name": told.name, "old": withheld, "new": withheld}),
    }
}

fn verdict(report: &Report) -> Value {
    let ok = report.is_whole();
    let count: i64 = report.nodes.iter().map(|node| node.intact).sum();
    let text = if ok {
        let heads: Vec<String> = report.nodes.iter().map(|node| format!("{} {}", node.node, node.head)).collect();
        format!("The record is whole: {count} records, none altered, removed or added by others. Ends: {}.", heads.join("; "))
    } else {
        let broken = report.nodes.iter().filter_map(|node| {
            let fault = node.fault.as_ref()?;
            Some(format!("on node {} after {} good records, {fault}", node.node, node.intact))
        });
        format!("The record was tampered with: {}.", broken.collect::<Vec<_>>().join("; "))
    };
    json!({"ok": ok, "text": text})
}
