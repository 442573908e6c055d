//! The project's own commands. `cargo xtask demo` shows Strata on a control plane
//! of its own, `cargo xtask test` runs tests (with `--all` every one), `cargo xtask
//! control-plane` just starts a control plane, `cargo xtask node` one with a real
//! node, `cargo xtask bench` measures, `cargo xtask generate` writes the files that are
//! made by the program itself. None of them ever uses another cluster than its own,
//! unless one is named by `--kubeconfig`.

mod bench;
mod cargo;
mod control_plane;
mod demo;
mod error;
mod examples;
mod failures;
mod generate;
mod intent;
mod kubectl;
mod map;
mod node;
mod report;
mod rights;
mod stage;
mod steps;
mod test;
#[cfg(test)]
mod workflows;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a control plane and the operator, apply deploy/examples, show the result
    Demo(demo::Demo),
    /// Run tests: format, lints, programs of engines, unit, golden, property, chart, cluster; with --all also on a real node
    Test(test::Test),
    /// Start a control plane, print its KUBECONFIG, and keep it until Ctrl-C
    ControlPlane,
    /// Start a real node, print its KUBECONFIG, and keep it until Ctrl-C (Linux, root, a few Debian packages)
    Node(node::Node),
    /// Measure the use of Strata: `bench memory`
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Show the rooms of src: floors, imports, circles, the longest functions
    Map,
    /// Write what nobody writes by hand: crds/, the charts' copies, engines with programs, pages, tests/golden/
    Generate,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo(demo) => demo.run().await,
        Command::Test(test) => test.run().await,
        Command::ControlPlane => control_plane::run().await,
        Command::Node(node) => node.run().await,
        Command::Bench(bench) => bench.run().await,
        Command::Map => map::run(),
        Command::Generate => generate::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
