//! Entities: what a page groups by and names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::flow::text_enum;

text_enum! {
    /// Transport view, application view, and the name lookups before both.
    Layer { L4 = "l4", L7 = "l7", Dns = "dns" }
}

text_enum! {
    /// The entity kind that a page groups by. `deployment` stands for any workload.
    Level {
        Process = "process",
        Host = "host",
        Pod = "pod",
        Deployment = "deployment",
        Service = "service",
    }
}

text_enum! {
    /// What an entity is. `external` is a destination outside everything that is observed.
    EntityKind {
        Process = "process",
        Host = "host",
        Pod = "pod",
        Workload = "workload",
        Service = "service",
        External = "external",

        ExternalGroup = "external_group",
    }
}

/// One named end of an edge.
///
/// `id` is unique together with `kind` and stable over time: `host/name` for a process, the host
/// name for a host, the domain or the address for an external destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entity {
    pub kind: EntityKind,
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<String>,
    /// Kind of a workload: Deployment, StatefulSet, `systemd`, `container`...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workload_kind: Option<String>,
}
