//! Which way do the host's own programs go? They are asked in namespaces of their own, over the files as they are or as a
//! plan will leave them, and what the models of [`consumers`](crate::consumers) and [`clients`](crate::clients) say stands
//! beside it.
//!
//! | module | what it does |
//! | --- | --- |
//! | `doors` | the programs that are started behind each door |
//! | `model` | what the models say |
//! | `judge` | is the wanted way taken, and do both halves agree? |
//! | `shown` | table and JSON |
//! | `case` | a case to keep |

mod case;
mod doors;
mod judge;
mod model;
mod shown;

use std::time::{Duration, Instant};

use crate::clients::{Client, Target};
use crate::consumers::{Consumer, Door, Who};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::host::HostRead;
use crate::network::catalogue::{Catalogue, Endpoint, EndpointNeeds, required_endpoints};
use crate::plan::Change;
use crate::platform::Platform;
use crate::problem::Problem;
use crate::routes::Way;
use crate::sandbox::{Login, Sandbox, World};
use crate::settings::{Layers, NoProxy, Settings};
use crate::text::Text;
use crate::text::{as_root, host_port, ics_setup};

pub(crate) use case::case;
pub(crate) use doors::PROGRAMS;
pub(crate) use shown::{human, json};

/// How long all programs may take together.
const DEADLINE: Duration = Duration::from_secs(90);

/// Where instances of a cloud ask for what they are.
const METADATA: &str = "http://169.254.169.254/latest";

/// What is looked at.
pub(crate) struct Look<'a> {
    /// The running host.
    pub(crate) host: &'a dyn HostRead,
    /// What system it is.
    pub(crate) platform: Option<&'a Platform>,
    /// What is wanted.
    pub(crate) settings: &'a Settings,
    /// The list that is wanted.
    pub(crate) no_proxy: NoProxy,
    /// What a plan would write; `None`: the files as they are.
    pub(crate) changes: Option<&'a [Change]>,
    /// Consumers whose files the plan writes.
    pub(crate) consumers: &'a [Who],
    /// A required endpoint's name.
    pub(crate) endpoint: String,
    /// Only this program.
    pub(crate) only: Option<&'a str>,
}

/// What was found out.
pub(crate) struct Proven {
    /// Over planned files?
    pub(crate) planned: bool,
    /// The three URLs.
    pub(crate) urls: Vec<String>,
    /// In the order of the doors.
    pub(crate) programs: Vec<Program>,
    /// What is to be said about it.
    pub(crate) findings: Vec<Finding>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// One program at one door.
pub(crate) struct Program {
    pub(crate) consumer: Who,
    pub(crate) door: Door,
    /// Its profile among the clients.
    pub(crate) client: &'static Client,
    pub(crate) program: &'static str,
    pub(crate) user: Option<String>,
    /// One for each URL; empty: it was not asked.
    pub(crate) asks: Vec<Ask>,
    /// One for each URL.
    pub(crate) model: Vec<Way>,
    /// How each ask differs from what is wanted; `None`: it does not, or nothing is wanted.
    pub(crate) wrong: Vec<Option<Text>>,
}

/// What a program did with one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) way: Way,
    /// `host:port`.
    pub(crate) proxy: Option<String>,
    pub(crate) login: Login,
}

impl Program {
    /// Do the program and the models say the same, as far as both say anything?
    pub(crate) fn agrees(&self) -> bool {
        self.asks.iter().zip(&self.model).all(|(ask, model)| *model == Way::Unknown || *model == ask.way)
    }
}

/// Asks every program at every door. Where that cannot be had, the models alone speak, and a finding names why.
pub(crate) fn prove(look: &Look<'_>) -> Proven {
    let began = Instant::now();
    let urls = urls(look);
    let targets: Vec<Target> = urls.iter().filter_map(|url| Target::parse(url).ok()).collect();
    let mut asked = doors::Asked::default();
    let mut findings = Vec::new();
    match open(look, &targets) {
        Ok(mut sandbox) => {
            asked = doors::ask(look, &mut sandbox, &urls, &targets);
            findings.append(&mut asked.findings);
        }
        Err(why) => {
            let title = "programs of this host were not asked; the models alone speak";
            let finding = Finding::new(ids::PROVE_ASKED, Status::Skip, title).observed(why);
            let finding = if look.host.is_live() && look.host.euid() != 0 {
                finding.fix(as_root(ics_setup("prove")))
            } else {
                finding
            };
            findings.push(finding);
        }
    }
    let mut programs = asked.programs;
    if programs.is_empty() {
        programs = doors::unasked(look);
    }
    let under_sudo = programs.iter().find(|program| program.consumer == Who::Sudo);
    let (consumers, beside) = model::consumers(look, under_sudo.and_then(|program| program.user.as_deref()));
    for program in &mut programs {
        program.model = model::ways(&consumers, program, &targets);
        program.wrong = judge::wrong(look, program, &targets);
    }
    programs.extend(model::daemon(look, &consumers, &targets));
    findings.extend(judge::judge(look, &programs, (&consumers, &beside), &urls));
    findings.extend(doors::absent(look));
    Proven { planned: look.changes.is_some(), urls, programs, findings, took: began.elapsed() }
}

/// The name of an endpoint that the settings call for and that is asked through a proxy.
///
/// # Errors
/// A region or a Collector that is none.
pub(crate) fn endpoint(layers: &Layers) -> Result<String, Problem> {
    let catalogue = Catalogue::shipped();
    // One that every host has, whichever cloud it is in.
    let endpoints = required_endpoints(&catalogue, &EndpointNeeds::anywhere(layers, &catalogue)?);
    let fits = |endpoint: &&Endpoint| endpoint.required && !endpoint.direct && endpoint.port == 443;
    let found = endpoints.iter().find(fits).filter(|endpoint| endpoint.address().is_none());
    Ok(found.map_or_else(|| "backoffice.divvycloud.com".to_owned(), |endpoint| endpoint.host.clone()))
}

fn open(look: &Look<'_>, targets: &[Target]) -> Result<Sandbox, Text> {
    if !look.host.is_live() {
        return Err("no program of an image is run".into());
    }
    if look.host.euid() != 0 {
        return Err("namespaces need root".into());
    }
    let files = look.changes.unwrap_or_default().iter().map(Change::file).collect();
    let host = |target: &Target| match &target.host {
        crate::clients::Host::Name(name) => Some(name.clone()),
        _ => None,
    };
    let wanted = look.settings.proxies.iter().map(|proxy| proxy.value.render());
    let world = World {
        names: targets.iter().filter_map(host).collect(),
        ports: vec![80, 443],
        proxies: wanted.chain(model::proxies_of_files(look)).collect(),
    };
    Sandbox::open(files, world, DEADLINE)
}

/// One endpoint that the product needs, one name that is reached directly, and the metadata of clouds.
fn urls(look: &Look<'_>) -> Vec<String> {
    let is_name = |member: &&str| {
        member.starts_with(|c: char| c.is_ascii_alphabetic())
            && member.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
            && *member != "localhost"
    };
    let names: Vec<&str> = look.no_proxy.members().filter(is_name).collect();
    let whole = names.iter().find(|name| name.contains('.'));
    let inner = whole.or(names.first()).copied().unwrap_or("mysql");
    vec![format!("https://{}/", look.endpoint), format!("http://{inner}/"), METADATA.to_owned()]
}

/// The proxy that a request is to go through.
fn wanted_proxy(look: &Look<'_>, target: &Target) -> Option<String> {
    let proxies = &look.settings.proxies;
    let proxy = if target.tls { &proxies.https } else { &proxies.http };
    proxy.as_ref().map(|proxy| {
        let port = proxy.value.asked_port();
        host_port(&proxy.value.host.to_string(), port)
    })
}

/// The consumer that holds the door of a program.
fn consumer_of<'c>(consumers: &'c [Consumer], program: &Program) -> Option<&'c Consumer> {
    consumers.iter().find(|consumer| match program.consumer {
        Who::Docker => consumer.consumer == Who::Docker,
        _ => consumer.is_at(program.door, program.user.as_deref()),
    })
}
