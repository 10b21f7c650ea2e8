//! What the models say: the consumer by its files, the client by its profile.

use std::time::Duration;

use crate::clients::{self, Client, Environment, Route, Target};
use crate::consumers::{self, Ask, Consumer, ConsumersFacts, Door, ProxyValue, State, Who};
use crate::host::View;
use crate::net::Time;
use crate::plan::PlannedHost;

use super::{Look, Program, Way, consumer_of};

/// How long reading all files may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Every consumer by its files; and the facts that a judge compares. `sudo_by`: who calls sudo.
pub(super) fn consumers(look: &Look<'_>, sudo_by: Option<&str>) -> (Vec<Consumer>, ConsumersFacts) {
    let view = View::new(look.host);
    let planned = PlannedHost::new(&view, look.changes.unwrap_or_default());
    let proxies = &look.settings.proxies;
    let ask = Ask {
        host: &planned,
        platform: look.platform,
        home: &look.settings.home,
        http_proxy: proxies.http.as_ref().map(|url| &url.value),
        https_proxy: proxies.https.as_ref().map(|url| &url.value),
        inside: None,
        sudo_by,
    };
    let only = [Who::Login, Who::Sudo, Who::Cron, Who::Systemd, Who::Docker, Who::PackageManager];
    let facts = consumers::observe(&ask, Some(&only), Time::new(DEADLINE, DEADLINE));
    (facts.consumers.clone(), facts)
}

/// The way of each request by the models.
pub(super) fn ways(consumers: &[Consumer], program: &Program, targets: &[Target]) -> Vec<Way> {
    let consumer = consumer_of(consumers, program).filter(|consumer| consumer.state == State::Seen);
    let way = |target: &Target| match consumer {
        Some(consumer) if consumer.unknown.is_empty() => of_consumer(consumer, program.client, target),
        _ => Way::Unknown,
    };
    targets.iter().map(way).collect()
}

fn of_consumer(consumer: &Consumer, client: &Client, target: &Target) -> Way {
    if consumer.consumer == Who::PackageManager {
        // Its setting knows no list; some hosts have a rule of their own.
        let is_direct = match &target.host {
            clients::Host::Name(name) => consumer.direct.iter().any(|own| own.eq_ignore_ascii_case(name)),
            clients::Host::V4(_) | clients::Host::V6(_) => {
                let host = target.host.to_string();
                consumer.direct.contains(&host)
            }
        };
        return if consumer.proxy(target.tls).is_some() && !is_direct { Way::Proxy } else { Way::Direct };
    }
    match client.route_in(target, &environment(consumer)) {
        Route::Proxy { .. } => Way::Proxy,
        Route::Direct(_) => Way::Direct,
        Route::Error { .. } => Way::None,
    }
}

/// The variables of a consumer. Passwords are masked, which changes no way.
fn environment(consumer: &Consumer) -> Environment {
    let url = |value: &Option<ProxyValue>| value.as_ref().map(|value| value.shown.clone());
    let all = [
        ("http_proxy", url(&consumer.http)),
        ("HTTP_PROXY", url(&consumer.http_upper)),
        ("https_proxy", url(&consumer.https)),
        ("HTTPS_PROXY", url(&consumer.https_upper)),
        ("no_proxy", consumer.no_proxy.clone()),
        ("NO_PROXY", consumer.no_proxy_upper.clone()),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The Docker daemon, which cannot be started inside.
pub(super) fn daemon(look: &Look<'_>, consumers: &[Consumer], targets: &[Target]) -> Option<Program> {
    let is_running = |consumer: &&Consumer| consumer.consumer == Who::Docker && consumer.state == State::Seen;
    let consumer = consumers.iter().find(is_running)?;
    let client = clients::by_id("go-net-http").filter(|_| look.only.is_none())?;
    let mut program = Program {
        consumer: Who::Docker,
        door: Door::Nothing,
        client,
        program: "dockerd",
        user: None,
        asks: Vec::new(),
        model: Vec::new(),
        wrong: Vec::new(),
    };
    program.model = ways(std::slice::from_ref(consumer), &program, targets);
    Some(program)
}
