//! The sizes of volumes that are there: they grow when somebody asks for that, and
//! never shrink.
//!
//! Pure. A volume that grew cannot go back, so nothing makes it grow unasked: neither
//! a block that is taken away nor another default of an engine.

use serde_json::{Value, json};

use super::Desired;
use crate::api::Reason;
use crate::api::quantity::Amount;
use crate::plan::volume::difference;
use crate::plan::{Plan, Problem, Scope};

/// Keeps the sizes of existing volumes, unless the spec asks for more. The problems name volumes
/// that are larger or smaller than the spec.
pub fn keep(plan: &Plan, objects: &mut [Desired], live: impl Fn(&Desired) -> Option<Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for desired in objects.iter_mut().filter(|desired| desired.key.built_in() == "PersistentVolumeClaim") {
        let claim = live(desired).unwrap_or_default();
        let Some(there) = size(&claim) else { continue };
        let Some(wanted) = size(&desired.object) else { continue };
        let component = desired.component.as_ref();
        let asked = plan.instances.iter().any(|instance| {
            Some(&instance.id) == component && instance.inputs.storage.as_deref() == Some(wanted.0.as_str())
        });
        if asked && wanted.1 <= there.1 {
            let name = format!("{} of {}", desired.key.name, desired.key.namespace.as_deref().unwrap_or_default());
            let message = difference("storage", &wanted.0, &name, &claim, None);
            problems.extend(message.map(|message| Problem::advice(Scope::Team, Reason::Invalid, message)));
        }
        if wanted.1 != there.1 && !(asked && wanted.1 > there.1) {
            desired.object["spec"]["resources"]["requests"]["storage"] = json!(there.0);
        }
    }
    problems
}

/// The size that a claim asks for, as it is written and as an amount.
fn size(claim: &Value) -> Option<(String, Amount)> {
    let text = claim["spec"]["resources"]["requests"]["storage"].as_str()?;
    Some((text.to_owned(), Amount::parse(text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AITeam;
    use crate::api::BlueprintSpec;
    use crate::engine::Catalogue;
    use crate::objects::desired;
    use crate::plan::{Facts, plan};

    fn written(shared: &str, there: Option<&str>) -> (String, Vec<String>) {
        let live = there.map(|size| json!({"spec": {"resources": {"requests": {"storage": size}}}}));
        written_over(shared, live.as_ref())
    }

    fn written_over(shared: &str, live: Option<&Value>) -> (String, Vec<String>) {
        let spec = serde_saphyr::from_str(&format!("{{shared: {shared}}}")).unwrap();
        let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
        let plan = plan(&AITeam::new("abc", spec), &Facts::offline(&site, &catalogue)).unwrap();
        let mut objects = desired(&plan).objects;
        let problems = keep(&plan, &mut objects, |_| live.cloned());
        let claim = objects.iter().find(|desired| desired.key.built_in() == "PersistentVolumeClaim").unwrap();
        (size(&claim.object).unwrap().0, problems.into_iter().map(|problem| problem.issue.message).collect())
    }

    #[test]
    fn a_volume_grows_when_somebody_asks_and_never_shrinks() {
        let (asked, bare) = ("{experiments: {storage: 20Gi}, models: {}}", "{models: {}}");
        for (shared, there, size) in [
            (asked, None, "20Gi"),
            (asked, Some("20Gi"), "20Gi"),
            (asked, Some("5Gi"), "20Gi"),
            (bare, None, "10Gi"),
            // The block that asked is gone: nobody asks for more, or for less.
            (bare, Some("5Gi"), "5Gi"),
            (bare, Some("20Gi"), "20Gi"),
        ] {
            assert_eq!(written(shared, there), (size.to_owned(), Vec::new()), "{shared} {there:?}");
        }
        let (size, messages) = written(asked, Some("50Gi"));
        assert_eq!(size, "50Gi");
        assert_eq!(
            messages,
            ["storage is 20Gi, less than the 50Gi of volume mlflow of abc--shared, which is kept: a volume can only \
                 grow. Set storage to 50Gi"]
        );
        // The larger size was accepted, but the volume has not grown yet.
        let live = json!({"spec": {"resources": {"requests": {"storage": "20Gi"}}}, "status": {"capacity": {"storage": "5Gi"}}});
        let (_, messages) = written_over(asked, Some(&live));
        assert_eq!(
            messages,
            ["storage is 20Gi, but volume mlflow of abc--shared still has 5Gi. If it does not grow, the Events of \
                 the claim say why"]
        );
    }
}
