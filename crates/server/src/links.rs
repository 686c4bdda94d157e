//! Links to logs and traces kept elsewhere: templates that an operator sets, checked here and
//! filled in by the UI.

/// What a template may name between braces.
pub const PLACEHOLDERS: [&str; 9] =
    ["kind", "name", "namespace", "cluster", "host", "pod", "trace_id", "from_ms", "to_ms"];
/// Most templates; more are refused.
pub const LINKS_MAX: usize = 32;

/// A link with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub name: String,
    pub url: String,
}

impl Link {
    /// Reads entries `NAME=URL` with spaces between them; underscores in a name stand for spaces.
    ///
    /// # Errors
    /// What is wrong with which entry, and what would be right.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let mut links: Vec<Self> = Vec::new();
        for entry in text.split_whitespace() {
            let link = Self::read(entry).map_err(|problem| format!("{entry:?}: {problem}"))?;
            if links.iter().any(|known| known.name == link.name) {
                return Err(format!("{:?} is the name of two links", link.name));
            }
            links.push(link);
        }
        match links.len() {
            0..=LINKS_MAX => Ok(links),
            found => Err(format!("{found} links; at most {LINKS_MAX} are shown")),
        }
    }

    fn read(entry: &str) -> Result<Self, String> {
        let (name, url) = entry.split_once('=').ok_or("expected NAME=URL")?;
        if name.is_empty() {
            return Err("the name before = is missing".to_owned());
        }
        let rest = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        if rest.is_none_or(str::is_empty) {
            return Err("expected a URL that begins with https:// or http://".to_owned());
        }
        check_placeholders(url)?;
        Ok(Self { name: name.replace('_', " "), url: url.to_owned() })
    }
}

fn check_placeholders(url: &str) -> Result<(), String> {
    let mut rest = url;
    while let Some((before, behind)) = rest.split_once('{') {
        if before.contains('}') {
            break;
        }
        let (name, after) = behind.split_once('}').ok_or("a { has no } behind it")?;
        if !PLACEHOLDERS.contains(&name) {
            let known = PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(" ");
            return Err(format!("nothing is known as {{{name}}}; expected one of {known}"));
        }
        rest = after;
    }
    if rest.contains('}') {
        return Err("a } has no { before it".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read() {
        let text = "Pod_logs=https://logs.example/?q={namespace}/{pod}&from={from_ms}\n  \
            Trace=http://traces.example/{trace_id}";
        let links = Link::read_all(text).expect("links");
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["Pod logs", "Trace"]);
        assert_eq!(links[0].url, "https://logs.example/?q={namespace}/{pod}&from={from_ms}");
        assert_eq!(Link::read_all("  "), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let many: Vec<String> = (0..33).map(|i| format!("l{i}=https://logs.example")).collect();
        let cases = [
            ("logs.example", "expected NAME=URL"),
            ("=https://logs.example", "name before = is missing"),
            ("Logs=logs.example", "begins with https:// or http://"),
            ("Logs=javascript:alert(1)", "begins with https:// or http://"),
            ("Logs=https://", "begins with https:// or http://"),
            (
                "Logs=https://logs.example/{pods}",
                "nothing is known as {pods}; expected one of {kind}",
            ),
            ("Logs=https://logs.example/{pod", "a { has no } behind it"),
            ("Logs=https://logs.example/pod}", "a } has no { before it"),
            ("Logs=https://logs.example/}{pod}", "a } has no { before it"),
            ("A=https://a.example A=https://b.example", "\"A\" is the name of two links"),
            (&many.join(" "), "33 links; at most 32"),
        ];
        for (text, expected) in cases {
            let problem = Link::read_all(text).expect_err(text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }
}
