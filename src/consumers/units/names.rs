//! Names of service units (`src/basic/unit-name.c`, release 252; systemd.unit(5)).

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `cron.service`.
    Plain,
    /// `getty@tty1.service`.
    Instance,
    /// `getty@.service`.
    Template,
}

const TYPE: &str = ".service";

/// The kind of a name; `None`: it is no name of a service.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let stem = name.strip_suffix(TYPE)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if stem.is_empty() || stem.starts_with('@') || name.len() > 255 || !stem.chars().all(fits) {
        return None;
    }
    Some(match stem.split_once('@') {
        None => Kind::Plain,
        Some((_, "")) => Kind::Template,
        Some(_) => Kind::Instance,
    })
}

/// What stands before the `@`, or before the type.
pub(super) fn prefix(name: &str) -> &str {
    let stem = name.strip_suffix(TYPE).unwrap_or(name);
    stem.split_once('@').map_or(stem, |(prefix, _)| prefix)
}

/// What stands behind the `@`; empty where there is none.
pub(super) fn instance(name: &str) -> &str {
    let stem = name.strip_suffix(TYPE).unwrap_or(name);
    stem.split_once('@').map_or("", |(_, instance)| instance)
}

/// `getty@.service` of `getty@tty1.service`.
pub(super) fn template(name: &str) -> Option<String> {
    (kind(name)? == Kind::Instance).then(|| format!("{}@{TYPE}", prefix(name)))
}

/// A template's name with an instance; any other name as it is.
pub(super) fn with_instance(name: &str, instance: &str) -> String {
    match kind(name) {
        Some(Kind::Template) => format!("{}@{instance}{TYPE}", prefix(name)),
        _ => name.to_owned(),
    }
}

/// May `alias` be a link to `target` (`unit_validate_alias_symlink_or_warn()`)?
pub(super) fn may_alias(alias: &str, target: &str) -> bool {
    match (kind(alias), kind(target)) {
        (Some(Kind::Instance), Some(Kind::Instance)) => instance(alias) == instance(target) && alias != target,
        (Some(Kind::Instance), Some(Kind::Template)) => true,
        (Some(own), Some(other)) => own == other && alias != target,
        _ => false,
    }
}

/// The folders of drop-ins of a unit, strongest first, without their `.d`, and whether each is one of a prefix (`foo-` of
/// `foo-bar`), which only systemd 239 and newer reads.
pub(super) fn drop_in_folders(name: &str) -> Vec<(String, bool)> {
    let mut folders = Vec::new();
    collect(name, false, &mut folders);
    folders
}

fn collect(name: &str, of_prefix: bool, folders: &mut Vec<(String, bool)>) {
    if !folders.iter().any(|(known, _)| known == name) {
        folders.push((name.to_owned(), of_prefix));
    }
    if let Some(template) = template(name) {
        collect(&template, of_prefix, folders);
    }
    // The dash at the end of a prefix is passed over once: `a-b-` is followed by `a-`.
    let own = prefix(name);
    let searched = own.strip_suffix('-').unwrap_or(own);
    let Some(dash) = searched.rfind('-').filter(|dash| *dash > 0) else { return };
    let shorter = &searched[..=dash];
    let next = match kind(name) {
        Some(Kind::Instance) => format!("{shorter}@{}{TYPE}", instance(name)),
        _ => format!("{shorter}{TYPE}"),
    };
    collect(&next, true, folders);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_folders() {
        for (name, expected) in [
            ("cron.service", Some(Kind::Plain)),
            ("a@b.service", Some(Kind::Instance)),
            ("a@.service", Some(Kind::Template)),
            ("a@b@c.service", Some(Kind::Instance)),
            ("@b.service", None),
            (".service", None),
            ("a b.service", None),
            ("cron.socket", None),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
        let folders = |name| drop_in_folders(name).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(folders("a-b-c.service"), ["a-b-c.service", "a-b-.service", "a-.service"]);
        assert_eq!(
            folders("a-b@c-d.service"),
            ["a-b@c-d.service", "a-b@.service", "a-.service", "a-@c-d.service", "a-@.service"]
        );
        assert_eq!(folders("-a.service"), ["-a.service"]);
        assert!(may_alias("a@x.service", "b@.service") && !may_alias("a@x.service", "b@y.service"));
        assert!(!may_alias("a.service", "a.service") && !may_alias("a.service", "b@.service"));
    }
}
