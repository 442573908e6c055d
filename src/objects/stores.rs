//! Which volume a store had: the UID of its claim, as the record keeps it.
//!
//! Pure. The operator writes a deleted claim again, and its volume is empty. The engine
//! may run on it and be ready, although its data is lost.

use std::collections::BTreeMap;

use super::Desired;
use crate::api::{Reason, labels};
use crate::plan::{Problem, Scope};

/// An existing claim.
pub struct Claim {
    /// Its UID.
    pub uid: String,
    /// The UID that its annotation accepts.
    pub accepted: Option<String>,
}

/// The claims of stores, as `namespace/name`, with the UIDs that they are to have.
pub type Volumes = BTreeMap<String, String>;

/// The claims to be remembered: those known before keep their UID until another is
/// accepted. A claim that is not desired any more is forgotten, unless `stays` says, by
/// `namespace/name`, that it may be desired again.
pub fn remembered(
    before: &Volumes,
    objects: &[&Desired],
    live: impl Fn(&Desired) -> Option<Claim>,
    stays: impl Fn(&str) -> bool,
) -> Volumes {
    let kept = before.iter().filter(|(path, _)| stays(path)).map(|(path, uid)| (path.clone(), uid.clone()));
    let of_stores = objects.iter().filter_map(|desired| Some((path(desired)?, *desired)));
    let known = of_stores.filter_map(|(path, desired)| {
        let there = live(desired).filter(|claim| !before.contains_key(&path) || is_accepted(claim));
        let uid = there.map(|claim| claim.uid).or_else(|| before.get(&path).cloned())?;
        Some((path, uid))
    });
    kept.chain(known).collect()
}

/// The components with another claim than the recorded one.
pub fn replaced(before: &Volumes, objects: &[&Desired], live: impl Fn(&Desired) -> Option<Claim>) -> Vec<Problem> {
    let one = |desired: &&Desired| {
        let (path, component) = (path(desired)?, desired.component.clone()?);
        let claim = live(desired)?;
        let message = message(&path, before.get(&path)?, &claim)?;
        Some(Problem::blocking(Scope::Component(component), Reason::VolumeReplaced, message))
    };
    objects.iter().filter_map(one).collect()
}

/// Why a claim, by `namespace/name`, is not the one that was remembered by its UID;
/// nothing if it is, or if it was accepted.
#[must_use]
pub fn message(path: &str, before: &str, claim: &Claim) -> Option<String> {
    let (namespace, name) = path.split_once('/')?;
    (claim.uid != before && !is_accepted(claim)).then(|| {
        format!(
            "claim {name} of {namespace} was deleted and created again (earlier UID: {before}), so its volume is new \
             and the data may be lost. Restore the data if needed. Then an administrator (who may override guardrails) \
             accepts the volume: kubectl annotate persistentvolumeclaim {name} --namespace {namespace} --overwrite \
             {}={}",
            labels::ACCEPT_VOLUME,
            claim.uid
        )
    })
}

fn is_accepted(claim: &Claim) -> bool {
    claim.accepted.as_ref() == Some(&claim.uid)
}

/// The claim of a component, as `namespace/name`.
fn path(desired: &Desired) -> Option<String> {
    desired.component.as_ref().filter(|_| desired.key.built_in() == "PersistentVolumeClaim")?;
    Some(format!("{}/{}", desired.key.namespace.as_deref()?, desired.key.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{AITeam, BlueprintSpec};
    use crate::engine::Catalogue;
    use crate::objects::desired;
    use crate::plan::{Facts, plan};

    const PATH: &str = "abc--shared/mlflow";

    fn objects(shared: &str) -> Vec<Desired> {
        let spec = serde_saphyr::from_str(&format!("{{shared: {shared}}}")).unwrap();
        let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
        desired(&plan(&AITeam::new("abc", spec), &Facts::offline(&site, &catalogue)).unwrap()).objects
    }

    #[allow(clippy::unnecessary_wraps, reason = "a claim that is looked for is found or not")]
    fn claim(uid: &str, accepted: &str) -> Option<Claim> {
        Some(Claim { uid: uid.to_owned(), accepted: Some(accepted.to_owned()) })
    }

    fn known(uid: &str) -> Volumes {
        BTreeMap::from([(PATH.to_owned(), uid.to_owned())])
    }

    #[test]
    fn the_first_claim_is_remembered_and_stays_so() {
        let objects = objects("{experiments: {}}");
        let all: Vec<_> = objects.iter().collect();
        assert_eq!(remembered(&Volumes::new(), &all, |_| None, |_| false), Volumes::new());
        assert_eq!(remembered(&Volumes::new(), &all, |_| claim("one", ""), |_| false), known("one"));
        for there in [None, claim("one", ""), claim("two", ""), claim("two", "one"), claim("two", "three")] {
            let there = || there.as_ref().and_then(|there| claim(&there.uid, there.accepted.as_deref()?));
            assert_eq!(remembered(&known("one"), &all, |_| there(), |_| false), known("one"));
        }
    }

    #[test]
    fn another_claim_is_a_problem_until_it_is_accepted() {
        let objects = objects("{experiments: {}}");
        let all: Vec<_> = objects.iter().collect();
        let problems = |before: &Volumes, there: &dyn Fn() -> Option<Claim>| replaced(before, &all, |_| there());
        assert!(problems(&Volumes::new(), &|| claim("one", "")).is_empty());
        assert!(problems(&known("one"), &|| claim("one", "")).is_empty());
        assert!(problems(&known("one"), &|| None).is_empty());
        let found = problems(&known("one"), &|| claim("two", "one"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].issue.reason, found[0].blocking), (Reason::VolumeReplaced, true));
        assert!(found[0].issue.message.contains("accept-volume=two"), "{}", found[0].issue.message);
        assert!(problems(&known("one"), &|| claim("two", "two")).is_empty());
        assert_eq!(remembered(&known("one"), &all, |_| claim("two", "two"), |_| true), known("two"));
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_forgotten() {
        assert_eq!(remembered(&known("one"), &[], |_| None, |_| false), Volumes::new());
        assert_eq!(remembered(&known("one"), &[], |_| None, |path| path == PATH), known("one"));
    }
}
