//! Why a process goes around the proxy, and what mends it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use ipnet::IpNet;

use super::files::{Files, Today, is_proxy};
use super::names::Names;
use super::origin::Origin;
use super::ways::{member, targets};
use crate::clients::{self, Asked, By, Client, Environment, Route, Target};
use crate::consumers::judge::{home_flag, restart_command};
use crate::consumers::{ProxySpec, ProxyValue, Who, programs};
use crate::environment;
use crate::redact::{self, list_text};
use crate::settings::NoProxy;
use crate::stamp::rfc3339;
use crate::text;
use crate::text::{Fix, Text, as_root, host_port, ics_setup, own, quoted, typed};

/// A drop-in that nobody else has, and that comes last.
const DROP_IN: &str = "zz-ics-setup-proxy.conf";

/// What a process has, against the proxy that it goes around.
enum Has {
    /// Nothing could be read: it had ended, or is closed even to root.
    Unread,
    /// No variable that names a proxy for such a request; one that its client, of this name, does not read.
    Nothing(Option<(String, String)>),
    /// Another proxy: the variable and its value as it may be shown.
    Other(String, Text),
    /// Its own list names the destination.
    Member(String, Text),
    /// Its client reads no variables, or not these.
    Unused(Text),
    /// The proxy itself.
    Proxy(String, Text),
}

/// The sentence and what mends it.
pub(super) fn judge(
    origin: Option<&Origin>,
    user: Option<&str>,
    place: SocketAddr,
    names: &Names,
    files: &Files<'_>,
) -> (Text, Vec<Fix>) {
    let Some(origin) = origin else {
        let why = "its connections were over before it could be seen whose they were";
        let advice = text!("watch for longer, and see who goes there again: {}", as_root(ics_setup("trace --for 10m")));
        return (why.into(), vec![Fix::Advice(advice)]);
    };
    let tls = place.port() != 80;
    if origin.consumer == Some(Who::PackageManager) {
        return because(
            "it goes by the package manager's own configuration".into(),
            false,
            origin,
            user,
            tls,
            (names, files),
        );
    }
    let clients = programs::clients_of(&origin.program, origin.environment.as_deref().unwrap_or_default());
    let spec = if tls { &files.wanted.https } else { &files.wanted.http };
    let name = if tls { "https_proxy" } else { "http_proxy" };
    let has = has(origin, &clients, place, names, spec.as_ref(), name);
    let advice = |text: Text| vec![Fix::Advice(text)];
    match has {
        Has::Unread => {
            let why = "what it was started with cannot be read any more";
            (why.into(), advice(text!("see what this host gives to whom: {}", ics_setup("check proxy"))))
        }
        Has::Unused(rule) => (rule.clone(), advice(text!("give {} its proxy in its own way", &origin.program))),
        Has::Proxy(name, value) => {
            let reads = match clients.first() {
                Some(client) => text!("which {} reads", own(&client.name)),
                None => "which it may not read".into(),
            };
            // A name of the destination that is not known here may be one of a list.
            let list = origin.value(&["no_proxy"]).map(|(_, list)| list).unwrap_or_default();
            let has_names = NoProxy::found(&list)
                .members()
                .any(|member| member.parse::<IpNet>().is_err() && member.parse::<IpAddr>().is_err());
            let or_name = if has_names && names.of(place.ip()).next().is_none() {
                "; or it has asked for a name that its own list stands for, and that is not known here"
            } else {
                ""
            };
            let why = text!(
                "it has {} {}, {}: its command line, a file of its own or its code says otherwise{}",
                own(&name),
                value,
                reads,
                own(or_name)
            );
            (why, advice(text!("look at how {} is called and configured (ps -fp {})", &origin.program, origin.pid)))
        }
        Has::Nothing(None) => because(text!("it has no {}", own(name)), true, origin, user, tls, (names, files)),
        Has::Nothing(Some((other, client))) => {
            let has = text!("it has no {} that {} reads, and {} is none", own(name), own(&client), own(&other));
            because(has, true, origin, user, tls, (names, files))
        }
        Has::Other(name, value) => {
            because(text!("its {} is another proxy, {}", own(&name), value), false, origin, user, tls, (names, files))
        }
        Has::Member(name, member) => {
            let has = text!("its own {} has the member {}", own(&name), member);
            match origin.consumer {
                Some(_) => because(has, false, origin, user, tls, (names, files)),
                None => unknown(has, origin),
            }
        }
    }
}

fn has(
    origin: &Origin,
    clients: &[&'static Client],
    place: SocketAddr,
    names: &Names,
    spec: Option<&ProxySpec>,
    name: &str,
) -> Has {
    let Some(environment) = &origin.environment else { return Has::Unread };
    if programs::speaks_no_http(&origin.program) {
        return Has::Unused(text!("{} speaks no HTTP, and reads no proxy variables", &origin.program));
    }
    // Nothing but blanks is nothing.
    let blank = |value: &String| if value.trim().is_empty() { String::new() } else { value.clone() };
    let variables: Environment = environment.iter().map(|(name, value)| (name.clone(), blank(value))).collect();
    let targets: Vec<Target> = targets(place, names).collect();
    let Some(target) = targets.last() else { return Has::Unread };
    let set = origin.value(&[name, "all_proxy"]);
    let unused = |client: &Client, rule: &str| match &set {
        Some((variable, _)) => Has::Unused(text!("it has {}, and {}: {}", own(variable), own(&client.name), own(rule))),
        None => Has::Unused(text!("{}: {}", own(&client.name), own(rule))),
    };
    // Which of its clients has asked is not to be seen; the first to have a proxy speaks for them.
    let asked: Vec<(&Client, Asked<'_>)> =
        clients.iter().map(|client| (*client, client.asked_in(target, &variables))).collect();
    let (client, variable, value) = match (asked.first(), asked.iter().find(|(_, own)| own.proxy.is_some())) {
        (None, _) => match &set {
            Some((variable, value)) => (None, variable.clone(), value.clone()),
            None => return Has::Nothing(None),
        },
        (_, Some((client, Asked { proxy: Some((variable, value)), .. }))) => {
            (Some(*client), (*variable).to_owned(), (*value).to_owned())
        }
        (Some((client, own)), _) if !client.reads_environment() => return unused(client, own.route.decided_by()),
        (Some((client, own)), _) => {
            let of_server = environment::value(environment, "REQUEST_METHOD").is_some() && set.is_some();
            let unread = set.clone().map(|(variable, _)| (variable, client.name.clone()));
            return if of_server { unused(client, own.route.decided_by()) } else { Has::Nothing(unread) };
        }
    };
    let is_wanted = |spec: &ProxySpec| is_proxy(client, &value, spec, names);
    let shown = ProxyValue::alone(&value).map(|value| value.text()).unwrap_or_default();
    if !spec.is_some_and(is_wanted) {
        return Has::Other(variable, shown);
    }
    let of_list = |clients: &mut dyn Iterator<Item = &'static Client>, list: &str| {
        member(clients, &redact::list(list), place, names).map(|member| list_text(&member, member.clone()))
    };
    if client.is_none() {
        let list = origin.value(&["no_proxy"]);
        let found = list.and_then(|(name, list)| Some((name, of_list(&mut clients::all().iter(), &list)?)));
        return found.map_or(Has::Proxy(variable, shown), |(name, member)| Has::Member(name, member));
    }
    for (at, (_, own)) in asked.iter().enumerate().filter(|(_, (_, own))| own.proxy.is_some()) {
        if let Some((name, list)) = own.no_proxy
            && let Some(member) = of_list(&mut clients[at..=at].iter().copied(), list)
        {
            return Has::Member(name.to_owned(), member);
        }
    }
    match client.map(|client| (client, client.route_in(target, &variables))) {
        Some((client, Route::Direct(By::Rule(rule)) | Route::Error { why: rule })) => unused(client, &rule),
        _ => Has::Proxy(variable, shown),
    }
}

/// What is known of names, and of files.
type Known<'a> = (&'a Names, &'a Files<'a>);

/// What it has, or `lacks`, and what its files say today.
fn because(
    has: Text,
    lacks: bool,
    origin: &Origin,
    user: Option<&str>,
    tls: bool,
    (names, files): Known<'_>,
) -> (Text, Vec<Fix>) {
    match files.today(origin, user, tls, names) {
        Today::Wanted { file, edited } => {
            let created = origin.container.as_ref().and_then(|id| files.container(id)?.created);
            let (began, began_how) = match created {
                Some(created) => (Some(created), "its container was created"),
                None => (origin.started, "it was started"),
            };
            match began.zip(edited).filter(|(began, edited)| began <= edited) {
                // Both are known to the second.
                Some((began, edited)) if began == edited => {
                    let how = text!("{} at {}, in the second in which {} was edited", own(began_how), at(began), file);
                    (text!("{}: {}", has, how), again(origin, files))
                }
                Some((began, edited)) => {
                    let how =
                        text!("{} at {}, before {} was edited at {}", own(began_how), at(began), file, at(edited));
                    (text!("{}: {}", has, how), again(origin, files))
                }
                None if lacks => {
                    let parent = origin.parent.as_deref().unwrap_or("what started it");
                    let why = text!("{}, although {} says it: {} has not handed it on", has, file, parent);
                    (why, again(origin, files))
                }
                None => (text!("{}, although {} says otherwise", has, file), again(origin, files)),
            }
        }
        Today::Else(finding) => {
            let cause = finding.cause.clone().map_or_else(Text::default, |cause| text!("; {}", cause));
            let why = match origin.consumer {
                Some(_) => text!("{}: {}{}", has, finding.title.clone(), cause),
                None => text!("{}, and {}{}", started_by(has, origin), finding.title.clone(), cause),
            };
            (why, finding.fix.clone())
        }
        Today::Other { file, last } => (
            text!("{}, and {} says so today", has, file.display().to_string()),
            origin.unit.as_ref().map(|unit| give(unit, last, files)).unwrap_or_default(),
        ),
        Today::Nothing { file, last } => match (&origin.container, &origin.unit) {
            (Some(id), _) => of_container(has, id, files),
            (None, Some(unit)) => (
                text!(
                    "{}: nothing in the files of {} sets one",
                    has,
                    own(file.map_or(unit.clone(), |file| file.display().to_string()))
                ),
                give(unit, last, files),
            ),
            (None, None) => (has, Vec::new()),
        },
        Today::Unknown => unknown(has, origin),
    }
}

/// Whose settings it gets is not known.
fn unknown(has: Text, origin: &Origin) -> (Text, Vec<Fix>) {
    let advice = text!("start it from where the proxy is set; {} tells where", ics_setup("check proxy"));
    (started_by(has, origin), vec![Fix::Advice(advice)])
}

fn started_by(has: Text, origin: &Origin) -> Text {
    origin.parent.as_ref().map_or(has.clone(), |by| text!("{}; it was started by {}", has, by))
}

/// What has the files read again.
fn again(origin: &Origin, files: &Files<'_>) -> Vec<Fix> {
    match (origin.consumer, &origin.container, &origin.unit) {
        (Some(Who::Container), Some(_), _) => {
            vec![Fix::Command(ics_setup(text!("reconfigure --restart{}", home_flag(files.home))))]
        }
        (Some(Who::Docker), ..) => {
            let unit = files.facts().docker.as_deref().unwrap_or("docker");
            vec![
                Fix::Command(restart_command(unit)),
                Fix::Advice("choose the time for it: running containers stop when Docker is restarted".into()),
            ]
        }
        (Some(Who::Systemd), _, Some(unit)) => {
            vec![Fix::Command(as_root(text!("systemctl daemon-reload && systemctl restart {}", own(quoted(unit)))))]
        }
        (Some(Who::Cron), ..) => vec![Fix::Advice("end it: the next run of the job has it".into())],
        _ => vec![Fix::Advice(text!("log in again, and start {} there", &origin.program))],
    }
}

/// Gives a service the proxy, by a file of its own; but where a line that comes `last` would outdo that.
fn give(unit: &str, last: Option<String>, files: &Files<'_>) -> Vec<Fix> {
    if let Some(last) = last {
        return vec![Fix::Advice(text!(
            "set the proxy in {}, which comes after every Environment= of {}; then systemctl restart {}",
            last,
            own(unit),
            own(unit)
        ))];
    }
    let wanted = &files.wanted;
    let login = [&wanted.http, &wanted.https].into_iter().flatten().any(|spec| spec.user.is_some());
    if login {
        return vec![Fix::Advice(text!(
            "give it the proxy with its login: {}, then [Service] and Environment=https_proxy=<URL>; then {}",
            typed(text!("systemctl edit {}", own(unit))),
            typed(text!("systemctl restart {}", own(unit)))
        ))];
    }
    let list = Some(wanted.no_proxy.join(",")).filter(|list| !list.is_empty());
    let all = [
        ("http_proxy", wanted.http.as_ref().map(url)),
        ("https_proxy", wanted.https.as_ref().map(url)),
        ("no_proxy", list),
    ];
    // Some clients read one spelling, some the other one first.
    let variables = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let variables =
        variables.flat_map(|(name, value)| [format!("{name}={value}"), format!("{}={value}", name.to_uppercase())]);
    // systemd's specifiers begin with a percent sign.
    let lines: String = variables.map(|own| format!("Environment=\"{}\"\\n", own.replace('%', "%%%%"))).collect();
    let folder = quoted(&format!("/etc/systemd/system/{unit}.d"));
    let file = quoted(&format!("/etc/systemd/system/{unit}.d/{DROP_IN}"));
    let write = format!("mkdir -p {folder} && printf {} > {file}", quoted(&format!("[Service]\\n{lines}")));
    vec![Fix::Command(as_root(text!(
        "{} && systemctl daemon-reload && systemctl restart {}",
        own(write),
        own(quoted(unit))
    )))]
}

fn url(spec: &ProxySpec) -> String {
    let scheme = if spec.tls { "https" } else { "http" };
    format!("{scheme}://{}", host_port(&spec.host, spec.port))
}

/// A container that is none of the product's.
fn of_container(has: Text, id: &str, files: &Files<'_>) -> (Text, Vec<Fix>) {
    let container = files.container(id);
    let name = container.map_or(id, |own| own.state.name.as_str());
    let by = match container.and_then(|own| own.folder.as_ref()) {
        Some(folder) => text!("environment: of its service in the compose file of {}, then up -d there", folder),
        None => text!("{} when it is created", typed("docker run -e https_proxy=<URL>")),
    };
    let why =
        text!("{}: the container {} was created without one, and a container reads no file of the host", has, name);
    (why, vec![Fix::Advice(text!("give it the proxy: {}", by))])
}

/// RFC 3339 of seconds since 1970.
fn at(seconds: u64) -> Text {
    text!("{}", own(rfc3339(UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH))))
}

#[cfg(test)]
mod tests;
