//! The part of a compose file that says what is expected here: services, their number, ports, and names that its own
//! `environment:` sets. Only the block style that the vendor's files have is read; anything else gives nothing.

/// The vendor's name of the file.
pub(crate) const USUAL: &str = "docker-compose.yml";

/// No honest file is larger.
const MAX_BYTES: usize = 256 << 10;

/// No honest file has more.
const MAX_SERVICES: usize = 64;

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its name.
    pub(crate) name: String,
    /// How many containers: `scale` or `deploy.replicas`, else 1.
    pub(crate) scale: u32,
    /// `8001:8001`, as they stand there.
    pub(crate) ports: Vec<String>,
    /// Names that `environment:` sets.
    pub(crate) environment: Vec<String>,
}

/// The services of a file; `None`: it cannot be read this way.
pub(crate) fn services(bytes: &[u8]) -> Option<Vec<Service>> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines().filter_map(Line::parse);
    lines.find(|line| line.indent == 0 && line.text == "services:")?;
    let mut services: Vec<Service> = Vec::new();
    // Depth of the services' names, depth of a service's keys, the key that lines belong to.
    let (mut names, mut keys, mut key) = (0, 0, String::new());
    for line in lines {
        if line.indent == 0 {
            break;
        }
        if names == 0 {
            names = line.indent;
        }
        if line.indent == names {
            let (name, _) = line.pair()?;
            if services.len() == MAX_SERVICES {
                return None;
            }
            services.push(Service { name: name.to_owned(), scale: 1, ..Service::default() });
            (keys, key) = (0, String::new());
            continue;
        }
        let service = services.last_mut()?;
        if keys == 0 {
            keys = line.indent;
        }
        match line.item() {
            Some(item) if line.indent >= keys => add(service, &key, item, None),
            _ if line.indent == keys => {
                let (name, value) = line.pair()?;
                name.clone_into(&mut key);
                if name == "scale"
                    && let Ok(scale) = value.parse()
                {
                    service.scale = scale;
                }
            }
            _ => {
                if let Some((name, value)) = line.pair() {
                    add(service, &key, name, Some(value));
                }
            }
        }
    }
    (!services.is_empty()).then_some(services)
}

/// A line below a key: an item of a list, or a name with its value.
fn add(service: &mut Service, key: &str, item: &str, value: Option<&str>) {
    match (key, value) {
        ("environment", _) => service.environment.push(item.split('=').next().unwrap_or(item).trim().to_owned()),
        ("ports", None) => service.ports.push(item.to_owned()),
        ("deploy", Some(value)) if item == "replicas" => service.scale = value.parse().unwrap_or(service.scale),
        _ => {}
    }
}

struct Line<'a> {
    indent: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// `None`: blank, or a comment.
    fn parse(line: &'a str) -> Option<Self> {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let text = line[indent..].trim_end();
        let text = text.find(" #").map_or(text, |at| text[..at].trim_end());
        (!text.is_empty() && !text.starts_with('#') && text != "---").then_some(Self { indent, text })
    }

    fn pair(&self) -> Option<(&'a str, &'a str)> {
        let (name, value) = self.text.split_once(':')?;
        Some((bare(name.trim()), bare(value.trim())))
    }

    fn item(&self) -> Option<&'a str> {
        self.text.strip_prefix("- ").map(|item| bare(item.trim()))
    }
}

/// Without quotes around it.
fn bare(text: &str) -> &str {
    let quoted = |sign| text.strip_prefix(sign).and_then(|rest: &str| rest.strip_suffix(sign));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text)
}

/// The port of this host that leads to a port of the container, of `[ADDRESS:]HOST:CONTAINER[/tcp]`, with its address.
pub(crate) fn published(ports: &[String], container: u16) -> Option<(Option<String>, u16)> {
    ports.iter().find_map(|mapping| {
        let mut parts = mapping.trim_end_matches("/tcp").rsplitn(3, ':');
        (parts.next()?.parse() == Ok(container)).then_some(())?;
        let port = parts.next()?.parse().ok()?;
        let address = parts.next().filter(|address| !address.is_empty() && *address != "0.0.0.0");
        Some((address.map(str::to_owned), port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: '2.2'\n# a comment\nservices:\n  interfaceserver:\n    image: divvycloud/divvycloud:latest\n    \
        command: divvycloud webserver\n    ports:\n    - \"80:8001\"  # outside\n    env_file: prod.env\n    environment:\n      \
        VIRTUAL_ENV: /\n    volumes:\n      - ./plugins:/plugins\n      #- ./proxy_cert.crt:/x\n  scheduler:\n    restart: always\n    \
        environment:\n      - 'VIRTUAL_ENV=/'\n      - B\n  worker:\n    scale: 8\n    links:\n      - redis\n  extra:\n    deploy:\n      \
        replicas: 3\n\nvolumes:\n  x: {}\n";

    #[test]
    fn the_vendors_style_is_read() {
        let services = services(FILE.as_bytes()).unwrap();
        let names: Vec<_> = services.iter().map(|service| (service.name.as_str(), service.scale)).collect();
        assert_eq!(names, [("interfaceserver", 1), ("scheduler", 1), ("worker", 8), ("extra", 3)]);
        assert_eq!(services[0].ports, ["80:8001"]);
        assert_eq!(services[0].environment, ["VIRTUAL_ENV"]);
        assert_eq!(services[1].environment, ["VIRTUAL_ENV", "B"]);
        assert_eq!(published(&services[0].ports, 8001), Some((None, 80)));
        assert_eq!(
            published(&["127.0.0.1:8443:8001/tcp".to_owned()], 8001),
            Some((Some("127.0.0.1".to_owned()), 8443))
        );
        assert_eq!(published(&["[::1]:80:8001".to_owned()], 8001), Some((Some("[::1]".to_owned()), 80)));
        assert_eq!(published(&["8001".to_owned(), "1:2".to_owned()], 8001), None);
    }

    #[test]
    fn what_is_not_read_gives_nothing() {
        for text in
            ["", "web:\n  image: x\n", "services:\n", "services: {a: {}}\n", "services:\n  - a\n", "services:\n\ta:\n"]
        {
            assert_eq!(services(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(services(b"\xff"), None);
        assert_eq!(services(&vec![b' '; MAX_BYTES + 1]), None);
        let many: String = (0..100).map(|n| format!("  s{n}:\n    image: x\n")).collect();
        assert_eq!(services(format!("services:\n{many}").as_bytes()), None);
    }
}
