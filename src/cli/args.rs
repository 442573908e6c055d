//! The command line: its words and what they mean. What a command does stands
//! in [`crate::cli::render`] and in the operator itself.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::operator::options::{PrefixOptions, RunOptions};

/// One object per AI team, and the three layers of an MLOps platform kept in
/// place for it.
#[derive(Debug, Parser)]
#[command(name = "strata", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator until it is stopped.
    Run(RunOptions),
    /// Print every object of the given teams, without a cluster.
    ///
    /// Reads teams, Blueprints and Engines from files and prints, as one YAML
    /// stream, what the operator would write for each team on a cluster that
    /// serves Kubernetes' own kinds. The files are checked as the API server
    /// would check them. The Blueprint `default` and the built-in engines
    /// are known without being given.
    Render(RenderOptions),
    /// Print the definitions of Strata's kinds, as one YAML stream for `kubectl`.
    Crd(CrdOptions),
    /// Check the files of engines, or print the rights that they ask for.
    #[command(subcommand)]
    Engine(EngineCommand),
    /// Show what the operator would change in the cluster, without writing.
    ///
    /// Reads the cluster as the operator does, so it needs the operator's rights to
    /// read. Without teams, every team of the cluster is looked at; with `-f`, teams
    /// are planned as the files have them.
    Plan(PlanOptions),
    /// Rewrite manifests of an earlier form of the API in the present one.
    ///
    /// Prints the files as one YAML stream; with `--write` the files themselves are
    /// changed. Comments and everything else stay, and a document that needs no change
    /// keeps each byte. Each change is one line on standard error. What needs a
    /// decision is reported there and left as it is; the exit code is then 1.
    Migrate(MigrateOptions),
    /// List the namespaces that withdrawn teams and removed projects left behind.
    ///
    /// Reads Namespaces from the cluster and writes nothing. UID is that of the
    /// team's object; where the Blueprint says `reclaim: Explicit`, a new team of
    /// the name takes them back by naming it in its annotation
    /// strata-operator.dev/reclaim.
    Retained(RetainedOptions),
    /// Print the completions for a shell.
    ///
    /// For example: `strata completions bash > /etc/bash_completion.d/strata`
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The arguments of `render`.
#[derive(Args, Clone, Debug)]
pub struct RenderOptions {
    /// Files or folders with manifests; `-` is standard input.
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR", required = true, num_args = 1..)]
    pub filenames: Vec<PathBuf>,
    /// The prefixes of user and group names; empty where not given.
    #[command(flatten)]
    pub prefixes: PrefixOptions,
}

/// The arguments of `plan`.
#[derive(Args, Clone, Debug)]
pub struct PlanOptions {
    /// The kubeconfig of the cluster; else $KUBECONFIG, ~/.kube/config, or the pod's own identity.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Files or folders with teams; `-` is standard input.
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR", num_args = 1..)]
    pub filenames: Vec<PathBuf>,
    /// Teams of the cluster, by name.
    #[arg(value_name = "TEAM", conflicts_with = "filenames")]
    pub teams: Vec<String>,
    /// The prefixes of user and group names; the ones written on the team's
    /// namespaces where it is not given.
    #[command(flatten)]
    pub prefixes: PrefixOptions,
    /// End with exit code 1 if anything would be changed.
    #[arg(long)]
    pub exit_code: bool,
}

/// Which definitions are printed.
#[derive(Args, Clone, Debug)]
pub struct CrdOptions {
    /// One kind, by its kind, plural, singular or short name; all of them where it is absent.
    #[arg(value_name = "KIND")]
    pub kind: Option<String>,
}

/// The commands for files of engines.
#[derive(Clone, Debug, Subcommand)]
pub enum EngineCommand {
    /// Check Engine manifests: every problem with its file and its place in it.
    Check(EngineOptions),
    /// Print the ClusterRoles with the rights that engines give to people and the operator.
    ///
    /// Read them, then apply them: Strata's own roles collect them by their labels.
    /// The operator itself creates no rights. For example:
    /// `strata engine roles kueue.yaml | kubectl apply -f -`
    Roles(EngineOptions),
    /// Print Engine manifests with the programs beside them put in.
    ///
    /// A value that is `"${program('NAME')}"`, alone on its line, becomes the text of the
    /// file NAME in the folder of the manifest. For example:
    /// `strata engine build engines/mlflow/engine.yaml | kubectl apply --server-side -f -`
    Build(EngineOptions),
}

/// Which files hold the engines.
#[derive(Args, Clone, Debug)]
pub struct EngineOptions {
    /// Files or folders with manifests; `-` is standard input.
    #[arg(value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
}

/// The arguments of `migrate`.
#[derive(Args, Clone, Debug)]
pub struct MigrateOptions {
    /// Files or folders with manifests; `-` is standard input.
    #[arg(value_name = "FILE|DIR", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Change the files instead of printing them.
    #[arg(long)]
    pub write: bool,
}

/// The arguments of `retained`.
#[derive(Args, Clone, Debug)]
pub struct RetainedOptions {
    /// The kubeconfig of the cluster; else $KUBECONFIG, ~/.kube/config, or the pod's own identity.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use std::time::Duration;

    use super::*;

    fn run(arguments: &[&str]) -> RunOptions {
        let line = ["strata", "run"].iter().chain(arguments);
        match Cli::try_parse_from(line).unwrap().command {
            Command::Run(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_those_of_a_pod() {
        let options = run(&[]);
        assert_eq!(options.listen.to_string(), "0.0.0.0:8080");
        assert_eq!(options.concurrency.get(), 8);
        assert_eq!(options.deadline(), Duration::from_secs(60));
        assert!(!options.no_leader_election);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [
            ["--concurrency", "0"],
            ["--reconcile-deadline", "0"],
            ["--listen", "8080"],
            ["--log-format", "xml"],
            ["--user-prefix", "system:"],
        ] {
            assert!(Cli::try_parse_from(["strata", "run"].iter().chain(&arguments)).is_err(), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["strata", "render"]).is_err());
    }

    #[test]
    fn an_empty_prefix_is_given_and_none_is_not() {
        let given = |arguments: &[&str]| run(arguments).prefixes.given().map(|prefixes| prefixes.to_string());
        assert_eq!(given(&[]), None);
        assert_eq!(given(&["--user-prefix="]).as_deref(), Some("user=,group="));
        let both = given(&["--user-prefix", "oidc:", "--group-prefix", "-"]);
        assert_eq!(both.as_deref(), Some("user=oidc:,group=-"));
    }

    #[test]
    fn several_files_follow_one_flag_or_several() {
        let files = |arguments: &[&str]| match Cli::try_parse_from(["strata", "render"].iter().chain(arguments))
            .unwrap()
            .command
        {
            Command::Render(options) => options.filenames.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(files(&["-f", "a", "b"]), 2);
        assert_eq!(files(&["-f", "a", "-f", "-"]), 2);
    }

    #[test]
    fn engines_are_checked_and_asked_for_their_rights() {
        let parse = |arguments: &[&str]| Cli::try_parse_from(["strata", "engine"].iter().chain(arguments));
        for word in ["check", "roles", "build"] {
            let Command::Engine(command) = parse(&[word, "a", "b"]).unwrap().command else { panic!("{word}") };
            let (EngineCommand::Check(options) | EngineCommand::Roles(options) | EngineCommand::Build(options)) =
                command;
            assert_eq!(options.files.len(), 2);
            assert!(parse(&[word]).is_err());
        }
        assert!(parse(&[]).is_err());
    }
}
