//! As much of XML as firewalld's files need.

/// The file without its comments.
pub(super) fn uncommented(xml: &str) -> String {
    let mut plain = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some((before, comment)) = rest.split_once("<!--") {
        plain.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

/// Each tag, without its brackets, with the text behind it.
pub(super) fn tags(xml: &str) -> impl Iterator<Item = (&str, &str)> {
    xml.split('<').skip(1).filter_map(|part| part.split_once('>'))
}

/// The name of a tag: `port`, `/port`.
pub(super) fn name(tag: &str) -> &str {
    let end = tag.char_indices().find(|(at, c)| c.is_whitespace() || (*at > 0 && *c == '/'));
    &tag[..end.map_or(tag.len(), |(at, _)| at)]
}

/// What an attribute of a tag says.
pub(super) fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = tag.split_once(char::is_whitespace)?.1;
    loop {
        let (key, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, after) = value[1..].split_once(quote)?;
        if key.trim() == name {
            return Some(value);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_found_behind_any_white_space() {
        let xml =
            "<?xml version=\"1.0\"?><!-- <port port=\"1\"/> -->\n<port\n\tprotocol='tcp' port = \"8001\"/>x<!-- <";
        let plain = uncommented(xml);
        let (tag, behind) = tags(&plain).nth(1).unwrap();
        assert_eq!(
            (name(tag), attribute(tag, "port"), attribute(tag, "protocol")),
            ("port", Some("8001"), Some("tcp"))
        );
        assert_eq!((behind, attribute(tag, "ort"), tags(&plain).count()), ("x", None, 2));
        assert_eq!((name("/rule"), name("drop/"), name("a b")), ("/rule", "drop", "a"));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(xml in "[a-z<>!= \"'/\u{e9}-]{0,80}") {
            let plain = uncommented(&xml);
            tags(&plain).for_each(|(tag, _)| assert!(name(tag).len() <= tag.len() && attribute(tag, "a").is_none_or(|own| own.len() < tag.len())));
        }
    }
}
