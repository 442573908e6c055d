//! How a command of the project can fail; each message is one sentence that is
//! printed as it is.

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control plane, the operator or a program of theirs.
    #[error(transparent)]
    Harness(#[from] harness::Error),
    /// cargo could not be started or failed.
    #[error("`cargo {arguments}` failed: {reason}")]
    Cargo {
        /// The request.
        arguments: String,
        /// The error.
        reason: String,
    },
    /// A step of the tests could not be started or waited for.
    #[error("`{line}` failed: {reason}")]
    Step {
        /// Its command line.
        line: String,
        /// The error.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("cannot {what}: {source}")]
    File {
        /// Verb and path.
        what: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The output of kubectl is not as intended.
    #[error("cannot understand what kubectl says of {0}: {1}")]
    Kubectl(String, serde_json::Error),
    /// The examples hold no team.
    #[error("deploy/examples holds no AITeam")]
    NoTeams,
    /// An example cannot be read.
    #[error("cannot read {0}: {1}")]
    Example(String, String),
    /// Not all teams became ready, or not all objects of their members reached the expected state.
    #[error("not as it is meant to be: {0}")]
    NotReady(String),
    /// The API server did not answer as it should.
    #[error("the API server: {0}")]
    Api(#[from] Box<kube::Error>),
    /// Something could not be measured, or is more than it may be.
    #[error("{0}")]
    Measurement(String),
    /// Tests failed; their names are above.
    #[error("not everything passed: {0}")]
    Tests(String),
}

impl Error {
    /// An error of a client.
    pub fn api(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }

    /// An error of the file system.
    pub fn file(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::File { what, source }
    }
}
