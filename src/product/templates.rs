//! Files of the product where nobody has any: made from what is known of the vendor's, and saying so in their first line.

use crate::docker::compose::Relabel;
use crate::redact::is_secret_name;
use crate::vendor::{Generation, Vendor};

const PRODUCTION: &str = include_str!("../../assets/product/docker-compose.production.yml");
const TEST_DRIVE: &str = include_str!("../../assets/product/docker-compose.test-drive.yml");
const PROD_ENV: &str = include_str!("../../assets/product/prod.env");
const MYSQL_ENV: &str = include_str!("../../assets/product/mysql.env");
const UNIT: &str = include_str!("../../assets/product/insightcloudsec.service");

/// The file of the authority of a proxy that inspects TLS, in the product's folder, and where the vendor mounts it.
pub(crate) const AUTHORITY: (&str, &str) = ("proxy_cert.crt", "/usr/local/share/ca-certificates/proxy_cert.crt");

/// The file of the public roots with that authority, and where containers have it: outside of the folder whose files their own
/// program may take up one by one.
pub(crate) const BUNDLE: (&str, &str) = ("proxy_ca_bundle.crt", "/etc/ssl/proxy_ca_bundle.crt");

/// How the first line of each of them begins.
const OWN: &str = "# Written by ics-setup";

/// `docker-compose.yml`.
pub(crate) fn compose_file(test_drive: bool) -> &'static str {
    if test_drive { TEST_DRIVE } else { PRODUCTION }
}

/// Is it one of these, whoever has brought it and whatever of it was edited since?
pub(crate) fn is_own(file: &[u8]) -> bool {
    file.starts_with(OWN.as_bytes())
}

/// The compose file with [`AUTHORITY`] mounted.
pub(crate) fn mounting(file: &[u8]) -> Vec<u8> {
    let mount = format!("- ./{}:", AUTHORITY.0);
    String::from_utf8_lossy(file).replace(&format!("#{mount}"), &mount).into()
}

/// The compose file with every mount labelled, for hosts on which SELinux confines containers: what services share for all of
/// them, the data of the database for its container alone.
pub(crate) fn labelled(file: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(file).split_inclusive('\n').map(labelled_line).collect::<String>().into()
}

/// A line of it; those that mount nothing, and those that say a label, stay.
fn labelled_line(line: &str) -> String {
    let text = line.trim_end();
    let item = text.trim_start_matches([' ', '#']).strip_prefix("- ").unwrap_or_default();
    let is_mount = item.trim_matches('"').starts_with("./") && item.matches(':').count() == 1;
    if !is_mount {
        return line.to_owned();
    }
    let relabel = if item.contains("./data/") { Relabel::Private } else { Relabel::Shared };
    let (head, quote) = text.strip_suffix('"').map_or((text, ""), |head| (head, "\""));
    format!("{head}:{}{quote}{}", relabel.as_str(), &line[text.len()..])
}

/// `prod.env`, with the names that a generation of the product reads.
pub(crate) fn prod_env(generation: Generation) -> String {
    let vendor = Vendor::get();
    let named = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let mut keys = vendor.prod_env_keys();
        let new = keys.find_map(|key| {
            let at = vendor.variables(Generation::Current, key).iter().position(|own| own == name)?;
            vendor.variables(generation, key).get(at)
        })?;
        Some(format!("{new}={value}"))
    };
    PROD_ENV.lines().map(|line| named(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

/// `prod.env` for a host that is not here: every password is left out.
pub(crate) fn prod_env_to_fill(generation: Generation) -> String {
    let without = |line: &str| match line.split_once('=') {
        Some((name, _)) if is_secret_name(name) => format!("{name}=\n"),
        _ => format!("{line}\n"),
    };
    prod_env(generation).lines().map(without).collect()
}

/// The head of `mysql.env`, which the Test Drive's database reads.
pub(crate) fn mysql_env() -> &'static str {
    MYSQL_ENV
}

/// The unit that starts the product, with these commands and the most seconds that its start may take.
pub(crate) fn unit(start: &str, stop: &str, seconds: u64) -> String {
    UNIT.replace("{start}", start).replace("{stop}", stop).replace("{seconds}", &seconds.to_string())
}

/// Is it a line of one of these files as it stands here, and no password's? Those hold no secret, so that a diff may show them.
pub(crate) fn is_line(line: &str) -> bool {
    let line = line.trim();
    let is_password = line.split_once('=').is_some_and(|(name, _)| is_secret_name(name));
    let is_same = |own: &str| own == line || own.strip_prefix('#') == Some(line);
    let is_own = |own: &str| is_same(own) || is_same(&labelled_line(own));
    let has = |file: &&str| file.lines().any(|own| is_own(own.trim()) && !own.contains('{'));
    !is_password && [PRODUCTION, TEST_DRIVE, PROD_ENV, MYSQL_ENV, UNIT].iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_say_whose_they_are_and_every_line_is_known() {
        for file in [PRODUCTION, TEST_DRIVE, PROD_ENV, MYSQL_ENV, UNIT] {
            assert!(is_own(file.as_bytes()) && file.ends_with('\n'));
        }
        assert!(is_line("    restart: \"always\"") && !is_line("ExecStart=/x") && !is_line("TimeoutStartSec=3"));
        assert_eq!(prod_env(Generation::Current), PROD_ENV);
        for test_drive in [false, true] {
            let mounted = String::from_utf8(mounting(compose_file(test_drive).as_bytes())).unwrap();
            assert_eq!(mounted.lines().filter(|line| !line.contains('#') && line.contains(AUTHORITY.1)).count(), 2);
            assert!(mounted.lines().all(is_line) && compose_file(test_drive).lines().all(is_line));
            let labelled = String::from_utf8(labelled(mounted.as_bytes())).unwrap();
            assert!(
                labelled.lines().all(is_line) && labelled.contains("      - \"./plugins:/plugins:z\"\n"),
                "{labelled}"
            );
        }
        let older = prod_env(Generation::Older);
        assert!(older.contains("DIVVY_SECURE_MYSQL_DB_NAME=divvykeys\n") && !older.contains("DIVVY_DB_"), "{older}");
        assert_eq!(older.lines().count(), PROD_ENV.lines().count());
        let to_fill = prod_env_to_fill(Generation::Current);
        assert!(to_fill.contains("DIVVY_DB_PASSWORD=\n") && to_fill.contains("DIVVY_DB_USERNAME=divvy\n"), "{to_fill}");
        assert_eq!(to_fill.lines().filter(|line| line.ends_with("PASSWORD=")).count(), 2);
    }
}
