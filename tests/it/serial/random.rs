//! Random rules, handlers and flows under several writers: what they leave is what some order of the accepted
//! operations leaves, one after the other, and what was refused is refused in that order too.
//!
//! The order is searched by a second, tiny implementation of the generated app.

use super::at_once;
use crate::support::actor::{Actor, Page};
use crate::support::notes::texts;
use crate::support::server::{Kind, Server, Setup, written};
use crate::support::synthetic::Dice;
use tempfile::TempDir;

const POTS: usize = 3;
const WRITERS: usize = 4;
const EACH: usize = 2;

/// The amounts in each pot, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct State([Vec<i64>; POTS]);

impl State {
    fn read(server: &Server) -> Self {
        const ALL: &str = "SELECT CAST(p.number AS TEXT) || ' ' || CAST(i.amount AS TEXT) FROM pots_item AS i \
            JOIN pots_pot AS p ON p.id = i.pot_id";
        let mut state = Self::default();
        for line in texts(&server.web().app.db, ALL) {
            let (pot, amount) = line.split_once(' ').unwrap();
            state.put(pot.parse().unwrap(), amount.parse().unwrap());
        }
        state
    }
    fn put(&mut self, pot: usize, amount: i64) {
        self.0[pot].push(amount);
        self.0[pot].sort_unstable();
    }
    fn sum(&self, pot: usize) -> i64 {
        self.0[pot].iter().sum()
    }
}

/// What the generated handler asks of an object that is written, beside what the rule and the validation ask.
#[derive(Clone, Copy, Debug)]
enum Check {
    /// All amounts of the pot together.
    Sum(i64),
    /// No equal amount in the next pot.
    NoTwin,
    /// So many more than in the next pot at most.
    Lead(usize),
    /// So many in all.
    All(usize),
}

impl Check {
    fn any(dice: &mut Dice) -> Self {
        match dice.roll(4) {
            0 => Self::Sum(12 + dice.roll(14) as i64),
            1 => Self::NoTwin,
            2 => Self::Lead(dice.roll(2)),
            _ => Self::All(4 + dice.roll(5)),
        }
    }

    /// As activities of the handler.
    fn yaml(self, name: &str) -> String {
        let next = "this.pot.number == if($Item.pot.number == 2, 0, $Item.pot.number + 1)";
        let (wanted, of, bad) = match self {
            Self::Sum(most) => ("this.pot == $Item.pot".to_owned(), "sum", format!("${name}Figure > {most}")),
            Self::NoTwin => (format!("{next} && this.amount == $Item.amount"), "count", format!("${name}Figure > 0")),
            Self::Lead(most) => (next.to_owned(), "count", format!("$Mine > ${name}Figure + {most}")),
            Self::All(most) => ("this.amount > 0".to_owned(), "count", format!("${name}Figure > {most}")),
        };
        let of = if of == "sum" { "function: sum, of: amount" } else { "function: count" };
        format!(
            "  - retrieve: {{as: {name}, entity: Item, where: \"{wanted}\"}}\n  \
               - aggregate: {{as: {name}Figure, list: ${name}, {of}}}\n  \
               - decide: {{if: \"{bad}\", then: [{{raise: {{message: Not now}}}}]}}\n"
        )
    }

    fn holds(self, state: &State, pot: usize, amount: i64) -> bool {
        let (mine, next) = (&state.0[pot], &state.0[(pot + 1) % POTS]);
        match self {
            Self::Sum(most) => state.sum(pot) <= most,
            Self::NoTwin => !next.contains(&amount),
            Self::Lead(most) => mine.len() <= next.len() + most,
            Self::All(most) => state.0.iter().map(Vec::len).sum::<usize>() <= most,
        }
    }
}

/// A generated app.
#[derive(Debug)]
struct Made {
    /// The rule: so many in a pot at most.
    most: usize,
    /// The validation: the amounts of a pot together at most.
    total: i64,
    checks: Vec<Check>,
    /// A pot keeps so many when things are taken from it.
    least: usize,
    /// What a pot must hold together before something moves out of it.
    rich: i64,
}

/// What somebody wants.
#[derive(Clone, Copy, Debug)]
enum Wish {
    /// A new object with this amount.
    Put { pot: usize, amount: i64 },
    /// A new one that is more than all of another pot.
    Top { pot: usize, other: usize },
    /// The smallest of a rich pot goes to another.
    Move { pot: usize, other: usize },
    /// The smallest goes away, where enough are left.
    Drop { pot: usize },
}

impl Wish {
    fn any(dice: &mut Dice) -> Self {
        let (pot, step) = (dice.roll(POTS), 1 + dice.roll(POTS - 1));
        let other = (pot + step) % POTS;
        match dice.roll(5) {
            0 | 1 => Self::Put { pot, amount: 1 + dice.roll(6) as i64 },
            2 => Self::Top { pot, other },
            3 => Self::Move { pot, other },
            _ => Self::Drop { pot },
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::Put { .. } => "Put",
            Self::Top { .. } => "Top",
            Self::Move { .. } => "Move",
            Self::Drop { .. } => "Drop",
        }
    }

    fn form(self, who: &Actor) -> Page {
        let (pot, other, amount) = match self {
            Self::Put { pot, amount } => (pot, 0, amount),
            Self::Top { pot, other } | Self::Move { pot, other } => (pot, other, 0),
            Self::Drop { pot } => (pot, 0, 0),
        };
        let page = who.open("/p/pots.Desk").fill("Pot", &pot.to_string()).fill("Other", &other.to_string());
        page.fill("Amount", &amount.to_string())
    }
}

impl Made {
    fn any(dice: &mut Dice) -> Self {
        Self {
            most: 2 + dice.roll(3),
            total: 14 + dice.roll(10) as i64,
            checks: vec![Check::any(dice), Check::any(dice)],
            least: dice.roll(2),
            rich: 1 + dice.roll(6) as i64,
        }
    }

    /// What the app does when it is alone; `None` when it refuses.
    fn alone(&self, state: &State, wish: Wish) -> Option<State> {
        let mut next = state.clone();
        let written = match wish {
            Wish::Put { pot, amount } => Some((pot, amount)),
            Wish::Top { pot, other } => Some((pot, state.0[other].last().copied().unwrap_or(0) + 1)),
            Wish::Move { pot, other } => {
                if state.sum(pot) < self.rich || state.0[pot].is_empty() {
                    return None;
                }
                Some((other, next.0[pot].remove(0)))
            }
            Wish::Drop { pot } => {
                if state.0[pot].len() <= self.least {
                    return None;
                }
                next.0[pot].remove(0);
                None
            }
        };
        let Some((pot, amount)) = written else { return Some(next) };
        next.put(pot, amount);
        let allowed = next.0[pot].len() <= self.most && next.sum(pot) <= self.total;
        (allowed && self.checks.iter().all(|check| check.holds(&next, pot, amount))).then_some(next)
    }

    /// Whether some order of what the writers did, each in its own order, says yes and no where the server did, and
    /// ends as it ended.
    fn explains(&self, from: &State, did: &[Vec<(Wish, bool)>], at: [usize; WRITERS], end: &State) -> bool {
        if did.iter().zip(at).all(|(all, at)| at == all.len()) {
            return from == end;
        }
        (0..WRITERS).any(|writer| {
            let Some((wish, accepted)) = did[writer].get(at[writer]) else { return false };
            let next = self.alone(from, *wish);
            let mut after = at;
            after[writer] += 1;
            next.is_some() == *accepted && self.explains(&next.unwrap_or_else(|| from.clone()), did, after, end)
        })
    }

    fn files(&self) -> TempDir {
        let mut check = String::from("roles: []\nparameters: {Item: Item}\ndo:\n");
        check.push_str("  - retrieve: {as: Own, entity: Item, where: \"this.pot == $Item.pot\"}\n");
        check.push_str("  - aggregate: {as: Mine, list: $Own, function: count}\n");
        check.push_str("  - log: {node: pots.Check, level: trace, text: \"{$Mine}\"}\n");
        for (at, one) in self.checks.iter().enumerate() {
            check.push_str(&one.yaml(&format!("Check{at}")));
        }
        let domain = DOMAIN.replace("MOST", &self.most.to_string()).replace("TOTAL", &self.total.to_string());
        let least = DROP.replace("LEAST", &self.least.to_string());
        let rich = MOVE.replace("RICH", &self.rich.to_string());
        written(&[
            ("app.yaml", APP),
            ("pots/module.yaml", "roles: {Clerk: Fills pots, Guest: Visits}\n"),
            ("pots/domain.yaml", &domain),
            ("pots/microflows/Check.yaml", &check),
            ("pots/microflows/Put.yaml", PUT),
            ("pots/microflows/Top.yaml", TOP),
            ("pots/microflows/Move.yaml", &rich),
            ("pots/microflows/Drop.yaml", &least),
            ("pots/pages/Desk.yaml", DESK),
            ("seed/01-pots.Pot.csv", "key,number\na,0\nb,1\nc,2\n"),
        ])
    }
}

const APP: &str = "\
app: pots
title: Pots
level: prototype
language: en
modules: [pots]
userRoles:
  Guest: {anonymous: true, moduleRoles: [pots.Guest]}
  Clerk: {moduleRoles: [pots.Clerk]}
navigation:
  - {userRoles: [Clerk], home: pots.Desk}
demoUsers:
  - {key: w0, name: Writer Null, email: w0@pots.example, userRoles: [Clerk]}
  - {key: w1, name: Writer One, email: w1@pots.example, userRoles: [Clerk]}
  - {key: w2, name: Writer Two, email: w2@pots.example, userRoles: [Clerk]}
  - {key: w3, name: Writer Three, email: w3@pots.example, userRoles: [Clerk]}
";
const DOMAIN: &str = "\
entities:
  Pot:
    attributes: {number: {type: integer, required: true}}
    access:
      - {roles: [Clerk], read: [number]}
  Item:
    attributes: {amount: {type: integer, required: true}}
    associations:
      pot: {to: Pot, required: true, inverse: items}
    validations:
      - {member: amount, rule: \"sum(this.pot.items.amount) <= TOTAL\", message: Too much in this pot}
    events:
      - {on: before commit, run: Check}
    access:
      - {roles: [Clerk], read: [amount, pot], delete: true}
      - {roles: [Clerk], create: true, read: [amount, pot], write: [amount, pot], where: \"count(this.pot.items) <= MOST\"}
  Wish:
    persistable: false
    attributes:
      pot: {type: integer, required: true}
      other: {type: integer, required: true}
      amount: {type: integer, required: true}
    access:
      - {roles: [Clerk], create: true, read: [pot, other, amount], write: [pot, other, amount]}
";
const PUT: &str = "\
roles: [Clerk]
parameters: {Wish: Wish}
do:
  - retrieve: {as: Pot, entity: Pot, where: \"this.number == $Wish.pot\", first: true}
  - create: {as: Item, entity: Item, set: {pot: $Pot, amount: $Wish.amount}}
";
const TOP: &str = "\
roles: [Clerk]
parameters: {Wish: Wish}
do:
  - retrieve: {as: Pot, entity: Pot, where: \"this.number == $Wish.pot\", first: true}
  - retrieve: {as: Theirs, entity: Item, where: \"this.pot.number == $Wish.other\", sort: [-amount], first: true}
  - create: {as: Item, entity: Item, set: {pot: $Pot, amount: \"if($Theirs == empty, 0, $Theirs.amount) + 1\"}}
";
const MOVE: &str = "\
roles: [Clerk]
parameters: {Wish: Wish}
do:
  - retrieve: {as: Target, entity: Pot, where: \"this.number == $Wish.other\", first: true}
  - retrieve: {as: Mine, entity: Item, where: \"this.pot.number == $Wish.pot\", sort: [amount]}
  - aggregate: {as: Sum, list: $Mine, function: sum, of: amount}
  - retrieve: {as: Smallest, entity: Item, where: \"this.pot.number == $Wish.pot\", sort: [amount], first: true}
  - decide: {if: \"$Smallest == empty || $Sum < RICH\", then: [{raise: {message: Not enough here}}]}
  - change: {object: $Smallest, set: {pot: $Target}}
";
const DROP: &str = "\
roles: [Clerk]
parameters: {Wish: Wish}
do:
  - retrieve: {as: Mine, entity: Item, where: \"this.pot.number == $Wish.pot\", sort: [amount]}
  - aggregate: {as: Count, list: $Mine, function: count}
  - decide: {if: \"$Count <= LEAST\", then: [{raise: {message: Not enough here}}]}
  - loop:
      over: $Mine
      as: One
      do:
        - decide:
            if: \"$One != empty\"
            then:
              - delete: {object: $One}
              - end: {}
";
const DESK: &str = "\
title: Desk
roles: [Clerk]
content:
  - dataView:
      source: {new: Wish}
      content:
        - input: {member: pot, label: Pot}
        - input: {member: other, label: Other}
        - input: {member: amount, label: Amount}
        - button: {caption: Put, run: {microflow: Put, with: {Wish: this}}}
        - button: {caption: Top, run: {microflow: Top, with: {Wish: this}}}
        - button: {caption: Move, run: {microflow: Move, with: {Wish: this}}}
        - button: {caption: Drop, run: {microflow: Drop, with: {Wish: this}}}
";

/// One storm: every writer does what it wants, all at once.
fn storm(server: &Server, made: &Made, people: &[Actor], dice: &mut Dice) -> (usize, usize) {
    let before = State::read(server);
    let plans: Vec<Vec<(Wish, Page)>> = people
        .iter()
        .map(|who| {
            let wishes: Vec<Wish> = (0..EACH).map(|_| Wish::any(dice)).collect();
            wishes.into_iter().map(|wish| (wish, wish.form(who))).collect()
        })
        .collect();
    let did = at_once(plans, |plan| {
        let carried = plan.into_iter().map(|(wish, page)| {
            let answer = page.send(page.button(wish.button()));
            assert!([303, 403, 422].contains(&answer.status), "{wish:?}: {} {}", answer.status, answer.body);
            (wish, answer.status == 303)
        });
        carried.collect::<Vec<_>>()
    });
    let after = State::read(server);
    let found = made.explains(&before, &did, [0; WRITERS], &after);
    let db = server.web().app.db.dialect();
    assert!(found, "{db:?}: no order explains this\n{made:?}\nbefore {before:?}\nafter  {after:?}\n{did:#?}");
    let all = did.iter().flatten();
    (all.clone().filter(|(_, accepted)| *accepted).count(), all.filter(|(_, accepted)| !accepted).count())
}

#[test]
fn what_many_writers_leave_is_what_some_order_of_them_leaves() {
    let soak = std::env::var("PORTCULLIS_SOAK").ok().and_then(|rounds| rounds.parse::<u64>().ok());
    let (apps, rounds) = soak.map_or((2, 8), |soak| (soak.clamp(2, 100), 20));
    let (mut accepted, mut refused) = (0, 0);
    for seed in 1..=apps {
        let mut dice = Dice::of(seed);
        let made = Made::any(&mut dice);
        let folder = made.files();
        for kind in [Kind::Sqlite, Kind::Postgres] {
            let Some(server) = Setup::of(folder.path()).on(kind).with(|settings| settings.pool = 6).try_run() else { continue };
            let people: Vec<Actor> = (0..WRITERS).map(|n| server.sign_in(&format!("w{n}"))).collect();
            for _ in 0..rounds {
                let (yes, no) = storm(&server, &made, &people, &mut dice);
                accepted += yes;
                refused += no;
            }
        }
    }
    assert!(accepted > 20 && refused > 20, "{accepted} accepted, {refused} refused: the storms were no test");
}

#[test]
fn the_search_finds_no_order_for_what_two_at_once_must_not_leave() {
    let made = Made { most: 1, total: 100, checks: Vec::new(), least: 0, rich: 0 };
    let put = |amount| vec![(Wish::Put { pot: 0, amount }, true)];
    let two = State([vec![1, 2], Vec::new(), Vec::new()]);
    let none = Vec::new();
    let did = [put(1), put(2), none.clone(), none.clone()];
    assert!(!made.explains(&State::default(), &did, [0; WRITERS], &two), "both were accepted, one may stay");
    let lost = State([vec![1], Vec::new(), Vec::new()]);
    assert!(!made.explains(&State::default(), &did, [0; WRITERS], &lost), "what was accepted is not lost");
    let refused = vec![(Wish::Put { pot: 0, amount: 2 }, false)];
    assert!(made.explains(&State::default(), &[put(1), refused, none.clone(), none], [0; WRITERS], &lost));
}
