//! Apps of any size, made from a few numbers, to measure and to test what grows with a model.
//!
//! Each entity has twelve attributes, two associations, two rules with a condition for each role that is given rights
//! on it, a page with a grid and a page with a form. Modules have twenty entities and a start page. Besides one person
//! for each user role there are people who hold combinations of two to four. The same numbers give the same files.
//!
//! Needs the standard library only, so that benchmarks can include the file.

mod files;

use std::collections::BTreeSet;

/// Entities of a module.
const MODULE: usize = 20;
const TEAMS: usize = 10;

/// The numbers that an app follows from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub entities: usize,
    pub roles: usize,
    /// How many combinations of two to four roles are held.
    pub combinations: usize,
    /// Which share of the roles has rights on an entity.
    pub density: f64,
    /// Stored objects of the first entity, on which every role has rights.
    pub rows: usize,
    pub seed: u64,
}

impl Shape {
    /// Every role has rights on every entity, and six combinations are held.
    pub fn of(entities: usize, roles: usize) -> Self {
        Self { entities, roles, combinations: 6, density: 1.0, rows: 1_000, seed: 7 }
    }
}

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The key of the sign-in button.
    pub key: String,
    /// Numbers of the roles, in order.
    pub roles: Vec<usize>,
    /// The number of the team.
    pub team: usize,
}

/// An app.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    pub shape: Shape,
    /// First those with one role each, in the order of the roles, then those with combinations.
    pub people: Vec<Person>,
    /// By entity: which roles have rights on it.
    granted: Vec<Vec<bool>>,
}

/// Numbers that look random and are the same each time.
pub struct Dice(u64);

impl Dice {
    /// The same numbers for the same seed.
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % below
    }

    /// So many different numbers, in order.
    fn some(&mut self, count: usize, below: usize) -> Vec<usize> {
        let mut found = BTreeSet::new();
        while found.len() < count.min(below) {
            found.insert(self.roll(below));
        }
        found.into_iter().collect()
    }
}

/// The name of a user role.
pub fn role(number: usize) -> String {
    format!("R{number}")
}

fn roles(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().map(role).collect::<Vec<_>>().join(", ")
}

impl Synthetic {
    /// Decides who has which rights.
    pub fn of(shape: Shape) -> Self {
        let Shape { entities, roles, combinations, density, seed, .. } = shape;
        assert!(entities > 0 && roles > 1 && combinations <= most(roles), "there is no such app: {shape:?}");
        let mut dice = Dice::of(seed);
        let granted = (0..entities).map(|entity| {
            let mut all: Vec<bool> = (0..roles).map(|_| entity == 0 || (dice.roll(10_000) as f64) < density * 10_000.0).collect();
            all[entity % roles] |= !all.contains(&true);
            all
        });
        let granted = granted.collect();
        let mut held: Vec<Vec<usize>> = (0..roles).map(|role| vec![role]).collect();
        let mut known = BTreeSet::new();
        while known.len() < combinations {
            let size = [2, 2, 3, 4][dice.roll(4)];
            let combination = dice.some(size, roles);
            if known.insert(combination.clone()) {
                held.push(combination);
            }
        }
        let person = |(number, held): (usize, Vec<usize>)| {
            let key = if number < roles { format!("u{number}") } else { format!("c{}", number - roles) };
            Person { key, roles: held, team: number % TEAMS }
        };
        Self { shape, people: held.into_iter().enumerate().map(person).collect(), granted }
    }

    /// People who hold several roles.
    pub fn combined(&self) -> &[Person] {
        &self.people[self.shape.roles..]
    }

    /// Pairs of roles that nobody holds, without anything else.
    pub fn unheld(&self) -> Vec<[usize; 2]> {
        let pairs = (0..self.shape.roles).flat_map(|one| (one + 1..self.shape.roles).map(move |other| [one, other]));
        pairs.filter(|pair| self.people.iter().all(|person| person.roles != pair)).collect()
    }

    /// The roles among these that have rights on an entity.
    pub fn granted(&self, entity: usize, roles: &[usize]) -> Vec<usize> {
        roles.iter().copied().filter(|role| self.granted[entity][*role]).collect()
    }

    /// The entities that somebody has rights on.
    pub fn reach(&self, roles: &[usize]) -> Vec<usize> {
        (0..self.shape.entities).filter(|entity| !self.granted(*entity, roles).is_empty()).collect()
    }
}

/// How many combinations of two to four roles there are.
pub fn most(roles: usize) -> usize {
    let choose = |k: usize| (0..k).fold(1, |all, i| all * roles.saturating_sub(i) / (i + 1));
    choose(2) + choose(3) + choose(4)
}

/// The address of an entity's page with the grid.
pub fn list_of(entity: usize) -> String {
    format!("/p/m{}.E{entity}List", entity / MODULE)
}

/// The address of an entity's page with the form.
pub fn form_of(entity: usize) -> String {
    format!("/p/m{}.E{entity}New", entity / MODULE)
}
