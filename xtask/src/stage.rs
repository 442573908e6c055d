//! Where the demo takes place, and the operator on it: beside a control plane of our
//! own, where kwok says what pods do; in pods on a real node; or beside a cluster
//! that somebody named. It applies no example.

use std::path::Path;

use harness::operator::Install;
use harness::{Cluster, ControlPlane, Node, NodeOptions, Operator, Options, image, node};

use crate::cargo;
use crate::error::Error;
use crate::examples::Object;
use crate::intent::{FAILURES, annotations};
use crate::kubectl::Clock;

/// The files of deploy/tour that need no manual steps in between.
const OF_TOUR: [&str; 5] = ["00-site.yaml", "10-teams.yaml", "20-data.yaml", "30-steps.yaml", "40-workbench.yaml"];

/// A cluster with the operator on it.
pub struct Stage {
    // Before the place: it must not outlive the API server it talks to.
    operator: Option<Operator>,
    place: Place,
}

/// A person of the tour.
#[derive(Debug, PartialEq, Eq)]
struct Person {
    token: String,
    name: String,
    groups: Vec<String>,
}

enum Place {
    Own(Box<ControlPlane>),
    Node(Box<Node>),
    Given(Cluster),
}

impl Place {
    fn cluster(&self) -> &Cluster {
        match self {
            Self::Own(plane) => plane,
            Self::Node(node) => node,
            Self::Given(cluster) => cluster,
        }
    }
}

impl Stage {
    /// A control plane of our own.
    pub async fn own(clock: &Clock) -> Result<Self, Error> {
        let strata = cargo::build_strata()?;
        harness::Programs::ready().await?;
        let plane = ControlPlane::start(Options::default()).await?;
        clock.say("the control plane is up");
        Self::beside(Place::Own(Box::new(plane)), &strata, clock).await
    }

    /// The cluster of this kubeconfig.
    pub async fn given(kubeconfig: &Path, clock: &Clock) -> Result<Self, Error> {
        let strata = cargo::build_strata()?;
        let cluster = Cluster::at(kubeconfig).await?;
        Self::beside(Place::Given(cluster), &strata, clock).await
    }

    /// A real node, with all images that the examples name.
    pub async fn node(clock: &Clock) -> Result<Self, Error> {
        // Checks first, so that a build of images is not in vain.
        node::check()?;
        let (operator, application) = (image::operator().await?, image::application().await?);
        clock.say("the images are made");
        let people = people()?;
        let known = people.iter().fold(NodeOptions::default(), |options, Person { token, name, groups }| {
            options.user(token, name, &groups.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let node = Node::start(known).await?;
        for Person { token, .. } in &people {
            node.kubeconfig_for(token, token)?;
        }
        clock.say("the node is ready");
        for image in [&operator, &application] {
            node.import(image).await?;
        }
        clock.say("the images are imported");
        Operator::deploy(&node, &operator).await?;
        clock.say("the charts are installed; the operator runs on the node");
        Ok(Self { operator: None, place: Place::Node(Box::new(node)) })
    }

    /// The operator as a program beside the cluster.
    async fn beside(place: Place, strata: &Path, clock: &Clock) -> Result<Self, Error> {
        Operator::install(place.cluster(), &Install::default()).await?;
        clock.say("the charts are installed; the fence around the operator stands");
        // As the people of the examples are known: docs/week.md speaks of `oidc:mia@example.com`.
        let prefixes = ["--user-prefix=oidc:", "--group-prefix=oidc:"];
        let operator = Operator::start_with(place.cluster(), strata, &prefixes).await?;
        operator.wait_ready(60).await?;
        clock.say("the operator is ready");
        Ok(Self { operator: Some(operator), place })
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        self.place.cluster()
    }

    /// The folder of the examples that are shown here: on a node those whose programs there are.
    pub fn examples(&self) -> &'static str {
        if let Place::Node(_) = self.place { "deploy/tour" } else { "deploy/examples" }
    }

    /// How to be the people of the tour, where they are: each has a kubeconfig with a token of their own.
    pub fn people(&self) -> Result<Option<String>, Error> {
        let Place::Node(node) = &self.place else { return Ok(None) };
        let function = |Person { token, .. }: &Person| {
            let kubeconfig = node.directory().join(format!("{token}.kubeconfig"));
            format!("  {token}() {{ kubectl --kubeconfig {} \"$@\"; }}", kubeconfig.display())
        };
        let functions: Vec<String> = people()?.iter().map(function).collect();
        Ok(Some(format!("The people of docs/tour.md, with credentials of their own:\n{}", functions.join("\n"))))
    }

    /// Whether a file of that folder is shown: of the tour, what stands for itself. The rest is for people to do.
    pub fn shows(&self, file: &str) -> bool {
        !matches!(self.place, Place::Node(_)) || OF_TOUR.contains(&file)
    }

    /// An error, if something has ended that must not.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(operator) = &self.operator {
            operator.check()?;
        }
        match &self.place {
            Place::Own(plane) => Ok(plane.stopped()?),
            Place::Node(node) => Ok(node.stopped()?),
            Place::Given(_) => Ok(()),
        }
    }

    /// Ends the operator, as Kubernetes would.
    pub async fn stop(&self) -> Result<(), Error> {
        match &self.operator {
            Some(operator) => Ok(operator.stop().await?),
            None => Ok(()),
        }
    }

    /// Simulates the intended results of pods on simulated nodes.
    pub async fn tell_pods(&self) -> Result<(), Error> {
        if let Place::Own(plane) = &self.place {
            for (pods, annotations) in annotations() {
                plane.simulate(&pods, annotations).await?;
            }
        }
        Ok(())
    }

    /// The objects of which something is meant: on a given cluster nobody knows what fails.
    pub fn intended<'a>(&self, objects: &'a [Object]) -> Vec<&'a Object> {
        let fails = |object: &Object| FAILURES.iter().any(|failure| failure.is_of(object));
        objects.iter().filter(|object| !matches!(self.place, Place::Given(_)) || !fails(object)).collect()
    }
}

/// The people of the tour, from its list of tokens.
fn people() -> Result<Vec<Person>, Error> {
    let file = harness::repository().join("deploy/tour/people.csv");
    let list = std::fs::read_to_string(&file).map_err(Error::file(format!("read {}", file.display())))?;
    Ok(list.lines().filter_map(person).collect())
}

/// A line as the API server reads it: token, user, number, groups in quotes.
fn person(line: &str) -> Option<Person> {
    let mut fields = line.splitn(4, ',');
    let (token, name) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let groups = fields.nth(1).unwrap_or_default().trim_matches('"').split(',');
    Some(Person { token, name, groups: groups.filter(|group| !group.is_empty()).map(ToOwned::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_person() {
        let of = |line: &str| person(line).map(|person| (person.token, person.name, person.groups));
        let groups = vec!["platform".to_owned(), "people".to_owned()];
        assert_eq!(
            of("pia,pia@example.com,,\"platform,people\""),
            Some(("pia".into(), "pia@example.com".into(), groups))
        );
        assert_eq!(of("ana,ana@example.com,,"), Some(("ana".into(), "ana@example.com".into(), Vec::new())));
        assert_eq!(of(""), None);
    }
}
