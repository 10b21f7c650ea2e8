//! The facts about a running product, from `assets/runtime.toml`.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use crate::assets;
use crate::docker::repository_and_tag;
use crate::finding::Status;
use crate::settings::Role;
use crate::text::Template;

/// All of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    pub(crate) health: Health,
    pub(crate) restarts: Restarts,
    pub(crate) images: Images,
    service: Vec<Service>,
    pub(crate) queues: Queues,
    /// Lines of logs, most telling first.
    pub(crate) log: Vec<Line>,
}

/// Where the interface says that it is well.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    pub(crate) port: u16,
    pub(crate) path: String,
    /// The page of the first run.
    pub(crate) setup: String,
    /// The page of the licence.
    pub(crate) license: String,
    pub(crate) slow_ms: u64,
}

/// When restarts are a loop.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restarts {
    pub(crate) loop_count: u64,
    pub(crate) loop_seconds: u64,
}

/// Names of images.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Images {
    product: Vec<String>,
    apart: Vec<String>,
    apart_tags: Vec<String>,
}

/// One service of the compose files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// For messages.
    pub(crate) what: String,
    /// Made from the product's image: reads prod.env.
    #[serde(default)]
    pub(crate) product: bool,
    /// Ends by itself with 0.
    #[serde(default)]
    pub(crate) once: bool,
    /// Expected where no compose file says otherwise.
    #[serde(default)]
    pub(crate) needed: bool,
    /// It goes to the hosts that have this role; `None`: to every host.
    pub(crate) role: Option<Role>,
    #[serde(default)]
    commands: Vec<String>,
}

/// Lists in Redis that are the product's by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Queues {
    /// What the names of those that are no queue begin with.
    pub(crate) prefix: String,
    /// Which monitors have words of their own for the priorities.
    pub(crate) monitors: String,
    /// The queues.
    pub(crate) level: Vec<Level>,
}

/// One queue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Level {
    /// The key.
    pub(crate) name: String,
    /// `None`: not documented.
    pub(crate) priority: Option<Priority>,
    /// What is in it, for messages.
    pub(crate) what: String,
}

/// The priority of a queue, in two languages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Priority {
    /// The product's word.
    pub(crate) own: String,
    /// That of the clouds' monitors.
    pub(crate) monitored: String,
}

impl Queues {
    /// `High; CloudWatch and Stackdriver: Immediate`; what is in it, where no priority is documented.
    pub(crate) fn shown(&self, level: &Level) -> String {
        match &level.priority {
            Some(Priority { own, monitored }) => format!("{own}; {}: {monitored}", self.monitors),
            None => level.what.clone(),
        }
    }
}

/// A line of a log with a known cause.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) name: String,
    pattern: String,
    pub(crate) title: String,
    /// How bad it is while it lasts.
    pub(crate) status: Status,
    pub(crate) cause: String,
    /// It does not pass by itself.
    #[serde(default)]
    pub(crate) lasting: bool,
    /// A container that says it last does no work.
    #[serde(default)]
    pub(crate) idle: bool,
    /// Who says it waits, and goes on by itself: it is over where something else was said since.
    #[serde(default)]
    pub(crate) waits: bool,
    /// What to do about it.
    pub(crate) advice: Vec<Template>,
}

impl Known {
    /// The facts.
    pub(crate) fn get() -> &'static Self {
        static FACTS: LazyLock<Known> = LazyLock::new(|| assets::read(&assets::RUNTIME));
        &FACTS
    }

    /// The service of this name, letter case aside.
    pub(crate) fn service(&self, name: &str) -> Option<&Service> {
        self.service.iter().find(|service| service.name.eq_ignore_ascii_case(name))
    }

    /// Is a service of this name made from the product's image? Names that are not listed are taken for the product's.
    pub(crate) fn is_of_product(&self, name: &str) -> bool {
        self.service(name).is_none_or(|known| known.product)
    }

    /// The service that has this name, or else this command.
    pub(crate) fn service_of(&self, name: &str, command: &str) -> Option<&Service> {
        self.service(name).or_else(|| self.service_of_command(command))
    }

    /// Does the service of this name, or else of this command, bring the schema to the release of its image?
    pub(crate) fn is_scheduler(&self, name: &str, command: &str) -> bool {
        self.service_of(name, command).is_some_and(|known| known.role == Some(Role::Scheduler))
    }

    /// Those that are made from the product's image: by their names, by an image of the vendor's, or by the same image as one of
    /// these. `of`: name and image.
    pub(crate) fn of_product<'s, S>(&self, all: &'s [S], of: impl Fn(&S) -> (&str, Option<&str>)) -> Vec<&'s S> {
        let is_own = |one: &S| {
            let (name, image) = of(one);
            let of_vendor = image.is_some_and(|image| {
                let (repository, tag) = repository_and_tag(image);
                self.images.is_product(image) && !self.images.is_apart(repository, tag)
            });
            of_vendor || self.service(name).is_some_and(|known| known.product)
        };
        let images: Vec<&str> = all.iter().filter(|one| is_own(one)).filter_map(|one| of(one).1).collect();
        all.iter().filter(|one| is_own(one) || of(one).1.is_some_and(|image| images.contains(&image))).collect()
    }

    /// The service that runs this command.
    pub(crate) fn service_of_command(&self, command: &str) -> Option<&Service> {
        self.service.iter().find(|service| service.commands.iter().any(|own| command.contains(own.as_str())))
    }

    /// What is expected where no compose file says otherwise.
    pub(crate) fn needed(&self) -> impl Iterator<Item = &Service> {
        self.service.iter().filter(|service| service.needed)
    }

    /// Where a service stands in the vendor's files; others behind them.
    pub(crate) fn rank(&self, name: &str) -> usize {
        self.service.iter().position(|service| service.name.eq_ignore_ascii_case(name)).unwrap_or(self.service.len())
    }

    /// Patterns of logs, in the order of [`Known::log`].
    pub(crate) fn log_patterns() -> &'static [Regex] {
        static ALL: LazyLock<Vec<Regex>> = LazyLock::new(|| {
            // Part of the binary, and a test compiles each.
            #[allow(clippy::expect_used)]
            let compiled = |line: &Line| Regex::new(&line.pattern).expect("patterns of assets/runtime.toml are valid");
            Known::get().log.iter().map(compiled).collect()
        });
        &ALL
    }
}

impl Images {
    /// Is this an image of the vendor's?
    pub(crate) fn is_product(&self, image: &str) -> bool {
        self.product.iter().any(|prefix| image.starts_with(prefix.as_str()))
    }

    /// Does it have a numbering of its own?
    pub(crate) fn is_apart(&self, repository: &str, tag: &str) -> bool {
        self.apart.iter().any(|own| own == repository)
            || self.apart_tags.iter().any(|prefix| tag.starts_with(prefix.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_told_from_what_stands_beside_it() {
        let known = Known::get();
        assert!(known.is_scheduler("jobs", "divvycloud scheduler --db-upgrade") && known.is_scheduler("Scheduler", ""));
        assert!(!known.is_scheduler("worker", "divvycloud worker") && !known.is_scheduler("own", "sleep 9"));
        let services = [
            ("worker", Some("mirror.corp.example/ics:v22.3.9")),
            ("jobs", Some("mirror.corp.example/ics:v22.3.9")),
            ("statsd", Some("statsd:v0.9")),
            ("web", Some("public.ecr.aws/divvycloud/divvycloud:v22.3.9")),
            ("mysql", Some("divvycloud/quickstart-db")),
            ("bare", None),
        ];
        let product = known.of_product(&services, |own| (own.0, own.1));
        assert_eq!(product.iter().map(|own| own.0).collect::<Vec<_>>(), ["worker", "jobs", "web"]);
    }

    #[test]
    fn the_facts_parse_and_every_pattern_compiles() {
        let known = Known::get();
        assert_eq!(Known::log_patterns().len(), known.log.len());
        assert_eq!(
            known.needed().map(|service| service.name.as_str()).collect::<Vec<_>>(),
            ["interfaceserver", "scheduler", "worker"]
        );
        assert_eq!(known.service("Worker").unwrap().name, "worker");
        assert_eq!(known.service_of_command("/bin/sh -c divvycloud worker --queue p0").unwrap().name, "worker");
        let roles = |role| known.service.iter().filter(move |own| own.role == Some(role)).map(|own| own.name.as_str());
        assert_eq!(roles(Role::Interface).collect::<Vec<_>>(), ["interfaceserver", "loadbalancer"]);
        assert_eq!(roles(Role::Scheduler).collect::<Vec<_>>(), ["scheduler"]);
        assert_eq!(known.service_of("Worker", "divvycloud webserver").unwrap().role, Some(Role::Worker));
        assert_eq!(known.service_of("p0", "divvycloud worker --queue p0").unwrap().role, Some(Role::Worker));
        assert!(known.service_of("mysql", "").unwrap().role.is_none() && known.service_of("own", "sleep").is_none());
        assert_eq!((known.health.port, known.health.path.as_str()), (8001, "/Status"));
        for line in &known.log {
            assert!(!line.title.ends_with('.') && !line.advice.is_empty(), "{}", line.name);
        }
    }

    #[test]
    fn lines_of_logs_find_their_cause() {
        for (text, name) in [
            ("OSError: Tunnel connection failed: 407 Proxy Authentication Required", "proxy-login"),
            ("Tunnel connection failed: 403 Forbidden", "proxy-refuses"),
            (
                "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 502 Bad Gateway'))",
                "proxy-broken",
            ),
            ("ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1123)", "proxy-scheme"),
            ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self signed", "certificate"),
            ("(1045, \"Access denied for user 'divvy'@'10.0.0.1' (using password: YES)\")", "database-access"),
            ("ERROR Unable to connect to database", "database-unreachable"),
            ("divvy.exc.DatabaseConnectivityValidationException: x", "database-unreachable"),
            ("Incorrect database schema, waiting for db to be upgraded", "schema-waiting"),
            ("redis.exceptions.AuthenticationError: NOAUTH Authentication required.", "redis-login"),
            ("MISCONF Redis is configured to save RDB snapshots", "redis-read-only"),
            ("OOM command not allowed when used memory > 'maxmemory'.", "redis-memory"),
            ("Error 111 connecting to redis:6379. Connection refused.", "redis-unreachable"),
            ("socket.gaierror: [Errno -2] Name or service not known", "name-unknown"),
            ("OSError: [Errno 28] No space left on device", "disk-full"),
            ("(1049, \"Unknown database 'divvykeys'\")", "database-missing"),
            ("MemoryError", "out-of-memory"),
        ] {
            let found = Known::log_patterns().iter().position(|pattern| pattern.is_match(text));
            assert_eq!(found.map(|at| Known::get().log[at].name.as_str()), Some(name), "{text}");
        }
        for harmless in ["GET /Status 200", "worker p0 ready", "license loaded", "password accepted for divvy"] {
            assert!(Known::log_patterns().iter().all(|pattern| !pattern.is_match(harmless)), "{harmless}");
        }
    }

    #[test]
    fn images_are_told_by_their_names() {
        let images = &Known::get().images;
        assert!(images.is_product("public.ecr.aws/rapid7-insightcloudsec/ics/core") && !images.is_product("redis"));
        assert!(images.is_apart("public.ecr.aws/divvycloud/divvycloud", "cloud-collector-v1.0.15"));
    }
}
