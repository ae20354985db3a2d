//! Cookies, taken literally.
//!
//! Guarantees: what comes after the gate sees only cookies whose names are ours to the letter, and each at most once.
//! The library behind it decodes percent signs in names, so that `__%48ost-…`, which any neighbouring site can set,
//! would count as `__Host-…`, which a browser lets this server alone set.

use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// What a browser lets only this host set, over TLS, for all its paths.
const HOST_ONLY: &str = "__Host-";
/// What all our cookies are called first.
const OURS: &str = "portcullis_";
/// Bytes of all cookies that are looked at.
const LONGEST: usize = 16 * 1024;

/// The name of the session's cookie.
pub const SESSION_COOKIE: &str = "portcullis_session";

/// A cookie of ours was sent twice, or they are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCookies;

/// The name that a browser knows a cookie of ours by.
// SECURITY: under TLS no neighbouring site and nobody on the wire can set a cookie of this name (ASVS 3.3.3).
pub fn cookie_name(secure: bool, name: &str) -> String {
    if secure { format!("{HOST_ONLY}{name}") } else { name.to_owned() }
}

/// Leaves only our own cookies in a request's headers, named as they are when it came over TLS or not.
pub fn keep_ours(headers: &mut HeaderMap, secure: bool) -> Result<(), BadCookies> {
    let mut kept: Vec<(String, String)> = Vec::new();
    let mut length = 0;
    for value in headers.get_all(header::COOKIE) {
        length += value.len();
        if length > LONGEST {
            return Err(BadCookies);
        }
        // What is not ours may be of any bytes.
        for pair in value.as_bytes().split(|byte| *byte == b';') {
            let Some((name, value)) = std::str::from_utf8(pair).ok().and_then(|pair| pair.trim().split_once('=')) else {
                continue;
            };
            if !is_ours(name, secure) {
                continue;
            }
            if kept.iter().any(|(known, _)| known == name) {
                return Err(BadCookies);
            }
            kept.push((name.to_owned(), value.to_owned()));
        }
    }
    headers.remove(header::COOKIE);
    let line = kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    if let Some(value) = Some(line).filter(|line| !line.is_empty()) {
        headers.insert(header::COOKIE, HeaderValue::from_str(&value).map_err(|_| BadCookies)?);
    }
    Ok(())
}

fn is_ours(name: &str, secure: bool) -> bool {
    let bare = if secure { name.strip_prefix(HOST_ONLY) } else { Some(name) };
    let word = bare.and_then(|bare| bare.strip_prefix(OURS));
    word.is_some_and(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(lines: &[&str], secure: bool) -> Result<String, BadCookies> {
        let mut headers = HeaderMap::new();
        lines.iter().for_each(|line| headers.append(header::COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap()));
        keep_ours(&mut headers, secure)?;
        assert!(headers.get_all(header::COOKIE).count() < 2);
        Ok(headers.get(header::COOKIE).map_or(String::new(), |value| value.to_str().unwrap().to_owned()))
    }

    #[test]
    fn a_name_is_taken_to_the_letter() {
        let plain = ["portcullis_theme=dark; _ga=1; portcullis_session=a%3D"];
        assert_eq!(kept(&plain, false).unwrap(), "portcullis_theme=dark; portcullis_session=a%3D");
        for foreign in [
            "portcullis%5Fsession=x",
            "Portcullis_session=x",
            "%70ortcullis_session=x",
            "portcullis_=x",
            "portcullis_session",
            "é=x",
        ] {
            assert_eq!(kept(&[foreign], false).unwrap(), "", "{foreign}");
        }
    }

    #[test]
    fn over_tls_only_what_this_host_alone_can_set_counts() {
        let both = ["portcullis_session=planted; __Host-portcullis_session=own"];
        assert_eq!(kept(&both, true).unwrap(), "__Host-portcullis_session=own");
        for planted in ["__%48ost-portcullis_session=x", "__host-portcullis_session=x", "%5F_Host-portcullis_session=x"] {
            assert_eq!(kept(&[planted], true).unwrap(), "", "{planted}");
        }
        assert_eq!(cookie_name(true, SESSION_COOKIE), "__Host-portcullis_session");
        assert_eq!(cookie_name(false, SESSION_COOKIE), "portcullis_session");
    }

    #[test]
    fn a_cookie_of_ours_that_comes_twice_is_refused_and_a_foreign_one_is_not() {
        assert_eq!(kept(&["portcullis_session=a; portcullis_session=b"], false), Err(BadCookies));
        assert_eq!(
            kept(&["portcullis_visitor=a", "x=y; portcullis_visitor=a"], false),
            Err(BadCookies),
            "in two lines, and alike"
        );
        assert_eq!(kept(&["x=a; x=b; portcullis_theme=dark"], false).unwrap(), "portcullis_theme=dark");
        let long = format!("x={}", "y".repeat(LONGEST));
        assert_eq!(kept(&[&long], false), Err(BadCookies));
    }
}
