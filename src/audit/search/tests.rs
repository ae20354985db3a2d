//! What a search finds, how far it looks, and by which index.

use super::*;
use crate::audit::{Event, EventKind, record};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::sql::{Sql, fetch};
use crate::db::testing::each;
use crate::db::{Db, Dialect};
use crate::domain::{Kind, Value};
use std::collections::BTreeSet;
use std::time::Duration;

/// Longer than what is looked at for one page.
const LONG: u32 = 3 * ask::MOST_LOOKED_AT + 6_000;

/// A trail of so many records half a minute apart, in four lanes: of 300 people and 100 visitors, every tenth refused,
/// every thousandth an error; the seventh is like no other.
fn fill(db: &Db, count: u32) {
    insert(db, count, false);
}

/// The same, half a minute apart or all at once.
fn insert(db: &Db, count: u32, at_once: bool) {
    let columns =
        "node, lane, n, at, severity, event, caller, caller_name, object, summary, details, request_id, previous_hash, hash";
    let values = "'main', CASE WHEN x % 4 = 0 THEN '' ELSE 'lane' || (x % 4) END, x, {at}, \
         CASE WHEN x = 7 THEN 5 WHEN x % 1000 = 0 THEN 4 WHEN x % 10 = 0 THEN 3 ELSE 2 END, \
         CASE WHEN x = 7 THEN 'trail.accepted' WHEN x % 10 = 0 THEN 'denied' ELSE 'object.changed' END, \
         CASE WHEN x = 7 THEN 9000 WHEN x % 10 = 0 THEN NULL ELSE x % 300 END, \
         CASE WHEN x = 7 THEN 'Rare Person' WHEN x % 10 = 0 THEN '10.0.0.' || (x / 10 % 100) ELSE 'Person ' || (x % 300) END, \
         CASE WHEN x = 7 THEN 'rare.Thing#1' ELSE 'hr.Employee#' || (x % 5000) END, \
         CASE WHEN x = 7 THEN 'the needle' ELSE 'an object was changed' END, \
         '[{\"name\":\"hr.Employee.salary\",\"old\":\"4200.00\",\"new\":\"4300.00\"}]', 'request-' || x, 'previous', 'hash' || x";
    let (at, from) = match db.dialect() {
        Dialect::Sqlite => (
            "strftime('%Y-%m-%dT%H:%M:%S', 1700000000 + x * 30, 'unixepoch') || '.000Z'",
            format!("(WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {count}) SELECT x FROM c)"),
        ),
        Dialect::Postgres => {
            ("timestamp '2023-11-14 22:13:20' + x * interval '30 seconds'", format!("generate_series(1, {count}) AS g (x)"))
        }
    };
    let at = if at_once { at.replace("x * ", "0 * ") } else { at.to_owned() };
    let sql = format!("INSERT INTO audit_record ({columns}) SELECT {} FROM {from}", values.replace("{at}", &at));
    let patience = if db.dialect() == Dialect::Postgres { "SET statement_timeout = 0; " } else { "" };
    db.owner(|conn| conn.batch(&format!("{patience}{sql}"))).unwrap();
}

fn find(db: &Db, filter: &Filter, from: Start, limit: u32) -> Found {
    db.read(|conn| search(conn, filter, &Page { from: from.clone(), limit })).unwrap()
}

fn keys(found: &Found) -> Vec<(String, i64)> {
    found.records.iter().map(|record| (record.lane.clone(), record.n)).collect()
}

#[test]
fn each_page_goes_on_where_the_one_before_ended_while_records_are_added() {
    each(|db| {
        let (secret, clock) =
            (Keys::ephemeral(), Clock::fixed(chrono::DateTime::from_timestamp_millis(1_772_366_400_007).unwrap().naive_utc()));
        let add = |count: usize, node: &str| {
            for n in 0..count {
                let event = Event::new(EventKind::Changed, format!("event {n}")).by(None, "Ann").on("hr.Employee#1");
                db.write(|conn| record(conn, &secret, node, &clock, &event)).unwrap();
                // Many records are of one moment.
                clock.advance(Duration::from_millis(u64::from(n % 7 == 0)));
            }
        };
        add(40, "a");
        add(40, "b");
        let filter = Filter { event: Some("object.changed".into()), ..Filter::default() };
        let whole: Vec<(String, i64)> = keys(&find(db, &filter, Start::Latest, 500));
        assert_eq!(whole.len(), 80);
        let mut pages = Vec::new();
        let mut next = Start::Latest;
        loop {
            let page = find(db, &filter, next, 9);
            assert!(page.looked_to.is_none() && page.records.len() <= 9);
            pages.push(keys(&page));
            // What comes in meanwhile is later, and moves nothing.
            clock.advance(Duration::from_millis(1));
            add(3, "a");
            let Some(earlier) = page.earlier else { break };
            next = Start::Before(Place::parse(&earlier.text()).unwrap());
        }
        assert_eq!(pages.concat(), whole);
        // And back again.
        let last = find(db, &filter, Start::After(Place::of(&find(db, &filter, Start::Latest, 500).records.pop().unwrap())), 9);
        let mut back: Vec<(String, i64)> = keys(&last);
        let mut later = last.later;
        while let Some(place) = later {
            let page = find(db, &filter, Start::After(place), 9);
            assert!(page.earlier.is_some() || page.records.is_empty());
            back.splice(0..0, keys(&page));
            later = page.later;
        }
        let all = keys(&find(db, &filter, Start::Latest, 500));
        assert_eq!(back, all[..all.len() - 1], "every record but the one that it begins after, each once");
    });
}

#[test]
fn records_of_one_moment_are_shown_each_once_over_many_pages() {
    each(|db| {
        insert(db, 100, true);
        for filter in [Filter::default(), Filter { event: Some("object.changed".into()), ..Filter::default() }] {
            let whole = keys(&find(db, &filter, Start::Latest, 500));
            assert_eq!(whole.len(), whole.iter().collect::<BTreeSet<_>>().len());
            assert!(whole.len() > 80 && whole.iter().any(|(lane, _)| lane.is_empty()), "with and without a lane");
            let (mut forth, mut back, mut next) = (Vec::new(), Vec::new(), Some(Start::Latest));
            let mut last = None;
            while let Some(start) = next {
                let page = find(db, &filter, start, 7);
                forth.extend(keys(&page));
                last = page.records.last().map(Place::of);
                next = page.earlier.map(Start::Before);
            }
            assert_eq!(forth, whole);
            let mut next = last.map(Start::After);
            while let Some(start) = next {
                let page = find(db, &filter, start, 7);
                back.splice(0..0, keys(&page));
                next = page.later.map(Start::After);
            }
            assert_eq!(back, whole[..whole.len() - 1], "all after the last one");
        }
    });
}

/// The filters that lead to the one rare record, by name.
fn rare() -> Vec<(&'static str, Filter)> {
    let none = Filter::default;
    let old = chrono::DateTime::from_timestamp(1_700_000_000 + 8 * 30, 0).unwrap().naive_utc();
    vec![
        ("who", Filter { who: Some("rare pers".into()), ..none() }),
        ("account", Filter { account: Some(ObjectId(9_000)), ..none() }),
        ("event", Filter { event: Some("trail.accepted".into()), ..none() }),
        ("severity", Filter { severity: Some(Severity::Critical), ..none() }),
        ("object", Filter { object: Some("rare.Thing#1".into()), ..none() }),
        ("request", Filter { request: Some("request-7".into()), ..none() }),
        ("who and text", Filter { who: Some("RARE".into()), text: Some("NEEDLE".into()), ..none() }),
        (
            "event, severity and who",
            Filter {
                event: Some("trail.accepted".into()),
                severity: Some(Severity::Warning),
                who: Some("rare".into()),
                ..none()
            },
        ),
        ("text in a short time", Filter { text: Some("needle".into()), to: Some(old), ..none() }),
        (
            "request and all that fits",
            Filter {
                request: Some("request-7".into()),
                severity: Some(Severity::Critical),
                object: Some("rare.Thing#1".into()),
                account: Some(ObjectId(9_000)),
                ..none()
            },
        ),
    ]
}

#[test]
fn a_rare_record_is_found_by_each_filter_however_long_the_trail_is() {
    each(|db| {
        fill(db, LONG);
        for (name, filter) in rare() {
            let found = find(db, &filter, Start::Latest, 50);
            assert_eq!(found.records.iter().map(|record| record.n).collect::<Vec<_>>(), [7], "{name}");
            assert!(found.earlier.is_none() && found.looked_to.is_none(), "{name}: that is all");
        }
        let nobody = Filter { who: Some("nobody of this name".into()), ..Filter::default() };
        let found = find(db, &nobody, Start::Latest, 50);
        assert!(found.records.is_empty() && found.earlier.is_none() && found.looked_to.is_none());
        let contradiction = Filter { request: Some("request-7".into()), event: Some("denied".into()), ..Filter::default() };
        assert!(find(db, &contradiction, Start::Latest, 50).records.is_empty());
    });
}

#[test]
fn what_several_leaders_give_is_one_list_in_order() {
    each(|db| {
        fill(db, 3_000);
        let expected =
            |fits: &dyn Fn(u32) -> bool| (1..=3_000).rev().filter(|x| fits(*x)).map(i64::from).take(50).collect::<Vec<_>>();
        let numbers =
            |filter: &Filter| find(db, filter, Start::Latest, 50).records.iter().map(|record| record.n).collect::<Vec<_>>();
        let severe = Filter { severity: Some(Severity::Warning), ..Filter::default() };
        assert_eq!(numbers(&severe), expected(&|x| x == 7 || x % 10 == 0));
        let named = Filter { who: Some("person 29".into()), ..Filter::default() };
        let of_29 = |x: u32| !x.is_multiple_of(10) && x != 7 && (x % 300 == 29 || (290..=299).contains(&(x % 300)));
        assert_eq!(numbers(&named), expected(&of_29), "ten people, more than lead side by side");
        let two = Filter { who: Some("10.0.0.1".into()), event: Some("denied".into()), ..Filter::default() };
        let of_two = |x: u32| x.is_multiple_of(10) && [1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19].contains(&(x / 10 % 100));
        assert_eq!(numbers(&two), expected(&of_two));
        let few = Filter { who: Some("10.0.0.99".into()), severity: Some(Severity::Error), ..Filter::default() };
        assert_eq!(numbers(&few), [0_i64; 0]);
    });
}

#[test]
fn a_search_that_no_index_serves_looks_at_a_bounded_number_and_says_how_far() {
    each(|db| {
        fill(db, LONG);
        let filter = Filter { text: Some("needle".into()), ..Filter::default() };
        let mut looked = BTreeSet::new();
        let (mut from, mut pages) = (Start::Latest, 0);
        let found = loop {
            let page = find(db, &filter, from, 50);
            pages += 1;
            if !page.records.is_empty() {
                break page;
            }
            let at = page.looked_to.expect("it says how far it looked");
            assert!(looked.insert(at) && looked.first() == Some(&at), "each time further back");
            from = Start::Before(page.earlier.expect("and goes on from there"));
        };
        assert_eq!((found.records[0].n, found.records.len()), (7, 1));
        assert_eq!(pages, LONG.div_ceil(ask::MOST_LOOKED_AT), "in steps of what one page looks at");
        // The other way round the record is at the beginning.
        let first = Start::After(Place::parse("0~0~~").unwrap());
        assert_eq!(find(db, &filter, first, 50).records.len(), 1);
    });
}

/// How a database would run the statements of a search.
fn plans(db: &Db, filter: &Filter, from: &Start) -> Vec<String> {
    let explain = |sql: &Sql| {
        let mut explained = Sql::new();
        explained.raw_by("EXPLAIN QUERY PLAN ", "EXPLAIN ").append(sql);
        let kinds = match db.dialect() {
            Dialect::Sqlite => vec![Kind::INTEGER, Kind::INTEGER, Kind::INTEGER, Kind::Text],
            Dialect::Postgres => vec![Kind::Text],
        };
        let ask = |conn: &mut crate::db::Conn| {
            ask::keep_order(conn)?;
            fetch(conn, &explained, &ask::nobody(), &kinds)
        };
        let rows = db.read(ask).unwrap();
        let line = |row: Vec<Value>| match row.into_iter().last() {
            Some(Value::Text(text)) => text.to_string(),
            other => panic!("{other:?}"),
        };
        rows.into_iter().map(line).collect::<Vec<_>>().join("; ")
    };
    let way = Way::of(from);
    let chosen = db.read(|conn| ask::chosen(conn, filter, &way)).unwrap();
    chosen.iter().map(|(leader, bound)| explain(&ask::statement(filter, leader, &way, *bound, 51))).collect()
}

#[test]
fn an_index_gives_the_records_in_their_order_whatever_the_database_believes() {
    each(|db| {
        // No statistics were gathered: the database guesses.
        fill(db, LONG);
        let middle = Place::parse("1700400000000~13333~lane1~main").unwrap();
        let more = [
            ("nothing", Filter::default()),
            ("text", Filter { text: Some("x".into()), ..Filter::default() }),
            ("many", Filter { event: Some("object.changed".into()), who: Some("person".into()), ..Filter::default() }),
            ("info", Filter { severity: Some(Severity::Info), event: Some("denied".into()), ..Filter::default() }),
            ("warnings", Filter { severity: Some(Severity::Warning), ..Filter::default() }),
        ];
        for (name, filter) in rare().into_iter().chain(more) {
            for from in [Start::Latest, Start::Before(middle.clone()), Start::After(middle.clone())] {
                let plans = plans(db, &filter, &from);
                assert!(!plans.is_empty(), "{name}");
                for plan in plans {
                    let indexed = plan.contains("USING INDEX audit_record_") || plan.contains("using audit_record_");
                    let few = plan.contains("audit_record_request");
                    let sorted =
                        plan.contains("USE TEMP B-TREE FOR ORDER BY") || plan.contains("Sort (") && !plan.contains("Incremental");
                    let through = plan.contains("Seq Scan") || plan.contains("Bitmap") || plan.contains("MULTI-INDEX");
                    assert!(indexed && !through && (!sorted || few), "{name}, {from:?}: {plan}");
                }
            }
        }
    });
}

#[test]
fn a_place_is_read_back_and_what_is_none_is_none() {
    let at = chrono::DateTime::from_timestamp_millis(1_772_366_400_007).unwrap().naive_utc();
    for (node, lane) in [("main", "AbC-_9"), ("node~with~signs é", ""), ("", "")] {
        let record = Record {
            node: node.into(),
            lane: lane.into(),
            n: -3,
            at,
            severity: Severity::Info,
            event: String::new(),
            caller: None,
            object: None,
            summary: String::new(),
            details: Vec::new(),
            request_id: None,
        };
        let place = Place::of(&record);
        assert_eq!(Place::parse(&place.text()), Some(place));
    }
    let long = format!("0~0~~{}", "x".repeat(1_000));
    for wrong in [
        "",
        "~",
        "~~~",
        "x~1~a~b",
        "1~x~a~b",
        "1~2~a",
        "99999999999999999999~1~a~b",
        "9223372036854775807~1~a~b",
        "1~1~\0~b",
        &long,
    ] {
        assert_eq!(Place::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn a_hostile_text_in_any_filter_is_only_a_text() {
    each(|db| {
        fill(db, 100);
        for text in ["'; DROP TABLE audit_record; --", "%", "_", "!", "\\", "\0", "{{ 7 }}", "\u{202e}", &"x".repeat(100_000)] {
            let one = || Some(text.to_owned());
            for filter in [
                Filter { who: one(), ..Filter::default() },
                Filter { event: one(), ..Filter::default() },
                Filter { text: one(), ..Filter::default() },
                Filter { event: Some("denied".into()), text: one(), ..Filter::default() },
            ] {
                // A database may refuse a zero sign, and no other text.
                let found = db.read(|conn| search(conn, &filter, &Page::latest(10)));
                assert!(found.as_ref().map_or(text == "\0", |found| found.records.is_empty()), "{text:.20}: {found:?}");
            }
        }
        assert_eq!(find(db, &Filter::default(), Start::Latest, 500).records.len(), 100);
    });
}

/// Run alone: `cargo test --release --lib audit::search::tests::what -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn what_a_search_costs_on_a_million_records() {
    each(|db| {
        let clock = Clock::system();
        fill(db, 1_000_000);
        let oldest = Start::Before(Place::parse("1705000000000~9~lane1~main").unwrap());
        let more = [
            ("nothing", Filter::default()),
            ("text that is nowhere", Filter { text: Some("nowhere".into()), ..Filter::default() }),
            ("a usual event", Filter { event: Some("denied".into()), ..Filter::default() }),
            ("warnings", Filter { severity: Some(Severity::Warning), ..Filter::default() }),
            ("errors", Filter { severity: Some(Severity::Error), ..Filter::default() }),
            ("a person", Filter { who: Some("person 123".into()), ..Filter::default() }),
            ("everybody", Filter { who: Some("person".into()), ..Filter::default() }),
            (
                "an event that a person never caused",
                Filter { who: Some("person 123".into()), event: Some("denied".into()), ..Filter::default() },
            ),
            (
                "errors of an event that has none",
                Filter { severity: Some(Severity::Error), event: Some("object.changed".into()), ..Filter::default() },
            ),
        ];
        for (name, filter) in rare().into_iter().chain(more) {
            for (place, from) in [("latest", &Start::Latest), ("far back", &oldest)] {
                let mut times: Vec<f64> = (0..21)
                    .map(|_| {
                        let begun = clock.instant();
                        find(db, &filter, from.clone(), 50);
                        (clock.instant() - begun).as_secs_f64() * 1e3
                    })
                    .collect();
                times.sort_by(f64::total_cmp);
                println!("{:?} {name}, {place}: median {:.1} ms, most {:.1} ms", db.dialect(), times[10], times[20]);
            }
        }
    });
}
