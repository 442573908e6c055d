//! The parts that every pod of the team gets from the site: the Secrets that images are
//! pulled with, and the site's certificates.

use serde_json::{Value, json};

use crate::api::{BlueprintSpec, Layer};

/// The volume with the site's certificates.
const VOLUME: &str = "strata-trust";
/// Where it is mounted.
const FOLDER: &str = "/etc/strata/trust";
/// The key of the certificates in the Blueprint's ConfigMap.
const FILE: &str = "ca.crt";
/// The variables by which programs find certificates. The bundle takes the
/// place of the image's own, so it must hold the public ones too.
const VARIABLES: &[&str] = &["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"];

/// Fits the spec of a pod to the site and to its layer.
pub fn fit(pod: &mut Value, site: &BlueprintSpec, layer: Layer) {
    if !pod.is_object() {
        return;
    }
    if layer == Layer::Live {
        keep_the_log(pod);
    }
    for name in site.registries.iter().flat_map(|registries| &registries.pull_secrets) {
        add_named(pod, "imagePullSecrets", json!({"name": name}));
    }
    if let Some(bundle) = &site.trust_bundle {
        trust(pod, &bundle.config_map);
    }
}

/// In Live the end of a log is not copied to the status: every reader of the pod would see it.
fn keep_the_log(pod: &mut Value) {
    for list in ["initContainers", "containers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if container["terminationMessagePolicy"] == "FallbackToLogsOnError" {
                container["terminationMessagePolicy"] = Value::from("File");
            }
        }
    }
}

fn trust(pod: &mut Value, config_map: &str) {
    let own = |volume: &Value| volume["configMap"]["name"] == config_map;
    if pod["volumes"].as_array().is_some_and(|volumes| volumes.iter().any(own)) {
        return;
    }
    add_named(pod, "volumes", json!({"name": VOLUME, "configMap": {"name": config_map}}));
    for list in ["initContainers", "containers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            add_named(container, "volumeMounts", json!({"name": VOLUME, "mountPath": FOLDER, "readOnly": true}));
            for variable in VARIABLES {
                add_named(container, "env", json!({"name": variable, "value": format!("{FOLDER}/{FILE}")}));
            }
        }
    }
}

/// Adds the item to the list, unless one has its name.
fn add_named(holder: &mut Value, list: &str, item: Value) {
    if !holder.is_object() {
        return;
    }
    if !holder[list].is_array() {
        holder[list] = Value::Array(Vec::new());
    }
    if let Some(items) = holder[list].as_array_mut()
        && !items.iter().any(|known| known["name"] == item["name"])
    {
        items.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_gets_secrets_and_certificates_once() {
        let site: BlueprintSpec =
            serde_saphyr::from_str("{registries: {pullSecrets: [site]}, trustBundle: {configMap: site-ca}}").unwrap();
        let mut pod = json!({"imagePullSecrets": [{"name": "site"}],
            "containers": [{"name": "a", "env": [{"name": "SSL_CERT_FILE", "value": "/own"}]}]});
        fit(&mut pod, &site, Layer::Workspace);
        let once = pod.clone();
        fit(&mut pod, &site, Layer::Workspace);
        assert_eq!(pod, once);
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "site"}]));
        assert_eq!(pod["containers"][0]["env"][0]["value"], "/own");
        assert_eq!(pod["containers"][0]["env"][1]["value"], "/etc/strata/trust/ca.crt");
        assert_eq!(pod["volumes"][0]["configMap"]["name"], "site-ca");
    }

    #[test]
    fn what_is_no_pod_is_left_alone() {
        let mut pod = Value::Null;
        fit(&mut pod, &BlueprintSpec::default(), Layer::Live);
        assert!(pod.is_null());
    }

    #[test]
    fn in_live_the_end_of_a_log_stays_in_the_log() {
        let container = |policy: &str| json!({"name": "a", "terminationMessagePolicy": policy});
        for (layer, policy) in [(Layer::Live, "File"), (Layer::Workspace, "FallbackToLogsOnError")] {
            let mut pod = json!({"initContainers": [container("FallbackToLogsOnError")],
                "containers": [container("FallbackToLogsOnError"), container("File")]});
            fit(&mut pod, &BlueprintSpec::default(), layer);
            let expected =
                json!({"initContainers": [container(policy)], "containers": [container(policy), container("File")]});
            assert_eq!(pod, expected);
        }
    }
}
