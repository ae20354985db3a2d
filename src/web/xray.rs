//! The switch of the overlay of reasons.

use super::XRAY;
use super::reply::Reply;
use super::request::Request;
use super::state::Web;

impl Web {
    /// `POST /xray`: on or off until the browser is closed. Whether the wish is granted is decided for each page.
    pub fn switch_xray(&self, request: &Request) -> Reply {
        let back = request.came_from.clone().unwrap_or_else(|| "/".into());
        let reply = Reply::redirect(back);
        match request.field("xray") {
            "on" => reply.cookie(XRAY, "on", None),
            _ => reply.cookie(XRAY, "", Some(0)),
        }
    }
}
