//! What the proxy said when a run asked it last: a file that names a proxy is no proof that it serves.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RunContext;
use crate::apply::Session;
use crate::check::Check;
use crate::check::proxy::Dial;
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::network::cause::Via;
use crate::problem::Problem;
use crate::report::line;
use crate::stamp::rfc3339;

/// Beside the runs.
const FILE: &str = "/var/lib/ics-setup/last-probe.json";

/// Version of the format.
const VERSION: u32 = 1;

/// How a proxy answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastProbe {
    version: u32,
    /// When, UTC, RFC 3339.
    pub(crate) time: String,
    /// Which one, as `host:port`.
    pub(crate) proxy: String,
    /// What was wrong, as one sentence; `None`: it serves.
    pub(crate) wrong: Option<String>,
    /// The id of the finding that says so; files of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

impl LastProbe {
    /// Was it about the login? Then to ask again with the same one may close the account.
    pub(crate) fn is_of_login(&self) -> bool {
        self.id.as_deref().is_some_and(|id| ids::PROXY_CREDENTIALS == id)
    }
}

/// Keeps what this run has found out of its proxy; nothing where it has not asked.
///
/// # Errors
/// The file cannot be written.
pub(super) fn keep(host: &dyn HostRead, session: &Session<'_>, context: &RunContext) -> Result<(), Problem> {
    let of_dial = |own: &&Finding| own.path == Some(Via::Proxy.as_str()) && Dial::META.ids.contains(&own.id);
    let mut of_proxy = context.findings.iter().filter(of_dial).peekable();
    let Some(proxy) = context.settings.as_ref().and_then(|settings| settings.proxies.places()) else { return Ok(()) };
    if of_proxy.peek().is_none() {
        return Ok(());
    }
    let wrong = of_proxy.find(|own| own.status.is_wrong());
    let now = LastProbe {
        version: VERSION,
        time: rfc3339(host.now()),
        proxy,
        wrong: wrong.map(|own| line(&context.redactor, &own.title)),
        id: wrong.map(|own| own.id.as_str().to_owned()),
    };
    // That it serves still is no news.
    if kept(host).is_some_and(|kept| kept.wrong.is_none() && now.wrong.is_none() && kept.proxy == now.proxy) {
        return Ok(());
    }
    // Text by text keys: nothing in it can fail to become JSON.
    session.keep(Path::new(FILE), &serde_json::to_vec_pretty(&now).unwrap_or_default())
}

/// The last answer that was kept. A file that cannot be read tells of none: nobody is told that a proxy serves for it.
pub(crate) fn kept(host: &(impl HostRead + ?Sized)) -> Option<LastProbe> {
    let bytes = host.read(Path::new(FILE)).ok()??;
    serde_json::from_slice::<LastProbe>(&bytes).ok().filter(|kept| kept.version == VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{HostContext, Inputs, Intent};
    use crate::finding::Ignored;
    use crate::host::MemoryHost;
    use crate::settings::{Layer, Unresolved};

    #[test]
    fn what_it_said_last_is_kept_and_that_it_still_serves_is_no_news() {
        let host = MemoryHost::new();
        host.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\n");
        let proxy = "http://p.corp.example:3128";
        host.put("/etc/environment", format!("http_proxy={proxy}\nhttps_proxy={proxy}\n").as_bytes());
        let inputs = Inputs::new(None, Layer::default()).unwrap();
        let known = HostContext::load(&host, &inputs, Intent::Check).unwrap();
        let (settings, _) = known.resolve(&inputs, &Ignored::default()).map_err(Unresolved::into_problem).unwrap();
        let session = Session::open(&host, &mut |_| {}).unwrap();
        let mut context = RunContext { settings: Some(settings), ..RunContext::default() };
        let last = |host: &MemoryHost| kept(host).map(|kept| (kept.proxy, kept.wrong));
        let mut tell = |finding: Option<Finding>| {
            context.findings = finding.into_iter().map(|own| Finding { path: Some("proxy"), ..own }).collect();
            keep(&host, &session, &context).unwrap();
            last(&host)
        };
        let place = "p.corp.example:3128".to_owned();
        let serves = || Finding::pass(ids::PROXY_CONNECT_METHOD, "it lets CONNECT");
        let rejects = || Finding::warn(ids::PROXY_CREDENTIALS, "it rejects the login");
        assert_eq!(tell(None), None, "nobody was asked");
        assert_eq!(tell(Some(rejects())), Some((place.clone(), Some("it rejects the login".to_owned()))));
        assert!(kept(&host).unwrap().is_of_login());
        assert_eq!(tell(Some(serves())), Some((place.clone(), None)));
        assert!(!kept(&host).unwrap().is_of_login());
        let time = kept(&host).unwrap().time;
        session.keep(Path::new("/var/lib/ics-setup/last-check.json"), b"{}").unwrap();
        assert_eq!(tell(Some(serves())), Some((place.clone(), None)));
        assert_eq!(kept(&host).unwrap().time, time);
        host.put(FILE, b"{}");
        assert_eq!(last(&host), None);
        assert_eq!(tell(Some(serves())), Some((place, None)));
    }
}
