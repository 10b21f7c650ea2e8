//! One finding for each consumer: does it get what the settings ask for?

use std::collections::BTreeSet;

use super::super::super::CheckSpec;
use crate::check::ProxySpec;
use crate::consumers::{Consumer, ConsumersFacts, ProxyValue, State, Who};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::settings::NoProxy;
use crate::text;
use crate::text::Text;
use crate::text::{clean, host_port};

/// No more characters of a list are shown.
const LONGEST_LIST: usize = 500;

/// The findings of all consumers; a single one where nothing is wanted and nothing is set.
pub(super) fn all(facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
    if !is_wanted(spec) && !facts.consumers.iter().any(Consumer::has_proxy) {
        return nothing(facts, spec);
    }
    facts.consumers.iter().map(|consumer| one(consumer, facts, spec)).collect()
}

/// Is there a proxy to compare with?
pub(super) fn is_wanted(spec: &CheckSpec) -> bool {
    spec.http_proxy.is_some() || spec.https_proxy.is_some()
}

/// The command that writes what is wanted, with the flags that name it where the host does not have it.
pub(super) fn command(verb: &str, spec: &CheckSpec) -> String {
    let mut line = format!("ics-setup {verb}");
    if spec.proxy_found {
        return line;
    }
    let bare = |proxy: &ProxySpec| {
        format!("{}://{}", if proxy.tls { "https" } else { "http" }, host_port(&proxy.host, proxy.port))
    };
    match (&spec.http_proxy, &spec.https_proxy) {
        (Some(http), Some(https)) if http.url == https.url => line.push_str(&format!(" --proxy {}", bare(http))),
        (http, https) => {
            for (flag, proxy) in [("--http-proxy", http), ("--https-proxy", https)] {
                line.extend(proxy.as_ref().map(|proxy| format!(" {flag} {}", bare(proxy))));
            }
        }
    }
    if let Some(user) =
        [&spec.https_proxy, &spec.http_proxy].into_iter().flatten().find_map(|proxy| proxy.user.as_ref())
    {
        line.push_str(&format!(" --proxy-user '{}' --proxy-password-file FILE", user.replace('\'', "'\\''")));
    }
    line
}

/// What a consumer gets, in one line: `http and https by http://h:1, no_proxy a,b`.
pub(super) fn shown(consumer: &Consumer) -> String {
    let text = |value: Option<&ProxyValue>| value.map(|value| value.shown.clone());
    let mut parts = match (text(consumer.proxy(false)), text(consumer.proxy(true))) {
        (None, None) => vec!["no proxy".to_owned()],
        (Some(http), Some(https)) if http == https => vec![format!("http and https through {http}")],
        (http, https) => {
            let part = |scheme: &str, url: Option<String>| match url {
                Some(url) => format!("{scheme} through {url}"),
                None => format!("{scheme} without a proxy"),
            };
            vec![part("http", http), part("https", https)]
        }
    };
    parts.extend(consumer.exclusions().map(|list| format!("no_proxy {}", clean(list, LONGEST_LIST))));
    parts.join(", ")
}

fn nothing(facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
    let names = |states: &[State]| -> Vec<String> {
        facts.consumers.iter().filter(|consumer| states.contains(&consumer.state)).map(who).collect()
    };
    let broken = facts.consumers.iter().filter(|consumer| consumer.state == State::Unreadable);
    let mut findings: Vec<Finding> = broken.map(|consumer| not_seen(consumer, id(consumer.consumer))).collect();
    let (seen, unseen) = (names(&[State::Seen]), names(&[State::Skipped, State::NeedsRoot]));
    let more = if unseen.is_empty() { Text::default() } else { text!("; not looked at: {}", unseen.join(", ")) };
    let (status, title) = if spec.unread.is_empty() && findings.is_empty() {
        (Status::Pass, "nothing on this host sets a proxy, and none is asked for")
    } else {
        (Status::Skip, "no proxy was seen, and not every place could be looked at")
    };
    let more = spec.unread.iter().fold(more, |more, unread| text!("{}; {}", more, unread.why));
    findings.push(
        Finding::new(ids::PROXY_DRIFT, status, title)
            .observed(text!("no proxy: {}{}", seen.join(", "), more))
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
        let names = consumer.unknown.join(", ");
        return evidence(
            Finding::new(id, Status::Warn, format!("what {who} gets for {names} cannot be told from the files"))
                .observed(format!("{} sets {names} by a condition, a command or another variable", consumer.source))
                .cause("only the reader itself can tell what it makes of these lines")
                .fix(format!("write plain values instead: {}", command("prepare", spec))),
            consumer,
        );
    }
    let observed = format!("{} ({})", shown(consumer), consumer.source);
    if !is_wanted(spec) {
        let title = format!("{who}: {}", if consumer.has_proxy() { "a proxy is set" } else { "no proxy" });
        return evidence(Finding::new(id, Status::Pass, title).observed(observed), consumer);
    }
    let expected = expected(consumer, spec);
    let wrong = differences(consumer, facts, spec);
    if wrong.is_empty() {
        let title = match consumer.stale {
            false => format!("{who} gets the proxy that is wanted"),
            true => format!("{who} has to be started again: its files were changed since"),
        };
        let status = if consumer.stale { Status::Warn } else { Status::Pass };
        let mut finding = Finding::new(id, status, title).expected(expected).observed(observed);
        if consumer.stale {
            finding =
                finding.cause(consumer.why.clone().unwrap_or_default()).fix(command("prepare", spec)).fix(RESTART);
        }
        return evidence(finding, consumer);
    }
    let missing = consumer.proxy(true).is_none() && consumer.proxy(false).is_none();
    let urls = wrong.iter().any(|difference| !difference.name.eq_ignore_ascii_case("no_proxy"));
    let title = if missing {
        format!("{who} gets no proxy")
    } else {
        let names: Vec<&str> = wrong.iter().map(|difference| difference.name).collect();
        format!("{who} gets another {} than is wanted", names.join(", "))
    };
    let details: Vec<String> = wrong.iter().map(|difference| difference.text.clone()).collect();
    let (cause, fixes) = remedy(consumer, spec, missing);
    let finding = Finding::new(id, status(consumer.consumer, missing, urls, spec), title)
        .expected(expected)
        .observed(format!("{} ({})", details.join("; "), consumer.source))
        .cause(cause);
    evidence(fixes.into_iter().fold(finding, Finding::fix), consumer)
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
pub(super) fn who(consumer: &Consumer) -> String {
    let name = consumer.name.as_deref();
    match consumer.consumer {
        Who::Login => name.map_or_else(|| "a login".to_owned(), |user| format!("a login of {user}")),
        Who::Sudo => "a command under sudo".to_owned(),
        Who::Cron => "a cron job".to_owned(),
        Who::Systemd => "a systemd service".to_owned(),
        Who::Docker => "the Docker daemon".to_owned(),
        Who::PackageManager => name.unwrap_or("the package manager").to_owned(),
        Who::DockerClient => "what the docker client starts".to_owned(),
        Who::Container => name.map_or_else(|| "a container".to_owned(), |name| format!("the container {name}")),
        Who::ProdEnv => name.map_or_else(|| "prod.env".to_owned(), |readers| format!("prod.env by {readers}")),
    }
}

fn not_seen(consumer: &Consumer, id: FindingId) -> Finding {
    let why = consumer.why.clone().unwrap_or_default();
    let who = who(consumer);
    if consumer.state != State::Unreadable {
        let finding = Finding::new(id, Status::Skip, format!("{who} was not looked at"));
        let finding = match consumer.state {
            State::NeedsRoot => finding.fix("sudo ics-setup check proxy"),
            _ => finding,
        };
        return evidence(finding.observed(why), consumer);
    }
    let fix = match consumer.consumer {
        Who::Login => format!("try it: su - {} -c env", consumer.name.as_deref().unwrap_or("divvy")),
        Who::PackageManager => "try it: apt-config dump Acquire::http::Proxy".to_owned(),
        Who::Docker => {
            "try it: dockerd --validate --config-file /etc/docker/daemon.json; systemctl cat docker".to_owned()
        }
        _ => format!(
            "try it: {}",
            if consumer.source.starts_with('/') {
                format!("ls -l {}", consumer.source)
            } else {
                consumer.source.clone()
            }
        ),
    };
    let title = format!("what {who} gets could not be found out");
    evidence(Finding::new(id, Status::Error, title).observed(why).fix(fix), consumer)
}

struct Difference {
    name: &'static str,
    text: String,
}

/// What is wanted of this consumer, in one line.
fn expected(consumer: &Consumer, spec: &CheckSpec) -> String {
    let url = |proxy: &Option<ProxySpec>| proxy.as_ref().map(|proxy| proxy.url.clone());
    let mut line = match (url(&spec.http_proxy), url(&spec.https_proxy)) {
        (Some(http), Some(https)) if http == https => format!("http and https through {http}"),
        (http, https) => {
            let part = |(scheme, url): (&str, Option<String>)| url.map(|url| format!("{scheme} through {url}"));
            [("http", http), ("https", https)].into_iter().filter_map(part).collect::<Vec<_>>().join(", ")
        }
    };
    if has_exclusions(consumer.consumer) && !spec.no_proxy.is_empty() {
        line.push_str(&format!(", no_proxy {}", clean(&spec.no_proxy.join(","), LONGEST_LIST)));
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
            found.push(Difference { name: names[0], text: format!("{} is not set", names[0]) });
        }
        for (name, value) in names.into_iter().zip(seen) {
            let Some(value) = value else { continue };
            if value.shown != wanted.url {
                found.push(Difference { name, text: format!("{name} is {}", value.shown) });
            } else if value.password != password {
                let which = if value.password.is_none() { "without the password" } else { "with another password" };
                found.push(Difference { name, text: format!("{name} is {} {which}", value.shown) });
            }
        }
    }
    if has_exclusions(consumer.consumer) && consumer.has_proxy() {
        let members = |list: &str| -> BTreeSet<String> { NoProxy::found(list).members().map(str::to_owned).collect() };
        let wanted: BTreeSet<String> = spec.no_proxy.iter().cloned().collect();
        let lists = [("no_proxy", &consumer.no_proxy), ("NO_PROXY", &consumer.no_proxy_upper)];
        if lists.iter().all(|(_, list)| list.is_none()) && !wanted.is_empty() {
            found.push(Difference { name: "no_proxy", text: "no_proxy is not set".to_owned() });
        }
        for (name, list) in lists {
            let Some(seen) = list.as_deref().map(members).filter(|seen| *seen != wanted) else { continue };
            let part = |word: &str, set: Vec<&String>| {
                let names: Vec<&str> = set.into_iter().map(String::as_str).collect();
                (!names.is_empty()).then(|| format!("{word} {}", clean(&names.join(","), LONGEST_LIST)))
            };
            let parts = [
                part("lacks", wanted.difference(&seen).collect()),
                part("also has", seen.difference(&wanted).collect()),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            found.push(Difference { name, text: format!("{name} {}", parts.join(" and ")) });
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

const RESTART: &str = "systemctl daemon-reload && systemctl restart docker   # running containers stop";

/// Why it is so, and what to do.
fn remedy(consumer: &Consumer, spec: &CheckSpec, missing: bool) -> (String, Vec<String>) {
    let prepare = || command("prepare", spec);
    let compose = format!("docker-compose -f {}/docker-compose.yml up -d --force-recreate", spec.home.display());
    let (cause, fixes) = match consumer.consumer {
        Who::Login if missing => ("no file that logins read sets it".to_owned(), vec![prepare()]),
        Who::Login => {
            let home = consumer.name.as_deref().map(|user| format!(" ~{user}/.profile ~{user}/.bash_profile ~{user}/.bashrc"));
            let find = format!(
                "find where it is set: grep -rniE '(https?|no)_proxy' /etc/environment /etc/profile /etc/profile.d{}",
                home.unwrap_or_default()
            );
            ("the files that logins read were not written with these settings, or another one sets it later".to_owned(), vec![prepare(), find])
        }
        Who::Sudo => (
            "sudo starts with a fresh environment, and its PAM stack decides whether /etc/environment is read".to_owned(),
            vec![
                "echo 'Defaults env_keep += \"http_proxy https_proxy no_proxy\"' > /etc/sudoers.d/ics-proxy && chmod 0440 /etc/sudoers.d/ics-proxy"
                    .to_owned(),
            ],
        ),
        Who::Cron => (
            "cron reads /etc/environment where its PAM stack has pam_env, and never profile.d".to_owned(),
            vec!["write http_proxy=…, https_proxy=… and no_proxy=…, without export, at the top of the crontab: crontab -e".to_owned()],
        ),
        Who::Systemd => (
            "services are no logins: they read neither /etc/environment nor profile.d".to_owned(),
            vec!["for a service that needs a proxy: systemctl edit NAME, then [Service] and Environment=http_proxy=…".to_owned()],
        ),
        Who::Docker if consumer.stale => (
            "its files were changed after it was started".to_owned(),
            vec![prepare(), RESTART.to_owned()],
        ),
        Who::Docker => (
            "as a service it reads neither /etc/environment nor profile.d, only its unit's drop-ins and daemon.json; without a proxy it pulls no image".to_owned(),
            vec![prepare(), RESTART.to_owned()],
        ),
        Who::PackageManager => (
            "it has a configuration of its own; under sudo and in timers it does not see the login's variables".to_owned(),
            vec![format!("{} --target package-manager", prepare())],
        ),
        Who::DockerClient => (
            "the docker client puts these into every container that root starts, over what the image has".to_owned(),
            vec![format!("set proxies.default in {} to the same, or take it out", consumer.source)],
        ),
        Who::Container => (
            "a container keeps the environment that it was created with".to_owned(),
            vec![command("reconfigure", spec), compose],
        ),
        Who::ProdEnv => (
            "the product's containers get their environment from this file".to_owned(),
            vec![command("reconfigure", spec), compose],
        ),
    };
    (cause, fixes)
}

fn evidence(finding: Finding, consumer: &Consumer) -> Finding {
    let finding = finding.evidence("consumer", who(consumer)).evidence("source", consumer.source.as_str());
    let list = consumer.exclusions().map(|list| clean(list, LONGEST_LIST));
    let values = [
        ("http_proxy", consumer.proxy(false).map(|value| value.shown.as_str())),
        ("https_proxy", consumer.proxy(true).map(|value| value.shown.as_str())),
        ("no_proxy", list.as_deref()),
    ];
    values.into_iter().fold(finding, |finding, (name, value)| match value {
        Some(value) => finding.evidence(name, value),
        None => finding,
    })
}
