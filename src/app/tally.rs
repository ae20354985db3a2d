//! Events that wait to be recorded, summed up where there are many of one kind.
//!
//! Guarantees: nothing that was noted is dropped; what is too much to record one by one is counted,
//! with the first and the last moment and a sample; memory is bounded, because beyond a number of
//! callers or kinds further ones are counted together. Pure: it neither reads the time nor records.

use crate::audit::Event;
use chrono::{NaiveDateTime, TimeDelta};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

/// How many times something happened,
pub(super) const COUNT: &str = "count";
/// when it happened first,
pub(super) const FIRST: &str = "first";
/// and when last.
pub(super) const LAST: &str = "last";

/// Where events are summed up whose callers or kinds are too many to keep apart.
const OTHERS: &str = "others";
/// Within this span so many events are recorded one by one.
const SPAN: TimeDelta = TimeDelta::minutes(1);

/// What is recorded one by one, and how much is kept in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Events of one caller within a minute that were answered alike,
    pub answered_alike: usize,
    /// and of one caller, however they were answered.
    pub of_a_caller: usize,
    /// Events that wait one by one.
    pub waiting: usize,
    /// Callers that are kept apart,
    pub callers: usize,
    /// and kinds of one caller.
    pub kinds: usize,
    /// A sum that grows on is recorded after one second, two, four, … but at least this often.
    pub longest_pause: TimeDelta,
}

/// What becomes of an event.
#[derive(Debug)]
pub(super) enum Noted {
    /// It is for the trail as it is.
    Single(Box<Event>),
    /// It was counted; the request of the last one like it that is recorded by itself, if there was one.
    Counted(Option<String>),
}

/// Something that is to be recorded now, and can be given back if that fails.
#[derive(Debug)]
pub(super) enum Waiting {
    /// An event, whose it is, and since when it waits.
    Single(String, NaiveDateTime, Box<Event>),
    /// Many: whose, of which kind.
    Sum(String, String, Sum),
}

/// Many events of one kind.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    event: Event,
    count: u64,
    first: NaiveDateTime,
    last: NaiveDateTime,
}

/// Events of one sort of callers.
pub(super) struct Tally {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(String, NaiveDateTime, Event)>,
    callers: HashMap<String, CallerState>,
}

#[derive(Default)]
struct CallerState {
    singles: VecDeque<NaiveDateTime>,
    answers: HashMap<&'static str, AnswerState>,
    kinds: HashMap<String, KindState>,
}

/// The events of one caller that were answered alike.
#[derive(Default)]
struct AnswerState {
    singles: VecDeque<NaiveDateTime>,
    sample: Option<String>,
}

#[derive(Default)]
struct KindState {
    sum: Option<Sum>,
    pause: TimeDelta,
    /// Before this, no further sum is recorded.
    next: Option<NaiveDateTime>,
}

impl Tally {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes note of an event of `caller`, whose request is answered with a page of the sort `answer`. Events with the
    /// same summary are of one kind: they are summed up together.
    // SECURITY: the caller sees whether an event was counted, and which reference stands for it. So that depends on
    // nothing but what they were answered before, never on the kind, which may name what they must not learn of:
    // `whether_an_event_is_counted_depends_on_the_answers_alone`.
    pub(super) fn note(&self, caller: &str, answer: &'static str, event: Event, now: NaiveDateTime) -> Noted {
        let limits = self.limits;
        let mut state = self.state();
        let (of_caller, kind) = state.of(caller, &event.summary, limits);
        forget(&mut of_caller.singles, now);
        let few = of_caller.singles.len() < limits.of_a_caller;
        let alike = of_caller.answers.entry(answer).or_default();
        forget(&mut alike.singles, now);
        if few && alike.singles.len() < limits.answered_alike {
            of_caller.singles.push_back(now);
            alike.singles.push_back(now);
            alike.sample.clone_from(&event.request_id);
            return Noted::Single(Box::new(event));
        }
        let sample = alike.sample.clone();
        of_caller.kinds.entry(kind).or_default().add(Sum { event, count: 1, first: now, last: now });
        Noted::Counted(sample)
    }

    /// Keeps an event until it is recorded; where too many wait already, it is counted.
    pub(super) fn wait(&self, caller: &str, event: Event, now: NaiveDateTime) {
        let mut state = self.state();
        if state.waiting.len() < self.limits.waiting {
            state.waiting.push_back((caller.to_owned(), now, event));
        } else {
            state.add(caller, Sum { event, count: 1, first: now, last: now }, self.limits);
        }
    }

    /// What is to be recorded now; of sums those that are due, or all.
    pub(super) fn due(&self, now: NaiveDateTime, all: bool) -> Vec<Waiting> {
        let longest = self.limits.longest_pause;
        let mut state = self.state();
        let singles = std::mem::take(&mut state.waiting).into_iter();
        let mut due: Vec<Waiting> = singles.map(|(caller, at, event)| Waiting::Single(caller, at, Box::new(event))).collect();
        for (caller, of_caller) in &mut state.callers {
            for (kind, of_kind) in &mut of_caller.kinds {
                due.extend(of_kind.take(now, all, longest).map(|sum| Waiting::Sum(caller.clone(), kind.clone(), sum)));
            }
            of_caller.kinds.retain(|_, kind| kind.is_alive(now));
            of_caller.answers.retain(|_, alike| {
                forget(&mut alike.singles, now);
                !alike.singles.is_empty()
            });
        }
        state.callers.retain(|_, caller| !caller.kinds.is_empty() || !caller.answers.is_empty());
        due
    }

    /// Takes back what could not be recorded.
    pub(super) fn restore(&self, waiting: Vec<Waiting>) {
        let mut state = self.state();
        for one in waiting.into_iter().rev() {
            match one {
                Waiting::Single(caller, at, event) => state.waiting.push_front((caller, at, *event)),
                Waiting::Sum(caller, kind, sum) => {
                    let of_kind = state.callers.entry(caller).or_default().kinds.entry(kind).or_default();
                    of_kind.next = None;
                    of_kind.add(sum);
                }
            }
        }
        // What came meanwhile may be too much now.
        while state.waiting.len() > self.limits.waiting {
            let Some((caller, at, event)) = state.waiting.pop_back() else { break };
            state.add(&caller, Sum { event, count: 1, first: at, last: at }, self.limits);
        }
    }
}

impl State {
    /// Where events of this caller and kind are counted; beyond the limits, with those of others.
    fn of(&mut self, caller: &str, kind: &str, limits: Limits) -> (&mut CallerState, String) {
        let known = self.callers.contains_key(caller) || self.callers.len() < limits.callers;
        let of_caller = self.callers.entry(if known { caller } else { OTHERS }.to_owned()).or_default();
        let known = of_caller.kinds.contains_key(kind) || of_caller.kinds.len() < limits.kinds;
        (of_caller, if known { kind } else { OTHERS }.to_owned())
    }

    fn add(&mut self, caller: &str, sum: Sum, limits: Limits) {
        let (of_caller, kind) = self.of(caller, &sum.event.summary, limits);
        of_caller.kinds.entry(kind).or_default().add(sum);
    }
}

impl KindState {
    fn add(&mut self, more: Sum) {
        match &mut self.sum {
            Some(sum) => {
                sum.count = sum.count.saturating_add(more.count);
                sum.first = sum.first.min(more.first);
                sum.last = sum.last.max(more.last);
            }
            None => self.sum = Some(more),
        }
    }

    fn take(&mut self, now: NaiveDateTime, all: bool, longest: TimeDelta) -> Option<Sum> {
        if self.sum.is_none() || (!all && self.next.is_some_and(|next| now < next)) {
            return None;
        }
        // One that was quiet for a while begins anew.
        let quiet = self.next.is_none_or(|next| now - next > longest);
        self.pause = if quiet { TimeDelta::seconds(1) } else { (self.pause + self.pause).min(longest) };
        self.next = Some(now + self.pause);
        self.sum.take()
    }

    fn is_alive(&self, now: NaiveDateTime) -> bool {
        self.sum.is_some() || self.next.is_some_and(|next| now - next < SPAN)
    }
}

/// Forgets what is older than the span.
fn forget(moments: &mut VecDeque<NaiveDateTime>, now: NaiveDateTime) {
    while moments.front().is_some_and(|at| now - *at >= SPAN) {
        moments.pop_front();
    }
}

impl Waiting {
    /// What the trail is told.
    pub(super) fn event(&self) -> Event {
        match self {
            Self::Single(_, _, event) => (**event).clone(),
            Self::Sum(_, _, sum) if sum.count == 1 => sum.event.clone(),
            Self::Sum(caller, kind, sum) => sum.told(caller == OTHERS, kind == OTHERS),
        }
    }
}

impl Sum {
    /// One event for all of them. Its request and its details are those of the first; where callers or kinds were too
    /// many to keep apart, it says so.
    fn told(&self, other_callers: bool, other_kinds: bool) -> Event {
        let mut event = self.event.clone();
        event.summary = match (other_callers, other_kinds) {
            (false, false) => format!("{} ({} times)", event.summary, self.count),
            _ => format!("{} times something was refused, of more sorts than are kept apart", self.count),
        };
        if other_callers {
            event.caller = None;
        }
        let moment = |at: NaiveDateTime| Some(at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
        event.detail(COUNT, None, Some(self.count.to_string())).detail(FIRST, None, moment(self.first)).detail(
            LAST,
            None,
            moment(self.last),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::EventKind;
    use chrono::NaiveDate;

    const LIMITS: Limits =
        Limits { answered_alike: 3, of_a_caller: 5, waiting: 10, callers: 4, kinds: 4, longest_pause: TimeDelta::seconds(8) };

    fn at(milliseconds: i64) -> NaiveDateTime {
        let start = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_opt(9, 0, 0).unwrap();
        start + TimeDelta::milliseconds(milliseconds)
    }
    fn event(kind: &str, request: u64) -> Event {
        Event::new(EventKind::Denied, kind).in_request(format!("r-{request}"))
    }
    fn counts(due: &[Waiting]) -> Vec<u64> {
        due.iter().map(|one| if let Waiting::Sum(.., sum) = one { sum.count } else { 1 }).collect()
    }

    #[test]
    fn the_first_stand_alone_and_the_rest_are_counted_with_a_sample() {
        let tally = Tally::new(LIMITS);
        for n in 0..20_000 {
            match tally.note("192.0.2.1", "403", event("not yours", n), at(i64::try_from(n / 5).unwrap())) {
                Noted::Single(event) => {
                    assert!(n < 3);
                    tally.wait("192.0.2.1", *event, at(0));
                }
                Noted::Counted(sample) => assert_eq!(sample.as_deref(), Some("r-2"), "the last that stands alone"),
            }
        }
        assert!(
            matches!(tally.note("192.0.2.2", "403", event("not yours", 7), at(3_999)), Noted::Single(_)),
            "others are not concerned"
        );
        let due = tally.due(at(4_000), false);
        assert_eq!(counts(&due), [1, 1, 1, 19_997]);
        let told = due.last().unwrap().event();
        assert_eq!((told.summary.as_str(), told.request_id.as_deref()), ("not yours (19997 times)", Some("r-3")));
        let details: Vec<_> = told.details.iter().map(|d| (d.name.as_str(), d.new.as_deref().unwrap())).collect();
        assert_eq!(details, [(COUNT, "19997"), (FIRST, "2026-03-01T09:00:00.000Z"), (LAST, "2026-03-01T09:00:03.999Z")]);
        assert!(tally.due(at(10_000), true).is_empty(), "once");
        assert!(matches!(tally.note("192.0.2.1", "403", event("not yours", 1), at(63_999)), Noted::Single(_)), "a minute later");
    }

    #[test]
    fn whether_an_event_is_counted_depends_on_the_answers_alone() {
        // Somebody who fills the count with pages that never were learns nothing of one that is kept from them.
        let seen = |kinds: [&str; 5], answers: [&'static str; 5]| -> Vec<Option<Option<String>>> {
            let tally = Tally::new(LIMITS);
            let noted = (0..5).zip(kinds.into_iter().zip(answers));
            let noted = noted.map(|(n, (kind, answer))| tally.note("ada", answer, event(kind, n), at(0)));
            noted.map(|noted| if let Noted::Counted(sample) = noted { Some(sample) } else { None }).collect()
        };
        let never_was = seen(["gone"; 5], ["404"; 5]);
        assert_eq!(never_was, [None, None, None, Some(Some("r-2".into())), Some(Some("r-2".into()))]);
        assert_eq!(seen(["gone", "gone", "gone", "kept: pay", "kept: notes"], ["404"; 5]), never_was);
        let otherwise = seen(["gone"; 5], ["404", "404", "404", "403", "404"]);
        assert_eq!(otherwise[3..], [None, Some(Some("r-2".into()))]);
    }

    #[test]
    fn a_flood_of_kinds_of_one_caller_is_counted_as_well() {
        let tally = Tally::new(LIMITS);
        let single =
            (0..1_000).filter(|n| matches!(tally.note("ada", "403", event(&format!("kind {n}"), *n), at(0)), Noted::Single(_)));
        assert_eq!(single.count(), 3);
        let due = tally.due(at(1), false);
        assert_eq!(counts(&due).iter().sum::<u64>(), 997);
        assert!(due.len() <= 5, "{}", due.len());
        assert!(due.iter().any(|one| one.event().summary.contains("of more sorts than are kept apart")));
    }

    #[test]
    fn callers_without_number_take_no_memory_and_none_is_lost() {
        let tally = Tally::new(LIMITS);
        let mut single = 0;
        for n in 0..10_000_u64 {
            let caller = format!("198.51.{}.{}", n / 256, n % 256);
            let told = event("not yours", n).by(None, caller.clone());
            match tally.note(&caller, "403", told, at(0)) {
                Noted::Single(event) => {
                    single += 1;
                    tally.wait(&caller, *event, at(0));
                }
                Noted::Counted(_) => {}
            }
        }
        assert!(single < 10);
        assert!(tally.state().callers.len() <= 5);
        let due = tally.due(at(1), false);
        assert_eq!(counts(&due).iter().sum::<u64>(), 10_000);
        let others = due.iter().map(Waiting::event).find(|event| event.details.len() == 3).unwrap();
        assert_eq!(others.caller, None, "nobody is named for what others did");
        assert!(tally.due(at(120_000), false).is_empty());
        assert!(tally.state().callers.is_empty(), "what is over is forgotten");
    }

    #[test]
    fn what_lasts_is_recorded_ever_more_rarely_but_at_the_end() {
        let tally = Tally::new(LIMITS);
        let mut times = Vec::new();
        for n in 0..600_u64 {
            let now = at(i64::try_from(n).unwrap() * 100);
            drop(tally.note("192.0.2.1", "403", event("not yours", n), now));
            if tally.due(now, false).iter().any(|one| matches!(one, Waiting::Sum(..))) {
                times.push(n / 10);
            }
        }
        assert_eq!(times, [0, 1, 3, 7, 15, 23, 31, 39, 47, 55]);
        assert_eq!(counts(&tally.due(at(60_000), true)).len(), 1, "what is left is recorded when the server ends");
    }

    #[test]
    fn what_could_not_be_recorded_waits_on_in_bounds() {
        let tally = Tally::new(LIMITS);
        for round in 0..50 {
            for n in 0..20 {
                match tally.note(&format!("c{}", n % 3), "403", event("not yours", n), at(round * 1_000)) {
                    Noted::Single(event) => tally.wait("c0", *event, at(round * 1_000)),
                    Noted::Counted(_) => {}
                }
            }
            let due = tally.due(at(round * 1_000), false);
            tally.restore(due);
            assert!(tally.state().waiting.len() <= 10 && tally.state().callers.len() <= 4);
        }
        assert_eq!(counts(&tally.due(at(50_000), true)).iter().sum::<u64>(), 1_000, "none was lost");
    }
}
