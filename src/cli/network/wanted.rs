//! Which endpoints are wanted.

use clap::ArgMatches;

use crate::cli::args::{Globals, path_of, word, words};
use crate::cli::machine;
use crate::context::{read, utf8};
use crate::network::catalogue::{ANY, Catalogue, Endpoint, EndpointNeeds, all, required_endpoints};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::own;

/// The catalogue, and the endpoints that are wanted of it.
pub(super) struct Wanted {
    pub(super) catalogue: Catalogue,
    pub(super) endpoints: Vec<Endpoint>,
}

impl Wanted {
    pub(super) fn new(globals: &Globals, matches: &ArgMatches) -> Result<Self, Problem> {
        let catalogue = catalogue(matches)?;
        // Whatever they leave out: a wrong setting is said, not passed over.
        let calls = calls(globals, matches, &catalogue)?;
        let chosen = if matches.get_flag("all") { all } else { required_endpoints };
        let mut endpoints = chosen(&catalogue, &calls);
        filter(matches, &catalogue, &mut endpoints)?;
        Ok(Self { catalogue, endpoints })
    }
}

/// The catalogue, with `--endpoints` laid over it.
///
/// # Errors
/// A file that cannot be read or is no catalogue.
pub(crate) fn catalogue(matches: &ArgMatches) -> Result<Catalogue, Problem> {
    let Some(path) = path_of(matches, "endpoints") else { return Ok(Catalogue::shipped()) };
    let unreadable =
        Problem::settings(id::ENDPOINTS_UNREADABLE, text!("--endpoints {} could not be read", path.display()))
            .hint("what the file looks like: ics-setup network list --help");
    Catalogue::with(&utf8(read(path), unreadable)?, path)
}

fn calls(globals: &Globals, matches: &ArgMatches, catalogue: &Catalogue) -> Result<EndpointNeeds, Problem> {
    let host = machine::to_look(globals)?;
    let layers = machine::inputs(globals, matches)?.layers(&host)?;
    EndpointNeeds::of(&layers, catalogue)
}

fn filter(matches: &ArgMatches, catalogue: &Catalogue, endpoints: &mut Vec<Endpoint>) -> Result<(), Problem> {
    let (components, regions) = (words(matches, "component"), words(matches, "region"));
    let is_known = |region: &str| region == ANY || catalogue.regions.contains_key(region);
    if let Some(unknown) = regions.iter().find(|region| !is_known(region)) {
        let all: Vec<&str> = catalogue.regions.keys().map(String::as_str).collect();
        return Err(Problem::settings(id::USAGE, text!("--region: there is no region {:?}", unknown))
            .because(text!("regions: any, {}", own(all.join(", ")))));
    }
    let ports: Vec<u16> = matches.get_many::<u16>("port").into_iter().flatten().copied().collect();
    let needed_by = word(matches, "needed-by");
    endpoints.retain(|endpoint| {
        (components.is_empty() || components.iter().any(|word| word == endpoint.component.as_str()))
            && (regions.is_empty() || regions.contains(&endpoint.region))
            && (ports.is_empty() || ports.contains(&endpoint.port))
            && (!matches.get_flag("required") || endpoint.required)
            && (!matches.get_flag("optional") || !endpoint.required)
            && needed_by.is_none_or(|word| word == endpoint.needed_by.as_str())
    });
    Ok(())
}
