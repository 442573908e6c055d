//! The sizes of volumes that are there: they grow when somebody asks for that, and
//! never shrink.
//!
//! Pure. A volume that grew cannot go back, so nothing makes it grow unasked: neither
//! a block that is taken away nor another default of an engine.

use serde_json::{Value, json};

use super::Desired;
use crate::api::Reason;
use crate::api::quantity::Amount;
use crate::plan::{Plan, Problem, Scope};

/// Leaves volumes that are there as large as they are, unless more is asked for. Says
/// where less is.
pub fn keep(plan: &Plan, objects: &mut [Desired], live: impl Fn(&Desired) -> Option<Value>) -> Vec<Problem> {
    let mut smaller = Vec::new();
    for desired in objects.iter_mut().filter(|desired| desired.key.built_in() == "PersistentVolumeClaim") {
        let Some(there) = live(desired).and_then(|live| size(&live)) else { continue };
        let Some(wanted) = size(&desired.object) else { continue };
        let component = desired.component.as_ref();
        let asked = plan.instances.iter().any(|instance| {
            Some(&instance.id) == component && instance.inputs.storage.as_deref() == Some(wanted.0.as_str())
        });
        if wanted.1 == there.1 || wanted.1 > there.1 && asked {
            continue;
        }
        desired.object["spec"]["resources"]["requests"]["storage"] = json!(there.0);
        if asked {
            let message = format!(
                "storage {} is less than that of volume {} of {} ({}), which is kept: a volume can only grow",
                wanted.0,
                desired.key.name,
                desired.key.namespace.as_deref().unwrap_or_default(),
                there.0
            );
            smaller.push(Problem::advice(Scope::Team, Reason::Invalid, message));
        }
    }
    smaller
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
        let spec = serde_saphyr::from_str(&format!("{{shared: {shared}}}")).unwrap();
        let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
        let plan = plan(&AITeam::new("abc", spec), &Facts::offline(&site, &catalogue)).unwrap();
        let mut objects = desired(&plan).objects;
        let live = there.map(|size| json!({"spec": {"resources": {"requests": {"storage": size}}}}));
        let told = keep(&plan, &mut objects, |_| live.clone());
        let claim = objects.iter().find(|desired| desired.key.built_in() == "PersistentVolumeClaim").unwrap();
        (size(&claim.object).unwrap().0, told.into_iter().map(|problem| problem.issue.message).collect())
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
        let (size, told) = written(asked, Some("50Gi"));
        assert_eq!(size, "50Gi");
        assert_eq!(
            told,
            [
                "storage 20Gi is less than that of volume mlflow of abc--shared (50Gi), which is kept: a volume can only \
              grow"
            ]
        );
    }
}
