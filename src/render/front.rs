//! A web server that ends TLS in front of the web interface: nginx or Apache.

use std::net::SocketAddr;

use askama::Template;

use super::facts::FrontFacts;
use super::{PlainPath, ServerName, reconfigure};
use crate::text::words::words;

words! {
    /// Which web server.
    pub(crate) enum Server {
        Nginx = "nginx",
        Apache = "apache",
    }
}

/// A front door.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    /// The public name.
    pub(crate) name: ServerName,
    /// Certificate with its chain, PEM.
    pub(crate) certificate: PlainPath,
    /// Its key.
    pub(crate) key: PlainPath,
    /// Where the web interface answers on this host.
    pub(crate) upstream: SocketAddr,
}

/// The text for this web server.
pub(crate) fn text(server: Server, front: &Front) -> String {
    let page = Page {
        head: head(server, front),
        name: front.name.as_str(),
        certificate: front.certificate.as_str(),
        key: front.key.as_str(),
        upstream: front.upstream,
        facts: FrontFacts::get(),
    };
    let text = match server {
        Server::Nginx => Nginx { page }.render(),
        Server::Apache => Apache { page }.render(),
    };
    // Nothing that a template calls fails, nor does writing to a string.
    text.unwrap_or_default()
}

fn head(server: Server, front: &Front) -> Vec<String> {
    let balancer = &FrontFacts::get().balancer;
    vec![
        format!("InsightCloudSec as https://{}/, by: ics-setup render {}", front.name.as_str(), server.as_str()),
        format!("Times of {}, read {}.", balancer.source, balancer.date),
        "The product must know that TLS ends here, and answer at this address alone:".to_owned(),
        reconfigure(Some(front.upstream.ip()), front.upstream.port()),
        "In its System Settings the Base URL is the one above.".to_owned(),
    ]
}

/// What the templates are given.
struct Page<'a> {
    head: Vec<String>,
    name: &'a str,
    certificate: &'a str,
    key: &'a str,
    upstream: SocketAddr,
    facts: &'static FrontFacts,
}

impl Page<'_> {
    fn ciphers(&self) -> String {
        self.facts.server.ciphers.join(":")
    }

    fn upload_bytes(&self) -> u32 {
        self.facts.server.upload_mib << 20
    }

    /// How the product may call itself in a redirect.
    fn origins(&self) -> [String; 3] {
        let (upstream, name) = (self.upstream, self.name);
        [format!("http://{upstream}"), format!("http://{name}"), format!("http://{name}:{}", upstream.port())]
    }
}

#[derive(Template)]
#[template(path = "nginx.txt", escape = "none", config = "assets/render/askama.toml")]
struct Nginx<'a> {
    page: Page<'a>,
}

#[derive(Template)]
#[template(path = "apache.txt", escape = "none", config = "assets/render/askama.toml")]
struct Apache<'a> {
    page: Page<'a>,
}
