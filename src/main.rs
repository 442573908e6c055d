//! The `strata` program: from the command line to what it asks for, and from
//! what went wrong to one sentence and an exit code (0 fine, 1 error, 2 usage).

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use serde_json::Value;
use strata::api::crd;
use strata::api::text::visible_lines;
use strata::cli::args::{
    Cli, Command, CrdOptions, EngineCommand, EngineOptions, MigrateOptions, PlanOptions, RenderOptions, RetainedOptions,
};
use strata::cli::engine;
use strata::cli::manifest::{Manifests, documents, generated, whole};
use strata::cli::migrate::migrate;
use strata::cli::plan;
use strata::cli::render::render;
use strata::cli::retained;
use strata::operator::options::RunOptions;
use strata::operator::run::run;
use tokio::runtime::{Builder, Runtime};

/// The C library's allocator keeps for ever what a flood of large objects took; this
/// one gives it back within seconds. (A heap profiler sees only the allocator that it
/// replaces: for it, the feature is left out.)
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(options) => operate(options),
        Command::Render(options) => print_objects(&options),
        Command::Crd(options) => print_definitions(&options),
        Command::Engine(command) => answer_on_engines(&command),
        Command::Plan(options) => show_plan(&options),
        Command::Migrate(options) => migrate_files(&options),
        Command::Retained(options) => list_retained(&options),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "strata", &mut text);
            print(&text)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                eprintln!("error: {}", visible_lines(&error));
            }
            ExitCode::FAILURE
        }
    }
}

/// The most threads that the operator works on: it waits more than it works, and each
/// of them holds memory that is free.
const THREADS: usize = 4;

fn operate(options: RunOptions) -> Result<(), Vec<String>> {
    let threads = std::thread::available_parallelism().map_or(1, |all| all.get().min(THREADS));
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.map_err(|error| vec![format!("cannot start the threads of the operator: {error}")])?;
    runtime.block_on(run(options)).map_err(|error| sentences(&[error]))
}

fn print_objects(options: &RenderOptions) -> Result<(), Vec<String>> {
    let manifests = Manifests::read(&options.filenames).map_err(|errors| sentences(&errors))?;
    let rendered = render(&manifests, &options.prefixes.given().unwrap_or_default());
    for warning in &rendered.warnings {
        eprintln!("warning: {}", visible_lines(warning));
    }
    if manifests.teams.is_empty() {
        eprintln!("warning: the files have no AITeam, so nothing is rendered");
    }
    print(rendered.text.as_bytes())?;
    if rendered.refused.is_empty() { Ok(()) } else { Err(rendered.refused) }
}

fn print_definitions(options: &CrdOptions) -> Result<(), Vec<String>> {
    let mut text = String::new();
    let asked = options.kind.as_deref();
    let definitions = crd::definitions();
    for definition in definitions.iter().filter(|definition| asked.is_none_or(|word| is_called(definition, word))) {
        text.push_str("---\n");
        text.push_str(&generated(definition));
    }
    if text.is_empty() {
        let word = asked.unwrap_or_default();
        let kinds = definitions.iter().filter_map(|definition| definition["spec"]["names"]["singular"].as_str());
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        return Err(vec![format!("'{word}' is no kind of Strata. Available: {kinds}")]);
    }
    print(text.as_bytes())
}

fn answer_on_engines(command: &EngineCommand) -> Result<(), Vec<String>> {
    let read = |options: &EngineOptions| documents(&options.files).map_err(|errors| sentences(&errors));
    let answer = match command {
        EngineCommand::Check(options) => engine::check(&read(options)?),
        EngineCommand::Roles(options) => engine::roles(&read(options)?),
        EngineCommand::Build(options) => return print_whole(&options.files),
    };
    for warning in &answer.warnings {
        eprintln!("warning: {}", visible_lines(warning));
    }
    print(visible_lines(&answer.text).as_bytes())?;
    if answer.problems.is_empty() { Ok(()) } else { Err(answer.problems) }
}

/// Prints the files as one stream of documents.
fn print_whole(files: &[PathBuf]) -> Result<(), Vec<String>> {
    let texts: Result<Vec<String>, _> = files.iter().map(|file| whole(file)).collect();
    let texts = texts.map_err(|error| sentences(&[error]))?;
    let texts: Vec<String> = texts.iter().map(|text| format!("{}\n", text.trim_end_matches('\n'))).collect();
    print(texts.join("---\n").as_bytes())
}

fn show_plan(options: &PlanOptions) -> Result<(), Vec<String>> {
    let runtime = Runtime::new().map_err(|error| vec![format!("cannot start the threads of the client: {error}")])?;
    let given = Manifests::read(&options.filenames).map_err(|errors| sentences(&errors))?;
    let kubeconfig = options.kubeconfig.as_deref();
    let planned = runtime.block_on(plan::plan(kubeconfig, &given.teams, &options.teams, options.prefixes.given()));
    let planned = planned.map_err(|error| sentences(&[error]))?;
    for warning in &planned.warnings {
        eprintln!("warning: {}", visible_lines(warning));
    }
    print(visible_lines(&planned.text).as_bytes())?;
    if !planned.held.is_empty() {
        return Err(planned.held);
    }
    if options.exit_code && planned.changes > 0 {
        return Err(vec![format!("{} objects would be changed", planned.changes)]);
    }
    Ok(())
}

fn migrate_files(options: &MigrateOptions) -> Result<(), Vec<String>> {
    let migrated = migrate(&options.files).map_err(|errors| sentences(&errors))?;
    let mut errors = Vec::new();
    let mut stream: Vec<String> = Vec::new();
    for file in migrated {
        for change in &file.changes {
            eprintln!("{}", visible_lines(change));
        }
        if options.write && file.path != Path::new("-") {
            let written = if file.changed() { fs::write(&file.path, &file.text) } else { Ok(()) };
            errors.extend(written.err().map(|error| format!("cannot write {}: {error}", file.path.display())));
        } else {
            stream.push(file.text);
        }
        errors.extend(file.left);
    }
    print(joined(&stream).as_bytes())?;
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Files as one stream of documents, each as it is.
fn joined(files: &[String]) -> String {
    let mut stream = String::new();
    for file in files {
        if !stream.is_empty() {
            stream.push_str(if stream.ends_with('\n') { "" } else { "\n" });
            stream.push_str(if file.starts_with("---") { "" } else { "---\n" });
        }
        stream.push_str(file);
    }
    stream
}

fn list_retained(options: &RetainedOptions) -> Result<(), Vec<String>> {
    let runtime = Runtime::new().map_err(|error| vec![format!("cannot start the threads of the client: {error}")])?;
    let found = runtime.block_on(retained::retained(options.kubeconfig.as_deref()));
    let found = found.map_err(|error| sentences(&[error]))?;
    if found.is_empty() {
        eprintln!("no namespace is retained");
        return Ok(());
    }
    print(visible_lines(&retained::table(&found)).as_bytes())
}

/// Whether the kind goes by this name, as `kubectl` would take it.
fn is_called(definition: &Value, word: &str) -> bool {
    let names = &definition["spec"]["names"];
    let is = |name: &Value| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case(word));
    is(&names["kind"])
        || is(&names["plural"])
        || is(&definition["metadata"]["name"])
        || names["shortNames"].as_array().is_some_and(|short| short.iter().any(is))
}

/// Writes to standard output. A reader that has seen enough is no error.
fn print(text: &[u8]) -> Result<(), Vec<String>> {
    let mut output = io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(vec![format!("cannot write to standard output: {error}")])
        }
        _ => Ok(()),
    }
}

fn sentences<E: Display>(errors: &[E]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}
