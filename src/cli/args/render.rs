//! The command line of `render`.

use clap::Command;

use super::options::{help, option};
use super::settings::with_these;
use crate::render::ecs;
use crate::settings::{Key, Spec};

/// The verb's command line.
pub(super) fn command() -> Command {
    Command::new("render")
        .about("Sites of nginx and Apache, a load balancer, the proxy for ECS")
        .after_help(help!("render"))
        .subcommand_required(true)
        .subcommand(front("nginx", "A site of nginx that ends TLS in front of the web interface"))
        .subcommand(front("apache", "The same as a site of Apache 2.4"))
        .subcommand(with_these(
            Command::new("alb")
                .about("Terraform: a load balancer of AWS in front of the web interface")
                .after_help(help!("render-alb")),
            |spec| spec.key == Key::Port,
        ))
        .subcommand(with_these(
            Command::new("ecs-env")
                .about("The proxy for tasks of ECS: --format tfvars, task-json or env")
                .after_help(help!("render-ecs-env"))
                .arg(option("secret-arn", "ARN").help("Secret that holds the URL of a proxy that wants a login")),
            of_proxy,
        ))
}

fn front(name: &'static str, about: &'static str) -> Command {
    let command = Command::new(name).about(about).after_help(help!("render-front")).args([
        option("server-name", "NAME").required(true).help("The public name, as in the certificate"),
        option("certificate", "FILE")
            .required(true)
            .help("The certificate with its chain (PEM), as the web server finds it"),
        option("key", "FILE").required(true).help("Its key (PEM), as the web server finds it"),
    ]);
    with_these(command, |spec| matches!(spec.key, Key::Port | Key::Bind))
}

/// What the proxy is and who goes around it; nothing about this host.
fn of_proxy(spec: &Spec) -> bool {
    spec.key.is_in("proxy") && !matches!(spec.key, Key::ProxyRemove | Key::ProxyDirect | Key::ProxyCa)
}

/// The words for `--format` of a verb below `render`.
pub(super) fn formats(verb: &str) -> Option<Vec<&'static str>> {
    (verb == "ecs-env").then(|| ecs::Format::NAMES.to_vec())
}
