//! The stage: a node, the images that its pods need, the operator as its chart
//! installs it, and the people with their tokens. Nothing is tested here.

use harness::{Node, NodeOptions, image};

use crate::person::{Person, Typed};

/// Who has a token, as the API server reads it: token, user, number, groups.
const PEOPLE: &str = include_str!("../../deploy/tour/people.csv");

/// A node with everybody on it.
pub struct Stage {
    pub node: Node,
    pub typed: Typed,
}

impl Stage {
    /// Starts the node and installs the operator.
    pub async fn start() -> Self {
        // First, so that no node waits for what is built.
        let images = [image::application().await, image::operator().await];
        let options =
            people().fold(NodeOptions::default(), |options, (token, user, groups)| options.user(token, user, &groups));
        let node = Node::start(options).await.expect("the node starts");
        for archive in images {
            node.import(&archive.expect("the image is made")).await.expect("the image is imported");
        }
        let stage = Self { node, typed: Typed::default() };
        stage.install().await;
        stage
    }

    /// Both charts, as `docs/tour.md` installs them.
    async fn install(&self) {
        let charts = harness::repository().join("charts");
        let definitions = charts.join("strata-crds").display().to_string();
        let operator = charts.join("strata").display().to_string();
        let image = "--set-string=image.repository=registry.invalid/strata/operator,image.tag=1";
        let place = "--namespace=strata-system";
        self.node.helm(["install", "strata-crds", &definitions]).await.expect("the definitions are installed");
        let install = ["install", "strata", &operator, place, "--create-namespace", image];
        self.node.helm(install).await.expect("the operator is installed");
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        self.node
            .kubectl(["label", "namespace", "strata-system", restricted])
            .await
            .expect("its namespace is labelled");
        let rollout = ["rollout", "status", "deployment/strata", place, "--timeout=180s"];
        self.node.kubectl(rollout).await.expect("the operator runs");
    }

    /// One of the people.
    pub fn person(&self, name: &str) -> Person {
        assert!(people().any(|(token, ..)| token == name), "{name} has no token");
        let kubeconfig = self.node.kubeconfig_for(name, name).expect("a kubeconfig");
        Person::new(name, &self.node, kubeconfig, &self.typed)
    }

    /// Whoever started the node.
    pub fn administrator(&self) -> Person {
        Person::new("kubectl", &self.node, self.node.kubeconfig().to_path_buf(), &self.typed)
    }
}

/// Token, user and groups of each.
fn people() -> impl Iterator<Item = (&'static str, &'static str, Vec<&'static str>)> {
    PEOPLE.lines().map(|line| {
        let mut fields = line.splitn(4, ',');
        let mut next = || fields.next().unwrap_or_default();
        let (token, user, _, groups) = (next(), next(), next(), next());
        (token, user, groups.trim_matches('"').split(',').filter(|group| !group.is_empty()).collect())
    })
}
