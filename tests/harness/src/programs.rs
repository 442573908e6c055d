//! The programs of the control plane: which there are, where they are kept, and
//! what supplies them. They are built once from the Go modules of
//! `tests/control-plane/` into a cache outside the source tree, one folder per
//! module, named by a hash of what is built. This module decides; [`crate::build`]
//! calls Go. Nothing here ever starts one of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::build::{self, Recipe};
use crate::{Error, repository};

/// The paths of everything that a control plane and its tests run.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each is the program of its name")]
pub struct Programs {
    pub etcd: PathBuf,
    pub kube_apiserver: PathBuf,
    pub kube_controller_manager: PathBuf,
    pub kube_scheduler: PathBuf,
    pub kubectl: PathBuf,
    /// None beside a real node, where pods run.
    pub kwok: Option<PathBuf>,
    pub helm: PathBuf,
    pub supervise: PathBuf,
}

impl Programs {
    /// All programs; builds those that are missing, with progress on standard error.
    pub async fn ready() -> Result<Self, Error> {
        blocking(|| Ok(Self { kwok: Some(module("kwok")?.join("kwok")), ..Self::built()? })).await
    }

    /// Those that a real node needs.
    pub async fn beside_node() -> Result<Self, Error> {
        blocking(Self::built).await
    }

    /// All but the one that only tells what pods do.
    fn built() -> Result<Self, Error> {
        let supplied = Supplied::from_environment();
        let supervise = module("supervise")?;
        let kubernetes = module("kubernetes")?;
        let helm = module("helm")?;
        Ok(Self {
            etcd: supplied.or("etcd", &kubernetes),
            kube_apiserver: supplied.or("kube-apiserver", &kubernetes),
            kube_controller_manager: kubernetes.join("kube-controller-manager"),
            kube_scheduler: kubernetes.join("kube-scheduler"),
            kubectl: supplied.or("kubectl", &kubernetes),
            kwok: None,
            helm: helm.join("helm"),
            supervise: supervise.join("supervise"),
        })
    }
}

/// The needs of a real node beside the control plane.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each is the program of its name")]
pub struct NodePrograms {
    pub kubelet: PathBuf,
    pub kube_proxy: PathBuf,
    pub containerd: PathBuf,
    pub shim: PathBuf,
    pub ctr: PathBuf,
    pub coredns: PathBuf,
}

impl NodePrograms {
    /// All programs; builds those that are missing, with progress on standard error.
    pub async fn ready() -> Result<Self, Error> {
        blocking(|| {
            let kubelet = module("kubelet")?;
            let containerd = module("containerd")?;
            let coredns = module("coredns")?;
            Ok(Self {
                kubelet: kubelet.join("kubelet"),
                kube_proxy: kubelet.join("kube-proxy"),
                containerd: containerd.join("containerd"),
                shim: containerd.join("containerd-shim-runc-v2"),
                ctr: containerd.join("ctr"),
                coredns: coredns.join("coredns"),
            })
        })
        .await
    }
}

/// helm alone, for tests of the charts.
pub async fn helm() -> Result<PathBuf, Error> {
    blocking(|| Ok(module("helm")?.join("helm"))).await
}

/// The check of the workflow files.
pub async fn actionlint() -> Result<PathBuf, Error> {
    blocking(|| Ok(module("actionlint")?.join("actionlint"))).await
}

/// What containers of tests run: it serves, asks, writes and uses memory (`tests/control-plane/probe`).
pub async fn probe() -> Result<PathBuf, Error> {
    blocking(|| Ok(module("probe")?.join("probe"))).await
}

/// The supervisor alone.
pub async fn supervise() -> Result<PathBuf, Error> {
    blocking(|| Ok(module("supervise")?.join("supervise"))).await
}

/// Where built programs are kept.
#[must_use]
pub fn cache() -> PathBuf {
    cache_from(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn cache_from(variable: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    if let Some(cache) = variable("STRATA_CACHE") {
        return cache;
    }
    variable("XDG_CACHE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("strata-operator")
}

/// Building blocks a thread for minutes; a runtime's own threads must not be it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Supervisor(format!("the thread that builds ended: {error}")))?
}

/// The folder with a module's programs, built if it is not there.
fn module(name: &str) -> Result<PathBuf, Error> {
    // Built from the same module, but only for a node.
    let folder = if name == "kubelet" { "kubernetes" } else { name };
    let sources = repository().join("tests/control-plane").join(folder);
    let recipe = recipe(name, &sources)?;
    let target = cache().join(format!("{name}-{}", key(&sources, &recipe)?));
    if !target.is_dir() {
        build::build(&recipe, &target)?;
    }
    Ok(target)
}

/// The program to build in a module, and its flags.
fn recipe(name: &str, sources: &Path) -> Result<Recipe, Error> {
    let strip = "-s -w".to_owned();
    let (what, packages, flags): (_, &[&str], _) = match name {
        "kubernetes" => {
            let version = required_version(sources, "k8s.io/kubernetes")?;
            (
                format!("Kubernetes {version} and its etcd"),
                &[
                    "go.etcd.io/etcd/server/v3",
                    "k8s.io/kubernetes/cmd/kube-apiserver",
                    "k8s.io/kubernetes/cmd/kube-controller-manager",
                    "k8s.io/kubernetes/cmd/kube-scheduler",
                    "k8s.io/kubernetes/cmd/kubectl",
                ],
                format!("{strip} {}", version_flags(&version)),
            )
        }
        "kubelet" => {
            let version = required_version(sources, "k8s.io/kubernetes")?;
            (
                format!("kubelet and kube-proxy {version}"),
                &["k8s.io/kubernetes/cmd/kubelet", "k8s.io/kubernetes/cmd/kube-proxy"],
                format!("{strip} {}", version_flags(&version)),
            )
        }
        "containerd" => (
            "containerd".to_owned(),
            &[
                "github.com/containerd/containerd/v2/cmd/containerd",
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                "github.com/containerd/containerd/v2/cmd/ctr",
            ],
            strip,
        ),
        "coredns" => ("CoreDNS".to_owned(), &["."], strip),
        "kwok" => ("kwok".to_owned(), &["sigs.k8s.io/kwok/cmd/kwok"], strip),
        "actionlint" => ("actionlint".to_owned(), &["github.com/rhysd/actionlint/cmd/actionlint"], strip),
        "helm" => ("helm".to_owned(), &["helm.sh/helm/v4/cmd/helm"], strip),
        _ => (format!("{name} (a helper of the tests)"), &["."], strip),
    };
    Ok(Recipe {
        what,
        sources: sources.to_path_buf(),
        packages: packages.iter().map(ToString::to_string).collect(),
        flags,
        // Go names a program by its package's last element that is not a version.
        rename: (name == "kubernetes").then_some(("server", "etcd")),
    })
}

/// Without these the server calls itself v0.0.0, and some clients refuse it.
fn version_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
    ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]
        .map(|package| {
            format!("-X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}")
        })
        .join(" ")
}

/// The version of a module that a go.mod requires.
fn required_version(sources: &Path, wanted: &str) -> Result<String, Error> {
    let path = sources.join("go.mod");
    let text = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    text.lines()
        .filter_map(|line| line.trim().trim_start_matches("require ").split_once(' '))
        .find(|(name, _)| *name == wanted)
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map(ToOwned::to_owned)
        .ok_or_else(|| Error::Unreadable {
            what: path.display().to_string(),
            reason: format!("it does not require {wanted}"),
        })
}

/// A hash over everything that decides what a build gives.
fn key(sources: &Path, recipe: &Recipe) -> Result<String, Error> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(sources)
        .map_err(Error::file("read", sources))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension().is_some_and(|extension| ["mod", "sum", "go"].iter().any(|known| extension == *known))
        })
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    hash.update(recipe.packages.join(" "));
    hash.update(&recipe.flags);
    for file in files {
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(std::fs::read(&file).map_err(Error::file("read", &file))?);
    }
    Ok(hex(&hash.finalize()[..6]))
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A folder of ready-made programs, as kubebuilder's tests use it.
struct Supplied(Option<PathBuf>);

impl Supplied {
    fn from_environment() -> Self {
        Self(std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    /// The supplied program if there is one, else the built one.
    fn or(&self, name: &str, built: &Path) -> PathBuf {
        self.0
            .as_ref()
            .map(|folder| folder.join(name))
            .filter(|program| program.is_file())
            .unwrap_or_else(|| built.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_environment_says() {
        let with = |set: &'static [(&str, &str)]| {
            cache_from(move |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value)))
        };
        assert_eq!(with(&[("STRATA_CACHE", "/a"), ("HOME", "/h")]), Path::new("/a"));
        assert_eq!(with(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]), Path::new("/x/strata-operator"));
        assert_eq!(with(&[("HOME", "/h")]), Path::new("/h/.cache/strata-operator"));
    }

    #[test]
    fn the_version_comes_from_go_mod() {
        let sources = repository().join("tests/control-plane/kubernetes");
        let recipe = recipe("kubernetes", &sources).unwrap();
        assert!(recipe.flags.contains("gitVersion=v1."), "{}", recipe.flags);
        assert!(recipe.flags.contains("gitMajor=1"), "{}", recipe.flags);
    }

    #[test]
    fn the_key_changes_with_the_recipe() {
        let sources = repository().join("tests/control-plane/kwok");
        let mut recipe = recipe("kwok", &sources).unwrap();
        let before = key(&sources, &recipe).unwrap();
        assert_eq!(before, key(&sources, &recipe).unwrap());
        recipe.flags.push_str(" -X a=b");
        assert_ne!(before, key(&sources, &recipe).unwrap());
    }

    #[test]
    fn supplied_programs_win_where_they_exist() {
        let built = Path::new("/built");
        assert_eq!(Supplied(None).or("etcd", built), Path::new("/built/etcd"));
        let supplied = Supplied(Some(repository()));
        assert_eq!(supplied.or("etcd", built), Path::new("/built/etcd"));
        assert_eq!(supplied.or("Cargo.toml", built), repository().join("Cargo.toml"));
    }
}
