//! The kept form of an object: for most kinds the object; for a team its text and the few
//! fields that are read of all teams at once.

use std::sync::Arc;

use super::definition::Definition;
use super::known::{Known, Unreadable};
use crate::api::team::Readable;
use crate::api::team_status::{CONDITIONS, Conditions};
use crate::api::{AITeam, Blueprint, Engine};
use crate::cluster::cache::packed::Packed;
use crate::cluster::cache::text::Models;
use crate::plan::undefined::named;
use crate::plan::work::Object;

/// How the objects of a kind are kept.
pub trait Kept: Sized {
    /// What is kept of one.
    type Form: Clone;

    /// Keeps an object. The models are those of its kind.
    fn keep(known: Known<Self>, models: &mut Models) -> Self::Form;

    /// The object.
    fn known(form: &Self::Form) -> Known<Self>;
}

/// Kinds whose objects are few, or looked at all the time.
macro_rules! as_they_are {
    ($($kind:ty),*) => {$(
        impl Kept for $kind {
            type Form = Known<Self>;

            fn keep(known: Known<Self>, _: &mut Models) -> Self::Form {
                known
            }

            fn known(form: &Self::Form) -> Known<Self> {
                form.clone()
            }
        }
    )*};
}

as_they_are!(Blueprint, Engine, Definition, Object);

/// A team as it is kept.
#[derive(Clone)]
pub struct Team {
    packed: Result<Packed<AITeam>, Arc<Unreadable>>,
    /// The status of its conditions.
    pub conditions: Conditions,
    /// The Blueprint that it names.
    pub blueprint: Option<Arc<str>>,
    /// The roles that it names and that are not built in: mostly none.
    pub roles: Vec<String>,
}

impl Kept for AITeam {
    type Form = Team;

    fn keep(known: Known<Self>, models: &mut Models) -> Team {
        let (conditions, blueprint) = (conditions(&known), followed(&known).map(Arc::from));
        let roles = roles(&known);
        Team { packed: known.map(|team| Packed::new(team, models, "AITeam")), conditions, blueprint, roles }
    }

    fn known(form: &Team) -> Known<Self> {
        form.packed.as_ref().map(Packed::read).map_err(Arc::clone)
    }
}

/// The status of the conditions of a team.
#[must_use]
pub fn conditions(team: &Known<AITeam>) -> Conditions {
    let status = team.as_ref().ok().and_then(|team| team.status.as_ref());
    let present = status.map_or(&[][..], |status| &status.conditions);
    CONDITIONS.map(|type_| present.iter().find(|condition| condition.type_ == type_).map(|found| found.status))
}

/// The Blueprint that a team names, also where no more of it can be read.
#[must_use]
pub fn followed(team: &Known<AITeam>) -> Option<&str> {
    match team {
        Ok(team) => Some(&team.spec.blueprint),
        Err(unreadable) => unreadable.spec["blueprint"].as_str(),
    }
}

/// The roles that a team names and that are not built in, as far as it can be read.
#[must_use]
pub fn roles(team: &Known<AITeam>) -> Vec<String> {
    match team {
        Ok(team) => named(&team.spec),
        Err(unreadable) => named(&Readable::of(&unreadable.spec).spec),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::api::status::{self, ConditionStatus, Finding, READY};
    use crate::api::{AITeamStatus, Reason};

    fn team(name: &str) -> AITeam {
        let spec = serde_json::from_value(json!({"blueprint": "b", "shared": {"experiments": {}}})).unwrap();
        let found = Finding::new(READY, true, Reason::Ready, format!("{name} is as asked for"));
        let conditions = status::conditions(&[], &[found], 1, &Time(jiff::Timestamp::UNIX_EPOCH));
        AITeam { status: Some(AITeamStatus { conditions, ..AITeamStatus::default() }), ..AITeam::new(name, spec) }
    }

    #[test]
    fn a_team_is_kept_as_text_and_read_as_it_was() {
        let mut models = Models::default();
        for name in ["aaa", "bbb"] {
            let form = AITeam::keep(Ok(Arc::new(team(name))), &mut models);
            assert!(matches!(form.packed, Ok(Packed::Text(_))));
            assert_eq!((form.conditions[0], form.blueprint.as_deref()), (Some(ConditionStatus::True), Some("b")));
            assert!(form.conditions[1..].iter().all(Option::is_none));
            let known = AITeam::known(&form).unwrap();
            assert_eq!((&known.metadata, &known.spec), (&team(name).metadata, &team(name).spec));
            assert_eq!(known.status.as_ref().unwrap().conditions[0].message, format!("{name} is as asked for"));
        }
    }

    #[test]
    fn a_team_that_cannot_be_read_stays_what_it_is() {
        let spec = json!({"blueprint": "b", "type": "?", "members": [{"role": "Analyst", "users": ["ana"]}]});
        let unreadable = Unreadable { spec, error: "e".to_owned(), ..Unreadable::default() };
        let form = AITeam::keep(Err(Arc::new(unreadable.clone())), &mut Models::default());
        assert_eq!((form.conditions, form.blueprint.as_deref()), ([None; CONDITIONS.len()], Some("b")));
        assert_eq!(form.roles, ["Analyst"]);
        assert_eq!(*AITeam::known(&form).unwrap_err(), unreadable);
    }
}
