//! The program `strata` as people call it, without a cluster: what it prints
//! where, and how it ends (0 fine, 1 error, 2 usage).

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn strata(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_strata"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("KUBECONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads no input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

const TEAM: &str = "{apiVersion: strata-operator.dev/v1alpha1, kind: AITeam, metadata: {name: NAME}, spec: {}}\n";

#[test]
fn definitions_are_printed_by_any_of_their_names() {
    let (code, all, _) = strata(&["crd"], "");
    assert_eq!((code, all.matches("\nkind: CustomResourceDefinition\n").count()), (0, 9));
    for name in ["aiteam", "AITeam", "aiteams", "ait", "aiteams.strata-operator.dev"] {
        let (code, one, _) = strata(&["crd", name], "");
        assert!(code == 0 && all.starts_with(&one) && one.contains("name: aiteams.strata-operator.dev"), "{name}");
    }
    let (code, one, _) = strata(&["crd", "wb"], "");
    assert!(code == 0 && one.contains("name: workbenches.strata-operator.dev"), "{one}");
    let (code, nothing, errors) = strata(&["crd", "pod"], "");
    assert_eq!((code, nothing.as_str()), (1, ""));
    assert_eq!(
        errors,
        "error: 'pod' is no kind of Strata. Available: aiteam, blueprint, engine, component, dataset, workbench, \
         pipeline, run, modelservice\n"
    );
}

#[test]
fn a_team_is_rendered_from_standard_input() {
    let (code, objects, errors) = strata(&["render", "-f", "-"], &TEAM.replace("NAME", "fraud"));
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(objects.starts_with("# team fraud: "), "{objects}");
}

#[test]
fn a_refused_team_is_reported_and_nothing_is_printed() {
    let (code, objects, errors) = strata(&["render", "-f", "-"], &TEAM.replace("NAME", "a--b"));
    assert_eq!((code, objects.as_str()), (1, ""));
    let expected = "error: standard input, document 1 (AITeam a--b) is refused: metadata.name: ";
    assert!(errors.starts_with(expected) && errors.lines().count() == 1, "{errors}");
}

#[test]
fn a_missing_file_is_reported() {
    let (code, _, errors) = strata(&["render", "-f", "no-such-file.yaml"], "");
    assert!(code == 1 && errors.starts_with("error: cannot read no-such-file.yaml: "), "{errors}");
    let (code, _, errors) = strata(&["render", "-f", "src/api"], "");
    assert!(code == 1 && errors.starts_with("error: src/api has no manifests"), "{errors}");
}

#[test]
fn manifests_are_migrated_on_the_way_or_in_place() {
    let before = TEAM.replace("NAME", "fraud").replace("spec: {}", "spec: {budget: {devices: {nvidia.com/gpu: 2}}}");
    let after = before.replace("devices", "requests");
    let change = "document 1 (AITeam fraud): spec.budget.devices moved to spec.budget.requests";
    let (code, text, told) = strata(&["migrate", "-"], &before);
    assert_eq!((code, text, told), (0, after.clone(), format!("standard input, {change}\n")));
    let file = std::env::temp_dir().join(format!("strata-migrate-{}.yaml", std::process::id()));
    std::fs::write(&file, &before).unwrap();
    let name = file.display().to_string();
    for expected in [format!("{name}, {change}\n"), String::new()] {
        let (code, text, told) = strata(&["migrate", "--write", &name], "");
        assert_eq!((code, text.as_str(), told), (0, "", expected));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
    }
    std::fs::remove_file(&file).unwrap();
    let aliased = before.replace("{budget: {", "{leads: &a {users: [zoe]}, budget: {storage: 1Ti, requests: *a, ");
    let (code, text, told) = strata(&["migrate", "-"], &aliased);
    assert!(code == 1 && text == aliased && told.contains("Edit it by hand"), "{told}");
}

#[test]
fn a_role_that_nobody_defined_is_reported_and_costs_the_others_nothing() {
    let members =
        "{members: [{role: MlEngineer, users: [eve]}, {role: MLEngineer, users: [ana]}], projects: [{name: p}]}";
    let (code, objects, errors) = strata(&["render", "-f", "-"], &TEAM.replace("NAME", "fraud").replace("{}", members));
    assert!(code == 0 && objects.contains("strata-ml-engineer-own"), "{errors}");
    let told = "MlEngineer in spec.members (did you mean MLEngineer?)";
    assert!(errors.contains(told), "{errors}");
}

#[test]
fn other_objects_are_passed_over_aloud() {
    let (code, objects, errors) =
        strata(&["render", "-f", "-"], "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n");
    assert_eq!((code, objects.as_str()), (0, ""));
    assert!(errors.contains("warning: standard input, document 1 (ConfigMap a) is skipped"), "{errors}");
    assert!(errors.contains("warning: the files have no AITeam"), "{errors}");
}

#[test]
fn wrong_usage_and_errors_have_different_exit_codes() {
    for arguments in [&["render"][..], &["paint"], &["run", "--concurrency", "0"], &[]] {
        assert_eq!(strata(arguments, "").0, 2, "{arguments:?}");
    }
    for arguments in [&["--version"][..], &["--help"], &["run", "--help"], &["completions", "bash"]] {
        assert_eq!(strata(arguments, "").0, 0, "{arguments:?}");
    }
}

#[test]
fn no_cluster_is_one_sentence() {
    let (code, _, errors) = strata(&["run", "--kubeconfig", "no-such-file"], "");
    assert!(code == 1 && errors.contains("error: ") && errors.contains("no-such-file"), "{errors}");
}
