//! Which endpoints are wanted.

use clap::ArgMatches;

use crate::cli::args::{Globals, path_of, word, words};
use crate::cli::{machine, out};
use crate::context::{read, utf8};
use crate::network::catalogue::{ANY, Catalogue, Component, Endpoint, EndpointNeeds, all, required_endpoints};
use crate::problem::{Problem, id};
use crate::report::visible;
use crate::settings::Layers;
use crate::text;
use crate::text::{own, quoted, typed};

/// The catalogue, and the endpoints that are wanted of it.
pub(super) struct Wanted {
    pub(super) catalogue: Catalogue,
    pub(super) endpoints: Vec<Endpoint>,
    /// The flags that name the same again, on a host in the same cloud: a blank in front of each.
    pub(super) flags: String,
    /// Components and regions that were named, of which nothing is wanted until a setting calls for it: what to add.
    uncalled: Vec<String>,
}

impl Wanted {
    pub(super) fn new(globals: &Globals, matches: &ArgMatches) -> Result<Self, Problem> {
        let catalogue = catalogue(matches)?;
        let host = machine::to_look(globals)?;
        let (layers, unread) = machine::inputs(globals, matches)?.readable_layers(&host)?;
        if unread.is_some() && !globals.quiet {
            warn(
                "what earlier runs were told can be read by root only, so it does not count here: name it, or use sudo",
            );
        }
        // Whatever they leave out: a wrong setting is said, not passed over.
        let calls = EndpointNeeds::of(&layers, &catalogue, &host)?;
        let chosen = if matches.get_flag("all") { all } else { required_endpoints };
        let mut endpoints = chosen(&catalogue, &calls);
        filter(matches, &catalogue, &mut endpoints)?;
        let mut every = all(&catalogue, &calls);
        filter(matches, &catalogue, &mut every)?;
        let uncalled = uncalled(matches, &every, &endpoints);
        Ok(Self { catalogue, endpoints, flags: flags(&layers, matches), uncalled })
    }

    /// Says why what was named is not in the result, and what brings it.
    pub(super) fn say_missing(&self) {
        self.uncalled.iter().for_each(|missing| warn(missing));
        if self.endpoints.is_empty() && self.uncalled.is_empty() {
            warn(
                "no endpoint fits all that was named, so the result is empty; all there are: ics-setup network list --all",
            );
        }
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
            .hint(text!("what the file looks like: {}", typed("ics-setup network list --help")));
    Catalogue::with(&utf8(read(path), unreadable)?, path)
}

/// The settings that decide, whoever says them, and the filters, as flags.
fn flags(layers: &Layers, matches: &ArgMatches) -> String {
    let settings = EndpointNeeds::KEYS.into_iter().filter_map(|key| Some((key.spec().flag?, layers.get(key)?)));
    let mut flags: Vec<String> =
        settings.map(|(flag, setting)| format!("--{flag} {}", quoted(&setting.value))).collect();
    let switches = ["all", "required", "optional", "concrete"];
    let is_set = |name: &&str| matches.try_get_one::<bool>(name).ok().flatten() == Some(&true);
    flags.extend(switches.into_iter().filter(is_set).map(|name| format!("--{name}")));
    for name in ["component", "region", "confidence"] {
        flags.extend(words(matches, name).iter().map(|word| format!("--{name} {}", quoted(word))));
    }
    flags.extend(ports(matches).into_iter().map(|port| format!("--port {port}")));
    flags.extend(word(matches, "needed-by").map(|who| format!("--needed-by {who}")));
    flags.extend(path_of(matches, "endpoints").map(|path| format!("--endpoints {}", quoted(&path.to_string_lossy()))));
    flags.iter().map(|flag| format!(" {}", visible(flag))).collect()
}

fn ports(matches: &ArgMatches) -> Vec<u16> {
    matches.get_many("port").into_iter().flatten().copied().collect()
}

/// A remark beside the result.
pub(super) fn warn(text: &str) {
    out::message(&format!("warning: {}\n", visible(text)));
}

/// What was named and fits, but is called for by no setting, and the flag that calls for it. `every`: all that fit.
fn uncalled(matches: &ArgMatches, every: &[Endpoint], found: &[Endpoint]) -> Vec<String> {
    let is_missing = |is: &dyn Fn(&Endpoint) -> bool| every.iter().any(is) && !found.iter().any(is);
    let of_regions = words(matches, "region").into_iter().filter_map(|word| {
        let missing = word != ANY && is_missing(&|own| own.region == word);
        missing.then(|| format!("nothing of --region {word} is called for: add --agent-region {word}"))
    });
    let of_regions: Vec<String> = of_regions.collect();
    let of_components = words(matches, "component").into_iter().filter_map(|word| {
        let flag = match every.iter().find(|own| own.component.as_str() == word)?.component {
            Component::Agent | Component::Collector if !of_regions.is_empty() => return None,
            Component::Agent | Component::Collector => "--agent-region <REGION>",
            Component::AgentToCollector => "--collector <HOST>",
            Component::Product | Component::Install => return None,
        };
        let missing = is_missing(&|own| own.component.as_str() == word);
        missing.then(|| format!("nothing of --component {word} is called for: add {flag}"))
    });
    let of_components: Vec<String> = of_components.collect();
    [of_components, of_regions].concat()
}

fn filter(matches: &ArgMatches, catalogue: &Catalogue, endpoints: &mut Vec<Endpoint>) -> Result<(), Problem> {
    let (components, regions) = (words(matches, "component"), words(matches, "region"));
    let is_known = |region: &str| region == ANY || catalogue.regions.contains_key(region);
    if let Some(unknown) = regions.iter().find(|region| !is_known(region)) {
        let all: Vec<&str> = catalogue.regions.keys().map(String::as_str).collect();
        return Err(Problem::settings(id::USAGE, text!("--region: there is no region {:?}", unknown))
            .because(text!("regions: any, {}", own(all.join(", ")))));
    }
    let ports = ports(matches);
    let needed_by = word(matches, "needed-by");
    let confidence = words(matches, "confidence");
    endpoints.retain(|endpoint| {
        (components.is_empty() || components.iter().any(|word| word == endpoint.component.as_str()))
            && (regions.is_empty() || regions.contains(&endpoint.region))
            && (ports.is_empty() || ports.contains(&endpoint.port))
            && (!matches.get_flag("required") || endpoint.required)
            && (!matches.get_flag("optional") || !endpoint.required)
            && (confidence.is_empty() || confidence.iter().any(|word| word == endpoint.confidence.as_str()))
            && needed_by.is_none_or(|word| word == endpoint.needed_by.as_str())
    });
    Ok(())
}
