//! Tasks that have no end: watches, the posting of Events. If one ends after all, by a
//! panic or otherwise, the program stops, instead of continuing without it.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Tasks without an end, and what became of them; clones are the same tasks.
#[derive(Clone, Debug)]
pub struct Tasks {
    ended: watch::Sender<Option<String>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { ended: watch::Sender::new(None) }
    }
}

impl Tasks {
    /// Starts a task. Only who aborts it by this handle may end it.
    pub fn spawn(&self, what: impl Into<String>, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let (task, what, ended) = (tokio::spawn(work), what.into(), self.ended.clone());
        let handle = task.abort_handle();
        tokio::spawn(async move {
            let how = match task.await {
                Err(error) if error.is_cancelled() => return,
                Err(error) => error.to_string(),
                Ok(()) => "it came to an end that it does not have".to_owned(),
            };
            ended.send_replace(Some(format!("{what} ended by a defect of Strata: {how}")));
        });
        handle
    }

    /// Waits until a task has ended, and says which and how.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await.map(|ended| ended.clone()) {
            Ok(Some(how)) => how,
            // The sender is in `self`, and it is some: neither can be.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_noticed() {
        let tasks = Tasks::default();
        tasks.spawn("a watch", async {});
        assert!(tasks.ended().await.starts_with("a watch ended by a defect"));

        let tasks = Tasks::default();
        tasks.spawn("another", async { panic!("of its own") });
        assert!(tasks.ended().await.contains("of its own"), "{}", tasks.ended().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_is_aborted_has_not_failed() {
        let tasks = Tasks::default();
        tasks.spawn("a watch", std::future::pending()).abort();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), tasks.ended()).await;
        assert!(ended.is_err());
    }
}
