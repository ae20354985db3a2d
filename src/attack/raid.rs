//! Carrying out attacks: each is counted, its answer searched, what it changed judged and put back.

use super::canary::{Marks, Random};
use super::class::Class;
use super::crew::{Attacker, Page};
use super::http::{Answer, Request};
use super::instance::{Instance, Person};
use super::oracle::{Extra, Oracle};
use super::report::{Finding, Report, Tally};
use super::world::{World, stored};
use super::{AttackError, Options};
use crate::access::Part;
use crate::db::Dialect;
use crate::domain::{ObjectId, QName};
use crate::identity::{self, AccountId};
use crate::model::Model;
use crate::store::{Bulk, Pulse};
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
    /// Choices.
    pub random: Random,
    options: &'i Options,
    entities: Vec<QName>,
    pulse: Pulse,
    roles: BTreeMap<ObjectId, BTreeSet<String>>,
    tallies: BTreeMap<Class, (usize, usize, Option<String>)>,
    findings: Vec<Finding>,
    faults: Vec<String>,
    timing: Vec<String>,
    gained: BTreeSet<String>,
    pages: HashMap<(String, String), Rc<Page>>,
    handles: HashMap<String, Option<(QName, ObjectId)>>,
    kinds: BTreeSet<String>,
}

impl<'i> Raid<'i> {
    /// Signs everybody in.
    pub fn prepare(instance: &'i Instance, options: &'i Options) -> Result<Self, AttackError> {
        let model = instance.model.clone();
        let entities = stored(&model);
        let (world, pulse) = look(instance, &entities)?;
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
            random: Random::new(options.seed.wrapping_add(1)),
            options,
            entities,
            pulse,
            roles: BTreeMap::new(),
            tallies: BTreeMap::new(),
            findings: Vec::new(),
            faults: Vec::new(),
            timing: Vec::new(),
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
            None => self.chosen(&id),
        };
        if asked {
            self.tallies.entry(class).or_default().0 += 1;
        }
        Ok(asked.then_some(id))
    }

    /// Whether an attack is one of those that are tried: the first of its kind (what its id says up to the first object or
    /// value), and of the others so many as were asked for.
    fn chosen(&mut self, id: &str) -> bool {
        let kind = id.split(['#', '?', '=']).next().unwrap_or(id);
        let first = self.kinds.insert(kind.to_owned());
        let sum = id
            .bytes()
            .fold(self.options.seed ^ 0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        first || (sum >> 32) % self.options.thin.max(1) == 0
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
        self.asked(class, attacker, subject, request, act)?;
        self.restore()
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
        let Some(id) = self.begin(class, attacker, subject)? else { return Ok(()) };
        if let Some(gained) = act(self)? {
            self.gain(class, attacker, &id, request, gained);
        }
        Ok(())
    }

    /// Looks for what the attacker may not know.
    fn search(&mut self, class: Class, attacker: &Attacker, id: &str, request: &Request, answer: &Answer) {
        if answer.status >= 500 && answer.status != 503 {
            self.faults.push(format!("{id}: {}", answer.status));
        }
        if let Some(told) = self.tells(attacker, request, answer) {
            self.gain(class, attacker, id, request, told);
        }
    }

    /// The same for an answer to a write that happened: what it made readable may be told, too.
    fn search_after(&mut self, class: Class, attacker: &Attacker, id: &str, request: &Request, answer: &Answer, after: &World) {
        let knows = attacker.knowing(&self.model, after, &self.marks, self.instance.now);
        self.search(class, &knows, id, request, answer);
    }

    /// What an answer tells that its reader may not know.
    pub fn tells(&mut self, attacker: &Attacker, request: &Request, answer: &Answer) -> Option<String> {
        let heard = answer.heard();
        let said = request.said();
        let found: Vec<usize> = self.marks.find(&heard).difference(&attacker.allowed).copied().collect();
        if !found.is_empty() {
            let echoed = self.marks.find(&said);
            if let Some(mark) = found.into_iter().find(|mark| !echoed.contains(mark)) {
                return Some(format!("the answer tells {}", self.marks.found(mark).what));
            }
        }
        let met: BTreeSet<&str> = words(&heard).collect();
        for word in met {
            // The record and the log name what was done and asked for; the model says who may read them.
            if self.records(attacker, request) {
                break;
            }
            if let Some((entity, object)) = self.object(word)
                && !attacker.known.contains(&(entity.clone(), object))
                && !said.contains(word)
            {
                return Some(format!("the answer names {entity}#{}, which is out of reach", object.0));
            }
        }
        None
    }

    /// Whether this is the record or the log, and open to the attacker.
    fn records(&self, attacker: &Attacker, request: &Request) -> bool {
        let parts = [("/admin/audit", Part::Audit), ("/admin/log", Part::Log)];
        let asked = parts.into_iter().find(|(path, _)| request.target.starts_with(path));
        asked.is_some_and(|(_, part)| self.oracle().administers(&attacker.who.role, part))
    }

    /// The object of a handle, of whatever entity.
    fn object(&mut self, word: &str) -> Option<(QName, ObjectId)> {
        if let Some(known) = self.handles.get(word) {
            return known.clone();
        }
        let keys = &self.instance.app().keys;
        let found = self.entities.iter().find_map(|entity| Some((entity.clone(), keys.object(entity, word)?)));
        self.handles.insert(word.to_owned(), found.clone());
        found
    }

    /// Objects of an entity whose handles stand in an answer.
    pub fn objects(&mut self, entity: &QName, answer: &Answer) -> BTreeSet<ObjectId> {
        let met: BTreeSet<&str> = words(&answer.body).collect();
        let found: Vec<Option<(QName, ObjectId)>> = met.into_iter().map(|word| self.object(word)).collect();
        found.into_iter().flatten().filter(|(of, _)| of == entity).map(|(_, id)| id).collect()
    }

    /// Compares the stored data with what was allowed, and puts it back.
    fn judge(
        &mut self,
        class: Class,
        attacker: &Attacker,
        id: &str,
        request: &Request,
        expect: &Expect<'_>,
        after: Option<World>,
    ) -> Result<(), AttackError> {
        if self.roles_now()? != self.roles {
            self.gain(class, attacker, id, request, "the user roles of an account were changed".to_owned());
            self.roles = self.roles_now()?;
        }
        let Some(after) = after else { return Ok(()) };
        let all = self.world.differences(&after);
        let wrong = match expect {
            _ if all.is_empty() => None,
            Expect::Nothing => {
                all.first().map(|one| format!("{}#{}: {:?}, where nothing may happen", one.entity, one.id.0, one.what))
            }
            Expect::Rules => self.oracle().forbids(&after, &all, &attacker.who, None),
            Expect::Flow(extra) => self.oracle().forbids(&after, &all, &attacker.who, Some(extra)),
        };
        if let Some(wrong) = wrong {
            self.gain(class, attacker, id, request, wrong);
        }
        self.put_back(&after)
    }

    /// Judges what several requests did together, without putting it back.
    pub fn forbidden(&self, attacker: &Attacker, before: &World, after: &World) -> Option<String> {
        let oracle = Oracle { world: before, ..self.oracle() };
        oracle.forbids(after, &before.differences(after), &attacker.who, None)
    }

    /// The data as it is now, if anything is other than in the beginning.
    pub fn changed(&self) -> Result<Option<World>, AttackError> {
        let (model, now, entities) = (&*self.model, self.instance.now, &self.entities);
        let pulse = self.instance.app().db.read(|conn| {
            let mut bulk = Bulk::new(conn, model, now).map_err(super::WorldError::from)?;
            bulk.pulse(entities).map_err(super::WorldError::from)
        })?;
        if pulse == self.pulse {
            return Ok(None);
        }
        Ok(Some(look(self.instance, &self.entities)?.0))
    }

    /// The data as it is now.
    pub fn world_now(&self) -> Result<World, AttackError> {
        Ok(look(self.instance, &self.entities)?.0)
    }

    /// Makes the database hold a world.
    pub fn make(&self, wanted: &World, is: &World) -> Result<(), AttackError> {
        let (model, now) = (&*self.model, self.instance.now);
        Ok(self.instance.app().db.write(|conn| wanted.put_back(conn, model, now, is))?)
    }

    /// Puts the data back as it was in the beginning.
    pub fn restore(&mut self) -> Result<(), AttackError> {
        match self.changed()? {
            Some(after) => self.put_back(&after),
            None => Ok(()),
        }
    }

    fn put_back(&mut self, after: &World) -> Result<(), AttackError> {
        // An account that came into being has a trail and sessions; it stays, and is no longer news.
        self.make(&self.world, after).or_else(|error| match error {
            AttackError::World(super::WorldError::Stuck(_)) => {
                let (world, pulse) = look(self.instance, &self.entities)?;
                self.world = world;
                self.pulse = pulse;
                Ok(())
            }
            other => Err(other),
        })
    }

    fn roles_now(&self) -> Result<BTreeMap<ObjectId, BTreeSet<String>>, AttackError> {
        let people: Vec<AccountId> =
            self.instance.people.iter().filter_map(|person| Some(AccountId(person.who.user?.0))).collect();
        let all = self.instance.app().db.read(|conn| identity::roles_of(conn, &people))?;
        let words = |held: BTreeSet<crate::domain::Name>| held.iter().map(ToString::to_string).collect();
        let all = all.into_iter().map(|(id, held)| (ObjectId(id.0), words(held))).collect();
        Ok(all)
    }

    fn gain(&mut self, class: Class, attacker: &Attacker, id: &str, request: &Request, gained: String) {
        if !self.gained.insert(id.to_owned()) {
            return;
        }
        self.tallies.entry(class).or_default().1 += 1;
        let app = self.options.app.display();
        let again = format!("portcullis attack --app {app} --seed {} --only '{id}'", self.options.seed);
        let request = request.curl(&attacker.client.base(), &attacker.client.cookies());
        let (id, role) = (id.to_owned(), attacker.role.clone());
        self.findings.push(Finding { id, class: class.id(), role, gained, again, request });
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
        }
    }
}

fn look(instance: &Instance, entities: &[QName]) -> Result<(World, Pulse), AttackError> {
    let (model, now) = (&*instance.model, instance.now);
    Ok(instance.app().db.read(|conn| {
        let world = World::read(conn, model, now)?;
        let pulse = Bulk::new(conn, model, now).map_err(super::WorldError::from)?.pulse(entities)?;
        Ok::<_, super::WorldError>((world, pulse))
    })?)
}

/// Words of a text that could be handles.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let part = |sign: char| sign.is_ascii_alphanumeric() || sign == '-' || sign == '_';
    text.split(move |sign| !part(sign)).filter(|word| word.len() == 22)
}
