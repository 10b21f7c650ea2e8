//! What stands around the product, as text to be saved as a file. Pure: the same settings give the same bytes.
//!
//! | module | what |
//! | --- | --- |
//! | `names` | what goes into such a text, in types that nothing else fits into |
//! | `facts` | figures of the vendor's load balancers, and of ECS, from `assets` |
//! | [`front`] | nginx and Apache, which end TLS |
//! | [`alb`] | Terraform: a load balancer of AWS |
//! | [`ecs`] | the proxy of ECS tasks |
//!
//! The texts are templates in `assets/render`.

pub(crate) mod alb;
pub(crate) mod ecs;
mod facts;
pub(crate) mod front;
mod names;

pub(crate) use names::{PlainPath, SecretArn, ServerName};

use std::net::IpAddr;

use crate::product::Known;
use crate::redact::Redactor;
use crate::report::line;
use crate::targets::REVERSE_PROXY;
use crate::text;
use crate::text::{Person, Text, ics_setup, own};

/// The command after which the product knows that TLS ends in front of it, and answers at this address and port, for whoever reads
/// the text.
fn reconfigure(bind: Option<IpAddr>, port: u16) -> String {
    let bind = bind.map(|address| format!(" --bind {address}")).unwrap_or_default();
    let port = if port == Known::get().health.port { String::new() } else { format!(" --port {port}") };
    let command = Text::from(ics_setup(text!("reconfigure {}{}{}", own(REVERSE_PROXY), own(bind), own(port))));
    format!("  {}", line(&Redactor::default(), &command.pasted_by(&Person::default())))
}

#[cfg(test)]
mod tests;
