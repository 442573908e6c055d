//! `cargo xtask bench flood`: what a member with the level Use does to others by writing
//! as much as the API server takes: the operator's memory, etcd's size, and how long
//! another team's Dataset waits. This module decides what happens in which order, and
//! prints it.

use std::time::{Duration, Instant};

use futures::future;
use kube::api::PostParams;
use kube::runtime::wait::await_condition;
use serde_json::json;
use strata::cli::table::indented;

use super::intended;
use super::process::{Resident, reset_peak, resident};
use super::program::Program;
use super::stage::{Objects, Stage};
use crate::error::Error;
use crate::kubectl::Clock;

/// How long another team's Dataset may wait before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two Datasets of the other team: the measurement is no flood itself.
const PAUSE: Duration = Duration::from_millis(250);
/// How many of the other team's Datasets are measured where nothing else happens.
const QUIET: usize = 20;

/// A flood by one member: the operator's memory, etcd's size, and another team's wait
#[derive(clap::Args)]
pub struct Flood {
    /// How many Components of nearly 64 KiB are created
    #[arg(long, value_name = "N", default_value_t = 300)]
    large: usize,
    /// How many small Components stand beside the Datasets
    #[arg(long, value_name = "N", default_value_t = 1000)]
    components: usize,
    /// How many Datasets are created, and deleted at once
    #[arg(long, value_name = "N", default_value_t = 500)]
    datasets: usize,
    /// Leave the Blueprint's bounds on the number of objects as the chart installs them
    #[arg(long)]
    bounded: bool,
    #[command(flatten)]
    program: Program,
}

/// What was measured while one thing happened.
struct Row {
    what: &'static str,
    /// How many objects the API server took, and how many it refused.
    taken: Option<(usize, usize)>,
    resident: Resident,
    /// The size of etcd's file, in bytes.
    etcd: u64,
    /// Waits for a plain write and for a Dataset, one pair after the other.
    waits: Vec<(Duration, Duration)>,
}

/// The work of a row without any.
type Nothing = future::Ready<Result<(usize, usize), Error>>;

/// The measurement under way.
struct Measuring {
    stage: Stage,
    clock: Clock,
    other: Objects,
    plain: Objects,
    rows: Vec<Row>,
}

impl Flood {
    /// Measures and prints it.
    pub async fn run(self) -> Result<(), Error> {
        let clock = Clock(Instant::now());
        let strata = self.program.built()?;
        let stage = Stage::start(&strata).await?;
        if !self.bounded {
            stage.lift_bounds().await?;
        }
        stage.create_teams(0, 2, &clock).await?;
        stage.rest().await?;
        let other = stage.objects_of(intended::SOMEBODY, "Dataset", &intended::workspace_of(1)).await?;
        let plain = stage.objects_of(intended::SOMEBODY, "ConfigMap", &intended::workspace_of(1)).await?;
        let mut measuring = Measuring { stage, clock, other, plain, rows: Vec::new() };
        measuring.all(&self).await?;
        measuring.stage.operator().stop().await?;
        println!("\n{}", measuring.table());
        Ok(())
    }
}

impl Measuring {
    async fn all(&mut self, flood: &Flood) -> Result<(), Error> {
        let workspace = intended::workspace();
        let components = self.stage.objects_of(intended::SOMEBODY, "Component", &workspace).await?;
        let datasets = self.stage.objects_of(intended::SOMEBODY, "Dataset", &workspace).await?;
        self.during("nothing else happens", None::<Nothing>).await?;
        let large = (0..flood.large).map(intended::component).collect();
        self.during("large Components come", Some(components.create(large))).await?;
        self.during("they are deleted", Some(components.delete())).await?;
        let small = (0..flood.components).map(intended::small_component).collect();
        self.during("small Components come", Some(components.create(small))).await?;
        let all = (0..flood.datasets).map(intended::dataset).collect();
        self.during("Datasets come", Some(datasets.create(all))).await?;
        self.during("Datasets are deleted", Some(datasets.delete())).await?;
        self.during("Components are deleted", Some(components.delete())).await?;
        self.stage.rest().await?;
        self.during("it is over", None::<Nothing>).await
    }

    /// Measures while this goes on; without it, for a few Datasets.
    async fn during(
        &mut self,
        what: &'static str,
        work: Option<impl Future<Output = Result<(usize, usize), Error>> + Send + 'static>,
    ) -> Result<(), Error> {
        reset_peak(self.stage.pid()?);
        let work = work.map(tokio::spawn);
        let mut waits = Vec::new();
        while work.as_ref().map_or(waits.len() < QUIET, |work| !work.is_finished() || waits.is_empty()) {
            waits.push(self.wait(waits.len()).await?);
            tokio::time::sleep(PAUSE).await;
        }
        let taken = match work {
            Some(work) => Some(work.await.map_err(|error| Error::Measurement(error.to_string()))??),
            None => None,
        };
        let row = Row { what, taken, resident: resident(self.stage.pid()?)?, etcd: self.stage.etcd().await?, waits };
        self.clock.say(&format!("{what}: {} Datasets of another team were measured", row.waits.len()));
        self.rows.push(row);
        Ok(())
    }

    /// How long a plain write takes, and how long a Dataset of another team waits for its first conditions.
    async fn wait(&self, number: usize) -> Result<(Duration, Duration), Error> {
        let (name, parameters) = (format!("waits-{number}"), PostParams::default());
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
        let begun = Instant::now();
        self.plain.api.create(&parameters, &intended::object(config)?).await.map_err(Error::api)?;
        let plain = begun.elapsed();
        let begun = Instant::now();
        let dataset = intended::object(intended::dataset_of(1, &name))?;
        self.other.api.create(&parameters, &dataset).await.map_err(Error::api)?;
        let judged = |dataset: Option<&kube::api::DynamicObject>| {
            dataset.is_some_and(|dataset| !dataset.data["status"]["conditions"].is_null())
        };
        let waited = tokio::time::timeout(PATIENCE, await_condition(self.other.api.clone(), &name, judged)).await;
        let waited = waited.map_err(|_| Error::NotReady(format!("another team's Dataset {name}")))?;
        waited.map_err(|error| Error::Measurement(error.to_string()))?;
        let wait = begun.elapsed();
        for objects in [&self.plain, &self.other] {
            objects.api.delete(&name, &kube::api::DeleteParams::default()).await.map_err(Error::api)?;
        }
        Ok((plain, wait))
    }

    fn table(&self) -> String {
        let heading =
            ["WHILE", "TAKEN", "REFUSED", "MIB", "PEAK", "ETCD MIB", "PLAIN WRITE MS", "DATASET MS", "WORST MS"];
        indented(&heading, &self.rows.iter().map(Row::cells).collect::<Vec<_>>())
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let (taken, refused) = self.taken.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |(taken, refused)| (taken.to_string(), refused.to_string()),
        );
        let mib = |kib: u64| format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024);
        let middle = |of: fn(&(Duration, Duration)) -> Duration| median(self.waits.iter().map(of).collect());
        let worst = self.waits.iter().map(|(_, wait)| *wait).max().unwrap_or_default();
        vec![
            self.what.to_owned(),
            taken,
            refused,
            mib(self.resident.now),
            mib(self.resident.peak),
            mib(self.etcd / 1024),
            middle(|(plain, _)| *plain).as_millis().to_string(),
            middle(|(_, wait)| *wait).as_millis().to_string(),
            worst.as_millis().to_string(),
        ]
    }
}

/// The one in the middle; zero of none.
fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_the_middle_and_the_worst() {
        let ms = Duration::from_millis;
        let resident = Resident { now: 30 * 1024 + 512, own: 0, peak: 31 * 1024 };
        let waits = vec![(ms(3), ms(40)), (ms(1), ms(900)), (ms(2), ms(50))];
        let row = Row { what: "it rains", taken: Some((5, 2)), resident, etcd: 3 << 20, waits };
        assert_eq!(row.cells(), ["it rains", "5", "2", "30.5", "31.0", "3.0", "2", "50", "900"]);
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }
}
