//! Answers made small for their way.
//!
//! Guarantees: only what the client takes, and only where nobody learns from the length what stands in the answer.
//! Deliberately not here: static files, which hold no secret and are compressed once ([`super::assets`]), and streams,
//! which must not wait for more.

use super::reply::{Body, Reply};
use crate::crypto::random_bytes;
use actix_web::http::header::{AcceptEncoding, Encoding};
use actix_web::{HttpMessage, HttpRequest};
use flate2::{Compression, GzBuilder};
use std::io::Write;

/// Shorter texts are sent as they are: they fit into one packet anyway.
const LEAST: usize = 1_024;
/// Up to so many bytes of no meaning make the length of an answer vary.
const PADDING: u8 = 0x7f;

/// Whether a client takes gzip and prefers it to the plain text.
pub(super) fn takes_gzip(request: &HttpRequest) -> bool {
    let known = [Encoding::identity(), Encoding::gzip()];
    let accepted = request.get_header::<AcceptEncoding>();
    accepted.is_some_and(|accepted| accepted.negotiate(known.iter()) == Some(Encoding::gzip()))
}

/// Whether a page for this request may be compressed.
// SECURITY: how well a page compresses tells whether a text that somebody else put into the address repeats something
// that stands in the page (BREACH). Another site can cause such requests, and a browser says so: their answers are
// not compressed. Besides, what is secret and stays the same is masked (`crypto::FormSecret`), pages with the token of a
// mailed link are not compressed at all, and the length varies
// (`what_another_site_asked_for_is_not_compressed`, `a_page_with_the_token_of_a_link_is_not_compressed`).
pub(super) fn may_be_packed(request: &HttpRequest) -> bool {
    let site = request.headers().get("sec-fetch-site").map(|value| value.as_bytes());
    site.is_none_or(|site| matches!(site, b"same-origin" | b"none")) && takes_gzip(request)
}

/// Compresses the body of a reply, where that makes it smaller.
pub(super) fn pack(mut reply: Reply) -> Reply {
    if reply.uncompressed {
        return reply;
    }
    let (kind, text) = match &reply.body {
        Body::Html(text) => (Body::HTML, text),
        Body::Text(text) => (Body::TEXT, text),
        Body::Packed { .. } | Body::Redirect(_) => return reply,
    };
    if text.len() < LEAST {
        return reply;
    }
    if let Some(bytes) = gzip(text.as_bytes()).filter(|bytes| bytes.len() < text.len()) {
        reply.body = Body::Packed { kind, bytes };
    }
    reply
}

/// Compresses quickly: the first steps save nearly all of it.
fn gzip(text: &[u8]) -> Option<Vec<u8>> {
    let [length] = random_bytes::<1>();
    let padding = vec![b'.'; usize::from(length & PADDING)];
    let room = Vec::with_capacity(text.len() / 4);
    let mut encoder = GzBuilder::new().filename(padding).write(room, Compression::fast());
    // Writing into memory fails only when there is none.
    encoder.write_all(text).and_then(|()| encoder.finish()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use std::collections::BTreeSet;
    use std::io::Read;

    fn plain(bytes: &[u8]) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_long_text_becomes_smaller_and_unpacks_to_itself() {
        let page = "<td role=\"cell\">é – 🦀</td>".repeat(400);
        for reply in [Reply::html(200, page.clone()), Reply::text(404, page.clone())] {
            let kind = if matches!(reply.body, Body::Html(_)) { Body::HTML } else { Body::TEXT };
            let packed = pack(reply);
            let Body::Packed { kind: found, bytes } = &packed.body else { panic!("not packed") };
            assert!(bytes.len() * 10 < page.len() && plain(bytes) == page && *found == kind);
            assert!(matches!(&pack(packed.clone()).body, Body::Packed { bytes: again, .. } if again == bytes), "once is enough");
        }
    }

    #[test]
    fn what_is_short_does_not_shrink_or_is_not_to_be_compressed_stays_as_it_is() {
        let noise: String = (0..2_000).map(|_| char::from(b'!' + random_bytes::<1>()[0] % 90)).collect();
        let marked = Reply { uncompressed: true, ..Reply::html(200, "a".repeat(9_999)) };
        for reply in
            [Reply::html(200, "a".repeat(LEAST - 1)), Reply::text(200, String::new()), marked, Reply::redirect("/".repeat(5_000))]
        {
            let same = format!("{:?}", reply.body);
            assert_eq!(format!("{:?}", pack(reply).body), same);
        }
        match pack(Reply::text(200, noise.clone())).body {
            Body::Text(text) => assert_eq!(text, noise),
            Body::Packed { bytes, .. } => assert!(bytes.len() < noise.len() && plain(&bytes) == noise),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_length_of_an_answer_varies() {
        let page = "<p>the same page</p>".repeat(200);
        let lengths: BTreeSet<usize> = (0..200).map(|_| gzip(page.as_bytes()).unwrap().len()).collect();
        assert!(lengths.len() > 50, "{}", lengths.len());
        assert!(lengths.last().unwrap() - lengths.first().unwrap() <= usize::from(PADDING) + 1);
    }

    #[test]
    fn only_who_takes_gzip_gets_it() {
        let takes = |header: &str| takes_gzip(&TestRequest::get().insert_header(("accept-encoding", header)).to_http_request());
        for yes in ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.2", "GZIP;q=0.5", "identity;q=0.1, gzip"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "identity", "br", "gzip;q=0", "gzip;q=0.1, identity;q=0.9", "xgzip", "*;q=0", "gzip;q=x;"] {
            assert!(!takes(no), "{no}");
        }
        assert!(!takes_gzip(&TestRequest::get().to_http_request()));
    }

    #[test]
    fn what_another_site_asked_for_is_not_compressed() {
        let may = |site: &str| {
            let request = TestRequest::get().insert_header(("accept-encoding", "gzip")).insert_header(("sec-fetch-site", site));
            may_be_packed(&request.to_http_request())
        };
        assert!(may("same-origin") && may("none"));
        for other in ["cross-site", "same-site", "", "SAME-ORIGIN", "same-origin, cross-site", "nonsense"] {
            assert!(!may(other), "{other}");
        }
        assert!(may_be_packed(&TestRequest::get().insert_header(("accept-encoding", "gzip")).to_http_request()));
    }
}
