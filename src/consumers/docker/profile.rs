//! The Docker daemon, its client and the product's containers as consumers.

use super::super::profile::{Case, Fails, Profile, restart};
use super::super::{Consumer, Who};
use crate::envfile::Syntax;
use crate::finding::ids;
use crate::text;
use crate::text::{Fix, Text, own, typed};
use crate::vendor::{Vendor, prod_env};

pub(in super::super) const DAEMON: Profile = Profile {
    fails: Fails::NoProxy,
    has_file_of_ours: true,
    files: |_| vec![Vendor::get().docker.drop_in.clone(), Vendor::get().docker.daemon_json.clone()],
    asks_upper_first: true,
    restarts: true,
    lines: Some(Syntax::EnvironmentFile),
    look: |_| {
        Some(text!(
            "{}; {}",
            typed("dockerd --validate --config-file /etc/docker/daemon.json"),
            typed("systemctl cat docker")
        ))
    },
    ..Profile::new(Who::Docker, ids::PROXY_DOCKER, super::daemons, name_of_daemon, remedy_of_daemon)
};

pub(in super::super) const CLIENT: Profile = Profile {
    verb: None,
    ..Profile::new(Who::DockerClient, ids::PROXY_DOCKER_CLIENT, super::client::client, name_of_client, remedy_of_client)
};

pub(in super::super) const CONTAINER: Profile = Profile {
    fails: Fails::OtherProxy,
    verb: Some("reconfigure"),
    files: |probe| vec![prod_env(probe.home)],
    ..Profile::new(Who::Container, ids::PROXY_CONTAINERS, super::containers::containers, name_of_container, |case| {
        ("a container keeps the environment that it was created with", case.reconfigure())
    })
};

fn name_of_daemon(daemon: &Consumer) -> Text {
    daemon.name.as_ref().map_or("the Docker daemon".into(), |user| text!("the Docker daemon of {}", own(user)))
}

fn remedy_of_daemon(case: &Case<'_>) -> (&'static str, Vec<Fix>) {
    (
        "as a service it reads neither /etc/environment nor profile.d, only its unit's drop-ins and daemon.json; without a proxy it pulls no image",
        case.prepare().into_iter().chain(restart(case.facts)).collect(),
    )
}

fn name_of_client(client: &Consumer) -> Text {
    let of = |user| text!("a container that the docker client of {} starts", own(user));
    client.name.as_ref().map_or("a container that the docker client starts".into(), of)
}

fn remedy_of_client(case: &Case<'_>) -> (&'static str, Vec<Fix>) {
    (
        "the docker client puts these into every container that this user starts, over what the image has",
        vec![Fix::Advice(text!("set proxies.default in {} to the same, or take it out", own(&case.consumer.source)))],
    )
}

fn name_of_container(container: &Consumer) -> Text {
    container.name.as_ref().map_or("a container".into(), |name| text!("the container {}", name))
}
