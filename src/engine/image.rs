//! Images, as the site mirrors them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pods::CONTAINERS;

/// The registry of an image that names none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// Puts the Blueprint's mirrors in the place of what they mirror, in every
/// container and image volume of the object, wherever its kind keeps them.
pub fn mirror_images(object: &mut Value, mirrors: &BTreeMap<String, String>) {
    if mirrors.is_empty() {
        return;
    }
    match object {
        Value::Object(entries) => {
            for (key, value) in entries.iter_mut() {
                if CONTAINERS.contains(&key.as_str()) {
                    value.as_array_mut().into_iter().flatten().for_each(|item| mirror_at(item, "image", mirrors));
                } else if key == "volumes" {
                    let volumes = value.as_array_mut().into_iter().flatten();
                    volumes
                        .filter_map(|volume| volume.get_mut("image"))
                        .for_each(|image| mirror_at(image, "reference", mirrors));
                }
                mirror_images(value, mirrors);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mirror_images(item, mirrors)),
        _ => {}
    }
}

fn mirror_at(holder: &mut Value, key: &str, mirrors: &BTreeMap<String, String>) {
    if let Some(Value::String(image)) = holder.get_mut(key)
        && let Some(mirrored) = mirror_of(image, mirrors)
    {
        *image = mirrored;
    }
}

/// The image under the longest of the mirrored prefixes, moved to its mirror.
/// An image that is at a mirror already stays.
#[must_use]
pub fn mirror_of(image: &str, mirrors: &BTreeMap<String, String>) -> Option<String> {
    if mirrors.values().any(|mirror| below(image, mirror).is_some()) {
        return None;
    }
    let full = with_registry(image);
    mirrors
        .iter()
        .filter_map(|(source, mirror)| below(&full, source).map(|rest| (source.len(), mirror, rest)))
        .max_by_key(|(length, ..)| *length)
        .map(|(_, mirror, rest)| format!("{}/{rest}", mirror.trim_end_matches('/')))
}

fn below<'a>(image: &'a str, prefix: &str) -> Option<&'a str> {
    image.strip_prefix(prefix.trim_end_matches('/'))?.strip_prefix('/')
}

/// The image with the registry that it is pulled from when it names none.
fn with_registry(image: &str) -> String {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => image.to_owned(),
        Some(_) => format!("{DEFAULT_REGISTRY}/{image}"),
        None => format!("{DEFAULT_REGISTRY}/library/{image}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mirrors() -> BTreeMap<String, String> {
        [("quay.io", "m.example/quay"), ("quay.io/jupyter", "m.example/jupyter/"), ("docker.io", "m.example/hub")]
            .map(|(source, mirror)| (source.to_owned(), mirror.to_owned()))
            .into()
    }

    #[test]
    fn the_longest_prefix_wins_and_ends_at_a_slash() {
        let of = |image| mirror_of(image, &mirrors());
        assert_eq!(of("quay.io/feastdev/server:1").as_deref(), Some("m.example/quay/feastdev/server:1"));
        assert_eq!(of("quay.io/jupyter/scipy@sha256:1").as_deref(), Some("m.example/jupyter/scipy@sha256:1"));
        assert_eq!(of("python:3").as_deref(), Some("m.example/hub/library/python:3"));
        assert_eq!(of("bitnami/redis").as_deref(), Some("m.example/hub/bitnami/redis"));
        assert_eq!(of("quay.io.evil/x"), None);
        assert_eq!(of("ghcr.io/mlflow/mlflow:v3"), None);
        assert_eq!(of("localhost:5000/x"), None);
        assert_eq!(of("m.example/quay/feastdev/server:1"), None);
    }

    #[test]
    fn every_container_is_mirrored_and_nothing_else() {
        let mut object = json!({
            "kind": "Notebook", "image": "quay.io/a",
            "spec": {"template": {"spec": {
                "initContainers": [{"image": "quay.io/a"}], "containers": [{"image": "quay.io/b"}, {"name": "x"}, 3],
                "volumes": [{"image": {"reference": "quay.io/c"}}, {"name": "d"}]}}}
        });
        mirror_images(&mut object, &mirrors());
        let spec = &object["spec"]["template"]["spec"];
        assert_eq!(spec["initContainers"][0]["image"], "m.example/quay/a");
        assert_eq!(spec["containers"][0]["image"], "m.example/quay/b");
        assert_eq!(spec["volumes"][0]["image"]["reference"], "m.example/quay/c");
        assert_eq!(object["image"], "quay.io/a");
    }
}
