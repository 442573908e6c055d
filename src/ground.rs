//! What the daily work of a team stands on: the team as it was planned last, or
//! why nothing may be written for it now.
//!
//! Handed from the reconcile of the team to those of its daily work, so that
//! hundreds of them do not plan the team hundreds of times.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::api::AITeam;
use crate::apply::Outcome;
use crate::context::Context;
use crate::engine::Catalogue;
use crate::error::Failure;
use crate::plan::{Plan, ServedKinds};
use crate::queue::Key;
use crate::watch::team_of;

/// What the daily work of a team stands on.
pub struct Ground {
    /// The team as it was planned; what it says last stays true while it is held.
    pub planned: Option<Planned>,
    /// Why nothing is written for the team: it is suspended, its Blueprint is missing.
    pub held: Option<Failure>,
    number: u64,
}

/// A team as it was planned.
pub struct Planned {
    /// The team.
    pub team: AITeam,
    /// Its plan.
    pub plan: Plan,
    /// The engines.
    pub catalogue: Arc<Catalogue>,
    /// The kinds that are served.
    pub served: ServedKinds,
    /// Namespaces that nothing is written into, and why.
    pub blocked: BTreeMap<String, Failure>,
}

impl Ground {
    /// The ground of a team that was planned and applied.
    #[must_use]
    pub fn planned(
        team: &AITeam,
        plan: Plan,
        catalogue: Arc<Catalogue>,
        served: ServedKinds,
        outcome: &Outcome,
    ) -> Self {
        let places = plan.namespaces.iter();
        let blocked = places.filter_map(|place| Some((place.name.clone(), outcome.blocked(&place.name)?.clone())));
        let planned = Planned { team: team.clone(), blocked: blocked.collect(), plan, catalogue, served };
        let number = planned.number();
        Self { planned: Some(planned), held: None, number }
    }

    /// The ground of a team for which nothing may be written now.
    #[must_use]
    pub fn held(failure: &Failure) -> Self {
        let mut hasher = DefaultHasher::new();
        failure.message.hash(&mut hasher);
        Self { planned: None, held: Some(failure.clone()), number: hasher.finish() }
    }

    /// Whether the other ground is the same to those who stand on it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.number == other.number && self.held.is_some() == other.held.is_some()
    }
}

impl Planned {
    /// A number that changes when anything does that daily work depends on.
    fn number(&self) -> u64 {
        let plan = &self.plan;
        let choices =
            plan.instances.iter().map(|instance| (&instance.id, &instance.capabilities, &instance.inputs.parameters));
        let text = format!(
            "{:?}",
            (&self.team.spec, &plan.site, &plan.namespaces, &plan.grants, choices.collect::<Vec<_>>(), &self.blocked)
        );
        let mut hasher = DefaultHasher::new();
        (text, Arc::as_ptr(&self.catalogue).cast::<()>() as usize, format!("{:?}", self.served)).hash(&mut hasher);
        hasher.finish()
    }
}

/// Puts the daily work of a team on this ground, and has all of it looked at if
/// that changes anything.
pub fn publish(context: &Context, team: &str, ground: Ground) {
    if !context.stand_on(team, ground) {
        return;
    }
    for kind in crate::api::daily::DailyKind::ALL {
        let Some(objects) = context.store.daily(*kind) else { continue };
        let own = objects.all().into_iter().filter_map(|(key, _)| crate::dependents::id(*kind, &key));
        for id in own.filter(|id| team_of(&id.namespace) == Some(team)) {
            context.queue.add(Key::Daily(id));
        }
    }
}
