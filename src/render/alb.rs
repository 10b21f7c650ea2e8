//! Terraform: an application load balancer of AWS in front of the web interface.

use askama::Template;

use super::facts::FrontFacts;
use super::reconfigure;
use crate::product::Known;
use crate::text;

/// The text for hosts that answer on this port.
pub(crate) fn text(port: u16) -> String {
    let (facts, known) = (FrontFacts::get(), Known::get());
    let balancer = &facts.balancer;
    let head = vec![
        "A load balancer of AWS for InsightCloudSec on hosts of EC2 (Terraform), by: ics-setup render alb".to_owned(),
        format!("Figures of {}, read {}.", balancer.source, balancer.date),
        "The product must know that TLS ends here:".to_owned(),
        reconfigure(None, port),
        "In its System Settings the Base URL is the public name with https://.".to_owned(),
        "The vendor's own Terraform, which runs the product as tasks of ECS, brings a load balancer of its own."
            .to_owned(),
    ];
    // Nothing that a template calls fails, nor does writing to a string.
    Alb { page: Page { head, port, facts, known } }.render().unwrap_or_default()
}

struct Page {
    head: Vec<String>,
    port: u16,
    facts: &'static FrontFacts,
    known: &'static Known,
}

impl Page {
    fn hcl(&self, text: &str) -> String {
        text::hcl(text)
    }
}

#[derive(Template)]
#[template(path = "alb.txt", escape = "none", config = "assets/render/askama.toml")]
struct Alb {
    page: Page,
}
