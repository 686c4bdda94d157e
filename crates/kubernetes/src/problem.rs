//! What goes wrong with the API server, in words that say what would be right.

use serde::Deserialize;

use crate::objects::Kind;

/// Longest text of the API server that is repeated.
const TOLD_BYTES_MAX: usize = 300;

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The configuration names something that cannot be used.
    #[error("{0}")]
    Configuration(String),
    #[error("cannot reach the API server at {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error(
        "the API server does not accept the token of {token_file} (401); it is read again before \
         each request, so a rotated one is used at once: {told}"
    )]
    Unauthorized { token_file: String, told: String },
    #[error(
        "the service account may not {verb} {resource}: its ClusterRole needs a rule with \
         apiGroups [\"{group}\"], resources [\"{resource}\"], verbs [{}]: {told}",
        verbs_with(verb)
    )]
    Forbidden { verb: &'static str, resource: &'static str, group: &'static str, told: String },
    /// The version to go on from is too old: everything has to be listed again.
    #[error("the API server no longer has the changes since the last one (410)")]
    Gone,
    #[error("the API server answered {code}: {told}")]
    Status { code: u16, told: String },
    #[error("the API server broke off or said what is no answer: {0}")]
    Broken(String),
}

impl Problem {
    /// A bounded snake_case word for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Problem::Configuration(_) => "configuration",
            Problem::Unreachable { .. } => "unreachable",
            Problem::Unauthorized { .. } => "unauthorized",
            Problem::Forbidden { .. } => "forbidden",
            Problem::Gone => "gone",
            Problem::Status { .. } => "status",
            Problem::Broken(_) => "broken",
        }
    }

    /// The problem behind an HTTP or watch status of a watched kind.
    pub(crate) fn of_status(
        code: u16,
        body: &str,
        kind: Kind,
        verb: &'static str,
        token_file: &str,
    ) -> Self {
        let ((group, _), resource) = (kind.group_version(), kind.resource());
        Self::of_answer(code, body, (group, resource), verb, token_file)
    }

    /// The problem behind a status; `what` is API group and resource.
    pub(crate) fn of_answer(
        code: u16,
        body: &str,
        what: (&'static str, &'static str),
        verb: &'static str,
        token_file: &str,
    ) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Status {
            message: String,
        }
        let status: Status = serde_json::from_str(body).unwrap_or_default();
        let told = if status.message.is_empty() { body } else { &status.message };
        let told: String = told.chars().take(TOLD_BYTES_MAX).collect();
        match code {
            401 => Problem::Unauthorized { token_file: token_file.to_owned(), told },
            403 => {
                let (group, resource) = what;
                Problem::Forbidden { verb, resource, group, told }
            }
            410 => Problem::Gone,
            _ => Problem::Status { code, told },
        }
    }
}

/// The verbs that a rule needs for one of them to work: a watch begins with a list.
fn verbs_with(verb: &str) -> &'static str {
    match verb {
        "get" => "\"get\"",
        _ => "\"list\", \"watch\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_rule_is_spelled_out() {
        let body = r#"{"kind":"Status","code":403,"message":"replicasets.apps is forbidden"}"#;
        let problem = Problem::of_status(403, body, Kind::ReplicaSet, "list", "");
        assert_eq!(problem.reason(), "forbidden");
        let text = problem.to_string();
        for part in ["list replicasets", "[\"apps\"]", "[\"list\", \"watch\"]", "is forbidden"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn any_answer_is_told_in_short() {
        let problem = Problem::of_status(502, &"é".repeat(5_000), Kind::Pod, "list", "");
        assert!(problem.to_string().len() < 1_000);
        assert_eq!(Problem::of_status(410, "", Kind::Pod, "watch", "").reason(), "gone");
    }
}
