//! Groups: nodes that share a namespace, a zone or a host.

use weir_model::{Entity, EntityKind};

use crate::UNGROUPED_NODES_MAX;

/// What the nodes of a group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    Namespace,
    Zone,
    Host,
    /// Destinations outside everything that is observed.
    External,
}

impl GroupKind {
    pub const ALL: [GroupKind; 4] =
        [GroupKind::Namespace, GroupKind::Zone, GroupKind::Host, GroupKind::External];

    pub fn as_str(self) -> &'static str {
        match self {
            GroupKind::Namespace => "namespace",
            GroupKind::Zone => "zone",
            GroupKind::Host => "host",
            GroupKind::External => "external",
        }
    }
}

/// How to group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Not at all up to [`UNGROUPED_NODES_MAX`] nodes; above by namespace where there are any,
    /// else by host.
    Auto,
    None,
    Namespace,
    Zone,
    Host,
}

impl Grouping {
    pub const ALL: [Grouping; 5] =
        [Grouping::Auto, Grouping::None, Grouping::Namespace, Grouping::Zone, Grouping::Host];

    pub fn as_str(self) -> &'static str {
        match self {
            Grouping::Auto => "auto",
            Grouping::None => "none",
            Grouping::Namespace => "namespace",
            Grouping::Zone => "zone",
            Grouping::Host => "host",
        }
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// `kind:name`, with the cluster before the name of a namespace; `external` for the outside.
    pub id: String,
    pub kind: GroupKind,
    pub name: String,
    pub nodes: usize,
    /// From the group's own view: what its nodes sent and received, its inside included.
    pub values: Vec<Option<f64>>,
}

/// Identity of a group, before it has counted anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub id: String,
    pub name: String,
    pub is_external: bool,
}

/// The kind that is really grouped by, `None` for no groups.
pub(crate) fn resolve<'a>(
    grouping: Grouping,
    entities: impl ExactSizeIterator<Item = &'a Entity>,
) -> Option<GroupKind> {
    match grouping {
        Grouping::None => None,
        Grouping::Namespace => Some(GroupKind::Namespace),
        Grouping::Zone => Some(GroupKind::Zone),
        Grouping::Host => Some(GroupKind::Host),
        Grouping::Auto if entities.len() <= UNGROUPED_NODES_MAX => None,
        Grouping::Auto => {
            let mut entities = entities;
            let namespaced = entities.any(|entity| entity.namespace.is_some());
            Some(if namespaced { GroupKind::Namespace } else { GroupKind::Host })
        }
    }
}

/// The group of an entity; `None` where it lacks what is grouped by.
pub(crate) fn place(kind: GroupKind, entity: &Entity, zone: Option<&str>) -> Option<Place> {
    if matches!(entity.kind, EntityKind::External | EntityKind::ExternalGroup) {
        let name = GroupKind::External.as_str().to_owned();
        return Some(Place { id: name.clone(), name, is_external: true });
    }
    let (id, name) = match kind {
        GroupKind::Namespace => {
            let name = entity.namespace.as_deref()?;
            match &entity.cluster {
                Some(cluster) => (format!("{cluster}/{name}"), name),
                None => (name.to_owned(), name),
            }
        }
        GroupKind::Zone => (zone?.to_owned(), zone?),
        GroupKind::Host => {
            let name = match entity.kind {
                EntityKind::Host => entity.name.as_str(),
                _ => entity.host.as_deref()?,
            };
            (name.to_owned(), name)
        }
        GroupKind::External => return None,
    };
    let id = format!("{}:{id}", kind.as_str());
    Some(Place { id, name: name.to_owned(), is_external: false })
}
