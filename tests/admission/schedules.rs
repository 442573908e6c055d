//! Schedules and time zones: what a Pipeline accepts, CronJob accepts.

use k8s_openapi::api::batch::v1::CronJob;

use super::samples::{RefusedText, scheduled};
use super::*;

/// What the API server says against a CronJob of this schedule and time zone.
async fn against_cron_job(client: &Client, schedule: &str, zone: Option<&str>) -> Option<String> {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]});
    let spec = json!({"schedule": schedule, "timeZone": zone, "jobTemplate": {"spec": {"template": {"spec": pod}}}});
    let object = json!({"metadata": {"name": "probe"}, "spec": spec});
    let jobs: Api<CronJob> = Api::namespaced(client.clone(), "default");
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let result = jobs.create(&dry, &serde_json::from_value(object).unwrap()).await;
    result.is_err().then(|| complaint(result))
}

/// The same of a Pipeline.
async fn against_pipeline(client: &Client, schedule: &str, zone: Option<&str>) -> Option<String> {
    let object = object("Pipeline", "probe", &scheduled(schedule, zone));
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let result = api(client.clone(), "Pipeline").create(&dry, &object).await;
    result.is_err().then(|| complaint(result))
}

#[tokio::test]
async fn a_schedule_that_is_accepted_is_one_of_cron_job() {
    let client = client().await;
    let cases = samples::schedules();
    for schedule in &cases.accepted {
        assert_eq!(against_pipeline(&client, schedule, None).await, None, "{schedule}");
        assert_eq!(against_cron_job(&client, schedule, None).await, None, "{schedule}");
    }
    for RefusedText { text, message } in &cases.refused {
        let answer = against_pipeline(&client, text, None).await.unwrap_or_default();
        assert!(answer.contains("spec.schedule") && answer.contains(message), "{text}: {answer}");
        assert!(against_cron_job(&client, text, None).await.is_some(), "{text} is refused for nothing");
    }
    for RefusedText { text, message } in &cases.stricter {
        let answer = against_pipeline(&client, text, None).await.unwrap_or_default();
        assert!(answer.contains(message), "{text}: {answer}");
        assert_eq!(against_cron_job(&client, text, None).await, None, "{text} belongs to those that CronJob refuses");
    }
}

#[tokio::test]
async fn a_time_zone_that_is_accepted_is_one_of_cron_job() {
    let client = client().await;
    let cases = samples::schedules().zones;
    for zone in &cases.accepted {
        assert_eq!(against_pipeline(&client, "@daily", Some(zone)).await, None, "{zone}");
        assert_eq!(against_cron_job(&client, "@daily", Some(zone)).await, None, "{zone}");
    }
    for RefusedText { text, message } in cases.refused.iter().chain(&cases.stricter) {
        let answer = against_pipeline(&client, "@daily", Some(text)).await.unwrap_or_default();
        assert!(answer.contains("spec.timeZone") && answer.contains(message), "{text}: {answer}");
    }
    // Whether CronJob takes `localtime` is a matter of the API server's machine.
    for RefusedText { text, .. } in &cases.refused {
        assert!(against_cron_job(&client, "@daily", Some(text)).await.is_some(), "{text} is refused for nothing");
    }
}
