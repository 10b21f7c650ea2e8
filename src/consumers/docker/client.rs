//! `config.json` of the docker client, which puts its `proxies` into the environment of containers that it starts.
//!
//! Source: docker/cli `cli/config/configfile/file.go` (`ParseProxyConfig`), `cli/command/cli.go`; measured with 20.10.24 and
//! 26.1.5 against a recorder. The entry of the daemon's address comes before `default`, also an empty one. The file is
//! read by Go's rules: names in any case, a value of another type is passed over with a warning, what follows the first
//! value is not looked at; a file that is no JSON is not used at all, with a warning.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::super::astray::Site;
use super::super::reader::FileProbe;
use super::super::sight::{Place, Sight, Sights};
use super::super::{Consumer, Decided, Exception, NAMES, State, Who, doors, logins};
use super::go_json::{Entry, Json};
use crate::environment::{LoginUser, PRODUCT_USER};
use crate::host::HostRead;
use crate::net::Time;
use crate::platform::Platform;
use crate::redact::redact_line;
use crate::system::accounts;
use crate::text;
use crate::text::{Text, own};
use crate::vendor::Vendor;

/// No program is run by the model of the client.
const LIMIT: Duration = Duration::from_secs(10);

/// What the client asks where nobody says otherwise.
const USUAL_ADDRESS: &str = "unix:///var/run/docker.sock";

/// Members of an entry that are looked at, in lower case, each with the names that it sets.
const MEMBERS: [(&str, [&str; 2]); 3] = [
    ("httpproxy", ["http_proxy", "HTTP_PROXY"]),
    ("httpsproxy", ["https_proxy", "HTTPS_PROXY"]),
    ("noproxy", ["no_proxy", "NO_PROXY"]),
];

/// What the clients of root, of the product's user and of whoever calls put into containers: one consumer for each file.
pub(super) fn client(probe: &mut FileProbe<'_>) -> Vec<Consumer> {
    let platform = probe.platform;
    let login = LoginUser::of(probe.host).name;
    let mut users: Vec<String> = Vec::new();
    for user in ["root", PRODUCT_USER, &login] {
        // On a running host nobody is made up. What cannot be looked at may be there.
        let exists = !probe.host.is_live() || user == login || has_account(probe, user);
        if exists && !users.iter().any(|known| known == user) {
            users.push(user.to_owned());
        }
    }
    let mut found: Vec<Consumer> = Vec::new();
    let mut folders: Vec<PathBuf> = Vec::new();
    for user in users {
        let Ok(account) = logins::user(probe.host, &user) else { continue };
        let environment = Environment::of(probe, platform, &user);
        let usual = account.home.join(".docker");
        let folder = match &environment.folder {
            Ok(folder) => folder.as_ref().map_or(usual, PathBuf::from),
            // Where nothing is in the usual place, and no client is installed, nobody reads another one.
            Err(why)
                if is_there(probe, &usual.join("config.json"))
                    || Vendor::get().docker.clients.iter().any(|path| is_there(probe, path)) =>
            {
                let path = usual.join("config.json");
                // For whoever may not look at the usual one, the login's files are no fault of the host.
                let (state, why) = match probe.read(&path) {
                    Err((State::NeedsRoot, why)) => (State::NeedsRoot, why),
                    _ => {
                        let why = text!("which config.json the docker client reads cannot be told: {}", why.clone());
                        (State::Unreadable, why)
                    }
                };
                let name = (user != "root").then_some(user);
                found.push(Consumer { name, ..Consumer::unseen(Who::DockerClient, probe.shown(&path), state, why) });
                continue;
            }
            Err(_) => continue,
        };
        if folders.contains(&folder) {
            continue;
        }
        let name = (user != "root").then_some(user);
        found.extend(of_folder(probe, &folder, &environment).map(|consumer| {
            let why = consumer.why.clone().or_else(|| environment.assumed.clone());
            Consumer { name, why, ..consumer }
        }));
        folders.push(folder);
    }
    found
}

fn has_account(probe: &FileProbe<'_>, user: &str) -> bool {
    match probe.read(Path::new(accounts::PASSWD)) {
        Ok(text) => accounts::users(&text.unwrap_or_default()).iter().any(|own| own.name == user),
        Err(_) => true,
    }
}

/// What cannot be looked at may be there.
fn is_there(probe: &FileProbe<'_>, path: &Path) -> bool {
    !matches!(probe.host.lstat(path), Ok(None))
}

/// Does the line name the variable? What cannot be looked at may.
fn names(probe: &FileProbe<'_>, at: &Place, name: &str) -> bool {
    let Ok(Some(bytes)) = probe.read(&at.path) else { return true };
    let line = at.line.checked_sub(1).and_then(|index| bytes.split(|byte| *byte == b'\n').nth(index));
    line.is_none_or(|line| memchr::memmem::find(line, name.as_bytes()).is_some())
}

/// A variable as a login at a terminal has it; the error says why that cannot be told.
type Variable = Result<Option<String>, Text>;

/// What the environment of a login tells the client.
struct Environment {
    /// `DOCKER_CONFIG`.
    folder: Variable,
    /// `DOCKER_HOST`.
    address: Variable,
    /// `DOCKER_CONTEXT`.
    context: Variable,
    /// A line that nobody understands and that names none of them, which is taken to have left them alone.
    assumed: Option<Text>,
}

impl Environment {
    /// That of a user who is logged in at a terminal, by whichever door.
    fn of(probe: &mut FileProbe<'_>, platform: Option<&Platform>, user: &str) -> Self {
        let ways = match doors::ways(probe.host, platform, &[user]) {
            Ok(ways) => ways.ways,
            Err(stop) => {
                let why = || Err(text!("{}: {}", own(probe.shown(&stop.at.path)), stop.why.clone()));
                return Self { folder: why(), address: why(), context: why(), assumed: None };
            }
        };
        let at_terminal: Vec<&Sights> =
            ways.iter().filter(|way| way.door.is_terminal()).map(|way| &way.sights).collect();
        let mut assumed = None;
        let mut of = |name: &str| -> Variable {
            let mut all = at_terminal.iter().map(|sights| sights.get(name));
            let first = all.next().flatten();
            let text = |sight: Option<&Sight>| {
                sight.and_then(Sight::value).filter(|value| !value.is_empty()).map(str::to_owned)
            };
            for sight in at_terminal.iter().filter_map(|sights| sights.get(name)) {
                let Sight::Unknown { at, why } = sight else { continue };
                let line = own(probe.decided(at).shown);
                if names(probe, at, name) {
                    return Err(text!("{} decides {}: {}", line, own(name.to_owned()), why.clone()));
                }
                assumed.get_or_insert_with(|| {
                    text!("{} is taken to have left DOCKER_CONFIG and its like alone: {}", line, why.clone())
                });
            }
            if all.any(|other| text(other) != text(first)) {
                return Err(text!("{} depends on the way of the login", own(name.to_owned())));
            }
            Ok(text(first))
        };
        let folder = match of("DOCKER_CONFIG") {
            Ok(Some(folder)) if !folder.starts_with('/') => {
                Err("DOCKER_CONFIG depends on the folder that the client is called in".into())
            }
            folder => folder,
        };
        let (address, context) = (of("DOCKER_HOST"), of("DOCKER_CONTEXT"));
        Self { folder, address, context, assumed }
    }

    /// Can the daemon that is asked not be told?
    fn is_untold(&self) -> bool {
        self.address.is_err() || (self.address == Ok(None) && self.context.is_err())
    }
}

/// `None`: nothing of it is for containers.
fn of_folder(probe: &mut FileProbe<'_>, folder: &Path, environment: &Environment) -> Option<Consumer> {
    let path = folder.join("config.json");
    let shown = probe.shown(&path);
    let unseen = |state, why| Some(Consumer::unseen(Who::DockerClient, shown.as_str(), state, why));
    let bytes = match probe.read(&path) {
        Ok(bytes) => bytes?,
        Err((state, why)) => return unseen(state, why),
    };
    if bytes.trim_ascii().is_empty() {
        return None;
    }
    let first = serde_json::Deserializer::from_slice(&bytes).into_iter::<Json>().next();
    let document = match first {
        Some(Ok(document @ Json::Object(_))) => document,
        Some(Ok(_)) => {
            return unseen(
                State::Unreadable,
                text!("the docker client does not use {}: it is no JSON object", own(&shown)),
            );
        }
        Some(Err(error)) => {
            let why = text!("the docker client does not use {}: it is no JSON, line {}", own(&shown), error.line());
            return unseen(State::Unreadable, why);
        }
        None => return None,
    };
    let proxies = document.entries("proxies");
    if proxies.is_empty() {
        return None;
    }
    let address = match address(probe, folder, &document, environment) {
        Ok(address) => address,
        // Whichever it is, there is one entry for all of them.
        Err(_) if environment.is_untold() && proxies.keys().all(|entry| entry == "default") => USUAL_ADDRESS.to_owned(),
        Err(why) => return unseen(State::Unreadable, why),
    };
    let entry = if proxies.contains_key(&address) { address.as_str() } else { "default" };
    let empty = Entry::new();
    let used = proxies.get(entry).unwrap_or(&empty);
    let set = |name: &str| {
        let (key, _) = MEMBERS.iter().find(|(_, names)| names.contains(&name))?;
        used.get(*key).filter(|value| !value.is_empty()).cloned()
    };
    let mut consumer = Consumer::new(Who::DockerClient, None, shown.as_str());
    probe.fill(&mut consumer, set);
    let place = |entry: &str| Decided {
        shown: format!("{shown} (proxies.{})", redact_line(entry)),
        taken: false,
        ours: false,
        supposed: false,
        others: None,
        at: None,
        place: None,
    };
    let decided = NAMES.into_iter().filter(|name| set(name).is_some()).map(|name| (name.to_owned(), place(entry)));
    consumer.decided = decided.collect();
    for (other, members) in proxies.iter().filter(|(other, _)| *other != entry) {
        let at = place(other).shown;
        if MEMBERS.iter().any(|(key, _)| key.eq_ignore_ascii_case(other)) {
            // A member of an entry that stands where entries do.
            consumer.why =
                Some(text!("{}: the client does not read it there; it has to stand in proxies.default", own(at)));
        } else if other != "default"
            && let Some(url) =
                ["httpsproxy", "httpproxy"].iter().filter_map(|key| members.get(*key)).find(|url| !url.is_empty())
        {
            let whom = text!("containers of the daemon at {}", redact_line(other));
            consumer.exceptions.push(Exception { whom, variable: None, at, place: None, value: probe.value(url) });
        }
    }
    let consumer = probe.placed(consumer, &Site::alone());
    let says = consumer.has_proxy() || consumer.exclusions().is_some() || !consumer.exceptions.is_empty();
    (says || consumer.why.is_some()).then_some(consumer)
}

/// The address of the daemon that this client asks: of the environment, else of the context that is in use.
fn address(probe: &FileProbe<'_>, folder: &Path, document: &Json, environment: &Environment) -> Result<String, Text> {
    if let Some(address) = environment.address.clone()? {
        return Ok(address);
    }
    let in_use = document.text("currentContext").map(str::to_owned);
    let Some(context) = environment.context.clone()?.or(in_use).filter(|name| !name.is_empty() && name != "default")
    else {
        return Ok(USUAL_ADDRESS.to_owned());
    };
    // cli/context/store: the folder of a context is the sum of its name.
    let sum: String = Sha256::digest(context.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let meta = folder.join("contexts/meta").join(sum).join("meta.json");
    let bytes = probe.read(&meta).map_err(|(_, why)| why)?;
    let Some(bytes) = bytes else {
        return Err(text!("the docker client ends with an error: it has no context {}", context));
    };
    let parsed: Json = serde_json::from_slice(&bytes).unwrap_or(Json::Null);
    let host = parsed.object("Endpoints").object("docker").text("Host");
    host.map(str::to_owned)
        .ok_or_else(|| text!("the context {} has no address in {}", context, own(probe.shown(&meta))))
}

/// What root's client puts into a container: for the comparison with the client itself.
pub(in super::super) fn client_gives(host: &dyn HostRead) -> BTreeMap<String, Option<String>> {
    let mut probe = FileProbe::new(host, None, Path::new("/"), Time::new(LIMIT, LIMIT));
    let own = client(&mut probe).into_iter().find(|consumer| consumer.name.is_none());
    let Some(own) = own.filter(|own| own.state == State::Seen) else { return BTreeMap::new() };
    own.values().into_iter().map(|(name, (value, _))| (name.to_owned(), Some(value.to_owned()))).collect()
}
