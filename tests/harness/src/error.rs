//! The errors on the way to a control plane, each one sentence
//! that names the program or the file it happened to.

use std::path::PathBuf;

/// A step of the harness that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control plane is built from Go modules, and Go is missing.
    #[error(
        "the test control plane is built from Go modules, and no `go` program was found on PATH: install Go 1.26 or newer from https://go.dev/dl"
    )]
    GoMissing,
    /// This machine cannot be a node, or not now.
    #[error("{0}")]
    Unfit(String),
    /// A program of a Debian package is not there.
    #[error("`{program}` was not found: install the Debian package {package} (apt-get install {package})")]
    PackageMissing {
        /// The program.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// A tool that looks at the source tree is not there.
    #[error("{tool} is not installed: {remedy}")]
    ToolMissing {
        /// The tool.
        tool: String,
        /// The command.
        remedy: String,
    },
    /// A program or an image did not build.
    #[error("cannot build {what} in {directory}:\n{output}")]
    Build {
        /// The subject.
        what: String,
        /// The folder of its sources, or where it is put together.
        directory: PathBuf,
        /// The last lines that Go printed.
        output: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// The verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A program could not be started or ended on its own.
    #[error("{name} {how}; the end of its log:\n{log}")]
    Ended {
        /// The program.
        name: String,
        /// How it ended.
        how: String,
        /// The last lines of its log.
        log: String,
    },
    /// The supervisor, which ends programs with the test, does not answer.
    #[error("the supervisor of the test programs does not answer: {0}")]
    Supervisor(String),
    /// A command ended with an error.
    #[error("`{command}` failed ({how}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        how: String,
        /// The message of the monitor.
        output: String,
    },
    /// Something did not happen in time.
    #[error("{what}: not within {seconds} s; last seen: {last}")]
    Timeout {
        /// The subject of the wait.
        what: String,
        /// How long.
        seconds: u64,
        /// The last observed state.
        last: String,
    },
    /// The API server refused or could not be reached.
    #[error("{what}: {source}")]
    Api {
        /// The requests to it.
        what: String,
        /// The client's error.
        source: Box<kube::Error>,
    },
    /// A kubeconfig cannot be used.
    #[error("cannot use kubeconfig {path}: {reason}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// NetworkPolicies cannot be enforced.
    #[error("NetworkPolicies are not enforced: {0}")]
    Enforcer(String),
    /// Something that a program wrote cannot be understood.
    #[error("cannot understand {what}: {reason}")]
    Unreadable {
        /// The content.
        what: String,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// A program that comes with a Debian package is missing.
    pub(crate) fn package_missing(program: &'static str, package: &'static str) -> Self {
        Self::PackageMissing { program, package }
    }

    /// An error of the API server, with what was asked of it.
    pub(crate) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api { what, source: Box::new(source) }
    }

    /// An error of the file system.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
