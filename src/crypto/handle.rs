//! Handles: what a browser or an API client sees instead of a key.
//!
//! A handle is one AES block over the key and a tag of the entity's name. It says nothing, cannot
//! be guessed, and cannot be used as a handle of another entity. It is the same each time, so that
//! a link can be kept. A handle is a name, not a permission: who may see the object is decided anew
//! at every use.

use super::{Keys, constant_time_eq, require};
use crate::domain::{ObjectId, QName};
use aws_lc_rs::cipher::DecryptionContext;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::PoisonError;

const TEXT: usize = 22;
/// Tags that are kept: more than any model has entities.
const MOST_TAGS: usize = 10_000;

impl Keys {
    /// The handle of an object: 22 characters of base64url.
    pub fn handle(&self, entity: &QName, id: ObjectId) -> String {
        let mut block = [0_u8; 16];
        let (head, tail) = block.split_at_mut(8);
        head.copy_from_slice(&id.0.to_be_bytes());
        tail.copy_from_slice(&self.tag(entity));
        require(self.handle_encrypt().encrypt(&mut block));
        URL_SAFE_NO_PAD.encode(block)
    }

    /// The object of a handle, if the handle is one of this entity.
    pub fn object(&self, entity: &QName, handle: &str) -> Option<ObjectId> {
        if handle.len() != TEXT {
            return None;
        }
        let mut block = [0_u8; 16];
        let read = URL_SAFE_NO_PAD.decode_slice(handle, &mut block).ok()?;
        if read != block.len() {
            return None;
        }
        let plain = self.handle_decrypt().decrypt(&mut block, DecryptionContext::None).ok()?;
        let (id, tag) = plain.split_first_chunk::<8>()?;
        constant_time_eq(tag, &self.tag(entity)).then(|| ObjectId(i64::from_be_bytes(*id)))
    }

    /// Made once for each entity: names come from the model, so there are few.
    fn tag(&self, entity: &QName) -> [u8; 8] {
        let tags = self.tags();
        if let Some(known) = tags.read().unwrap_or_else(PoisonError::into_inner).get(entity) {
            return *known;
        }
        let tag = self.make_tag(entity);
        let mut tags = tags.write().unwrap_or_else(PoisonError::into_inner);
        if tags.len() >= MOST_TAGS {
            tags.clear();
        }
        tags.insert(entity.clone(), tag);
        tag
    }

    fn make_tag(&self, entity: &QName) -> [u8; 8] {
        let mut context = hmac::Context::with_key(self.handle_tag());
        context.update(entity.module.as_bytes());
        context.update(b".");
        context.update(entity.name.as_bytes());
        let mut tag = [0; 8];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(name: &str) -> QName {
        QName::parse(name).unwrap()
    }

    #[test]
    fn a_handle_leads_back_to_its_object_and_is_always_the_same() {
        let keys = Keys::ephemeral();
        for id in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            let handle = keys.handle(&entity("hr.Employee"), ObjectId(id));
            assert_eq!(handle.len(), TEXT);
            assert_eq!(handle, keys.handle(&entity("hr.Employee"), ObjectId(id)));
            assert_eq!(keys.object(&entity("hr.Employee"), &handle), Some(ObjectId(id)));
        }
    }

    #[test]
    fn a_handle_of_another_entity_or_another_installation_is_none() {
        let keys = Keys::ephemeral();
        let handle = keys.handle(&entity("hr.Employee"), ObjectId(7));
        for other in ["hr.Salary", "hr.Employe", "h.rEmployee", "crm.Employee"] {
            assert_eq!(keys.object(&entity(other), &handle), None, "{other}");
        }
        assert_eq!(Keys::ephemeral().object(&entity("hr.Employee"), &handle), None);
    }

    #[test]
    fn a_guessed_or_damaged_handle_is_none() {
        let keys = Keys::ephemeral();
        let handle = keys.handle(&entity("hr.Employee"), ObjectId(7));
        for at in 0..handle.len() {
            let mut bytes = handle.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(keys.object(&entity("hr.Employee"), &String::from_utf8(bytes).unwrap()), None, "{at}");
        }
        for garbage in ["", "7", "AAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(10_000), "ééééééééééé", "======================"]
        {
            assert_eq!(keys.object(&entity("hr.Employee"), garbage), None, "{garbage:.30}");
        }
    }

    #[test]
    fn neighbouring_objects_have_handles_that_have_nothing_in_common() {
        let keys = Keys::ephemeral();
        let (a, b) = (keys.handle(&entity("hr.Employee"), ObjectId(1)), keys.handle(&entity("hr.Employee"), ObjectId(2)));
        let same = a.bytes().zip(b.bytes()).filter(|(a, b)| a == b).count();
        assert!(same < 8, "{a} {b}");
    }
}
