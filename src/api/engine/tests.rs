//! The definition of an `Engine`, and what its rules refuse.

use kube::CustomResourceExt;

use super::*;

#[test]
fn the_definition_is_structural_and_described() {
    let definition = serde_json::to_value(Engine::crd()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let text = schema.to_string();
    assert!(!text.contains("\"default\":null"), "a null default would be written into every object");
    assert!(!text.contains("uint"), "unsigned formats are unknown to the API server");
    let mut missing = Vec::new();
    undescribed("spec", &schema["properties"]["spec"], &mut missing);
    undescribed("status", &schema["properties"]["status"], &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}

fn undescribed(path: &str, schema: &Value, missing: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if property["description"].is_null() {
            missing.push(path.clone());
        }
        undescribed(&path, property, missing);
    }
    if schema["items"].is_object() {
        undescribed(&format!("{path}[]"), &schema["items"], missing);
    }
}

#[test]
fn a_manifest_survives_the_round_trip() {
    let text = "{capabilities: [Data], revision: '1', objects: [{id: a, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}, placement: {cluster: true}}]}";
    let spec: EngineSpec = serde_saphyr::from_str(text).unwrap();
    assert!(spec.objects[0].placement.as_ref().unwrap().cluster);
    let back = serde_json::to_value(&spec).unwrap();
    assert_eq!(serde_json::from_value::<EngineSpec>(back.clone()).unwrap(), spec);
    assert!(back.get("rights").is_none());
}
