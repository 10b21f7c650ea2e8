//! Which endpoints are wanted.

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use crate::cli::args::{Globals, flags};
use crate::cli::machine;
use crate::context::{Inputs, bounded};
use crate::network::catalogue::{Catalogue, Endpoint, EndpointNeeds, all, required_endpoints};
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
    let Some(path) = matches.get_one::<PathBuf>("endpoints") else { return Ok(Catalogue::shipped()) };
    Catalogue::with(&text(path)?, path)
}

fn text(path: &Path) -> Result<String, Problem> {
    let unreadable = || {
        Problem::settings(id::ENDPOINTS_UNREADABLE, text!("--endpoints {} could not be read", path.display()))
            .hint("what the file looks like: ics-setup network list --help")
    };
    let bytes = std::fs::File::open(path).and_then(bounded).map_err(|error| unreadable().caused_by(error))?;
    String::from_utf8(bytes).map_err(|_| unreadable().because("it is not UTF-8 text"))
}

fn calls(globals: &Globals, matches: &ArgMatches, catalogue: &Catalogue) -> Result<EndpointNeeds, Problem> {
    let host = machine::to_look(globals)?;
    let layers = Inputs::new(globals.settings.as_deref(), flags(matches)?)?.layers(&host)?;
    EndpointNeeds::of(&layers, catalogue)
}

fn filter(matches: &ArgMatches, catalogue: &Catalogue, endpoints: &mut Vec<Endpoint>) -> Result<(), Problem> {
    let words = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned().collect::<Vec<_>>();
    let (components, regions) = (words("component"), words("region"));
    if let Some(unknown) = regions
        .iter()
        .find(|region| *region != crate::network::catalogue::ANY && !catalogue.regions.contains_key(*region))
    {
        let all: Vec<&str> = catalogue.regions.keys().map(String::as_str).collect();
        return Err(Problem::settings(id::USAGE, text!("--region: there is no region {:?}", unknown))
            .because(text!("regions: any, {}", own(all.join(", ")))));
    }
    let ports: Vec<u16> = matches.get_many::<u16>("port").into_iter().flatten().copied().collect();
    let needed_by = matches.get_one::<String>("needed-by");
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
