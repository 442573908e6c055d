//! The way out of a team's namespaces that an engine asks for. Which way that is in the site,
//! the plan decides.

use super::Fault;
use super::expression::{Scope, Variables};
use super::tree::Tree;
use crate::api::engine::EngineEgress;

/// The way out that an engine asks for: compiled, or rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress<Text = String> {
    /// The egress profile of the Blueprint.
    pub profile: Option<Text>,
    /// Where the service is, as URLs or hosts with a port.
    pub services: Vec<Text>,
}

impl Egress<Tree> {
    /// Compiles the texts of a file; none where it asks for no way.
    pub(super) fn compile(egress: Option<&EngineEgress>, variables: &Variables) -> Result<Self, Fault> {
        let Some(egress) = egress else { return Ok(Self { profile: None, services: Vec::new() }) };
        let text = |text: &String, field: &str| Tree::compile_text(text, variables).map_err(|fault| fault.under(field));
        Ok(Self {
            profile: egress.profile.as_ref().map(|profile| text(profile, "profile")).transpose()?,
            services: egress.services.iter().map(|service| text(service, "services")).collect::<Result<_, _>>()?,
        })
    }

    /// The texts with their values; what yields null is left out.
    pub(super) fn render(&self, scope: &Scope<'_>) -> Result<Egress, Fault> {
        let text = |tree: &Tree, field: &str| tree.render_string(scope).map_err(|fault| fault.under(field));
        let profile = self.profile.as_ref().map(|tree| text(tree, "profile")).transpose()?.flatten();
        let services: Vec<Option<String>> =
            self.services.iter().map(|tree| text(tree, "services")).collect::<Result<_, _>>()?;
        Ok(Egress { profile, services: services.into_iter().flatten().collect() })
    }
}
