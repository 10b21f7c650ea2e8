//! The NO_PROXY list: members in order, merged and never shrunk.

use std::fmt;

use crate::redact;
use crate::text::{Marked, Shown};

/// An ordered list of NO_PROXY members without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<String>);

/// Why a text is no NO_PROXY member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member:?} cannot be a no_proxy member: {reason}")]
pub struct NoProxyError {
    /// The member as given.
    pub member: String,
    /// What is wrong with it, and what to write.
    pub reason: &'static str,
}

impl Shown for NoProxyError {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} cannot be a no_proxy member: {}", Marked(&self.member), self.reason)
    }
}

impl NoProxy {
    /// Reads a list that a person gave: members separated by commas, blanks around them ignored.
    ///
    /// # Errors
    /// The first member that some client would misread.
    pub fn parse(text: &str) -> Result<Self, NoProxyError> {
        let mut list = Self::default();
        for member in text.split(',').map(str::trim).filter(|member| !member.is_empty()) {
            list.push(check(member)?);
        }
        Ok(list)
    }

    /// Reads a list that stands on the host. What may be a host to any client is never lost; of what is none, such as a login,
    /// nothing is copied on ([`NoProxy::strangers`]).
    pub fn found(text: &str) -> Self {
        let mut list = Self::default();
        Self::split(&redact::list(text)).filter(|member| !is_stranger(member)).for_each(|member| list.push(member));
        list
    }

    /// What stands in such a list and is no host, as it may be shown.
    pub fn strangers(text: &str) -> Vec<String> {
        let shown = redact::list(text);
        let strangers = Self::split(&shown).filter(|member| is_stranger(member));
        // Without a colon all in front of the `@` may be a secret.
        strangers
            .map(|member| if member.contains('@') { redact::url_masked(member) } else { member.to_owned() })
            .collect()
    }

    /// The parts of a list. Blanks between members are taken as separators too, as old curl and Ruby do; and so are `;` and `|`,
    /// which whoever wrote them meant so and which no client has in a member. Quotes that a reader left in are nobody's name,
    /// and behind a blank and `#` there is a remark.
    pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
        let members =
            text.split(|c: char| ",;|".contains(c) || c.is_whitespace()).map(|member| member.trim_matches(['"', '\'']));
        members.take_while(|member| !member.starts_with('#')).filter(|member| !member.is_empty())
    }

    /// Adds the members of `other` that are not there yet, behind the own ones.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        for member in &other.0 {
            self.push(member);
        }
        self
    }

    /// Adds one member unless it is there.
    pub fn push(&mut self, member: &str) {
        if !self.contains(member) {
            self.0.push(member.to_owned());
        }
    }

    /// Is this member in the list?
    pub fn contains(&self, member: &str) -> bool {
        self.0.iter().any(|own| own == member)
    }

    /// Does the list say that nothing uses the proxy? `*` means that to curl and Python only when it stands alone.
    pub fn is_everything(&self) -> bool {
        self.0 == ["*"]
    }

    /// Has it no members?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list as it may be shown: a member that is a whole proxy URL or a login by mistake, without its password.
    #[must_use]
    pub fn shown(&self) -> Self {
        let shown = redact::list(&self.to_string());
        Self(shown.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect())
    }

    /// The members, in order.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for NoProxy {
    /// Comma, no blanks, no quotes, no trailing comma: the only form that all clients split alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// Is it neither a host nor anything that a client, or Windows, takes for one? A scheme or a path may stand beside a host, and
/// names outside ASCII are names to some.
pub(crate) fn is_stranger(member: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:/*[]".contains(c) || !c.is_ascii();
    !member.chars().all(plain) && !member.eq_ignore_ascii_case("<local>")
}

fn check(member: &str) -> Result<&str, NoProxyError> {
    let refuse = |reason| Err(NoProxyError { member: member.to_owned(), reason });
    if member.contains("://") {
        return refuse("write the host alone, without scheme and path");
    }
    for c in member.chars() {
        match c {
            '"' | '\'' => return refuse("quotes become part of the name for some clients; leave them out"),
            ';' | '|' => return refuse("members are separated by commas"),
            ' ' | '\t' => return refuse("a blank ends a member for some clients; separate members by commas"),
            _ if c.is_ascii_alphanumeric() || ".-_:/*[]".contains(c) => {}
            _ => return refuse("only letters, digits and . - _ : / * [ ] are read alike by all clients"),
        }
    }
    Ok(member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_merged_in_order_without_duplicates() {
        let found = NoProxy::found("b, a  c,,b");
        let merged = found.merged(&NoProxy::parse("mysql,a,redis").unwrap());
        assert_eq!(merged.to_string(), "b,a,c,mysql,redis");
        assert_eq!(NoProxy::found("\"a.corp,b\"\r # why").to_string(), "a.corp,b");
        assert_eq!(NoProxy::found("localhost;wiki.corp|x\";").to_string(), "localhost,wiki.corp,x");
    }

    #[test]
    fn members_that_clients_misread_are_refused_with_advice() {
        for bad in ["\"a\"", "a;b", "http://a/", "a b", "é.example"] {
            assert!(NoProxy::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(NoProxy::parse(" a , .b.c ,10.0.0.0/8,*.d,[::1],::1, ").unwrap().members().count(), 6);
    }

    #[test]
    fn what_is_no_host_is_named_without_its_secret_and_not_copied() {
        for (text, list, strangers) in [
            ("a.corp,(x),b.corp", "a.corp,b.corp", &["(x)"][..]),
            ("a.corp,b@d.corp,%s,${NO_PROXY}", "a.corp", &["***@d.corp", "%s", "${NO_PROXY}"]),
            ("a.corp,user:pw@h,b.corp", "a.corp,b.corp", &["user:***@h"]),
            ("a.corp,user:p,w;x@h,b.corp", "a.corp,b.corp", &["user:***@h"]),
            ("http://user:p,w@px.corp:1/,a.corp", "a.corp", &["http://user:***@px.corp:1/"]),
            (
                "http://a.corp/,é.corp,<local>,[::1],*.x,10.0.0.0/8",
                "http://a.corp/,é.corp,<local>,[::1],*.x,10.0.0.0/8",
                &[],
            ),
        ] {
            assert_eq!(
                (NoProxy::found(text).to_string().as_str(), NoProxy::strangers(text)),
                (list, strangers.iter().map(|own| (*own).to_owned()).collect()),
                "{text}"
            );
        }
    }

    proptest! {
        /// Whatever stands around it, no part of a login's password is copied on or shown, and what parses is kept.
        #[test]
        fn a_login_in_a_list_leaves_nothing_of_its_password(
            before in proptest::collection::vec("[a-z]{1,6}(\\.[a-z]{2,4})?", 0..3),
            scheme in "(http://)?",
            password in "S3[A-Za-z0-9,;| %:/()]{0,8}cret",
            behind in proptest::collection::vec("[a-z]{1,6}\\.[a-z]{2,4}", 0..3),
        ) {
            let login = format!("{scheme}svc:{password}@px.corp");
            let text = [before.as_slice(), &[login], behind.as_slice()].concat().join(",");
            let (list, strangers) = (NoProxy::found(&text), NoProxy::strangers(&text).join(","));
            for part in ["S3", "cret"] {
                prop_assert!(!list.to_string().contains(part) && !strangers.contains(part), "{text}: {list} {strangers}");
            }
            prop_assert!(before.iter().chain(&behind).all(|member| list.contains(member)), "{text}: {list}");
            prop_assert!(NoProxy::parse(&list.to_string()).is_ok(), "{text}: {list}");
        }

        #[test]
        fn merging_never_shrinks_and_is_idempotent(a in "[a-c,. ]{0,20}", b in "[a-d,.]{0,20}") {
            let (a, b) = (NoProxy::found(&a), NoProxy::found(&b));
            let once = a.clone().merged(&b);
            prop_assert!(a.members().chain(b.members()).all(|member| once.contains(member)));
            prop_assert_eq!(once.members().take(a.members().count()).collect::<Vec<_>>(), a.members().collect::<Vec<_>>());
            prop_assert_eq!(once.clone().merged(&b), once);
        }
    }
}
