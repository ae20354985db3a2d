//! Reading, for those who may.
//!
//! Guarantees: an answer looks at a bounded number of records, however long the trail is, and says how far it looked;
//! what it leaves out comes with the next page, and no record is left out or shown twice while others are added.
//! Deliberately not here: counting all that fit, which would have to look at all of them.

mod ask;
mod names;
mod way;

use super::{Detail, Severity, Who};
use crate::db::{Conn, DbError};
use crate::domain::ObjectId;
use chrono::NaiveDateTime;
use way::Way;

pub use way::{Place, Start};

/// The most records of one page.
const LARGEST_PAGE: u32 = 500;

/// Which records are asked for; what is not set does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// By this account.
    pub account: Option<ObjectId>,
    /// By somebody whose name contains this.
    pub who: Option<String>,
    /// Of this kind, by its id.
    pub event: Option<String>,
    /// At least this grave.
    pub severity: Option<Severity>,
    /// From this moment on.
    pub from: Option<NaiveDateTime>,
    /// Before this moment.
    pub to: Option<NaiveDateTime>,
    /// In this request.
    pub request: Option<String>,
    /// Done to exactly this object.
    pub object: Option<String>,
    /// With this in the sentence or in the object. Details are not searched: their readers differ.
    pub text: Option<String>,
}

/// Which part of the answer.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it begins.
    pub from: Start,
    /// Records to give.
    pub limit: u32,
}

impl Page {
    /// The latest records, so many at most.
    pub fn latest(limit: u32) -> Self {
        Self { from: Start::Latest, limit }
    }
}

/// A record of the trail.
#[derive(Clone, Debug)]
pub struct Record {
    /// The node that wrote it.
    pub node: String,
    /// The lane in which it was written; empty for what was written before there were lanes.
    pub lane: String,
    /// Its place in the lane.
    pub n: i64,
    /// When.
    pub at: NaiveDateTime,
    /// How grave.
    pub severity: Severity,
    /// What kind, by its id.
    pub event: String,
    /// Who did it.
    pub caller: Option<Who>,
    /// What it was done to.
    pub object: Option<String>,
    /// The sentence.
    pub summary: String,
    /// The values. Show each to those only who may read the member it names.
    pub details: Vec<Detail>,
    /// In which request.
    pub request_id: Option<String>,
}

/// A part of the trail.
#[derive(Clone, Debug)]
pub struct Found {
    /// The records, latest first.
    pub records: Vec<Record>,
    /// Where to go on with earlier ones, if there may be some.
    pub earlier: Option<Place>,
    /// Where to go on with later ones, if there may be some.
    pub later: Option<Place>,
    /// So far was looked, when so many records had to be looked at that the page ends before it is full.
    pub looked_to: Option<NaiveDateTime>,
}

/// Finds records, latest first.
pub fn search(conn: &mut Conn, filter: &Filter, page: &Page) -> Result<Found, DbError> {
    let limit = page.limit.clamp(1, LARGEST_PAGE);
    let way = Way::of(&page.from);
    ask::keep_order(conn)?;
    let (mut rows, looked) = ask::find(conn, filter, &way, limit + 1)?;
    let full = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let looked = looked.filter(|_| !full);
    // What is ahead begins after the last that is shown, or where the looking ended.
    let end = || rows.last().map(Place::of);
    let ahead = if full { end() } else { looked.map(|at| way.beyond(at)) };
    let behind = match &page.from {
        Start::Latest => None,
        Start::Before(place) | Start::After(place) => rows.first().map(Place::of).or(Some(place.clone())),
    };
    let (earlier, later) = if way.is_back() { (ahead, behind) } else { (behind, ahead) };
    if !way.is_back() {
        rows.reverse();
    }
    Ok(Found { records: rows, earlier, later, looked_to: looked })
}

#[cfg(test)]
mod tests;
