//! The record of what happened, for those who may read it.

use super::Administrator;
use crate::access::{Grants, Part};
use crate::app::{App, Ask, Refusal, Shell};
use crate::audit::{self, Detail, Filter, Found, Place, Record, Report, Start};
use crate::config::Level;
use crate::db::Conn;
use crate::domain::QName;
use chrono::NaiveDateTime;
use std::time::Duration;

/// Records on one page.
const A_PAGE: u32 = 50;

/// A changed value as this reader may know it.
pub struct ToldDetail {
    /// The member, or a plain word.
    pub name: String,
    /// Old and new value; `None` when they are withheld from this reader.
    pub values: Option<(Option<String>, Option<String>)>,
}

/// A record as this reader may know it.
pub struct ToldRecord {
    /// The record; its details stand beside it.
    pub record: Record,
    /// The changed values.
    pub details: Vec<ToldDetail>,
}

/// A page of the trail.
pub struct TrailPage {
    /// The records, latest first.
    pub records: Vec<ToldRecord>,
    /// Where to go on with earlier ones, if there may be some.
    pub earlier: Option<Place>,
    /// Where to go on with later ones, if there may be some.
    pub later: Option<Place>,
    /// So far was looked, when that is why the page is not full.
    pub looked_to: Option<NaiveDateTime>,
}

impl Administrator<'_> {
    /// The records that fit, a page of them from there.
    pub fn trail(&self, conn: &mut Conn, filter: &Filter, from: &Start) -> Result<TrailPage, Refusal> {
        let page = audit::Page { from: from.clone(), limit: A_PAGE };
        let Found { records, earlier, later, looked_to } = audit::search(conn, filter, &page)?;
        let records = records.into_iter().map(|record| told(&self.asker.grants, record)).collect();
        Ok(TrailPage { records, earlier, later, looked_to })
    }
}

// SECURITY: values leave here only for members that the reader may read in every object; which object it was, and
// whether a condition held then or holds now, cannot be told from a record
// (`values_in_the_trail_are_withheld_from_whoever_may_not_read_the_member`).
pub(super) fn told(grants: &Grants, mut record: Record) -> ToldRecord {
    let details = std::mem::take(&mut record.details).into_iter().map(|Detail { name, old, new }| {
        let values = may_know(grants, &name).then_some((old, new));
        ToldDetail { name, values }
    });
    ToldRecord { details: details.collect(), record }
}

/// A plain word names a fact of the trail itself; whatever looks like a member must be one that is readable.
fn may_know(grants: &Grants, name: &str) -> bool {
    let Some((entity, member)) = name.rsplit_once('.') else { return true };
    let Some(entity) = QName::parse(entity) else { return false };
    grants.view(&entity).is_ok_and(|permit| permit.reads_everywhere(member))
}

impl App {
    /// Walks the whole trail, one walk at a time: it reads every record there is. Also gives the latest records.
    pub fn verify(&self, ask: &Ask, csrf: &str) -> (Shell, Result<(Report, TrailPage), Refusal>) {
        let noted = self.anchors.noted(&self.keys);
        self.check(ask, Part::Audit, csrf, |administrator, conn| {
            let Ok(_turn) = self.verifying.try_lock() else { return Err(Refusal::TooFast(Duration::from_secs(5))) };
            let report = audit::verify(conn, &self.keys, Some(&noted))?;
            if !report.is_whole() {
                self.note(Level::Critical, "portcullis.audit", report.to_string().trim_end(), ask);
            }
            Ok((report, administrator.trail(conn, &Filter::default(), &Start::Latest)?))
        })
    }

    /// A letter that did not leave, for the trail: the deed stands, and somebody should look at the mail server.
    pub fn record_unsent(&self, link: &super::MailedLink, request_id: &str) {
        let event = audit::Event::new(audit::EventKind::MailFailed, "a link could not be mailed")
            .on(format!("system.User#{}", link.account))
            .in_request(request_id);
        if let Err(error) = self.record(&event) {
            self.logs.write("portcullis.audit", Level::Error, &format!("not recorded: {error}"), Some(request_id));
        }
    }
}
