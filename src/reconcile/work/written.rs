//! The objects of a work object, by their label and by their name: a label alone does not
//! transfer an object that runs for another work object. Reads the cache and the store,
//! and writes nothing.

use std::collections::BTreeSet;

use crate::api::ObjectKey;
use crate::api::identity::{Request, WorkId, named_in};
use crate::cluster::cache::{Entry, ObjectCache};
use crate::cluster::store::Store;
use crate::reconcile::context::Context;

/// The objects of a work object: those that its label names, except those with the name
/// of an object of another existing work object.
pub fn written_for(context: &Context, id: &WorkId) -> Vec<(ObjectKey, Entry)> {
    let mut labelled = context.cache.of(&Request::Work(id.clone()));
    labelled.retain(|(key, _)| !is_anothers(id, &named_in(key), &|id| exists(&context.store, id)));
    labelled
}

/// Objects that have only the team's label, but the name of an object of an existing work
/// object: other users removed the labels, and the pass of that work object restores them.
pub fn of_work(store: &Store, cache: &ObjectCache, team: &str) -> BTreeSet<ObjectKey> {
    let keys = cache.team(team).into_iter().map(|(key, _)| key);
    keys.filter(|key| named_in(key).iter().any(|id| exists(store, id))).collect()
}

fn is_anothers(id: &WorkId, named: &[WorkId], exists: &dyn Fn(&WorkId) -> bool) -> bool {
    !named.contains(id) && named.iter().any(exists)
}

fn exists(store: &Store, id: &WorkId) -> bool {
    store.work_object(id).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::work::WorkKind;

    #[test]
    fn a_label_alone_gives_nobody_what_runs_for_another() {
        let service = |name: &str| WorkId { kind: WorkKind::ModelService, namespace: "a--p".into(), name: name.into() };
        let anothers = |name: &str, there: &[&str]| {
            let key = ObjectKey::new("apps", "Deployment", Some("a--p"), name);
            is_anothers(&service("taker"), &named_in(&key), &|id| there.iter().any(|name| service(name) == *id))
        };
        assert!(anothers("service-score", &["score", "taker"]));
        assert!(!anothers("service-score", &["taker"]), "nobody is left whose it could be");
        assert!(!anothers("service-taker", &["score", "taker"]));
        assert!(!anothers("service-taker-monitor", &["taker-monitor", "taker"]));
        assert!(!anothers("an-engines-own", &["score", "taker"]));
    }
}
