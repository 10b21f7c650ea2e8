//! Names that nobody knows.

use super::servers;
use super::world::World;

#[test]
fn a_dead_resolver_is_one_fault_and_no_matter_behind_a_proxy() {
    let world = World::new();
    servers::squid(&world);
    world.trust(&["public", "other"]);
    let endpoints = |seen: &super::seen::Seen, status| seen.count("network-endpoint", status);
    // Nobody listens there; somebody drops.
    for (resolver, limit, words) in
        [("127.0.0.99", "60s", "no name server answered"), ("192.0.2.53", "2s", "no answer within 2")]
    {
        world.resolver(resolver);
        let seen = world.check(&["network", "--timeout", limit, "--deadline", "120s"]);
        let finding =
            seen.expect("network-resolver", "fail", &["public names resolves on this host", words, "--proxy"]);
        assert_eq!(finding["stage"], "resolve");
        assert!(endpoints(&seen, "skip") > 15 && endpoints(&seen, "fail") == 0, "{}", seen.human);
        // With a proxy no name has to resolve here but the proxy's own.
        let seen = world.check(&["network", "--proxy", "http://10.9.0.1:3128"]);
        assert_eq!(seen.count("network-resolver", "fail") + endpoints(&seen, "skip"), 0, "{}", seen.human);
        seen.expect("network-endpoint", "pass", &["divvycentral.divvycloud.com:443 is reached through 10.9.0.1:3128"]);
        seen.expect("network-interception", "pass", &["genuine"]);
        let named = world.check(&["network", "--proxy", "http://proxy.lab:3128", "--timeout", limit]);
        let lost =
            named.expect("network-proxy", "fail", &["the proxy's name in proxy.lab:3128 does not resolve (--proxy)"]);
        assert_eq!(lost["stage"], "resolve");
    }
}
