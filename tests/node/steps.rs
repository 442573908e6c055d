//! The steps of a life, each with its name and the time it took. The list is
//! printed at the end, also when a step fails.

use std::future::Future;
use std::time::{Duration, Instant};

/// The steps that were taken.
#[derive(Default)]
pub struct Steps {
    taken: Vec<(&'static str, Duration)>,
    /// The step that is under way.
    now: Option<(&'static str, Instant)>,
}

impl Steps {
    /// Takes a step: whatever fails in it ends the test.
    pub async fn take<T>(&mut self, name: &'static str, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        self.now = Some((name, begun));
        println!("--- {name}");
        let done = work.await;
        self.now = None;
        self.taken.push((name, begun.elapsed()));
        done
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        println!("\nthe life of a model, step by step");
        for (name, took) in &self.taken {
            println!("{:>7.1} s  {name}", took.as_secs_f32());
        }
        if let Some((name, begun)) = self.now {
            println!("{:>7.1} s  {name}: FAILED", begun.elapsed().as_secs_f32());
        }
    }
}
