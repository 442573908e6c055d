//! The comparison of docs/reference.md with `kubectl explain`: both have the same fields, types,
//! descriptions and allowed words.

use std::collections::{BTreeMap, BTreeSet};

use harness::ControlPlane;
use harness::reference::{Field, fields};
use strata::api::crd::definitions;

use super::{PLANE, start};

/// The description of a field: its type, whether it is required, its words, its text.
type Said = (String, bool, Vec<String>, String);

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_equals_kubectl_explain() {
    let plane = PLANE.get_or_init(start).await;
    for definition in definitions() {
        let plural = definition["spec"]["names"]["plural"].as_str().unwrap().to_owned();
        let fields = fields(&definition);
        assert!(fields.len() > 10, "{plural} has {} fields", fields.len());
        for (path, of_path) in by_object(&fields) {
            let explained = explain(plane, &format!("{plural}.{path}")).await;
            assert_eq!(explained, of_path, "{plural}.{path}");
        }
    }
}

/// The fields by their object, which is the argument of `kubectl explain`.
fn by_object(fields: &[Field]) -> BTreeMap<String, BTreeMap<String, Said>> {
    let mut objects: BTreeMap<String, BTreeMap<String, Said>> = BTreeMap::new();
    for field in fields {
        let (holder, name) = field.path.rsplit_once('.').unwrap();
        let said = (field.kind.clone(), field.required, shortened(&field.words), field.description.clone());
        objects.entry(holder.replace("[]", "").replace("{}", "")).or_default().insert(name.to_owned(), said);
    }
    objects
}

/// The words of a closed set as `kubectl explain` prints them: at most the first four.
fn shortened(words: &[String]) -> Vec<String> {
    if words.len() <= 4 {
        return words.to_vec();
    }
    words[..4].iter().cloned().chain(["....".to_owned()]).collect()
}

async fn explain(plane: &ControlPlane, path: &str) -> BTreeMap<String, Said> {
    let text = plane.kubectl(["explain", path]).await.unwrap();
    let (_, below) = text.split_once("\nFIELDS:\n").unwrap_or_else(|| panic!("{path} has no fields:\n{text}"));
    let mut found = BTreeMap::new();
    let mut current: Option<(String, Said)> = None;
    for line in below.lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some((name, kind)) = line.trim().split_once('\t').filter(|_| indent == 2) {
            found.extend(current.take());
            let required = kind.ends_with(" -required-");
            let kind = kind.trim_end_matches(" -required-").trim_matches(['<', '>']).to_owned();
            current = Some((name.to_owned(), (kind, required, Vec::new(), String::new())));
        } else if let Some((_, said)) = &mut current {
            if let Some(words) = line.strip_prefix("  enum: ") {
                said.2 = words.split(", ").map(str::to_owned).collect();
            } else if !line.trim().is_empty() {
                said.3.extend((!said.3.is_empty()).then_some(' '));
                said.3.push_str(line.trim());
            }
        }
    }
    found.extend(current);
    let names: BTreeSet<&String> = found.keys().collect();
    assert!(!names.is_empty(), "{path}:\n{text}");
    found
}
