//! `check network` and `check agent` in a network of their own: every verdict on a path, reached through the program over
//! real TLS, real proxies and real names. nginx is every origin, dnsmasq knows the names, squid and mitmproxy stand in
//! between; what no product does on demand (a proxy that offers NTLM only, a filter that cuts by name) is played by threads
//! of the test.
//!
//! A laboratory has no certificate of a public authority, so these tests always run the program that cargo has built with
//! the feature `lab`, which counts the authorities in `LAB_PUBLIC_ROOTS` as public. The release build has no
//! such variable; `ICS_SETUP_LAB_BINARY` is not looked at here.
//!
//! Every look is taken for people and for programs, the facts are saved and judged again without the network, and no
//! output may hold a password in any form (`World::check`).
//!
//! | what is in the way | told as | test |
//! | --- | --- | --- |
//! | nothing (public ✓ host ✓) | `network-interception` pass: genuine | `verdicts::each_origin_gets_its_verdict` |
//! | public ✗ host ✓: a private CA is installed | `network-interception` warn, `agent-interception` fail | `inspection::trusted_…` |
//! | public ✗ host ✗: interception, CA missing | both fail | `inspection::without_its_ca_…`, `verdicts` (`inspected.lab`) |
//! | public ✗ host ✗: self-signed, as CA or not | `network-interception` fail: self-signed | `verdicts` (`self.lab`, `selfca.lab`) |
//! | public ✓ host ✗: the host's store is stale | `network-interception` fail | `verdicts` (`stale.lab`) |
//! | expired; another name | `network-interception` fail | `verdicts` (`expired.lab`, `wrong.lab`) |
//! | one issuer for unrelated operators | evidence and cause | `inspection::trusted_…` |
//! | path comparison, by key | evidence; the way in the title | `inspection::both_ways_…` |
//! | static address with SNI; DNS disagrees | `agent-static-address` | `agent::static_addresses_…` |
//! | block page in place of TLS, through TLS that is decrypted, by a proxy after CONNECT | `network-endpoint` fail: a page answers | `verdicts` (`page.lab`), `inspection` (`blocked.lab`), `proxy::scripted_…` |
//! | TLS cut off by name; TLS too old | `network-endpoint` fail at `tls` | `verdicts` (`cut.lab`, `old.lab`) |
//! | endpoint refused, black hole, unknown name | `network-endpoint` fail | `verdicts` |
//! | no name server, one that drops | `network-resolver` | `resolver::…` |
//! | a name that the host knows and containers do not | `proxy-prod-env`, `prod-env-hosts` | `containers::…` |
//! | proxy's name unknown, refused, black hole | `network-proxy` fail at `resolve`, `tcp` | `proxy::a_proxy_that_is_not_there_…` |
//! | proxy wants TLS, speaks plain, is not trusted | `network-proxy` fail at `connect`, `proxy-tls` | `proxy::tls_to_the_proxy_…` |
//! | 407 without, with wrong credentials; NTLM only | `network-proxy` fail | `proxy::squid_…`, `proxy::scripted_…` |
//! | 403 by policy; 503 cannot reach; silence | `network-endpoint` fail | `proxy::squid_…` |
//! | 200 then closed, foreign certificate, HTML | `network-endpoint`, `network-interception` | `proxy::scripted_…`, `inspection` |
//! | port 80 through a proxy: its 403 and the origin's | fail, pass | `proxy::in_the_clear_…` |
//! | Collector's ports, also beside a proxy | `agent-collector` | `agent::collector_…` |
//! | everything at once, nobody answers | within its bounds | `bounds::…` |

mod agent;
mod bounds;
mod containers;
mod inspection;
mod keys;
mod proxy;
mod resolver;
mod seen;
mod servers;
mod verdicts;
mod world;
