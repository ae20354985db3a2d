use super::*;
use crate::config::LogFormat;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tracing::subscriber::with_default;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn clock() -> Clock {
    Clock::fixed("2026-03-01T10:20:30.123".parse().unwrap())
}

fn printed(format: LogFormat) -> (Logs, Paper) {
    let paper = Paper::default();
    let settings = config::Log { format, ..config::Log::default() };
    (Logs::to(&settings, clock(), Box::new(paper.clone())), paper)
}

fn texts(logs: &Logs) -> Vec<String> {
    logs.recent(&Filter::default()).iter().map(|entry| entry.text.clone()).collect()
}

#[test]
fn an_event_becomes_a_line_with_its_node_level_request_and_fields() {
    let (logs, paper) = printed(LogFormat::Pretty);
    with_default(logs.subscriber(), || {
        let span = tracing::info_span!("request", request_id = "r-7");
        let _in = span.enter();
        tracing::warn!(target: "portcullis.web", status = 403, path = "/a b", "refused");
    });
    assert_eq!(paper.text(), "2026-03-01T10:20:30.123Z WARNING  portcullis.web refused status=403 path=\"/a b\" request=r-7\n");
    let entry = logs.recent(&Filter::default()).remove(0);
    assert_eq!((entry.number, entry.level, entry.request_id.as_deref()), (1, Level::Warning, Some("r-7")));
}

#[test]
fn json_is_one_object_a_line_with_its_schema() {
    let (logs, paper) = printed(LogFormat::Json);
    with_default(logs.subscriber(), || tracing::error!(target: "portcullis.db", critical = true, tries = 3, "disk\nfull"));
    logs.write("hr.Leave", Level::Info, "approved", Some("r-1"));
    let lines: Vec<Value> = paper.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    let first = &lines[0];
    assert_eq!(
        (first["schema"].as_u64(), first["level"].as_str(), first["node"].as_str()),
        (Some(1), Some("critical"), Some("portcullis.db"))
    );
    assert_eq!((first["fields"]["tries"].as_u64(), first["fields"].get("critical")), (Some(3), None));
    assert_eq!(first["text"], "disk\\nfull");
    assert_eq!((lines[1]["node"].as_str(), lines[1]["request_id"].as_str()), (Some("hr.Leave"), Some("r-1")));
}

#[test]
fn a_hostile_text_stays_one_line() {
    let (logs, paper) = printed(LogFormat::Pretty);
    let hostile = "a\r\n2026 CRITICAL portcullis.audit forged\x1b[2J\u{2028}\u{202e}x\u{0}\u{85}";
    with_default(
        logs.subscriber(),
        || tracing::info!(target: "t", who = hostile, other = ?hostile, request_id = hostile, "{hostile}"),
    );
    logs.write(hostile, Level::Error, hostile, Some(hostile));
    assert_eq!(paper.text().lines().count(), 2, "{}", paper.text());
    assert!(paper.text().chars().all(|c| c == '\n' || !c.is_control()));
    assert!(!paper.text().contains(['\u{2028}', '\u{202e}', '\u{85}', '\x1b']));
}

#[test]
fn secrets_are_withheld_by_name_and_in_addresses() {
    let (logs, paper) = printed(LogFormat::Json);
    with_default(logs.subscriber(), || {
        tracing::info!(target: "t", password = "hunter2", session_token = "hunter2", Set_Cookie = "hunter2", address = "smtps://me:hunter2@mail.example:465/x",
            "cannot reach postgres://app:hunter2@db.example/people or http://plain.example/a@b:c");
    });
    let text = paper.text();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("postgres://…@db.example/people") && text.contains("http://plain.example/a@b:c"), "{text}");
}

#[test]
fn a_node_has_the_level_of_the_nearest_one_above_it() {
    let logs = Logs::detached();
    logs.set_level("hr", Some(Level::Error)).unwrap();
    logs.set_level("hr.Leave.mail", Some(Level::Trace)).unwrap();
    for (node, level, kept) in [
        ("hr", Level::Warning, false),
        ("hr.Leave", Level::Warning, false),
        ("hr.Leave", Level::Error, true),
        ("hr.Leave.mail.smtp", Level::Trace, true),
        ("hrx", Level::Info, true),
        ("hrx", Level::Debug, false),
    ] {
        assert_eq!(logs.admits(node, level), kept, "{node} {level}");
    }
    logs.set_level("hr", None).unwrap();
    assert!(logs.admits("hr.Leave", Level::Warning));
}

#[test]
fn levels_change_while_events_come() {
    let logs = Logs::detached();
    let speak = || tracing::debug!(target: "portcullis.speaks", "heard");
    with_default(logs.subscriber(), || {
        speak();
        logs.set_level("portcullis.speaks", Some(Level::Debug)).unwrap();
        speak();
        logs.set_level("portcullis", Some(Level::Critical)).unwrap();
        logs.set_level("portcullis.speaks", None).unwrap();
        speak();
        tracing::error!(target: "portcullis.speaks", "only an error");
        tracing::error!(target: "portcullis.speaks", critical = true, "critical");
    });
    assert_eq!(texts(&logs), ["heard", "critical"]);
    let listed: Vec<_> = logs.levels().into_iter().map(|l| (l.node, l.level, l.own)).collect();
    let expected =
        [("", Level::Info, true), ("portcullis", Level::Critical, true), ("portcullis.speaks", Level::Critical, false)];
    assert_eq!(listed, expected.map(|(node, level, own)| (node.to_owned(), level, own)));
}

#[test]
fn only_names_can_be_given_a_level_and_not_without_end() {
    let logs = Logs::detached();
    let long = "a".repeat(101);
    for wrong in [".", "a.", "a b", "a\nb", "<b>", long.as_str()] {
        assert_eq!(logs.set_level(wrong, Some(Level::Info)), Err(NodeError::Name), "{wrong}");
    }
    assert_eq!(logs.set_level("", None), Err(NodeError::Root));
    let set = (0..10_000).map(|n| logs.set_level(&format!("n{n}"), Some(Level::Info))).filter(Result::is_ok).count();
    assert_eq!(set, 500);
    for n in 0..10_000 {
        logs.write(&format!("m{n}"), Level::Info, "x", None);
    }
    assert!(logs.levels().len() <= 1_001);
}

#[test]
fn the_last_thousand_lines_are_kept_and_a_huge_text_is_cut() {
    let logs = Logs::detached();
    for n in 0..1_500 {
        logs.write("t", Level::Info, &n.to_string(), None);
    }
    logs.write("t", Level::Info, &"x".repeat(1 << 20), None);
    let kept = texts(&logs);
    assert_eq!((kept.len(), kept[0].as_str()), (1_000, "501"));
    assert_eq!(kept[999].chars().count(), 4_097);
}

#[test]
fn a_slow_reader_is_told_how_many_lines_it_lost() {
    let logs = Logs::detached();
    let mut feed = logs.subscribe(Filter::default(), None);
    for n in 0..600 {
        logs.write("t", Level::Info, &n.to_string(), None);
    }
    assert_eq!(feed.ready(), Some(Line::Lost(88)));
    let Some(Line::Entry(next)) = feed.ready() else { panic!("a line was expected") };
    assert_eq!(next.text, "88");
    assert_eq!(std::iter::from_fn(|| feed.ready()).count(), 511);
}

#[test]
fn a_reader_gets_what_it_asked_for_and_can_go_on_where_it_stopped() {
    let logs = Logs::detached();
    let say = |node: &str, level, text: &str| logs.write(node, level, text, Some("r-2"));
    say("hr.Leave", Level::Warning, "one");
    say("hr", Level::Info, "not grave enough");
    say("hrx", Level::Error, "another node");
    say("hr", Level::Error, "two");
    let filter = Filter { level: Some(Level::Warning), node: Some("hr".into()), request_id: Some("r-2".into()) };
    let mut feed = logs.subscribe(filter.clone(), Some(1));
    let mut late = logs.subscribe(filter.clone(), Some(99));
    let mut live = logs.subscribe(filter.clone(), None);
    say("hr.Leave", Level::Critical, "three");
    logs.write("hr", Level::Critical, "of another request", None);
    let read = |feed: &mut Feed| {
        let lines = std::iter::from_fn(|| feed.ready());
        lines.map(|line| if let Line::Entry(e) = line { e.text.clone() } else { "lost".into() }).collect::<Vec<_>>()
    };
    assert_eq!(read(&mut feed), ["two", "three"]);
    assert_eq!(read(&mut late), ["one", "two", "three"]);
    assert_eq!(read(&mut live), ["three"]);
    let recent: Vec<_> = logs.recent(&filter).iter().map(|e| e.text.clone()).collect();
    assert_eq!(recent, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_waiting_reader_is_woken_and_ends_with_the_log() {
    let logs = Logs::detached();
    let mut feed = logs.subscribe(Filter::default(), None);
    let (line, ()) = tokio::join!(feed.next(), async { logs.write("t", Level::Info, "now", None) });
    assert!(matches!(line, Some(Line::Entry(entry)) if entry.text == "now"));
    drop(logs);
    assert_eq!(feed.next().await, None);
}

#[test]
fn a_writer_that_fails_does_not_stop_anybody() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no space left"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let logs = Logs::to(&config::Log::default(), clock(), Box::new(Full));
    logs.write("t", Level::Info, "kept all the same", None);
    assert_eq!(texts(&logs), ["kept all the same"]);
}

/// Starting is for the whole process, so it is tried in one of its own.
#[test]
fn started_twice_it_logs_panics_as_one_line() {
    const CHILD: &str = "PORTCULLIS_LOG_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let mut settings = config::Log { format: LogFormat::Json, ..config::Log::default() };
        let first = Logs::start(&settings);
        settings.level = Level::Critical;
        let second = Logs::start(&settings);
        tracing::error!("not grave enough");
        std::thread::spawn(|| panic!("first line\nsecond line")).join().unwrap_err();
        assert_eq!((texts(&first), texts(&second).len()), (vec!["first line\\nsecond line".to_owned()], 1));
        return;
    }
    let name = "log::tests::started_twice_it_logs_panics_as_one_line";
    let child =
        std::process::Command::new(std::env::current_exe().unwrap()).args([name, "--exact"]).env(CHILD, "1").output().unwrap();
    let errors = String::from_utf8(child.stderr).unwrap();
    assert!(child.status.success(), "{errors}");
    let line: Value = serde_json::from_str(errors.lines().next().unwrap()).unwrap();
    assert_eq!((line["node"].as_str(), line["level"].as_str()), (Some("portcullis.panic"), Some("critical")));
    assert!(line["fields"]["place"].as_str().unwrap().contains("tests.rs"));
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn levels_that_another_process_set_win_over_the_settings_and_go_with_it() {
    let settings = config::Log { nodes: BTreeMap::from([("hr".to_owned(), Level::Error)]), ..config::Log::default() };
    let logs = Logs::to(&settings, Clock::system(), Box::new(std::io::sink()));
    let set = |levels: &[(&str, Option<Level>)]| {
        logs.share(&levels.iter().map(|(node, level)| ((*node).to_owned(), *level)).collect());
    };
    set(&[("hr", None), ("hr.Leave", Some(Level::Trace)), ("", Some(Level::Critical)), ("not a name", Some(Level::Trace))]);
    assert!(logs.admits("hr.Leave", Level::Trace) && !logs.admits("hr", Level::Error) && !logs.admits("x", Level::Error));
    assert!(logs.levels().iter().all(|level| level.node != "not a name"));
    set(&[]);
    assert!(logs.admits("hr", Level::Error) && !logs.admits("hr.Leave", Level::Info) && logs.admits("x", Level::Info));
}
