//! Comparing the stored data with what was allowed, and putting it back.

use super::{Expect, Raid};
use crate::attack::crew::Attacker;
use crate::attack::http::Request;
use crate::attack::instance::Instance;
use crate::attack::oracle::Oracle;
use crate::attack::world::{World, WorldError};
use crate::attack::{AttackError, Class};
use crate::domain::{ObjectId, QName};
use crate::identity::{self, AccountId};
use crate::store::{Bulk, Pulse};
use std::collections::{BTreeMap, BTreeSet};

impl Raid<'_> {
    /// Compares the stored data with what was allowed, and puts it back.
    pub(super) fn judge(
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
            let mut bulk = Bulk::new(conn, model, now).map_err(WorldError::from)?;
            bulk.pulse(entities).map_err(WorldError::from)
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

    /// Forgets which forms were carried out: the same drawn page serves many attacks.
    pub(super) fn renew_forms(&self) -> Result<(), AttackError> {
        let (model, now) = (&*self.model, self.instance.now);
        Ok(self.instance.app().db.write(|conn| {
            let mut bulk = Bulk::new(conn, model, now).map_err(WorldError::from)?;
            bulk.forget_forms().map_err(WorldError::from)
        })?)
    }

    /// Puts the data back as it was in the beginning.
    pub fn restore(&mut self) -> Result<(), AttackError> {
        self.renew_forms()?;
        match self.changed()? {
            Some(after) => self.put_back(&after),
            None => Ok(()),
        }
    }

    /// Puts the data back as it was in the beginning, given what it is now.
    pub fn put_back(&mut self, after: &World) -> Result<(), AttackError> {
        // An account that came into being has a trail and sessions; it stays, and is no longer news.
        self.make(&self.world, after).or_else(|error| match error {
            AttackError::World(WorldError::Stuck(_)) => {
                let (world, pulse) = look(self.instance, &self.entities)?;
                self.world = world;
                self.pulse = pulse;
                Ok(())
            }
            other => Err(other),
        })
    }

    pub(super) fn roles_now(&self) -> Result<BTreeMap<ObjectId, BTreeSet<String>>, AttackError> {
        let people: Vec<AccountId> =
            self.instance.people.iter().filter_map(|person| Some(AccountId(person.who.user?.0))).collect();
        let all = self.instance.app().db.read(|conn| identity::roles_of(conn, &people))?;
        let words = |held: BTreeSet<crate::domain::Name>| held.iter().map(ToString::to_string).collect();
        let all = all.into_iter().map(|(id, held)| (ObjectId(id.0), words(held))).collect();
        Ok(all)
    }
}

pub(super) fn look(instance: &Instance, entities: &[QName]) -> Result<(World, Pulse), AttackError> {
    let (model, now) = (&*instance.model, instance.now);
    Ok(instance.app().db.read(|conn| {
        let world = World::read(conn, model, now)?;
        let pulse = Bulk::new(conn, model, now).map_err(WorldError::from)?.pulse(entities)?;
        Ok::<_, WorldError>((world, pulse))
    })?)
}
