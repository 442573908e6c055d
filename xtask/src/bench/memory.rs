//! `cargo xtask bench memory`: what the operator holds with so many teams, after a
//! restart with them, and after a flood of large Components that was deleted again.
//! This module decides what happens in which order, and prints it. (Which functions
//! hold it, heaptrack says of `cargo build --package strata-operator --no-default-features`.)

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use strata::cli::table::indented;

use super::intended;
use super::process::{Resident, reset_peak, resident};
use super::program::Program;
use super::stage::Stage;
use crate::error::Error;
use crate::kubectl::Clock;

/// The operator's memory: with teams, after a restart, after a flood that is deleted again
#[derive(clap::Args)]
pub struct Memory {
    /// The numbers of teams to measure, in rising order
    #[arg(long, value_name = "N,N...", value_delimiter = ',', default_values_t = [0, 50])]
    teams: Vec<usize>,
    /// How many Components of nearly 64 KiB are created and deleted again
    #[arg(long, value_name = "N", default_value_t = 100)]
    flood: usize,
    /// Print the requests, by verb and resource
    #[arg(long)]
    requests: bool,
    #[command(flatten)]
    program: Program,
    /// Fail if more KiB than this are held for each object, beyond what is held without teams
    #[arg(long, value_name = "KIB")]
    bound: Option<f64>,
    /// Fail if more MiB than this are held at any time
    #[arg(long, value_name = "MIB")]
    limit: Option<u64>,
}

/// The state at one moment.
struct Row {
    teams: usize,
    what: &'static str,
    objects: usize,
    resident: Resident,
    requests: usize,
    /// Whether the memory is for these objects only.
    at_rest: bool,
}

/// The measurement under way.
struct Measuring {
    stage: Stage,
    clock: Clock,
    /// Objects of a team.
    each: usize,
    /// Whether requests are printed one by one.
    tells: bool,
    rows: Vec<Row>,
}

impl Memory {
    /// Measures and prints it.
    pub async fn run(self) -> Result<(), Error> {
        let clock = Clock(Instant::now());
        let strata = self.program.built()?;
        clock.say("the operator is built");
        let stage = Stage::start(&strata).await?;
        clock.say("the control plane is up, and the operator is ready");
        let each = objects_of_a_team(&strata, &stage.file("team.json"))?;
        println!("a team has {each} objects");
        let begun = stage.mark();
        let mut measuring = Measuring { stage, clock, each, tells: self.requests, rows: Vec::new() };
        measuring.look(0, "started", 0, true, begun).await?;
        let mut there = 0;
        for count in &self.teams {
            if *count > there {
                measuring.grow(there, *count).await?;
                there = *count;
            }
        }
        if self.flood > 0 {
            measuring.flood(there, self.flood).await?;
        }
        measuring.stage.operator().stop().await?;
        println!("\n{}", measuring.table());
        self.judge(&measuring.rows)
    }

    fn judge(&self, rows: &[Row]) -> Result<(), Error> {
        let base = base(rows);
        for row in rows {
            let each = row.each(base);
            if let (Some(bound), Some(each)) = (self.bound, each)
                && each > bound
            {
                let text = format!(
                    "{} teams, {}: {each:.2} KiB are held for each object, {bound} are meant to be enough",
                    row.teams, row.what
                );
                return Err(Error::Measurement(text));
            }
            if let Some(limit) = self.limit.filter(|limit| row.resident.peak > limit * 1024) {
                let peak = row.resident.peak / 1024;
                let text =
                    format!("{} teams, {}: {peak} MiB were held, {limit} are meant to be enough", row.teams, row.what);
                return Err(Error::Measurement(text));
            }
        }
        Ok(())
    }
}

impl Measuring {
    async fn grow(&mut self, from: usize, to: usize) -> Result<(), Error> {
        let begun = self.begin()?;
        self.stage.create_teams(from, to, &self.clock).await?;
        self.look(to, "created", to * self.each, true, begun).await?;
        let begun = self.stage.mark();
        self.stage.operator().restart().await?;
        self.look(to, "after a restart", to * self.each, true, begun).await
    }

    async fn flood(&mut self, teams: usize, count: usize) -> Result<(), Error> {
        let begun = self.begin()?;
        self.stage.flood(count, &self.clock).await?;
        self.look(teams, "in a flood", teams * self.each + count, false, begun).await?;
        let begun = self.begin()?;
        self.stage.ebb().await?;
        self.look(teams, "after the flood", teams * self.each, true, begun).await
    }

    fn begin(&self) -> Result<harness::audit::Mark, Error> {
        reset_peak(self.stage.pid()?);
        Ok(self.stage.mark())
    }

    /// Waits until the operator rests, and looks.
    async fn look(
        &mut self,
        teams: usize,
        what: &'static str,
        objects: usize,
        at_rest: bool,
        since: harness::audit::Mark,
    ) -> Result<(), Error> {
        self.stage.rest().await?;
        let (resident, asked) = (resident(self.stage.pid()?)?, self.stage.requests(since)?);
        let seen = format!("{teams} teams, {what}: {:.1} MiB, at most {:.1}", mib(resident.now), mib(resident.peak));
        self.clock.say(&seen);
        if self.tells {
            let kinds = asked.by_verb_and_resource().into_iter();
            kinds.for_each(|((verb, resource), count)| println!("{count:12} {verb} {resource}"));
        }
        self.rows.push(Row { teams, what, objects, resident, requests: asked.count(), at_rest });
        Ok(())
    }

    fn table(&self) -> String {
        let row = |row: &Row| {
            let each = row.each(base(&self.rows)).map_or_else(|| "-".to_owned(), |each| format!("{each:.2}"));
            vec![
                row.teams.to_string(),
                row.what.to_owned(),
                row.objects.to_string(),
                format!("{:.1}", mib(row.resident.now)),
                format!("{:.1}", mib(row.resident.own)),
                format!("{:.1}", mib(row.resident.peak)),
                each,
                row.requests.to_string(),
            ]
        };
        let heading = ["TEAMS", "", "OBJECTS", "MIB", "OWN", "PEAK", "KIB EACH", "REQUESTS"];
        indented(&heading, &self.rows.iter().map(row).collect::<Vec<_>>())
    }
}

impl Row {
    /// KiB for each object, beyond what is held without.
    fn each(&self, base: u64) -> Option<f64> {
        let objects = u32::try_from(self.objects).ok().filter(|objects| *objects > 0 && self.at_rest)?;
        let held = u32::try_from(self.resident.now.saturating_sub(base)).ok()?;
        Some(f64::from(held) / f64::from(objects))
    }
}

/// The memory without teams.
fn base(rows: &[Row]) -> u64 {
    rows.first().map(|row| row.resident.now).unwrap_or_default()
}

fn mib(kib: u64) -> f64 {
    u32::try_from(kib).map_or(f64::INFINITY, f64::from) / 1024.0
}

/// How many objects a team is, as `strata render` counts them.
fn objects_of_a_team(strata: &Path, file: &Path) -> Result<usize, Error> {
    fs::write(file, intended::team(0).to_string()).map_err(Error::file(format!("write {}", file.display())))?;
    let output = Command::new(strata).arg("render").arg("--filename").arg(file).output();
    let output = output.map_err(Error::file("run strata render"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let count = text.lines().find_map(|line| line.strip_prefix("# team ")?.split(' ').nth(1)?.parse().ok());
    count.ok_or_else(|| Error::Measurement(format!("strata render fails: {}", String::from_utf8_lossy(&output.stderr))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_flood_holds_is_not_counted_by_object() {
        let resident = Resident { now: 2048, own: 1024, peak: 4096 };
        let row = Row { teams: 1, what: "", objects: 100, resident, requests: 0, at_rest: true };
        assert!((row.each(1024).unwrap() - 10.24).abs() < 1e-9);
        assert_eq!(Row { at_rest: false, ..row }.each(1024), None);
    }

    #[test]
    fn more_than_the_bound_for_an_object_fails() {
        let row = |objects, now| {
            let resident = Resident { now, own: now, peak: now };
            Row { teams: 50, what: "after the flood", objects, resident, requests: 0, at_rest: true }
        };
        let bounded = |bound| Memory {
            teams: vec![50],
            flood: 0,
            requests: false,
            program: Program::default(),
            bound: Some(bound),
            limit: None,
        };
        let rows = [row(0, 1000), row(100, 1400)];
        assert!(bounded(4.0).judge(&rows).is_ok());
        assert!(bounded(3.9).judge(&rows).is_err_and(|error| error.to_string().contains("4.00 KiB")));
    }
}
