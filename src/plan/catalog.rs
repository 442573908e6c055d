//! The names that a team may use: of roles, images, sizes, egress profiles and engines.
//! Members cannot read the Blueprint, so the status lists them.

use std::collections::BTreeSet;

use super::choice::looked_at;
use super::{Facts, roles};
use crate::api::AITeamSpec;
use crate::api::team_status::Catalog;

/// How many names each list holds.
const LISTED: usize = 100;

/// The names, sorted, each once.
#[must_use]
pub fn catalog(spec: &AITeamSpec, facts: &Facts<'_>) -> Catalog {
    let site = facts.blueprint;
    let own = spec.shared.iter().flat_map(|shared| &shared.images).map(|image| image.name.as_str());
    let engines = looked_at(spec, facts);
    let usable = |name: &&String| facts.catalogue.get(name).is_some_and(|entry| entry.compiled.is_ok());
    Catalog {
        roles: names(roles::names(site).into_iter()),
        images: names(site.images.keys().map(String::as_str).chain(own)),
        sizes: names(site.sizes.iter().map(|size| size.name.as_str())),
        egress: names(site.egress.iter().map(|profile| profile.name.as_str())),
        engines: names(engines.iter().filter(usable).map(String::as_str)),
    }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let sorted: BTreeSet<&str> = all.collect();
    sorted.into_iter().take(LISTED).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BlueprintSpec;
    use crate::engine::Catalogue;

    #[test]
    fn names_of_the_team_and_of_the_site_are_listed_once() {
        let spec = "{shared: {experiments: {}, images: [{name: train, image: r/t:1}, {name: scipy}]}}";
        let spec: AITeamSpec = serde_saphyr::from_str(spec).unwrap();
        let mut site: BlueprintSpec = serde_saphyr::from_str("{images: {scipy: r/s:1}}").unwrap();
        site.images.extend((0..200).map(|number| (format!("x{number}"), "r/x:1".to_owned())));
        let catalogue = Catalogue::builtin();
        let facts = Facts::offline(&site, &catalogue);
        let found = catalog(&spec, &facts);
        assert_eq!((&found.images[..2], found.images.len()), (&["scipy".to_owned(), "train".to_owned()][..], LISTED));
        assert!(found.engines.contains(&"mlflow".to_owned()), "{:?}", found.engines);
        assert!(found.roles.contains(&"DataScientist".to_owned()), "{:?}", found.roles);
        assert_eq!((found.sizes.len(), found.egress.len()), (0, 0));
    }
}
