//! Pages by string building: the same table, fields and links, with every value escaped.

use super::Person;
use std::fmt::Write;

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>People</title>\
<link rel=\"stylesheet\" href=\"/static/app.css\"><script src=\"/static/app.js\"></script></head><body><nav><ul>\
<li><a href=\"/list?department=1\">People</a></li><li><a href=\"/list?department=1&amp;total=true\">People with total</a></li>\
<li><a href=\"/new\">New person</a></li></ul></nav><main><h1>People</h1>";
const FOOT: &str = "</main></body></html>";

struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#x27;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

struct Money(i64);

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{:03}.{:02}", self.0 / 100_000, self.0 / 100 % 1_000, self.0 % 100)
    }
}

/// A page of the list.
pub fn list(rows: &[Person], more: bool, total: Option<i64>) -> String {
    let mut out = String::with_capacity(12 * 1024);
    out.push_str(HEAD);
    out.push_str("<table><thead><tr>");
    for (title, key) in [
        ("Number", "number"),
        ("First name", "first_name"),
        ("Last name", "last_name"),
        ("Job title", "job_title"),
        ("Joined", "joined"),
        ("Salary", "salary"),
    ] {
        let _ = write!(out, "<th scope=\"col\"><a href=\"/list?department=1&amp;sort={key}\">{title}</a></th>");
    }
    out.push_str("</tr></thead><tbody>");
    for person in rows {
        let _ = write!(
            out,
            "<tr><td class=\"align-right\"><a href=\"/record/{}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"align-right\">{}</td></tr>",
            person.id,
            person.number,
            Escaped(&person.first_name),
            Escaped(&person.last_name),
            Escaped(&person.job_title),
            Escaped(&person.joined),
            Money(person.salary),
        );
    }
    let _ = write!(out, "</tbody></table><p>1–{}", rows.len());
    if let Some(total) = total {
        let _ = write!(out, " of {total}");
    }
    out.push_str("</p>");
    if more {
        out.push_str("<a rel=\"next\" href=\"/list?department=1&amp;page=2\">Next</a>");
    }
    out.push_str(FOOT);
    out
}

/// The page of a record.
pub fn record(person: &Person) -> String {
    let mut out = String::with_capacity(4 * 1024);
    out.push_str(HEAD);
    let fields: [(&str, &dyn std::fmt::Display); 8] = [
        ("Number", &person.number),
        ("First name", &Escaped(&person.first_name)),
        ("Last name", &Escaped(&person.last_name)),
        ("E-mail", &Escaped(&person.email)),
        ("Job title", &Escaped(&person.job_title)),
        ("Status", &Escaped(&person.status)),
        ("Joined", &Escaped(&person.joined)),
        ("Salary", &Money(person.salary)),
    ];
    for (label, value) in fields {
        let _ = write!(out, "<dl><dt>{label}</dt><dd>{value}</dd></dl>");
    }
    let _ = write!(out, "<a href=\"/change/{}\">Change</a>{FOOT}", person.id);
    out
}

/// The page of what is not there.
pub fn gone() -> String {
    format!("{HEAD}<p>There is nothing here.</p>{FOOT}")
}
