//! The changes of ModelServices: the interval of a monitor is a number of minutes, and the
//! share of captured requests is called a percentage.

use serde_json::{Value, json};

use super::draft::Draft;

/// Migrates a `ModelService`.
pub fn migrate(draft: &mut Draft) {
    let every = draft.get("/spec/monitor/every").and_then(Value::as_str).map(str::to_owned);
    if let Some(every) = every {
        match minutes(&every) {
            Some(minutes) => {
                draft.change(format!("spec.monitor.every is now spec.monitor.everyMinutes: {minutes}"), |draft| {
                    draft.set("/spec/monitor/every", &json!(minutes))?;
                    draft.rename("/spec/monitor/every", "everyMinutes")
                });
            }
            None => draft.leave(format!(
                "spec.monitor.every is '{every}', which is no number of minutes or hours. Set spec.monitor.everyMinutes"
            )),
        }
    }
    if draft.has("/spec/capture/sample") {
        let change = "spec.capture.sample renamed to spec.capture.percent";
        draft.change(change.to_owned(), |draft| draft.rename("/spec/capture/sample", "percent"));
    }
}

/// The minutes of an interval such as `15m` or `6h`.
fn minutes(every: &str) -> Option<u32> {
    let (number, of) = match every.strip_suffix('m') {
        Some(number) => (number, 1),
        None => (every.strip_suffix('h')?, 60),
    };
    number.parse::<u32>().ok()?.checked_mul(of)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::of_file;

    fn service(spec: &str) -> String {
        format!("apiVersion: strata-operator.dev/v1alpha1\nkind: ModelService\nmetadata: {{name: m}}\nspec:\n{spec}")
    }

    #[test]
    fn intervals_are_minutes_and_a_share_is_a_percentage() {
        for (every, minutes) in [("15m", 15), ("1h", 60), ("24h", 1440)] {
            let before = format!("  monitor: {{component: drift, every: {every}}}  # often\n");
            let after = format!("  monitor: {{component: drift, everyMinutes: {minutes}}}  # often\n");
            assert_eq!(of_file(Path::new("a.yaml"), &service(&before)).text, service(&after));
        }
        let migrated = of_file(Path::new("a.yaml"), &service("  capture:\n    sample: 10\n    dataset: a\n"));
        assert_eq!(migrated.text, service("  capture:\n    percent: 10\n    dataset: a\n"));
        assert!(!of_file(Path::new("a.yaml"), &migrated.text).changed());
    }

    #[test]
    fn an_interval_that_is_none_is_left() {
        let text = service("  monitor: {component: drift, every: daily}\n");
        let migrated = of_file(Path::new("a.yaml"), &text);
        assert!(migrated.text == text && migrated.left[0].contains("'daily'"), "{:?}", migrated.left);
    }
}
