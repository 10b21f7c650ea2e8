//! What mends a consumer that does not get what is wanted: a command, or the line that decides otherwise.

use super::super::{Closed, Consumer, ConsumersFacts, Decided, ProxySpec, State, Unread, Wanted, Who};
use super::{Difference, decided_by, differences};
use crate::text;
use crate::text::{Fix, Text, host_port, ics_setup, own};

/// The command that writes what is wanted, with the flags that name it where the host does not have it, then `more` flags.
fn command(verb: &'static str, more: &'static str, wanted: &Wanted) -> Text {
    let mut line: Text = verb.into();
    if wanted.asked {
        let mut flag = |flag: &'static str, proxy: &ProxySpec| {
            let scheme = if proxy.tls { "https" } else { "http" };
            line.push(text!(" {} {}://{}", own(flag), own(scheme), own(host_port(&proxy.host, proxy.port))));
        };
        match (&wanted.http, &wanted.https) {
            (Some(http), Some(https)) if http.url == https.url => flag("--proxy", http),
            (http, https) => {
                http.iter().for_each(|proxy| flag("--http-proxy", proxy));
                https.iter().for_each(|proxy| flag("--https-proxy", proxy));
            }
        }
        if let Some(user) = user(wanted) {
            line.push(text!(" --proxy-user '{}' --proxy-password-file <FILE>", own(user.replace('\'', r"'\''"))));
        }
    }
    line.push(more);
    ics_setup(line)
}

/// The user of the wanted proxy, which a command has to name together with a file that holds the password.
fn user(wanted: &Wanted) -> Option<&str> {
    if !wanted.asked {
        return None;
    }
    [&wanted.https, &wanted.http].into_iter().flatten().find_map(|proxy| proxy.user.as_deref())
}

/// The same as what mends a consumer: advice where a person has to name the file of the password.
pub(crate) fn write(verb: &'static str, more: &'static str, wanted: &Wanted) -> Fix {
    let command = command(verb, more, wanted);
    match user(wanted) {
        Some(_) => Fix::Advice(text!("write it with the password from a file: {}", command)),
        None => Fix::Command(command),
    }
}

/// What keeps a line of a unit short enough for every systemd.
pub(crate) const SHORTER_LIST: &str = "name fewer hosts, or domains (.corp.example) in place of hosts, in no_proxy";

/// Lines of a unit that every systemd reads whole, less what stands there beside the list.
const SHORT_LINE: usize = 2000;

/// Where all is written as it is going to be and the consumer still gets something else: what to do, which is no command
/// of ours. `None`: to write it changes something.
pub(super) fn nothing_to_write(
    consumer: &Consumer,
    wrong: &[Difference],
    facts: &ConsumersFacts,
    wanted: &Wanted,
) -> Option<(Text, Vec<Fix>)> {
    let same = |planned: &&Consumer| planned.consumer == consumer.consumer && planned.name == consumer.name;
    let planned = facts.planned.iter().find(same)?;
    if wanted.written || !consumer.consumer.has_file_of_ours() || !planned.is_same(consumer) {
        return None;
    }
    let of_list = wrong.iter().any(|difference| difference.name.eq_ignore_ascii_case("no_proxy"));
    if consumer.consumer == Who::Docker && of_list && wanted.no_proxy.join(",").len() > SHORT_LINE {
        let cause = "systemd before 237 cuts lines of more than 2,047 bytes";
        return Some((cause.into(), vec![Fix::Advice(SHORTER_LIST.into())]));
    }
    None
}

/// Nothing of an image runs: there it is for later.
pub(super) fn restart(image: bool) -> Vec<Fix> {
    let command = "systemctl daemon-reload && systemctl restart docker";
    vec![
        if image { Fix::Advice(text!("once the image runs: {}", own(command))) } else { Fix::Command(command.into()) },
        Fix::Advice("choose the time for it: running containers stop when Docker is restarted".into()),
    ]
}

/// A file that the consumer may not read, where that is why something is wrong: the command that opens it.
pub(super) fn closed(consumer: &Consumer, wrong: &[Difference]) -> Option<(Text, Vec<Fix>)> {
    let decides = |closed: &&Closed| {
        let of_wrong = |name: &String| wrong.iter().any(|difference| difference.name.eq_ignore_ascii_case(name));
        closed.names.iter().any(of_wrong)
    };
    let closed = consumer.closed.iter().find(decides)?;
    let mode = |(path, mode): &(String, String)| text!("{} has mode {}", own(path), own(mode));
    let modes = Text::join(closed.modes.iter().map(mode), ", ");
    let cause = text!("{}, so that {} cannot read {}", modes, own(&closed.user), own(&closed.file));
    let mut fixes = vec![Fix::Command(text!("{}", own(&closed.chmod)))];
    if closed.password {
        let warning = "the file holds the password of the proxy, which every user of this host can read then";
        fixes.push(Fix::Advice(warning.into()));
    }
    Some((cause, fixes))
}

/// Doors that leave the file unread which `prepare` writes.
pub(super) fn unread(consumer: &Consumer) -> Option<(Text, Vec<Fix>)> {
    if consumer.unread.is_empty() {
        return None;
    }
    let places: Vec<&str> = consumer.unread.iter().map(|unread| unread.at.as_str()).collect();
    let mend = |unread: &Unread| match unread.asks_pam {
        true => text!("add this line to {}: session required pam_env.so", own(&unread.at)),
        false => text!("let sshd use its PAM stack: UsePAM yes in {}", own(&unread.at)),
    };
    let fixes = consumer.unread.iter().map(|unread| Fix::Advice(mend(unread))).collect();
    Some((text!("/etc/environment is not read there: {}", own(places.join(", "))), fixes))
}

const PACKAGES_OF_OTHERS: &str = " --target package-manager --mend-others";

/// What decides otherwise, whatever `prepare` and `reconfigure` write.
pub(super) struct Outranked {
    pub(super) cause: Text,
    pub(super) fixes: Vec<Fix>,
    /// They mend something of it all the same.
    pub(super) is_part: bool,
}

/// Who decides what is wrong when everything is written as it is going to be: each is named with its line.
pub(super) fn outranked(
    consumer: &Consumer,
    wrong: &[Difference],
    facts: &ConsumersFacts,
    wanted: &Wanted,
) -> Option<Outranked> {
    let same = |planned: &&Consumer| planned.consumer == consumer.consumer && planned.state == State::Seen;
    let named = |planned: &&Consumer| planned.name == consumer.name;
    let planned = || facts.planned.iter().filter(same);
    let (after, stays);
    if wanted.written || !consumer.consumer.has_file_of_ours() {
        (after, stays) = (consumer, wrong.iter().map(|difference| difference.name).collect::<Vec<_>>());
    } else {
        after = planned()
            .find(named)
            .or_else(|| planned().find(|planned| !differences(planned, facts, wanted).is_empty()))?;
        stays = differences(after, facts, wanted).iter().map(|difference| difference.name).collect();
    }
    // A line that nobody understands, such as one that runs a command, decides nothing that is known.
    let is_known = |name: &&str| !after.unknown.keys().any(|own| own.eq_ignore_ascii_case(name));
    let others: Vec<(&str, &Decided)> =
        stays.into_iter().filter(is_known).filter_map(|name| decided_by(after, name)).collect();
    let (_, first) = others.first()?;
    let mut cause = text!("{} decides it, whatever other files say", own(&first.shown));
    if let Some(whose) = &first.others {
        cause = text!("{}; {}", cause, whose.clone());
    }
    let mut fixes: Vec<Fix> = Vec::new();
    if !wanted.mends_others && others.iter().any(|(_, decided)| decided.others.is_some()) {
        let more = match consumer.consumer {
            Who::PackageManager => PACKAGES_OF_OTHERS,
            _ => " --mend-others",
        };
        fixes.push(write("prepare", more, wanted));
    }
    let by_hand = others.iter().filter(|(_, decided)| wanted.mends_others || decided.others.is_none());
    fixes
        .extend(by_hand.map(|(name, decided)| Fix::Advice(text!("take {} out of {}", own(name), own(&decided.shown)))));
    if consumer.consumer == Who::Docker {
        // No command mends it before a person has: a restart alone would change nothing.
        fixes.extend(restart(false).into_iter().map(|fix| match fix {
            Fix::Command(command) => Fix::Advice(text!("where it runs, restart it then: {}", command)),
            other => other,
        }));
    }
    let values = |own: &Consumer| {
        let urls = [&own.http, &own.http_upper, &own.https, &own.https_upper]
            .map(|value| value.as_ref().map(|value| value.shown.clone()));
        (urls, own.no_proxy.clone(), own.no_proxy_upper.clone())
    };
    Some(Outranked { cause, fixes, is_part: values(after) != values(consumer) })
}

/// Why it is so, and what to do.
pub(super) fn remedy(
    consumer: &Consumer,
    facts: &ConsumersFacts,
    wanted: &Wanted,
    missing: bool,
) -> (&'static str, Vec<Fix>) {
    let others = if consumer.kept_by.is_some() { " --mend-others" } else { "" };
    let prepare = || if wanted.written { None } else { Some(write("prepare", others, wanted)) };
    let prepare_and_restart = || prepare().into_iter().chain(restart(facts.image)).collect();
    let reconfigure = || {
        let compose = text!("{} up -d --force-recreate", facts.compose.clone());
        let compose = match (facts.compose.is_empty(), facts.image) {
            (true, _) => None,
            (false, true) => Some(Fix::Advice(text!("once the image runs: {}", compose))),
            (false, false) => Some(Fix::Command(compose)),
        };
        let write = if wanted.written { None } else { Some(write("reconfigure", others, wanted)) };
        write.into_iter().chain(compose).collect()
    };
    match consumer.consumer {
        Who::Login if missing => ("no file that logins read sets it", prepare().into_iter().collect()),
        Who::Login => {
            let user = consumer.name.as_ref().filter(|name| !name.contains(' '));
            let home = user.map(own).map(|user| text!(" ~{}/.profile ~{}/.bash_profile ~{}/.bashrc", user, user, user));
            let find = text!(
                "find where it is set: grep -rniE '(https?|no)_proxy' /etc/environment /etc/profile /etc/profile.d{}",
                home.unwrap_or_default()
            );
            ("the files that logins read were not written with these settings, or another one sets it later", prepare().into_iter().chain([Fix::Advice(find)]).collect())
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
        Who::Docker => (
            "as a service it reads neither /etc/environment nor profile.d, only its unit's drop-ins and daemon.json; without a proxy it pulls no image",
            prepare_and_restart(),
        ),
        // Nothing that is written for it would count.
        Who::PackageManager if consumer.why.is_some() && !consumer.decided.values().all(|decided| decided.ours) => (
            "a line that comes later decides it",
            vec![Fix::Advice(text!("take that line out, or bring it to the same proxy: {}", own(&consumer.source)))],
        ),
        Who::PackageManager => (
            "it has a configuration of its own; under sudo and in timers it does not see the login's variables",
            vec![write("prepare", if consumer.kept_by.is_some() { PACKAGES_OF_OTHERS } else { " --target package-manager" }, wanted)],
        ),
        Who::DockerClient => (
            "the docker client puts these into every container that root starts, over what the image has",
            vec![Fix::Advice(text!("set proxies.default in {} to the same, or take it out", own(&consumer.source)))],
        ),
        Who::Container => ("a container keeps the environment that it was created with", reconfigure()),
        Who::ProdEnv => ("the product's containers get their environment from this file", reconfigure()),
    }
}
