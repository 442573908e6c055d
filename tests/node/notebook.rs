//! A workbench: made, entered, worked in, ended by itself, and started again.

use crate::kernel::Server;
use crate::object::says;
use crate::person::Person;
use crate::stage::Stage;

/// What she runs in a notebook.
const CELLS: &str = include_str!("../../deploy/tour/41-notebook.py");
const URL: &str = "exec --namespace loans--risk workbench-ana-0 -- python3 /opt/strata/workbench.py url";
const FORWARD: &str = "port-forward --namespace loans--risk pod/workbench-ana-0 8888";

/// The server runs, and its status has the command that leads into it.
pub async fn ana_makes_a_workbench(stage: &Stage) {
    let ana = stage.person("ana");
    ana.does("apply --filename deploy/tour/40-workbench.yaml").await;
    ana.does("wait --for=jsonpath={.status.state}=Running workbench/ana --namespace loans--risk --timeout=180s").await;
    let bench = ana.reads("workbench/ana", "loans--risk").await;
    assert_eq!(bench["status"]["enter"], format!("kubectl {FORWARD}"));
}

/// She gets in through her own port-forward and with the token alone, and finds what
/// her project is connected to: data, features, experiments.
pub async fn ana_works_in_it(stage: &Stage) {
    let ana = stage.person("ana");
    let address = ana.does(URL).await;
    let port = ana.forwards(FORWARD).await;
    let server = Server::new(port.port, &address);
    assert_eq!(server.ask("GET", "/api/contents", false).await.0, 403, "without its token");
    assert_eq!(server.ask("GET", "/api/contents", true).await.0, 200);
    let printed = server.run(CELLS).await;
    for line in [
        "DATASET_APPLICATIONS_TRAIN",
        "FEAST_ONLINE_URL",
        "MLFLOW_TRACKING_URI",
        "applications: 2000",
        "income of customer 7: ",
        "runs: [0.",
    ] {
        assert!(printed.contains(line), "{line} is missing in:\n{printed}");
    }
    print!("{printed}");
}

/// Nobody else: a colleague with more rights than she has, one of the same project,
/// and one of another team.
pub async fn nobody_else_gets_in(stage: &Stage) {
    for name in ["dee", "bo"] {
        for line in [URL, FORWARD] {
            let said = stage.person(name).is_refused(line).await;
            assert!(said.contains("belongs to ana@example.com"), "{said}");
        }
    }
    let said = stage.person("cleo").is_refused(URL).await;
    assert!(said.contains("Forbidden") || said.contains("forbidden"), "{said}");
}

/// Nobody worked in it, so it ended by itself.
pub async fn her_server_ends_when_nobody_works(stage: &Stage) {
    let ana = stage.person("ana");
    ana.sees("get workbench ana --namespace loans--risk", 300, |seen| seen.contains("Stopped")).await;
    let bench = ana.reads("workbench/ana", "loans--risk").await;
    assert!(says(&bench, "Ready", "True", "Idle", &[]), "{}", bench["status"]);
}

/// It comes back with her files when she asks for it.
pub async fn it_comes_back_with_her_files(stage: &Stage) {
    let ana = stage.person("ana");
    starts(&ana).await;
    let notes = ana.does("exec --namespace loans--risk workbench-ana-0 -- cat notes.txt").await;
    assert_eq!(notes, "amounts, months, incomes");
}

/// Starts the server by its annotation, if it is stopped.
async fn starts(ana: &Person) {
    ana.does(
        "annotate workbench ana --namespace loans--risk --overwrite strata-operator.dev/started-at=$(date -u +%FT%TZ)",
    )
    .await;
    // To wait for a pod that is not made yet fails at once.
    ana.sees("get pods --namespace loans--risk", 60, |seen| seen.contains("workbench-ana-0")).await;
    ana.does("wait --for=condition=Ready pod/workbench-ana-0 --namespace loans--risk --timeout=180s").await;
}
