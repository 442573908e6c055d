//! The images that Strata asks for: that their Containerfiles are sound, that one
//! version stands wherever it is named, and that a site with a private registry gets
//! everything from there. Nothing is built here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use strata::cli::manifest::Manifests;
use strata::cli::render::teams;
use strata::engine::Catalogue;

/// A Containerfile's instructions, with its name and the folder that it is built in.
struct Containerfile {
    name: String,
    context: PathBuf,
    instructions: Vec<(String, String)>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn containerfiles() -> Vec<Containerfile> {
    let entries = fs::read_dir(root().join("deploy/images")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<Containerfile> = entries.filter(|path| path.is_dir()).map(|path| parse(&path)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Lines that end with a backslash go on; comments do so too.
fn parse(folder: &Path) -> Containerfile {
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let text = read(folder.join("Containerfile"));
    let build = text.lines().find_map(|line| line.trim().strip_prefix("#   podman build ")).unwrap();
    assert!(build.starts_with(&format!("--file deploy/images/{name}/Containerfile --tag REGISTRY/")), "{build}");
    let context = root().join(build.split(' ').next_back().unwrap());
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = code.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let instructions = joined.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        (word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    let instructions = instructions.collect();
    Containerfile { name, context, instructions }
}

impl Containerfile {
    fn all<'a>(&'a self, word: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.instructions.iter().filter(move |(known, _)| known == word).map(|(_, rest)| rest.as_str())
    }

    /// What is wrong with it.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut stages = BTreeSet::new();
        for (word, rest) in &self.instructions {
            let words: Vec<&str> = rest.split(' ').collect();
            match word.as_str() {
                "FROM" => {
                    let base = words[0];
                    let tag = base.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
                    if base != "scratch" && !stages.contains(base) && (tag.is_none() || tag == Some("latest")) {
                        faults.push(format!("FROM {base} names no fixed tag"));
                    }
                    stages.extend(words.iter().skip_while(|word| **word != "AS").nth(1).copied());
                }
                "COPY" => match words[0].strip_prefix("--from=") {
                    Some(stage) if !stages.contains(stage) => faults.push(format!("COPY from no stage: {rest}")),
                    Some(_) => {}
                    None => faults.extend(
                        words[..words.len() - 1]
                            .iter()
                            .filter(|source| !self.context.join(source).exists())
                            .map(|source| format!("COPY of {source}, which is not there")),
                    ),
                },
                "RUN" | "USER" | "ENV" | "WORKDIR" | "CMD" | "ENTRYPOINT" => {}
                other => faults.push(format!("{other} is no instruction that is known here")),
            }
        }
        let user =
            self.instructions.iter().rev().take_while(|(word, _)| word != "FROM").find(|(word, _)| word == "USER");
        let user = user.map_or("root", |(_, user)| user);
        if user.split(':').any(|part| !part.parse::<u32>().is_ok_and(|id| id > 0)) {
            faults.push(format!("it runs as {user}: USER names a number that is not root's"));
        }
        faults
    }
}

#[test]
fn containerfiles_are_pinned_complete_and_not_roots() {
    let files = containerfiles();
    assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["ai", "operator"]);
    for file in files {
        assert_eq!(file.faults(), Vec::<String>::new(), "{}", file.name);
        let documented = read("deploy/images/README.md").contains(&format!("`{}/`", file.name));
        assert!(documented, "deploy/images/README.md does not tell of {}", file.name);
    }
    let bad = Containerfile {
        name: "bad".into(),
        context: root(),
        instructions: [
            ("FROM", "registry.example.com:5000/a AS build"),
            ("COPY", "nothing-of-this-name Cargo.toml /"),
            ("USER", "65532"),
            ("FROM", "b:latest"),
            ("COPY", "--from=other /a /a"),
            ("ADD", "a b"),
        ]
        .map(|(word, rest)| (word.to_owned(), rest.to_owned()))
        .into(),
    };
    assert_eq!(
        bad.faults(),
        [
            "FROM registry.example.com:5000/a names no fixed tag",
            "COPY of nothing-of-this-name, which is not there",
            "FROM b:latest names no fixed tag",
            "COPY from no stage: --from=other /a /a",
            "ADD is no instruction that is known here",
            "it runs as root: USER names a number that is not root's"
        ]
    );
}

/// Names and versions of a list of requirements: `name==version` at the start of a line.
fn pinned(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split([' ', ';']).next()?.split_once("=="));
    lines.map(|(name, version)| (name.split('[').next().unwrap().to_owned(), version.to_owned())).collect()
}

/// The default of an engine's parameter `image`.
fn image_of(engine: &str) -> String {
    let catalogue = Catalogue::builtin();
    let engine = catalogue.get(engine).unwrap().compiled.clone().unwrap();
    let schema = serde_json::to_value(&engine.spec().parameters).unwrap();
    schema["properties"]["image"]["default"].as_str().unwrap().to_owned()
}

#[test]
fn a_version_is_the_same_wherever_it_stands() {
    let locked = pinned(&read("deploy/images/ai/requirements.txt"));
    let asked = pinned(&read("deploy/images/ai/requirements.in"));
    for (name, version) in asked.iter().filter(|(_, version)| !version.contains('*')) {
        assert_eq!(locked.get(name), Some(version), "{name} in requirements.txt and in requirements.in");
    }
    let (mlflow, feast) = (&locked["mlflow"], &locked["feast"]);
    assert_eq!(image_of("mlflow"), format!("ghcr.io/mlflow/mlflow:v{mlflow}-full"));
    assert_eq!(image_of("deployment"), image_of("mlflow"));
    assert_eq!(image_of("feast"), format!("quay.io/feastdev/feature-server:{feast}"));
    // The archive for nodes without a registry stands for them, under their mirrored names.
    let stands_for = ["mlflow", "feast"].map(|engine| format!("registry.invalid/{}", image_of(engine)));
    let names = ["registry.invalid/strata/ai:1", &stands_for[0], &stands_for[1]];
    assert_eq!(harness::image::NAMES, names);
}

#[test]
fn every_package_is_held_to_its_hash() {
    let text = read("deploy/images/ai/requirements.txt");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let packages = lines.iter().filter(|line| !line.starts_with(' ')).count();
    assert!(packages > 100, "{packages} packages");
    for (line, next) in lines.iter().zip(lines.iter().skip(1)) {
        let whole = line.contains("==") || line.trim_start().starts_with("--hash=sha256:");
        assert!(whole && line.ends_with('\\') == next.starts_with(' '), "{line}\n{next}");
    }
}

#[test]
fn the_operators_image_fits_the_toolchain_and_the_chart() {
    let file = containerfiles().into_iter().find(|file| file.name == "operator").unwrap();
    let base = file.all("FROM").next().unwrap();
    let image = base.strip_prefix("docker.io/library/rust:").and_then(|rest| rest.split_once('-')).unwrap().0;
    let number = |version: &str| version.split('.').map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>();
    assert!(number(image) >= number(env!("CARGO_PKG_RUST_VERSION")), "{base}");
    assert_eq!(file.all("FROM").next_back(), Some("scratch"));
    let user = file.all("USER").next_back().unwrap();
    let (user, group) = user.split_once(':').unwrap();
    let chart = read("charts/strata/templates/operator/deployment.yaml");
    for line in [format!("runAsUser: {user}"), format!("runAsGroup: {group}"), "readOnlyRootFilesystem: true".into()] {
        assert!(chart.contains(&line), "{line}");
    }
    // The chart gives arguments and no command: the image begins with the program.
    assert!(!chart.contains("command:") && file.all("ENTRYPOINT").next() == Some("[\"/strata\"]"));
    let ignored = read(".dockerignore");
    let sources = file.all("COPY").filter(|copy| !copy.starts_with("--from"));
    for source in sources.flat_map(|copy| copy.split(' ').rev().skip(1)) {
        assert!(ignored.contains(&format!("!{source}\n")), ".dockerignore keeps {source} out of the build");
    }
}

/// Every image that a pod of the object runs.
fn images(object: &Value, found: &mut BTreeSet<String>) {
    match object {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value.as_str().filter(|_| key == "image") {
                    Some(image) => drop(found.insert(image.to_owned())),
                    None => images(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| images(item, found)),
        _ => {}
    }
}

#[test]
fn a_private_registry_provides_everything() {
    let read = Manifests::read(&[root().join("tests/node/blueprint.yaml"), root().join("tests/node/render.yaml")]);
    let manifests = read.unwrap_or_else(|errors| panic!("{errors:#?}"));
    let [team] = &teams(&manifests, &strata::api::Prefixes::default())[..] else { panic!("one team") };
    let team = team.as_ref().unwrap();
    assert_eq!(team.warnings, Vec::<String>::new());
    let held: Vec<_> = team.work.iter().filter_map(|work| work.held.as_ref()).collect();
    assert!(held.is_empty(), "{held:?}");
    let mut found = BTreeSet::new();
    let all = team.objects.iter().chain(team.work.iter().flat_map(|work| &work.objects));
    all.for_each(|desired| images(&desired.object, &mut found));
    assert_eq!(found, harness::image::NAMES.map(str::to_owned).into());
}
