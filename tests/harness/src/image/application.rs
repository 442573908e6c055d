//! The image that teams work in: the packages that `deploy/images/ai` pins, on
//! Debian's own Python. Where they go and what the image begins with is what its
//! Containerfile says, too.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::archive::{self, Config};
use super::{Archive, debian, key, layer, made};
use crate::progress::Making;
use crate::{Error, repository};

/// The image's name, and those of the engines' images as a mirror below
/// `registry.invalid` has them.
pub const NAMES: [&str; 3] = [
    "registry.invalid/strata/ai:1",
    "registry.invalid/ghcr.io/mlflow/mlflow:v3.17.2-full",
    "registry.invalid/quay.io/feastdev/feature-server:0.66.0",
];
/// Where pip of Debian puts what is not Debian's.
const LIBRARIES: &str = "usr/local/lib";
const CONFIG: Config<'_> = Config {
    user: "1000:100",
    environment: &[
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        "HOME=/home/jovyan",
        "PIP_BREAK_SYSTEM_PACKAGES=1",
        "GIT_PYTHON_REFRESH=quiet",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false",
    ],
    entrypoint: &[],
    command: &["python3"],
    directory: "/home/jovyan",
};
/// The interpreter that Debian has: the same one compiles that will run.
const PYTHON: &str = "/usr/bin/python3.11";
const INSTALL: &str = "-m pip install --no-input --disable-pip-version-check --progress-bar=off --no-cache-dir \
                       --no-compile --no-deps --ignore-installed --require-hashes --only-binary=:all: \
                       --no-warn-script-location --root-user-action=ignore";
/// Without times in it, so that the same packages are the same layer. A read-only
/// root would otherwise have every pod compile them anew.
const COMPILE: &str = "-m compileall -q -j0 --invalidation-mode unchecked-hash";

/// The archive, made if it is not in the cache.
pub fn archive() -> Result<Archive, Error> {
    let requirements = repository().join("deploy/images/ai/requirements.txt");
    let pinned = fs::read(&requirements).map_err(Error::file("read", &requirements))?;
    let config = format!("{CONFIG:?} {NAMES:?} {INSTALL} {COMPILE} {}", std::env::consts::ARCH);
    let key = key(&[debian::description().as_bytes(), config.as_bytes(), &pinned]);
    let path = made("ai", &key, |folder| make(folder, &requirements))?;
    Ok(Archive { name: NAMES[0].to_owned(), path })
}

fn make(folder: &Path, requirements: &Path) -> Result<(), Error> {
    let base = debian::layer()?;
    let tree = folder.join("tree");
    install(&tree, requirements)?;
    let mut image = archive::Writer::create(&folder.join("image.tar"))?;
    image.layer(|out| layer::of_tar(out, &base))?;
    image.layer(|out| layer::of_folder(out, &tree))?;
    image.finish(&NAMES, &CONFIG)?;
    fs::remove_dir_all(&tree).map_err(Error::file("remove", &tree))
}

/// Puts the packages below `tree`, without their tests, and compiles them.
fn install(tree: &Path, requirements: &Path) -> Result<(), Error> {
    let missing = || Error::package_missing(PYTHON, "python3-pip");
    let mut pip = Command::new(PYTHON);
    pip.args(INSTALL.split_whitespace()).arg("--root").arg(tree).arg("-r").arg(requirements);
    let count =
        |lines: &[String]| format!("{} packages", lines.iter().filter(|line| line.contains("Collecting")).count());
    let making = Making { what: "the Python packages of image ai", by: "pip", directory: tree, count };
    making.run(pip.env_remove("PYTHONPATH"), missing)?;
    let libraries = tree.join(LIBRARIES);
    remove_tests(&libraries).map_err(Error::file("remove the tests below", &libraries))?;
    let mut compile = Command::new(PYTHON);
    compile.args(COMPILE.split_whitespace()).arg("-s").arg(tree).arg("-p").arg("/").arg(&libraries);
    let making = Making { what: "their bytecode", by: "Python", directory: tree, count: |_| String::new() };
    making.run(&mut compile, missing).map(drop)
}

/// Tests of packages are a tenth of their files.
fn remove_tests(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        match entry.file_name().to_str() {
            Some("tests") => fs::remove_dir_all(entry.path())?,
            _ => remove_tests(&entry.path())?,
        }
    }
    Ok(())
}
