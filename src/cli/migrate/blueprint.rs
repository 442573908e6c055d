//! The changes of Blueprints: devices and storage of sizes and budgets are resources
//! like the others; sizes, egress profiles, preferences and parameters of engines are lists;
//! the role table has an entry per role.

use serde_json::Value;

use super::draft::{Draft, Edited, below, dotted};
use super::roles;
use super::team::resources;
use crate::api::Capability;

const SIZES: &str = "/spec/sizes";
const EGRESS: &str = "/spec/egress";
const ENGINES: &str = "/spec/engines";

/// Migrates a Blueprint.
pub fn migrate(draft: &mut Draft) {
    roles::migrate(draft);
    for place in ["/spec/budget/default", "/spec/budget/maximum"] {
        resources(draft, place);
    }
    if is_map(draft, SIZES) {
        for name in draft.keys(SIZES) {
            resources(draft, &below(SIZES, &name));
        }
        draft.change("spec.sizes is a list".to_owned(), |draft| draft.list(SIZES, "name", None));
    }
    if is_map(draft, EGRESS) {
        let change = "spec.egress is a list, with `to` in place of `cidrs`, and an object for each port";
        draft.change(change.to_owned(), egress);
    }
    engines(draft);
    mixed(draft);
}

/// Items of lists that have fields of the earlier form: which one is meant is not known.
fn mixed(draft: &mut Draft) {
    for (list, field) in [(SIZES, "devices"), (EGRESS, "cidrs")] {
        for index in
            (0..draft.count(list)).filter(|index| draft.has(&format!("{list}/{index}/{field}"))).collect::<Vec<_>>()
        {
            draft.leave(format!(
                "{}[{index}] has `{field}`, a field of the earlier form. Edit it by hand",
                dotted(list)
            ));
        }
    }
}

fn is_map(draft: &Draft, place: &str) -> bool {
    draft.get(place).is_some_and(Value::is_object)
}

fn egress(draft: &mut Draft) -> Edited {
    for name in draft.keys(EGRESS) {
        let profile = below(EGRESS, &name);
        let (cidrs, ports) = (format!("{profile}/cidrs"), format!("{profile}/ports"));
        if draft.has(&cidrs) {
            draft.items_in(&cidrs, "cidr")?;
            draft.rename(&cidrs, "to")?;
        }
        if draft.has(&ports) {
            draft.items_in(&ports, "port")?;
        }
    }
    draft.list(EGRESS, "name", None)
}

fn engines(draft: &mut Draft) {
    let is_capability = |key: &String| Capability::ALL.iter().any(|capability| capability.name() == key);
    let keys = draft.keys(ENGINES);
    if keys.iter().any(is_capability) && !keys.iter().all(is_capability) {
        return draft.leave(
            "spec.engines has capabilities beside fields of the present form. Move them to spec.engines.prefer"
                .to_owned(),
        );
    }
    if keys.iter().any(is_capability) {
        draft.change("spec.engines moved to spec.engines.prefer, a list".to_owned(), |draft| {
            draft.list(ENGINES, "capability", Some("engines"))?;
            draft.rename(ENGINES, "prefer")?;
            draft.wrap("/spec/prefer", "engines")
        });
    }
    if is_map(draft, "/spec/parameters") {
        draft.change("spec.parameters moved to spec.engines.parameters, a list".to_owned(), |draft| {
            draft.list("/spec/parameters", "engine", Some("values"))?;
            into_engines(draft, "parameters")
        });
    }
    if draft.has("/spec/acceptPrivilegedEngines") {
        draft.change("spec.acceptPrivilegedEngines moved to spec.engines.acceptPrivileged".to_owned(), |draft| {
            draft.rename("/spec/acceptPrivilegedEngines", "acceptPrivileged")?;
            into_engines(draft, "acceptPrivileged")
        });
    }
}

/// Moves an entry of the spec into `engines`.
fn into_engines(draft: &mut Draft, key: &str) -> Edited {
    let entry = below("/spec", key);
    if draft.has(ENGINES) { draft.carry(&entry, ENGINES, key) } else { draft.wrap(&entry, "engines") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::of_file;

    const HEAD: &str = "apiVersion: strata-operator.dev/v1alpha1\nkind: Blueprint\nmetadata: {name: site}\nspec:\n";

    fn migrated(spec: &str) -> String {
        let migrated = of_file(Path::new("a.yaml"), &format!("{HEAD}{spec}"));
        assert!(migrated.left.is_empty(), "{:?}", migrated.left);
        assert!(!of_file(Path::new("a.yaml"), &migrated.text).changed());
        migrated.text.strip_prefix(HEAD).unwrap().to_owned()
    }

    #[test]
    fn maps_of_a_site_are_lists() {
        let before = "  # how large\n  sizes:\n    small: {requests: {cpu: 1}}  # cheap\n    gpu:\n      devices: {nvidia.com/gpu: 1}\n  egress:\n    packages:\n      cidrs: [203.0.113.10/32, \"2001:db8::/32\"]\n      ports:\n      - 3128  # the proxy\n      env: {A: b}\n";
        let after = "  # how large\n  sizes:\n    - {name: small, requests: {cpu: 1}}  # cheap\n    - name: gpu\n      requests: {nvidia.com/gpu: 1}\n  egress:\n    - name: packages\n      to: [{cidr: 203.0.113.10/32}, {cidr: \"2001:db8::/32\"}]\n      ports:\n      - {port: 3128}  # the proxy\n      env: {A: b}\n";
        assert_eq!(migrated(before), after);
        assert_eq!(migrated("  sizes: {s: {}}\n  egress: {}\n"), "  sizes: [{name: s}]\n  egress: []\n");
    }

    #[test]
    fn everything_about_engines_is_in_one_block() {
        let before = "  engines:\n    # first\n    Models: [mlflow]\n    Pipelines:\n    - argo\n    - jobs\n  # idle\n  parameters:\n    jupyterlab: {idleMinutes: 2}  # short\n    deployment:\n      image: x/y:1\n  acceptPrivilegedEngines: [argo]\n  runs: {}\n";
        let after = "  engines:\n    prefer:\n      # first\n      - {capability: Models, engines: [mlflow]}\n      - capability: Pipelines\n        engines:\n        - argo\n        - jobs\n    # idle\n    parameters:\n      - {engine: jupyterlab, values: {idleMinutes: 2}}  # short\n      - engine: deployment\n        values:\n          image: x/y:1\n    acceptPrivileged: [argo]\n  runs: {}\n";
        assert_eq!(migrated(before), after);
        assert_eq!(
            migrated("  parameters: {deployment: {image: x/y:1}}\n  acceptPrivilegedEngines: []\n"),
            "  engines: {parameters: [{engine: deployment, values: {image: x/y:1}}], acceptPrivileged: []}\n"
        );
        assert_eq!(migrated("  engines: {Data: [a]}\n"), "  engines: {prefer: [{capability: Data, engines: [a]}]}\n");
    }

    #[test]
    fn what_is_written_in_a_way_of_its_own_stays_and_is_reported() {
        for spec in [
            "  egress:\n    web: # proxy\n      {cidrs: [10.0.0.0/8]}\n",
            "  sizes:\n    big:\n      # many\n      {requests: {cpu: 1}}\n",
            "  sizes: [{name: a, devices: {nvidia.com/gpu: 1}}]\n",
            "  rights: {a: b}\n",
            "  sizes: {a: &x {requests: {cpu: 1}}, b: *x}\n",
            "  sizes:\n    ? small\n    : requests: {cpu: 1}\n",
            "  sizes: {a: [1]}\n",
            "  sizes: {a: {name: b}}\n",
            "  egress: {web: {cidrs: [{block: 10.0.0.0/8}]}}\n",
            "  engines: {Data: [a], prefer: []}\n  parameters: {a: {b: 1}}\n",
            "  parameters: &p {a: {b: 1}}\n  engines: {parameters: []}\n",
        ] {
            let text = format!("{HEAD}{spec}");
            let migrated = of_file(Path::new("a.yaml"), &text);
            assert_eq!((migrated.left.len(), &migrated.text), (1, &text), "{spec}");
        }
    }
}
