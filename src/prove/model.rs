//! What the models say: the consumer by its files, the client by its profile.

use std::time::Duration;

use crate::clients::{self, Target};
use crate::consumers::{self, Ask, Consumer, ConsumersFacts, Door, State, Who};
use crate::host::View;
use crate::net::Time;
use crate::plan::PlannedHost;
use crate::routes::{Way, taken};
use crate::settings::ProxyUrl;

use super::{Look, Program, consumer_of};

/// How long reading all files may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Every consumer by its files; and the facts that a judge compares. `sudo_by`: who calls sudo.
pub(super) fn consumers(look: &Look<'_>, sudo_by: Option<&str>) -> (Vec<Consumer>, ConsumersFacts) {
    let all = [Who::Login, Who::Sudo, Who::Cron, Who::Systemd, Who::Docker, Who::PackageManager];
    let facts = observed(look, sudo_by, &all);
    (facts.consumers.clone(), facts)
}

/// The proxies that files name which no program is told of by its environment, without their logins.
pub(super) fn proxies_of_files(look: &Look<'_>) -> Vec<String> {
    let facts = observed(look, None, &[Who::PackageManager]);
    let urls = facts.consumers.iter().flat_map(Consumer::urls);
    let bare = urls.filter_map(|(_, value)| ProxyUrl::parse(&value.shown).ok());
    bare.map(|url| ProxyUrl { credentials: None, ..url }.render()).collect()
}

fn observed(look: &Look<'_>, sudo_by: Option<&str>, only: &[Who]) -> ConsumersFacts {
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
        quiet: false,
        sudo_by,
    };
    consumers::observe(&ask, Some(only), Time::new(DEADLINE, DEADLINE))
}

/// The way of each request by the models.
pub(super) fn ways(consumers: &[Consumer], program: &Program, targets: &[Target]) -> Vec<Way> {
    let consumer = consumer_of(consumers, program).filter(|consumer| consumer.state == State::Seen);
    let way = |target: &Target| match consumer {
        Some(consumer) => taken(consumer, program.client, target).way,
        None => Way::Unknown,
    };
    targets.iter().map(way).collect()
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
