//! The proxy of the product's tasks in ECS, in the three forms in which tasks take variables.
//!
//! A proxy that wants a login is named by the secret that holds its URL: neither a variable of a task nor a state of Terraform
//! is a place for a password.

use askama::Template;
use serde_json::{Value, json};

use super::SecretArn;
use super::facts::EcsFacts;
use super::names::Keeper;
use crate::finding::Status;
use crate::lists::{self, Local};
use crate::problem::{Problem, id};
use crate::settings::{Found, Key, ProxyUrl, Settings};
use crate::system::cloud::{self, Direct, ECS};
use crate::targets::{no_proxy, upper};
use crate::text;
use crate::text::Text;
use crate::text::words::words;

/// Stands for what only a person knows.
const ARN: &str = "<ARN>";

words! {
    /// Which form.
    pub(crate) enum Format {
        /// For the vendor's Terraform.
        Tfvars = "tfvars",
        /// Part of a container definition.
        TaskJson = "task-json",
        /// An environment file in S3.
        Env = "env",
    }
}

/// What tasks find, wherever this command runs: nothing of this host.
pub(crate) fn found() -> Found {
    let mut found = Found::default();
    found.direct = direct();
    found
}

fn direct() -> Vec<Direct> {
    cloud::direct_of(ECS).into_iter().collect()
}

/// The variables of the containers.
pub(crate) struct EcsEnv {
    variables: Vec<Variable>,
    /// The proxies that want a login, as they may be shown.
    logins: Vec<String>,
    /// Each has a login of its own, so the secret has members.
    differ: bool,
    named: bool,
    no_proxy: String,
}

struct Variable {
    name: &'static str,
    value: Taken,
}

/// What a variable is taken from.
#[derive(Clone)]
enum Taken {
    Here(String),
    /// `valueFrom`: a secret, or a member of it.
    Secret(String),
}

impl Variable {
    fn is_secret(&self) -> bool {
        matches!(self.value, Taken::Secret(_))
    }

    /// The name of the value beside that of the variable.
    fn key(&self) -> &'static str {
        if self.is_secret() { "valueFrom" } else { "value" }
    }

    fn text(&self) -> &str {
        let (Taken::Here(text) | Taken::Secret(text)) = &self.value;
        text
    }
}

impl EcsEnv {
    /// From settings that were resolved with [`found`].
    ///
    /// # Errors
    /// Two URLs with logins, and a parameter that can hold one alone.
    pub(crate) fn new(settings: &Settings, arn: Option<&SecretArn>) -> Result<Self, Problem> {
        let proxies = &settings.proxies;
        let urls = [("http_proxy", &proxies.http), ("https_proxy", &proxies.https)];
        let urls = urls.map(|(name, url)| (name, url.as_ref().map(|url| &url.value)));
        let logins: Vec<&ProxyUrl> = urls.iter().filter_map(|(_, url)| *url).filter(|url| wants_login(url)).collect();
        let differ = matches!(logins[..], [http, https] if http != https);
        if let Some(arn) = arn.filter(|arn| differ && arn.keeper == Keeper::Ssm) {
            let message = text!("--secret-arn {}: a parameter holds one URL, and these are two", arn.as_str());
            return Err(Problem::settings(id::SETTINGS_CONFLICT, message)
                .hint("a secret of Secrets Manager with the members http_proxy and https_proxy holds both"));
        }
        let secret = arn.map_or(ARN, SecretArn::as_str);
        let take = |(name, url): (&'static str, Option<&ProxyUrl>)| {
            let url = url?;
            let value = match (wants_login(url), differ) {
                (false, _) => Taken::Here(url.render()),
                (true, false) => Taken::Secret(secret.to_owned()),
                (true, true) => Taken::Secret(format!("{secret}:{name}::")),
            };
            Some(Variable { name, value })
        };
        let mut variables: Vec<Variable> = urls.into_iter().filter_map(take).collect();
        let no_proxy = no_proxy(settings).to_string();
        if !no_proxy.is_empty() {
            variables.push(Variable { name: "no_proxy", value: Taken::Here(no_proxy.clone()) });
        }
        if settings.switch(Key::ProxyBothCases) == Some(true) {
            let twin = |own: &Variable| Variable { name: upper(own.name), value: own.value.clone() };
            let twins: Vec<Variable> = variables.iter().map(twin).collect();
            variables.extend(twins);
        }
        let mut logins: Vec<String> = logins.into_iter().map(ProxyUrl::masked).collect();
        logins.dedup();
        Ok(Self { variables, logins, differ, named: arn.is_some(), no_proxy })
    }

    /// The text in this form.
    pub(crate) fn text(&self, format: Format) -> String {
        let page = Page { env: self, format, variables: &self.variables, facts: EcsFacts::get() };
        let text = match format {
            Format::TaskJson => return format!("{:#}\n", self.json()),
            Format::Tfvars => Tfvars { page }.render(),
            Format::Env => Env { page }.render(),
        };
        // Nothing that a template calls fails, nor does writing to a string.
        text.unwrap_or_default()
    }

    /// Two members of a container definition.
    fn json(&self) -> Value {
        let of = |secret: bool| -> Vec<Value> {
            let wanted = self.variables.iter().filter(|variable| variable.is_secret() == secret);
            wanted.map(|variable| json!({"name": variable.name, variable.key(): variable.text()})).collect()
        };
        match self.logins.is_empty() {
            true => json!({"environment": of(false)}),
            false => json!({"environment": of(false), "secrets": of(true)}),
        }
    }

    /// What whoever uses the text has to know, in whichever form it is. JSON has no place for it.
    pub(crate) fn remarks(&self, format: Format) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.logins.is_empty() {
            lines.extend(self.of_secret(format));
        }
        let endpoints = &EcsFacts::get().endpoints;
        lines.push("For the product in the containers alone: what ECS and Fargate do themselves, pulls of images, the log driver and".to_owned());
        lines.push(
            "reading secrets, does not use these variables. Without another way out that needs VPC endpoints:"
                .to_owned(),
        );
        lines.extend(endpoints.endpoint.iter().map(|endpoint| {
            format!("  com.amazonaws.<REGION>.{} ({}): {}", endpoint.name, endpoint.kind, endpoint.purpose)
        }));
        lines.push(format!("  {}", endpoints.public));
        lines.push(format!("  {}, read {}", endpoints.source, endpoints.date));
        lines.push(
            "What the product is to reach by an endpoint goes around the proxy where it is named: --no-proxy <NAME>"
                .to_owned(),
        );
        lines
    }

    fn of_secret(&self, format: Format) -> Vec<String> {
        let mut lines = vec![
            format!("The proxy wants a login ({}): its URL is not here but in a secret,", self.logins.join(", ")),
            match self.differ {
                false => "whose whole text is the URL: http://USER:PASSWORD@HOST:PORT, special characters percent-encoded.".to_owned(),
                true => "JSON with the members http_proxy and https_proxy, each a URL: http://USER:PASSWORD@HOST:PORT, percent-encoded.".to_owned(),
            },
            "The execution role of the task has to read it: secretsmanager:GetSecretValue or ssm:GetParameters.".to_owned(),
        ];
        if !self.named {
            lines.push(format!("{ARN} is its name in AWS: --secret-arn writes it."));
        }
        if format == Format::Tfvars {
            lines.push("Whether the vendor's module hands valueFrom on was not seen. After terraform apply this has to name the secret:".to_owned());
            lines.push("  aws ecs describe-task-definition --task-definition <NAME> --query 'taskDefinition.containerDefinitions[].secrets'".to_owned());
            lines.push("Where it does not, let the proxy admit the VPC without a login.".to_owned());
        }
        lines
    }

    /// What is wrong with the list, by what clients make of it: titles.
    pub(crate) fn faults(&self) -> Vec<Text> {
        let direct = direct();
        let judged_by = lists::Context::of_environment(Local::No, Some(ECS), &direct, "render ecs-env");
        let list = crate::redact::list(&self.no_proxy);
        let findings = lists::lint(Some(&list), Some(&list), &"the tasks".into(), &judged_by);
        findings.into_iter().filter(|finding| finding.status != Status::Pass).map(|finding| finding.title).collect()
    }
}

fn wants_login(url: &ProxyUrl) -> bool {
    url.credentials.is_some()
}

/// What the templates are given.
struct Page<'a> {
    env: &'a EcsEnv,
    format: Format,
    variables: &'a [Variable],
    facts: &'static EcsFacts,
}

impl Page<'_> {
    fn hcl(&self, text: impl AsRef<str>) -> String {
        text::hcl(text.as_ref())
    }

    fn comments(&self) -> Vec<String> {
        let lists = &self.facts.lists;
        let mut lines = match self.format {
            Format::Tfvars => vec![
                "Proxy of InsightCloudSec as ECS tasks, for terraform.tfvars of the vendor's template".to_owned(),
                "by: ics-setup render ecs-env --format tfvars".to_owned(),
                format!("Names of the lists: {}, read {}.", lists.source, lists.date),
                "Which task gets which of them was not seen, so all say the same. Where terraform plan shows a name twice in one".to_owned(),
                "task, which it would change for ever, leave the list of that service out. A list takes the place of its default,".to_owned(),
                "which is why it repeats what that has.".to_owned(),
            ],
            _ => vec![
                "Proxy of InsightCloudSec as ECS tasks, for a file in S3 that environmentFiles of the task names".to_owned(),
                "by: ics-setup render ecs-env --format env".to_owned(),
            ],
        };
        lines.extend(self.env.remarks(self.format));
        lines
    }
}

#[derive(Template)]
#[template(path = "tfvars.txt", escape = "none", config = "assets/render/askama.toml")]
struct Tfvars<'a> {
    page: Page<'a>,
}

#[derive(Template)]
#[template(path = "env.txt", escape = "none", config = "assets/render/askama.toml")]
struct Env<'a> {
    page: Page<'a>,
}
