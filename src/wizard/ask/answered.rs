//! What was answered, a line for each topic.

use super::{STEPS, Step, Wizard};
use crate::settings::Key;
use crate::wizard::answers::{Answers, Proxy, Topic};
use crate::wizard::prompt::Line;

/// More members of a list are counted.
const MOST: usize = 3;

impl Step {
    /// What it is about; a way to the plan shows one line for each.
    pub(super) fn topic(self) -> Topic {
        match self {
            Self::Deployment => Topic::Deployment,
            Self::Proxy | Self::Url | Self::Port | Self::Login | Self::User | Self::Password | Self::Probe => {
                Topic::Proxy
            }
            Self::Exclusions => Topic::Exclusions,
            Self::Scope => Topic::Task,
            Self::PackageManager => Topic::PackageManager,
            Self::BackEnds => Topic::BackEnds,
            Self::Plain(Key::MysqlAdminUser) | Self::Hidden(Key::MysqlAdminPassword) | Self::MysqlAdmin => {
                Topic::Administrator
            }
            Self::Plain(key) | Self::Hidden(key) if key.is_in("redis") => Topic::Redis,
            Self::Plain(_) | Self::Hidden(_) | Self::Mysql | Self::MysqlLogin => Topic::Mysql,
            Self::Redis | Self::RedisLogin => Topic::Redis,
            Self::Agent | Self::Region | Self::Collectors => Topic::Agent,
        }
    }

    /// The part of the wizard that it belongs to.
    pub(super) fn part(self) -> usize {
        match self.topic() {
            Topic::Deployment => 1,
            Topic::Proxy => 2,
            Topic::Exclusions => 3,
            _ => 4,
        }
    }
}

impl Wizard<'_> {
    /// A line for each topic that an answer was given to, in the order of the steps.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut topics: Vec<Topic> = self.trail.iter().filter_map(|at| Some(STEPS.get(*at)?.topic())).collect();
        topics.dedup();
        let line = |topic: Topic| {
            let (label, value) = self.shown(topic)?;
            Some(Line { label, value, said: self.answers.said.get(&topic).cloned() })
        };
        topics.into_iter().filter_map(line).collect()
    }

    /// The name of a topic and what was answered; `None`: nothing so far.
    fn shown(&self, topic: Topic) -> Option<(String, String)> {
        let answers = &self.answers;
        let (label, value) = match topic {
            Topic::Deployment => ("Deployment", words_of(answers.get(Key::Deployment)?).to_owned()),
            Topic::Proxy => ("Proxy", proxy(answers)?),
            Topic::Exclusions => {
                let own: Vec<&str> =
                    answers.get(Key::ProxyNoProxy).unwrap_or("the usual ones alone").split(',').collect();
                let more = own.len().saturating_sub(MOST);
                let named = own.iter().take(MOST).copied().collect::<Vec<_>>().join(",");
                ("Without proxy", if more > 0 { format!("{named} and {more} more") } else { named })
            }
            Topic::Task => ("To do", self.task(answers.scope).to_owned()),
            Topic::PackageManager => {
                let value = if answers.package_manager { "uses the proxy too" } else { "stays as it is" };
                return Some((self.package_manager().to_owned(), value.to_owned()));
            }
            Topic::BackEnds if answers.back_ends => return None,
            Topic::BackEnds => ("MySQL, Redis", "stay as they are".to_owned()),
            Topic::Mysql => ("MySQL", mysql(answers)?),
            Topic::Administrator => ("Administrator", answers.get(Key::MysqlAdminUser)?.to_owned()),
            Topic::Redis => ("Redis", place(answers, Key::RedisHost, Key::RedisPort)?),
            Topic::Agent if !answers.agent => ("Insight Agent", "none on this host".to_owned()),
            Topic::Agent => {
                let said = [Key::AgentRegion, Key::AgentCollector].into_iter().filter_map(|key| answers.get(key));
                let said = said.collect::<Vec<_>>().join(", through ");
                if said.is_empty() {
                    return None;
                }
                ("Insight Agent", said)
            }
        };
        Some((label.to_owned(), value))
    }
}

/// A deployment as people call it.
pub(super) fn words_of(deployment: &str) -> &str {
    if deployment == "test-drive" { "Test Drive" } else { deployment }
}

fn proxy(answers: &Answers) -> Option<String> {
    Some(match answers.proxy {
        Proxy::None => "none: requests go out directly".to_owned(),
        Proxy::Remove => "none: it is taken out".to_owned(),
        Proxy::Keep => answers.kept.iter().map(|(_, url)| url.masked()).collect::<Vec<_>>().join(" and "),
        Proxy::Set => {
            let place = answers.url.as_ref()?.render();
            match answers.get(Key::ProxyUser).filter(|_| answers.login) {
                Some(user) => format!("{place} as {user}"),
                None => place,
            }
        }
    })
}

fn mysql(answers: &Answers) -> Option<String> {
    let mut value = place(answers, Key::MysqlHost, Key::MysqlPort)?;
    if let Some(user) = answers.get(Key::MysqlUser) {
        value = format!("{value} as {user}");
    }
    let names = [Key::MysqlDatabase, Key::MysqlSecretDatabase].into_iter().filter_map(|key| answers.get(key));
    let names: Vec<&str> = names.collect();
    Some(if names.is_empty() { value } else { format!("{value}: {}", names.join(", ")) })
}

fn place(answers: &Answers, host: Key, port: Key) -> Option<String> {
    let host = answers.get(host)?;
    let port = answers.get(port).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{host}{port}"))
}
