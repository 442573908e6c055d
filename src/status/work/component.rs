//! What is reported of a `Component`. Nothing is written for it: what it names is
//! there, or is not.

use super::Judged;
use crate::api::Reason;
use crate::api::work::Component;
use crate::api::work::component::ComponentStatus;
use crate::plan::work::Detail;

/// The status of a `Component`.
#[must_use]
pub fn status(object: &Component, judged: &Judged<'_>) -> ComponentStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let (image, digest, advice) = match &judged.plan.draft.detail {
        Detail::Component { image, digest, advice } => (Some(image.clone()), Some(digest.clone()), advice.clone()),
        _ => (before.image.clone(), before.digest.clone(), None),
    };
    let fine = || (Reason::Ready, advice.unwrap_or_else(|| "pipelines may use the component".to_owned()));
    let ready = judged.trouble().map_or_else(|| Ok(fine()), Err);
    ComponentStatus {
        observed_generation: Some(generation),
        conditions: judged.conditions(&before.conditions, generation, &ready, Vec::new()),
        image,
        digest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::work::Object;
    use crate::plan::work::fixtures::{Scene, component};
    use crate::status::work::fixtures::{ready, reported};

    #[test]
    fn a_component_says_which_image_it_is_and_what_it_lacks() {
        for (spec, image, said) in [
            ("{image: train}", Some("registry.example.com/own/train:2"), "True Ready pipelines may use the component"),
            (
                "{image: train, datasets: [notes]}",
                Some("registry.example.com/own/train:2"),
                "True Ready fraud--shared has no dataset notes. Each namespace where the component runs needs its own \
                 dataset of that name",
            ),
            (
                "{image: gone}",
                None,
                "False Invalid spec.image is 'gone', which is neither in the team's shared.images nor in Blueprint \
                 default. Available: train, python",
            ),
        ] {
            let object = Object::Component(Box::new(component(spec)));
            let status: ComponentStatus = reported(&Scene::new(), "fraud--shared", "any", &object, &[]);
            assert_eq!((status.image.as_deref(), ready(&status.conditions).as_str()), (image, said));
        }
    }
}
