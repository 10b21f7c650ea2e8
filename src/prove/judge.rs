//! Is the wanted way taken, and do the programs and the models agree?

use crate::clients::{Environment, Route, Target};
use crate::consumers::{Consumer, ConsumersFacts, Door, Wanted, Who, judge as consumers};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::sandbox::Login;
use crate::text;
use crate::text::{Text, own, typed};

use super::{Ask, Look, Program, Way, consumer_of, wanted_proxy};

/// What is to be said: a finding for each door through which a wanted way is not taken, one for each program that does
/// otherwise than the models say, and one that passes where there is neither.
pub(super) fn judge(
    look: &Look<'_>,
    programs: &[Program],
    (facts_of, facts): (&[Consumer], &ConsumersFacts),
    urls: &[String],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let asked = || programs.iter().filter(|program| !program.asks.is_empty());
    for door in Door::ALL {
        let wrong: Vec<&Program> =
            asked().filter(|program| program.door == door && program.wrong.iter().any(Option::is_some)).collect();
        if let Some(first) = wrong.first() {
            findings.push(of_door(look, first, &wrong, urls, (facts_of, facts)));
        }
    }
    findings.extend(disagreements(programs, urls));
    if findings.is_empty() && asked().next().is_some() {
        findings.push(
            Finding::new(ids::PROVE_WAY, Status::Pass, "every program that was asked takes the wanted way")
                .evidence("known", own("asked")),
        );
    }
    findings
}

/// What is wanted of this program for this target.
fn wanted(look: &Look<'_>, program: &Program, target: &Target) -> Way {
    if wanted_proxy(look, target).is_none() {
        return Way::Direct;
    }
    if program.consumer == Who::PackageManager {
        return Way::Proxy;
    }
    let render = |proxy: &Option<crate::settings::Setting<crate::settings::ProxyUrl>>| {
        proxy.as_ref().map(|proxy| proxy.value.masked())
    };
    let proxies = &look.settings.proxies;
    let list = look.no_proxy.to_string();
    let all =
        [("http_proxy", render(&proxies.http)), ("https_proxy", render(&proxies.https)), ("no_proxy", Some(list))];
    let environment: Environment = all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    match program.client.route_in(target, &environment) {
        Route::Proxy { .. } => Way::Proxy,
        Route::Direct(_) => Way::Direct,
        Route::Error { .. } => Way::None,
    }
}

/// How each ask differs from what is wanted.
pub(super) fn wrong(look: &Look<'_>, program: &Program, targets: &[Target]) -> Vec<Option<Text>> {
    // The setting of a package manager has no list, so that it asks for everything alike.
    let counted = if program.consumer == Who::PackageManager { 1 } else { targets.len() };
    let each = program.asks.iter().zip(targets).take(counted);
    each.map(|(ask, target)| differs(look, program, ask, target)).collect()
}

/// What several programs do, those that do the same together.
fn told(wrong: &[&Program], urls: &[String]) -> Text {
    let how = |program: &Program| {
        let each = program.wrong.iter().zip(urls);
        let ways = each.filter_map(|(how, url)| how.clone().map(|how| text!("{} {}", own(url), how)));
        Text::join(ways, ", ")
    };
    let mut groups: Vec<(Text, Vec<&str>)> = Vec::new();
    for program in wrong {
        let how = how(program);
        match groups.iter_mut().find(|(known, _)| *known == how) {
            Some((_, names)) => names.push(program.program),
            None => groups.push((how, vec![program.program])),
        }
    }
    Text::join(groups.into_iter().map(|(how, names)| text!("{}: {}", own(names.join(", ")), how)), "; ")
}

/// How what was done differs from what is wanted; `None`: it does not.
fn differs(look: &Look<'_>, program: &Program, ask: &Ask, target: &Target) -> Option<Text> {
    let way = wanted(look, program, target);
    if way != ask.way {
        return Some(match ask.way {
            Way::Proxy => text!("through {}", ask.proxy.clone().unwrap_or_default()),
            Way::Direct => "around the proxy".into(),
            Way::None | Way::Unknown => "not at all".into(),
        });
    }
    if way != Way::Proxy {
        return None;
    }
    let place = wanted_proxy(look, target);
    if place.as_ref().zip(ask.proxy.as_ref()).is_none_or(|(wanted, asked)| !wanted.eq_ignore_ascii_case(asked)) {
        return Some(text!("through another proxy, {}", ask.proxy.clone().unwrap_or_default()));
    }
    let proxies = &look.settings.proxies;
    let proxy = if target.tls { &proxies.https } else { &proxies.http };
    let has_login = proxy.as_ref().is_some_and(|proxy| proxy.value.password().is_some());
    match (has_login, ask.login) {
        (true, Login::None) => Some("through the proxy, without its login".into()),
        (true, Login::Wrong) => Some("through the proxy, with another login".into()),
        _ => None,
    }
}

/// Does the file that `prepare` writes for logins reach this door by the door's own rules? cron never reads profile.d; a plain
/// `su` hands on what root's login has.
fn is_served(look: &Look<'_>, program: &Program) -> bool {
    match program.door {
        Door::SuLogin | Door::SuTerminal | Door::Su | Door::Console | Door::Ssh => true,
        Door::Cron => look.platform.is_some_and(|platform| !platform.system_proxy_is_shell()),
        Door::Sudo | Door::SudoLogin | Door::Service => false,
        Door::Nothing => look.consumers.contains(&program.consumer),
    }
}

fn of_door(
    look: &Look<'_>,
    first: &Program,
    wrong: &[&Program],
    urls: &[String],
    (facts_of, facts): (&[Consumer], &ConsumersFacts),
) -> Finding {
    let settings = look.settings;
    let said = settings.proxies.any() || settings.remove_proxy;
    let status = if said && is_served(look, first) { Status::Fail } else { Status::Warn };
    let names: Vec<&str> = wrong.iter().map(|program| program.program).collect();
    let who = match (&first.user, first.door) {
        (_, Door::Nothing) => text!("{}", own(first.program)),
        (Some(user), door) => text!("{} of {}", own(door.as_str()), own(user)),
        (None, Door::Service) => "a service".into(),
        (None, door) => text!("{}", own(door.as_str())),
    };
    let observed = told(wrong, urls);
    let title = match first.door {
        Door::Nothing => text!("{} does not take the wanted way", who),
        _ => text!("{} does not take the wanted way ({})", who, own(names.join(", "))),
    };
    let mut finding = Finding::new(ids::PROVE_WAY, status, title)
        .observed(observed)
        .evidence("consumer", own(first.consumer.as_str()))
        .evidence("door", own(first.door.as_str()))
        .evidence("known", own("asked"));
    let members = look.no_proxy.shown().members().map(str::to_owned).collect();
    let planned = look.changes.is_some();
    let wanted = Wanted { asked: planned, written: planned, ..Wanted::new(settings, members) };
    let by_files = consumer_of(facts_of, first).map(|consumer| consumers::judge(consumer, facts, &wanted));
    match by_files.filter(|known| matches!(known.status, Status::Warn | Status::Fail)) {
        Some(known) => {
            finding.cause = known.cause;
            finding.fix = known.fix;
        }
        None => {
            finding = finding.cause("what is read on this way says otherwise than the files that are known to it");
            finding = match first.door {
                Door::Sudo | Door::SudoLogin => {
                    let fix = consumers::pass_on(consumer_of(facts_of, first));
                    Finding { fix, ..finding }
                }
                Door::Nothing if first.consumer == Who::PackageManager => finding.advise(
                    text!("find where it is set: {}", typed("grep -rnisE proxy /etc/apt /etc/dnf /etc/yum.conf /etc/yum.repos.d")),
                ),
                _ => finding.advise(
                    text!("find where it is set: {}", typed("grep -rniE '(https?|no)_proxy|unset' /etc/environment /etc/profile /etc/profile.d /etc/pam.d /etc/ssh")),
                ),
            };
        }
    }
    finding
}

/// One finding for each door and each way in which programs there do otherwise than their models say.
fn disagreements(programs: &[Program], urls: &[String]) -> Vec<Finding> {
    let mut groups: Vec<(Door, Text, Text, Vec<&Program>)> = Vec::new();
    for program in programs.iter().filter(|program| !program.agrees()) {
        let (mut asked, mut model) = (Vec::new(), Vec::new());
        for ((ask, way), url) in program.asks.iter().zip(&program.model).zip(urls) {
            if *way != Way::Unknown && *way != ask.way {
                asked.push(text!("{} {}", own(url), own(ask.way.as_str())));
                model.push(text!("{} {}", own(url), own(way.as_str())));
            }
        }
        let (asked, model) = (Text::join(asked, ", "), Text::join(model, ", "));
        let same = |group: &&mut (Door, Text, Text, Vec<&Program>)| {
            (group.0, &group.1, &group.2) == (program.door, &asked, &model)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.3.push(program),
            None => groups.push((program.door, asked, model, vec![program])),
        }
    }
    groups.into_iter().map(|(door, asked, model, programs)| disagreement(door, asked, model, &programs)).collect()
}

fn disagreement(door: Door, asked: Text, model: Text, programs: &[&Program]) -> Finding {
    let names = |name: fn(&Program) -> &str| {
        let names: Vec<&str> = programs.iter().map(|program| name(program)).collect();
        own(names.join(", "))
    };
    let title = match door {
        Door::Nothing => text!("the model of {} says otherwise than it does", names(|program| program.program)),
        _ => text!("at the door {}, models of {} say otherwise", own(door.as_str()), names(|program| program.program)),
    };
    consumers::differs_from_model(title, model, asked)
        .evidence("clients", names(|program| program.client.id.as_str()))
        .evidence("door", own(door.as_str()))
}
