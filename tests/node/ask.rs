//! The customers of a model: who reaches it, and what they get.

use crate::person::Person;
use crate::stage::Stage;

/// The Service of the model in production.
const ASK: &str = "exec --stdin counter --namespace branches -- python3 -";

/// bea asks so many questions, over so many seconds; the answers are counted.
pub async fn asks(bea: &Person, count: u32, factor: u32, seconds: u32) -> String {
    bea.does(&format!("{ASK} {count} {factor} {seconds} < deploy/tour/ask.py")).await
}

/// From the customers' namespace the model answers.
pub async fn bea_asks_the_model(stage: &Stage) {
    let bea = stage.person("bea");
    bea.does("apply --filename deploy/tour/52-customer.yaml").await;
    bea.does("wait --for=condition=Ready pod/counter --namespace branches --timeout=60s").await;
    assert_eq!(asks(&bea, 40, 1, 4).await, "40 answered, 0 lost\n");
}

/// From nowhere else: not from the team's own Workspace, and not from another team.
pub async fn nobody_else_reaches_it(stage: &Stage) {
    for (who, namespace) in [("ana", "loans--risk"), ("cleo", "claims--triage")] {
        let who = stage.person(who);
        who.does(&format!("apply --filename deploy/tour/54-caller.yaml --namespace {namespace}")).await;
        who.does(&format!("wait --for=condition=Ready pod/caller --namespace {namespace} --timeout=60s")).await;
        let ask = format!("exec --stdin caller --namespace {namespace} -- python3 - 1 1 1 5 < deploy/tour/ask.py");
        let said = who.does(&ask).await;
        assert!(said.starts_with("0 answered, 1 lost") && said.contains("timed out"), "{}: {said}", who.name);
        who.does(&format!("delete pod caller --namespace {namespace}")).await;
    }
}
