//! Carrying out attacks: each is counted, its answer searched, what it changed judged and put back.

mod judge;
mod search;

use super::canary::Marks;
use super::class::Class;
use super::crew::{Attacker, Page};
use super::http::{Answer, Request};
use super::instance::{Instance, Person};
use super::oracle::{Extra, Oracle};
use super::report::{Finding, Report, Tally};
use super::world::{World, stored};
use super::{AttackError, Options};
use crate::db::Dialect;
use crate::domain::{ObjectId, QName};
use crate::model::{Entity, Model};
use crate::store::Pulse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What an attack may do to the data.
pub enum Expect<'e> {
    /// Nothing at all.
    Nothing,
    /// What the attacker's own rules let them do.
    Rules,
    /// What their rules and these declared rights together let them do.
    Flow(&'e Extra),
}

/// Everything an attack needs.
pub struct Raid<'i> {
    /// The server.
    pub instance: &'i Instance,
    /// Its model.
    pub model: Arc<Model>,
    /// The data with which every attack begins.
    pub world: World,
    /// The marks in it.
    pub marks: Marks,
    /// One attacker for each user role that is asked for.
    pub crew: Vec<Rc<Attacker>>,
    /// Their twins, in the same order.
    pub twins: Vec<Rc<Attacker>>,
    /// Nobody.
    pub visitor: Rc<Attacker>,
    options: &'i Options,
    entities: Vec<QName>,
    pulse: Pulse,
    roles: BTreeMap<ObjectId, BTreeSet<String>>,
    tallies: BTreeMap<Class, (usize, usize, Option<String>)>,
    findings: Vec<Finding>,
    faults: Vec<String>,
    timing: Vec<String>,
    remaining: BTreeSet<String>,
    gained: BTreeSet<String>,
    pages: HashMap<(String, String), Rc<Page>>,
    handles: HashMap<String, Option<(QName, ObjectId)>>,
    kinds: BTreeSet<String>,
}

impl<'i> Raid<'i> {
    /// Signs everybody in.
    pub fn prepare(instance: &'i Instance, options: &'i Options) -> Result<Self, AttackError> {
        let model = instance.model.clone();
        if let Some(role) = options.role.as_ref().filter(|role| !instance.people.iter().any(|one| one.who.role.as_str() == *role))
        {
            return Err(AttackError::Crew(format!("nobody signs in with a user role {role}")));
        }
        let entities = stored(&model);
        let (world, pulse) = judge::look(instance, &entities)?;
        let marks = Marks::of(&model, &world, instance.now);
        let wanted = |person: &&Person| options.role.as_ref().is_none_or(|role| person.who.role.as_str() == role);
        let enter = |person: &Person| Attacker::enter(instance, person, &world, &marks).map(Rc::new);
        let crew: Result<Vec<_>, _> = instance.people.iter().filter(|person| !person.twin).filter(wanted).map(enter).collect();
        let twins: Result<Vec<_>, _> = instance.people.iter().filter(|person| person.twin).filter(wanted).map(enter).collect();
        let visitor = Rc::new(Attacker::visit(instance, &world, &marks)?);
        let mut raid = Self {
            instance,
            model,
            world,
            marks,
            crew: crew?,
            twins: twins?,
            visitor,
            options,
            entities,
            pulse,
            roles: BTreeMap::new(),
            tallies: BTreeMap::new(),
            findings: Vec::new(),
            faults: Vec::new(),
            timing: Vec::new(),
            remaining: BTreeSet::new(),
            gained: BTreeSet::new(),
            pages: HashMap::new(),
            handles: HashMap::new(),
            kinds: BTreeSet::new(),
        };
        raid.roles = raid.roles_now()?;
        Ok(raid)
    }

    /// The oracle over the data with which every attack begins.
    pub fn oracle(&self) -> Oracle<'_> {
        Oracle { model: &self.model, world: &self.world, now: self.instance.now }
    }

    /// The handle of an object: the same for everybody, so as good as copied from the page of somebody who sees it.
    pub fn handle(&self, entity: &QName, id: ObjectId) -> String {
        self.instance.app().keys.handle(entity, id)
    }

    /// What choices follow from.
    pub fn seed(&self) -> u64 {
        self.options.seed
    }

    /// The name of an object that a handle stands for, for ids: a handle is another in each instance.
    pub fn named(&self, target: &QName, handle: &str) -> String {
        let id = self.instance.app().keys.object(target, handle);
        id.map_or_else(|| handle.to_owned(), |id| format!("{target}#{}", id.0))
    }

    /// Whether a class is asked for.
    pub fn wants(&self, class: Class) -> bool {
        let by_id = |only: &str| only.split('/').next() == Some(class.id());
        self.options.class.is_none_or(|wanted| wanted == class) && self.options.only.as_deref().is_none_or(by_id)
    }

    /// Notes that a class has nothing to attack in this model.
    pub fn skip(&mut self, class: Class, why: &str) {
        self.tallies.entry(class).or_default().2 = Some(why.to_owned());
    }

    /// A page for preparing an attack: asked for once, not counted.
    pub fn page(&mut self, attacker: &Rc<Attacker>, target: &str) -> Rc<Page> {
        let key = (format!("{}#{}", attacker.role, attacker.who.user.map_or(0, |id| id.0)), target.to_owned());
        if let Some(known) = self.pages.get(&key) {
            return known.clone();
        }
        let answer = attacker.client.send(&Request::get(target));
        let page = Rc::new(Page::read(&answer));
        self.pages.insert(key, page.clone());
        page
    }

    /// The id of an attack, if it is asked for.
    fn begin(&mut self, class: Class, attacker: &Attacker, subject: &str) -> Result<Option<String>, AttackError> {
        if self.options.stop.load(Ordering::SeqCst) {
            return Err(AttackError::Stopped);
        }
        let id = format!("{}/{}/{subject}", class.id(), attacker.role);
        let asked = match &self.options.only {
            Some(only) => id.starts_with(only.as_str()),
            None => self.chosen(class, &id),
        };
        if asked {
            self.tallies.entry(class).or_default().0 += 1;
        }
        Ok(asked.then_some(id))
    }

    /// Whether an attack is one of those that are tried: the first of a kind, and of the others so many as were asked for.
    fn chosen(&mut self, class: Class, id: &str) -> bool {
        // What is compared in a coarse attack is about one entity already, and half a comparison says nothing.
        if self.options.coarse && class == Class::Compared {
            return true;
        }
        let known = self.kinds.len();
        match self.options.coarse {
            true => drop(self.kinds.insert(coarse_kind(id))),
            false => self.kinds.extend(kinds(class, id)),
        }
        let first = self.kinds.len() > known;
        first || self.sum(id).is_multiple_of(self.options.thin.max(1))
    }

    /// A number that follows from the seed and a text.
    fn sum(&self, text: &str) -> u64 {
        let one = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        text.bytes().fold(self.options.seed ^ 0xcbf2_9ce4_8422_2325, one) >> 32
    }

    /// Whether the model is too large for trying each kind.
    pub fn is_coarse(&self) -> bool {
        self.options.coarse
    }

    /// The entities whose hidden members are exchanged to compare answers: all, or in a coarse attack one for each role.
    pub fn compared(&self, attacker: &Attacker) -> Vec<Arc<Entity>> {
        self.some(attacker, 1, |entity| !entity.system)
    }

    /// The entities of which forms are made ready that will be accepted: all, or in a coarse attack a few for each role.
    pub fn prepared(&self, attacker: &Attacker) -> Vec<Arc<Entity>> {
        self.some(attacker, 4, |_| true)
    }

    fn some(&self, attacker: &Attacker, most: usize, wanted: impl Fn(&Entity) -> bool) -> Vec<Arc<Entity>> {
        let all = self.model.entities.values().filter(|entity| entity.persistable && wanted(entity));
        let mut all: Vec<Arc<Entity>> = all.cloned().collect();
        if self.options.coarse {
            all.sort_by_key(|entity| self.sum(&format!("{}/{}", attacker.role, entity.name)));
            all.truncate(most);
        }
        all
    }

    /// Tries to read something.
    pub fn look(
        &mut self,
        class: Class,
        attacker: &Attacker,
        subject: &str,
        request: &Request,
    ) -> Result<Option<Answer>, AttackError> {
        let Some(id) = self.begin(class, attacker, subject)? else { return Ok(None) };
        let answer = attacker.client.send(request);
        self.search(class, attacker, &id, request, &answer);
        Ok(Some(answer))
    }

    /// Tries to change something.
    pub fn write(
        &mut self,
        class: Class,
        attacker: &Attacker,
        subject: &str,
        request: &Request,
        expect: &Expect<'_>,
    ) -> Result<Option<Answer>, AttackError> {
        let Some(id) = self.begin(class, attacker, subject)? else { return Ok(None) };
        let answer = attacker.client.send(request);
        if answer.status == 303 {
            self.renew_forms()?;
        }
        let after = self.changed()?;
        match &after {
            Some(after) => self.search_after(class, attacker, &id, request, &answer, after),
            None => self.search(class, attacker, &id, request, &answer),
        }
        self.judge(class, attacker, &id, request, expect, after)?;
        Ok(Some(answer))
    }

    /// An attack of several requests: `act` sends them and says what was gained, if anything.
    pub fn scheme(
        &mut self,
        class: Class,
        attacker: &Attacker,
        subject: &str,
        request: &Request,
        act: impl FnOnce(&mut Self) -> Result<Option<String>, AttackError>,
    ) -> Result<(), AttackError> {
        match self.tried(class, attacker, subject, request, act)? {
            true => self.restore(),
            false => Ok(()),
        }
    }

    /// The same for questions, which change nothing that would have to be put back.
    pub fn asked(
        &mut self,
        class: Class,
        attacker: &Attacker,
        subject: &str,
        request: &Request,
        act: impl FnOnce(&mut Self) -> Result<Option<String>, AttackError>,
    ) -> Result<(), AttackError> {
        self.tried(class, attacker, subject, request, act).map(|_| ())
    }

    /// Whether it was one of those that are tried.
    fn tried(
        &mut self,
        class: Class,
        attacker: &Attacker,
        subject: &str,
        request: &Request,
        act: impl FnOnce(&mut Self) -> Result<Option<String>, AttackError>,
    ) -> Result<bool, AttackError> {
        let Some(id) = self.begin(class, attacker, subject)? else { return Ok(false) };
        if let Some(gained) = act(self)? {
            self.gain(class, attacker, &id, request, gained);
        }
        Ok(true)
    }

    fn gain(&mut self, class: Class, attacker: &Attacker, id: &str, request: &Request, gained: String) {
        if !self.gained.insert(id.to_owned()) {
            return;
        }
        self.tallies.entry(class).or_default().1 += 1;
        let app = self.options.app.display();
        // The address may hold a password.
        let database = self.options.database.as_ref().map_or("", |_| " --database \"$DATABASE\"");
        let again = format!("portcullis attack --app {app}{database} --seed {} --only '{id}'", self.options.seed);
        let request = request.curl(&attacker.client.base(), &attacker.client.cookies());
        let (id, role) = (id.to_owned(), attacker.role.clone());
        self.findings.push(Finding { id, class: class.id(), role, gained, again, request });
    }

    /// Notes something that is told although it is withheld, as SECURITY.md says; once each.
    pub fn remains(&mut self, line: String) {
        self.remaining.insert(line);
    }

    /// Notes something that is no gain and worth a look.
    pub fn fault(&mut self, line: String) {
        self.faults.push(line);
    }

    /// Notes how long something took.
    pub fn time(&mut self, line: String) {
        self.timing.push(line);
    }

    /// What came of it.
    pub fn report(self) -> Report {
        let tally = |class: &Class| {
            let (tried, gained, why) = self.tallies.get(class).cloned().unwrap_or_default();
            Tally { id: class.id(), what: class.what(), tried, gained, not_applicable: why.filter(|_| tried == 0) }
        };
        let classes: Vec<Tally> = Class::ALL.iter().filter(|class| self.wants(**class)).map(tally).collect();
        Report {
            app: self.model.title.clone(),
            database: match self.instance.app().db.dialect() {
                Dialect::Sqlite => "SQLite",
                Dialect::Postgres => "PostgreSQL",
            },
            seed: self.options.seed,
            tried: classes.iter().map(|class| class.tried).sum(),
            gained: classes.iter().map(|class| class.gained).sum(),
            classes,
            findings: self.findings,
            faults: self.faults,
            canaries: self.marks.count(),
            row_classes: self.instance.canaries.covered,
            row_classes_without_row: self.instance.canaries.missing.clone(),
            timing: self.timing,
            remaining: self.remaining.into_iter().collect(),
        }
    }
}

/// The kinds of an attack. Every handle in every place would be most of all attacks, so there each place and each sort
/// of handle is a kind; elsewhere the kind is the id without objects, values and queries.
fn kinds(class: Class, id: &str) -> Vec<String> {
    match (class, id.split_once('+')) {
        (Class::SwappedHandles, Some((place, swapped))) => {
            let role = place.split('/').nth(1).unwrap_or_default();
            vec![place.to_owned(), format!("{}/{role}+{swapped}", class.id())]
        }
        _ => vec![kind(id)],
    }
}

/// `moved-rows/Reader/lending.Loan#1000007.due=1` → `moved-rows/Reader`.
fn coarse_kind(id: &str) -> String {
    id.split('/').take(2).collect::<Vec<_>>().join("/")
}

/// `moved-rows/Reader/lending.Loan#1000007.due=1` → `moved-rows/Reader/lending.Loan.due`.
fn kind(id: &str) -> String {
    let head = id.split(['?', '=']).next().unwrap_or(id);
    let mut parts = head.split('#');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kind, part| kind + part.trim_start_matches(|sign: char| sign.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{Class, coarse_kind, kind, kinds};

    #[test]
    fn attacks_of_one_kind_differ_in_objects_values_and_queries_only() {
        assert_eq!(kind("moved-rows/Reader/lending.Loan#1000007.due=1"), "moved-rows/Reader/lending.Loan.due");
        assert_eq!(kind("forced-pages/Reader/lending.Books?page=2"), "forced-pages/Reader/lending.Books");
        assert_eq!(kind("refer+a.B.c+d.E#7"), "refer+a.B.c+d.E");
    }

    #[test]
    fn a_coarse_kind_is_a_class_of_one_role() {
        assert_eq!(coarse_kind("moved-rows/Reader/lending.Loan#1000007.due=1"), "moved-rows/Reader");
        assert_eq!(coarse_kind("leading-paths/Reader//p/../etc"), "leading-paths/Reader");
    }

    #[test]
    fn of_swapped_handles_each_place_and_each_sort_of_handle_is_a_kind_for_each_role() {
        let found = |id: &str| kinds(Class::SwappedHandles, id);
        assert_eq!(
            found("swapped-handles/Reader/attack.List_a_B+damaged"),
            ["swapped-handles/Reader/attack.List_a_B", "swapped-handles/Reader+damaged"]
        );
        assert_eq!(kinds(Class::ForcedPages, "forced-pages/Reader/a.B+out0"), ["forced-pages/Reader/a.B+out0"]);
    }
}
