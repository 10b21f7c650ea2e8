//! One finding for each consumer: does it get what the settings ask for?

use std::collections::BTreeSet;
use std::path::Path;

use super::super::super::CheckSpec;
use super::super::list_text;
use crate::check::ProxySpec;
use crate::consumers::{Consumer, ConsumersFacts, ProxyValue, State, Who};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::settings::NoProxy;
use crate::text;
use crate::text::Evidence;
use crate::text::{Fix, Text, clean, host_port, ics_setup, own, quoted};

/// No more characters of a list are shown.
const LONGEST_LIST: usize = 500;

/// The findings of all consumers; a single one where nothing is wanted and nothing is set.
pub(super) fn all(facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
    if !is_wanted(spec) && !facts.consumers.iter().any(|own| own.has_proxy() || !own.unknown.is_empty()) {
        return nothing(facts, spec);
    }
    facts.consumers.iter().map(|consumer| one(consumer, facts, spec)).collect()
}

/// Is there a proxy to compare with?
pub(super) fn is_wanted(spec: &CheckSpec) -> bool {
    spec.http_proxy.is_some() || spec.https_proxy.is_some()
}

/// The command that writes what is wanted, with the flags that name it where the host does not have it, then `more` flags.
fn command(verb: &'static str, more: &'static str, spec: &CheckSpec) -> Text {
    let mut line: Text = verb.into();
    if !spec.proxy_found {
        let mut flag = |flag: &'static str, proxy: &ProxySpec| {
            let scheme = if proxy.tls { "https" } else { "http" };
            line.push(text!(" {} {}://{}", own(flag), own(scheme), own(host_port(&proxy.host, proxy.port))));
        };
        match (&spec.http_proxy, &spec.https_proxy) {
            (Some(http), Some(https)) if http.url == https.url => flag("--proxy", http),
            (http, https) => {
                http.iter().for_each(|proxy| flag("--http-proxy", proxy));
                https.iter().for_each(|proxy| flag("--https-proxy", proxy));
            }
        }
        if let Some(user) = user(spec) {
            line.push(text!(" --proxy-user '{}' --proxy-password-file <FILE>", own(user.replace('\'', r"'\''"))));
        }
    }
    line.push(more);
    ics_setup(line)
}

/// The user of the wanted proxy, which a command has to name together with a file that holds the password.
fn user(spec: &CheckSpec) -> Option<&str> {
    if spec.proxy_found {
        return None;
    }
    [&spec.https_proxy, &spec.http_proxy].into_iter().flatten().find_map(|proxy| proxy.user.as_deref())
}

/// The same as what mends a consumer: advice where a person has to name the file of the password.
fn write(verb: &'static str, more: &'static str, spec: &CheckSpec) -> Fix {
    let command = command(verb, more, spec);
    match user(spec) {
        Some(_) => Fix::Advice(text!("write it with the password from a file: {}", command)),
        None => Fix::Command(command),
    }
}

/// What a consumer gets, in one line: `http and https by http://h:1, no_proxy a,b`.
pub(super) fn shown(consumer: &Consumer) -> Text {
    let text = |value: Option<&ProxyValue>| value.map(|value| value.text());
    let mut parts = match (text(consumer.proxy(false)), text(consumer.proxy(true))) {
        (None, None) => vec!["no proxy".into()],
        (Some(http), Some(https)) if http == https => vec![text!("http and https through {}", http)],
        (http, https) => {
            let part = |scheme: &str, url: Option<Text>| match url {
                Some(url) => text!("{} through {}", own(scheme), url),
                None => text!("{} without a proxy", own(scheme)),
            };
            vec![part("http", http), part("https", https)]
        }
    };
    parts.extend(consumer.exclusions().map(|list| text!("no_proxy {}", clean(list, LONGEST_LIST))));
    Text::join(parts, ", ")
}

fn nothing(facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
    let names = |states: &[State]| -> Vec<Text> {
        facts.consumers.iter().filter(|consumer| states.contains(&consumer.state)).map(who).collect()
    };
    let broken = facts.consumers.iter().filter(|consumer| consumer.state == State::Unreadable);
    let mut findings: Vec<Finding> = broken.map(|consumer| not_seen(consumer, id(consumer.consumer))).collect();
    let (seen, unseen) = (names(&[State::Seen]), names(&[State::Skipped, State::NeedsRoot]));
    let more = if unseen.is_empty() {
        Text::default()
    } else {
        text!("; not looked at: {}", Text::join(unseen.iter().cloned(), ", "))
    };
    let (status, title) = if spec.unread.is_empty() && findings.is_empty() {
        (Status::Pass, "nothing on this host sets a proxy, and none is asked for")
    } else {
        (Status::Skip, "no proxy was seen, and not every place could be looked at")
    };
    let more = spec.unread.iter().fold(more, |more, unread| text!("{}; {}", more, unread.why));
    findings.push(
        Finding::new(ids::PROXY_DRIFT, status, title)
            .observed(text!("no proxy: {}{}", Text::join(seen.iter().cloned(), ", "), more))
            .evidence("seen", seen)
            .evidence("not_seen", unseen),
    );
    findings
}

fn one(consumer: &Consumer, facts: &ConsumersFacts, spec: &CheckSpec) -> Finding {
    let id = id(consumer.consumer);
    if consumer.state != State::Seen {
        return not_seen(consumer, id);
    }
    let who = who(consumer);
    if !consumer.unknown.is_empty() {
        let names = own(consumer.unknown.join(", "));
        let observed = match &consumer.why {
            Some(why) => text!("{}", why.clone()),
            None => text!("{} sets {} by a condition, a command or another variable", own(&consumer.source), names),
        };
        return evidence(
            Finding::new(id, Status::Warn, text!("what {} gets for {} cannot be told from the files", who, names))
                .observed(observed)
                .cause("only the reader itself can tell what it makes of these lines")
                .advise(text!("write plain values instead: {}", command("prepare", "", spec))),
            consumer,
        );
    }
    let observed = text!("{} ({})", shown(consumer), own(&consumer.source));
    if !is_wanted(spec) {
        let set = if consumer.has_proxy() { "a proxy is set" } else { "no proxy" };
        let title = text!("{}: {}", who, own(set));
        return evidence(Finding::new(id, Status::Pass, title).observed(observed), consumer);
    }
    let expected = expected(consumer, spec);
    let wrong = differences(consumer, facts, spec);
    if wrong.is_empty() {
        let title = match consumer.stale {
            false => text!("{} gets the proxy that is wanted", who),
            true => text!("{} has to be started again: its files were changed since", who),
        };
        let status = if consumer.stale { Status::Warn } else { Status::Pass };
        let mut finding = Finding::new(id, status, title).expected(expected).observed(observed);
        if consumer.stale {
            finding = finding.cause(consumer.why.clone().unwrap_or_default());
            finding.fix.push(write("prepare", "", spec));
            finding.fix.extend(restart());
        }
        return evidence(finding, consumer);
    }
    let missing = consumer.proxy(true).is_none() && consumer.proxy(false).is_none();
    let urls = wrong.iter().any(|difference| !difference.name.eq_ignore_ascii_case("no_proxy"));
    let title = if missing {
        text!("{} gets no proxy", who)
    } else {
        let names: Vec<&str> = wrong.iter().map(|difference| difference.name).collect();
        text!("{} gets another {} than is wanted", who, own(names.join(", ")))
    };
    let details = Text::join(wrong.iter().map(|difference| difference.text.clone()), "; ");
    let (cause, fixes) = remedy(consumer, spec, missing);
    let finding = Finding::new(id, status(consumer.consumer, missing, urls, spec), title)
        .expected(expected)
        .observed(text!("{} ({})", details, own(&consumer.source)))
        .cause(cause);
    evidence(Finding { fix: fixes, ..finding }, consumer)
}

fn id(who: Who) -> FindingId {
    match who {
        Who::Login => ids::PROXY_LOGIN,
        Who::Sudo => ids::PROXY_SUDO,
        Who::Cron => ids::PROXY_CRON,
        Who::Systemd => ids::PROXY_SYSTEMD,
        Who::Docker => ids::PROXY_DOCKER,
        Who::PackageManager => ids::PROXY_PACKAGE_MANAGER,
        Who::DockerClient => ids::PROXY_DOCKER_CLIENT,
        Who::Container => ids::PROXY_CONTAINERS,
        Who::ProdEnv => ids::PROXY_PROD_ENV,
    }
}

/// The consumer's name in a sentence.
pub(super) fn who(consumer: &Consumer) -> Text {
    let name = consumer.name.as_ref();
    match consumer.consumer {
        Who::Login => name.map_or("a login".into(), |user| text!("a login of {}", own(user))),
        Who::Sudo => "a command under sudo".into(),
        Who::Cron => "a cron job".into(),
        Who::Systemd => "a systemd service".into(),
        Who::Docker => "the Docker daemon".into(),
        Who::PackageManager => name.map_or("the package manager".into(), |name| text!("{}", own(name))),
        Who::DockerClient => "what the docker client starts".into(),
        Who::Container => name.map_or("a container".into(), |name| text!("the container {}", name)),
        Who::ProdEnv => name.map_or("prod.env".into(), |readers| text!("prod.env by {}", own(readers))),
    }
}

fn not_seen(consumer: &Consumer, id: FindingId) -> Finding {
    let why = consumer.why.clone().unwrap_or_default();
    let who = who(consumer);
    if consumer.state != State::Unreadable {
        let finding = Finding::new(id, Status::Skip, text!("{} was not looked at", who));
        let finding = match consumer.state {
            State::NeedsRoot => finding.fix(text!("sudo {}", ics_setup("check proxy"))),
            _ => finding,
        };
        return evidence(finding.observed(why), consumer);
    }
    let look: Text = match consumer.consumer {
        Who::Login => text!("su - {} -c env", own(consumer.name.as_deref().unwrap_or("divvy"))),
        Who::PackageManager => "apt-config dump Acquire::http::Proxy".into(),
        Who::Docker => "dockerd --validate --config-file /etc/docker/daemon.json; systemctl cat docker".into(),
        _ if Path::new(&consumer.source).is_absolute() => text!("ls -l {}", own(&consumer.source)),
        _ => text!("{}", own(&consumer.source)),
    };
    let title = text!("what {} gets could not be found out", who);
    evidence(Finding::new(id, Status::Error, title).observed(why).advise(text!("try it: {}", look)), consumer)
}

struct Difference {
    name: &'static str,
    text: Text,
}

/// What is wanted of this consumer, in one line.
fn expected(consumer: &Consumer, spec: &CheckSpec) -> Text {
    let url = |proxy: &Option<ProxySpec>| proxy.as_ref().map(|proxy| text!("{}", own(&proxy.url)));
    let mut line = match (url(&spec.http_proxy), url(&spec.https_proxy)) {
        (Some(http), Some(https)) if http == https => text!("http and https through {}", http),
        (http, https) => {
            let part = |(scheme, url): (&str, Option<Text>)| url.map(|url| text!("{} through {}", own(scheme), url));
            Text::join([("http", http), ("https", https)].into_iter().filter_map(part), ", ")
        }
    };
    if has_exclusions(consumer.consumer) && !spec.no_proxy.is_empty() {
        let list = spec.no_proxy.join(",");
        line.push(text!(", no_proxy {}", list_text(&list, clean(&list, LONGEST_LIST))));
    }
    line
}

/// apt, dnf and yum have no list of their own.
fn has_exclusions(who: Who) -> bool {
    who != Who::PackageManager
}

fn differences(consumer: &Consumer, facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Difference> {
    let mut found = Vec::new();
    let urls = [
        (["http_proxy", "HTTP_PROXY"], &spec.http_proxy, facts.http_password, [&consumer.http, &consumer.http_upper]),
        (
            ["https_proxy", "HTTPS_PROXY"],
            &spec.https_proxy,
            facts.https_password,
            [&consumer.https, &consumer.https_upper],
        ),
    ];
    for (names, wanted, password, seen) in urls {
        let Some(wanted) = wanted else { continue };
        if seen.iter().all(|value| value.is_none()) {
            found.push(Difference { name: names[0], text: text!("{} is not set", own(names[0])) });
        }
        for (name, value) in names.into_iter().zip(seen) {
            let Some(value) = value else { continue };
            if value.shown != wanted.url {
                found.push(Difference { name, text: text!("{} is {}", own(name), value.text()) });
            } else if value.password != password {
                let which = if value.password.is_none() { "without the password" } else { "with another password" };
                let text = text!("{} is {} {}", own(name), value.text(), own(which));
                found.push(Difference { name, text });
            }
        }
    }
    if has_exclusions(consumer.consumer) && consumer.has_proxy() {
        let members = |list: &str| -> BTreeSet<String> { NoProxy::found(list).members().map(str::to_owned).collect() };
        let wanted: BTreeSet<String> = spec.no_proxy.iter().cloned().collect();
        let lists = [("no_proxy", &consumer.no_proxy), ("NO_PROXY", &consumer.no_proxy_upper)];
        if lists.iter().all(|(_, list)| list.is_none()) && !wanted.is_empty() {
            found.push(Difference { name: "no_proxy", text: "no_proxy is not set".into() });
        }
        for (name, list) in lists {
            let Some(seen) = list.as_deref().map(members).filter(|seen| *seen != wanted) else { continue };
            let list = |members: BTreeSet<&String>| {
                let members: Vec<&str> = members.into_iter().map(String::as_str).collect();
                let list = members.join(",");
                (!list.is_empty()).then(|| (clean(&list, LONGEST_LIST), list))
            };
            let parts = [
                list(wanted.difference(&seen).collect()).map(|(cut, list)| text!("lacks {}", list_text(&list, cut))),
                list(seen.difference(&wanted).collect()).map(|(cut, _)| text!("also has {}", cut)),
            ];
            let parts = Text::join(parts.into_iter().flatten(), " and ");
            found.push(Difference { name, text: text!("{} {}", own(name), parts) });
        }
    }
    found
}

/// How bad it is: images cannot be pulled without the daemon's proxy, and the product cannot call out without that of its
/// containers. What nobody asked for in this run is no failure.
fn status(who: Who, missing: bool, urls: bool, spec: &CheckSpec) -> Status {
    let grave = match who {
        Who::Docker => missing || (urls && !spec.proxy_found),
        Who::Login | Who::Container | Who::ProdEnv => urls && !spec.proxy_found,
        Who::Sudo | Who::Cron | Who::Systemd | Who::PackageManager | Who::DockerClient => false,
    };
    if grave { Status::Fail } else { Status::Warn }
}

fn restart() -> [Fix; 2] {
    [
        Fix::Command("systemctl daemon-reload && systemctl restart docker".into()),
        Fix::Advice("choose the time for it: running containers stop when Docker is restarted".into()),
    ]
}

/// Why it is so, and what to do.
fn remedy(consumer: &Consumer, spec: &CheckSpec, missing: bool) -> (&'static str, Vec<Fix>) {
    let prepare = || write("prepare", "", spec);
    let prepare_and_restart = || std::iter::once(prepare()).chain(restart()).collect();
    let reconfigure = || {
        let file = quoted(&spec.home.join("docker-compose.yml").to_string_lossy());
        let compose = text!("docker-compose -f {} up -d --force-recreate", own(file));
        vec![write("reconfigure", "", spec), Fix::Command(compose)]
    };
    match consumer.consumer {
        Who::Login if missing => ("no file that logins read sets it", vec![prepare()]),
        Who::Login => {
            let home = consumer.name.as_ref().filter(|name| !name.contains(' ')).map(own).map(|user| text!(" ~{}/.profile ~{}/.bash_profile ~{}/.bashrc", user, user, user));
            let find = text!(
                "find where it is set: grep -rniE '(https?|no)_proxy' /etc/environment /etc/profile /etc/profile.d{}",
                home.unwrap_or_default()
            );
            ("the files that logins read were not written with these settings, or another one sets it later", vec![prepare(), Fix::Advice(find)])
        }
        Who::Sudo => (
            "sudo starts with a fresh environment, and its PAM stack decides whether /etc/environment is read",
            vec![Fix::Advice(
                "pass the caller's values on: echo 'Defaults env_keep += \"http_proxy https_proxy no_proxy\"' > /etc/sudoers.d/ics-proxy && chmod 0440 /etc/sudoers.d/ics-proxy".into(),
            )],
        ),
        Who::Cron => (
            "cron reads /etc/environment where its PAM stack has pam_env, and never profile.d",
            vec![Fix::Advice("write http_proxy=…, https_proxy=… and no_proxy=…, without export, at the top of the crontab: crontab -e".into())],
        ),
        Who::Systemd => (
            "services are no logins: they read neither /etc/environment nor profile.d",
            vec![Fix::Advice("give it to a service that needs a proxy: systemctl edit <NAME>, then [Service] and Environment=http_proxy=…".into())],
        ),
        Who::Docker if consumer.stale => ("its files were changed after it was started", prepare_and_restart()),
        Who::Docker => (
            "as a service it reads neither /etc/environment nor profile.d, only its unit's drop-ins and daemon.json; without a proxy it pulls no image",
            prepare_and_restart(),
        ),
        Who::PackageManager => (
            "it has a configuration of its own; under sudo and in timers it does not see the login's variables",
            vec![write("prepare", " --target package-manager", spec)],
        ),
        Who::DockerClient => (
            "the docker client puts these into every container that root starts, over what the image has",
            vec![Fix::Advice(text!("set proxies.default in {} to the same, or take it out", own(&consumer.source)))],
        ),
        Who::Container => ("a container keeps the environment that it was created with", reconfigure()),
        Who::ProdEnv => ("the product's containers get their environment from this file", reconfigure()),
    }
}

fn evidence(finding: Finding, consumer: &Consumer) -> Finding {
    let finding = finding.evidence("consumer", who(consumer)).evidence("source", own(&consumer.source));
    let url = |of_https| consumer.proxy(of_https).map(|value| Evidence::from(value.text()));
    let list = consumer.exclusions().map(|list| Evidence::from(clean(list, LONGEST_LIST)));
    let values = [("http_proxy", url(false)), ("https_proxy", url(true)), ("no_proxy", list)];
    values
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .fold(finding, |finding, (name, value)| finding.evidence(name, value))
}
