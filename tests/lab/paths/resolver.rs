//! Names that nobody knows.

use std::time::Duration;

use crate::servers;
use crate::world::World;

#[test]
fn a_dead_resolver_is_one_fault_and_no_matter_behind_a_proxy() {
    let mut world = World::new();
    servers::squid(&mut world);
    world.trust(&["public", "other"]);
    let endpoints = |seen: &crate::seen::Seen, status| seen.count("network-endpoint", status);
    // Nobody listens there; somebody drops; somebody says that nothing exists.
    for (resolver, words) in [("127.0.0.99", "no name server answered"), ("192.0.2.53", "no answer within 2 s")] {
        world.resolver(resolver);
        let seen = world.check(&["network", "--timeout", "2s"]);
        let finding =
            seen.expect("network-resolver", "fail", &["public names resolves on this host", words, "--proxy"]);
        assert_eq!(finding["stage"], "resolve");
        assert!(endpoints(&seen, "skip") > 15 && endpoints(&seen, "fail") == 0, "{}", seen.human);
        assert!(seen.took < Duration::from_secs(12), "{:?}", seen.took);
        // With a proxy no name has to resolve here but the proxy's own.
        let seen = world.check(&["network", "--proxy", "http://10.9.0.1:3128", "--timeout", "5s"]);
        assert_eq!(seen.count("network-resolver", "fail") + endpoints(&seen, "skip"), 0, "{}", seen.human);
        seen.expect("network-endpoint", "pass", &["divvycentral.divvycloud.com:443 is reached through 10.9.0.1:3128"]);
        seen.expect("network-interception", "pass", &["genuine"]);
        let named = world.check(&["network", "--proxy", "http://proxy.lab:3128", "--timeout", "2s"]);
        let lost =
            named.expect("network-proxy", "fail", &["the proxy's name in proxy.lab:3128 does not resolve (--proxy)"]);
        assert_eq!(lost["stage"], "resolve");
    }
}
