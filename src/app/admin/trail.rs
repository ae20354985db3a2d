//! The record of what happened, for those who may read it.

use super::Administrator;
use crate::access::{Grants, Part};
use crate::app::{App, Ask, Refusal, Shell};
use crate::audit::{self, Detail, Filter, Record, Report};
use crate::config::Level;
use crate::db::Conn;
use crate::domain::QName;
use std::time::Duration;

/// Records on one page.
const A_PAGE: u32 = 50;
/// The last page that can be asked for: further back a filter leads quicker.
const LAST_PAGE: u32 = 2_000;

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
    /// The number of this page, from 1.
    pub page: u32,
    /// Records before this page.
    pub offset: u32,
    /// Whether there are more.
    pub more: bool,
}

impl Administrator<'_> {
    /// The records that fit, a page of them (from 1).
    pub fn trail(&self, conn: &mut Conn, filter: &Filter, page: u32) -> Result<TrailPage, Refusal> {
        let page = page.clamp(1, LAST_PAGE);
        let offset = (page - 1) * A_PAGE;
        let found = audit::search(conn, filter, audit::Page { offset, limit: A_PAGE })?;
        let records = found.records.into_iter().map(|record| told(&self.asker.grants, record)).collect();
        Ok(TrailPage { records, page, offset, more: found.more && page < LAST_PAGE })
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
            Ok((report, administrator.trail(conn, &Filter::default(), 1)?))
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
