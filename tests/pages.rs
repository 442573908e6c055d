//! The pages that people read, against the source tree: what is generated is current,
//! what they say of versions and of the minimal team is so.

#[path = "pages/monitoring.rs"]
mod monitoring;

use std::fs;
use std::path::PathBuf;

use harness::generated::{self, Generated};

fn read(path: &str) -> String {
    fs::read_to_string(harness::repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn are_current(files: Vec<Generated>) {
    assert!(!files.is_empty());
    for file in files {
        assert!(file.is_current(), "{} is stale: run `cargo xtask generate`", file.path.display());
    }
}

#[test]
fn generated_pages_are_current() {
    are_current(generated::pages().unwrap());
    are_current(vec![generated::reference().unwrap()]);
}

#[test]
fn charts_have_the_version_of_the_workspace() {
    are_current(generated::charts().unwrap());
}

#[test]
fn pages_name_the_version_of_the_workspace() {
    let version = env!("CARGO_PKG_VERSION");
    for page in ["README.md", "deploy/images/README.md", "deploy/images/operator/Containerfile", "docs/kind.md"] {
        let text = read(page);
        let named: Vec<&str> = text.split("/strata:").skip(1).map(tag).collect();
        assert!(!named.is_empty() && named.iter().all(|tag| *tag == version), "{page} names strata:{named:?}");
    }
    assert!(read("README.md").contains(&format!("*State: {version}, ")), "README.md does not say State: {version}");
}

/// The tag that a text begins with.
fn tag(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.').unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// The part of a golden file between a comment line and the next document.
fn kinds_and_names(golden: &str) -> Vec<(String, String, String)> {
    let value = |document: &str, key: &str| {
        let line = document.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim_matches('"').to_owned()
    };
    let objects = golden.split("---\n").filter(|document| document.contains("\nkind: "));
    objects
        .map(|document| (value(document, "  namespace: "), value(document, "kind: "), value(document, "  name: ")))
        .collect()
}

#[test]
fn the_readme_counts_namespaces() {
    let count = |team: &str| {
        let objects = kinds_and_names(&read(&format!("tests/golden/{team}.yaml")));
        objects.iter().filter(|(_, kind, _)| kind == "Namespace").count()
    };
    let said = format!("{} for `minimal`, {} for `fraud`", count("minimal"), count("fraud"));
    assert!(read("README.md").contains(&said), "README.md does not say: {said}");
}

#[test]
fn the_tree_of_the_readme_is_the_minimal_team() {
    let readme = read("README.md");
    let golden = read("tests/golden/minimal.yaml");
    let objects = kinds_and_names(&golden);
    let (_, tree) = readme.split_once("AITeam minimal").expect("the tree");
    let (tree, _) = tree.split_once("```").expect("the end of the tree");
    assert!(tree.contains(&format!("{} objects", objects.len())), "{tree}\nthere are {} objects", objects.len());
    for (_, kind, name) in objects {
        assert!(tree.contains(&kind) && tree.contains(name.as_str()), "the tree lacks {kind} {name}");
    }
}

/// The pages: those in the top folder, in docs, and beside charts and images.
fn pages() -> Vec<PathBuf> {
    let folders = ["", "docs", "charts/strata", "charts/strata-crds", "deploy/images"];
    let of = |folder: &str| {
        let entries = fs::read_dir(harness::repository().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let pages = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
        pages.collect::<Vec<_>>()
    };
    folders.into_iter().flat_map(of).collect()
}

#[test]
fn links_of_pages_lead_to_files() {
    let (mut broken, mut count) = (Vec::new(), 0);
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let images = text.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.chain(images).filter(|link| !link.contains("://")) {
            let path = link.split('#').next().unwrap_or_default();
            let place = page.with_file_name("").join(path);
            count += 1;
            if !place.exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:?}");
    assert!(count > 100, "{count}");
}
