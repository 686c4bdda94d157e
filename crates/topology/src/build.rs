//! From pairs to a map.

use std::collections::HashMap;

use weir_model::{Entity, EntityKind};

use crate::cut::{Cut, heaviest};
use crate::focus::{Focus, reach};
use crate::group::{Group, GroupKind, Grouping, Place, place, resolve};
use crate::key;
use crate::metric::{Metrics, Totals, View, known, weight};

/// Traffic of one client entity with one server entity, from the client's view.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    pub client: Entity,
    pub server: Entity,
    /// Zones of both ends, where [`Grouping::Zone`] needs them.
    pub client_zone: Option<String>,
    pub server_zone: Option<String>,
    /// In the order of the metrics; `None` where nothing was observed.
    pub values: Vec<Option<f64>>,
}

/// What map to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub grouping: Grouping,
    pub focus: Option<Focus>,
    /// The heaviest nodes and edges are kept, the focused entity always is.
    pub nodes_max: usize,
    pub edges_max: usize,
}

/// The map.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Heaviest first.
    pub nodes: Vec<MapNode>,
    /// Heaviest first; ends are node keys.
    pub edges: Vec<MapEdge>,
    pub groups: Vec<Group>,
    /// Between groups; an end without a group is its node's key.
    pub group_edges: Vec<MapEdge>,
    pub cut: Cut,
    /// `false`: the focused entity talked to nobody in these pairs, and the map is empty.
    pub focus_found: bool,
}

/// One entity.
#[derive(Clone, Debug, PartialEq)]
pub struct MapNode {
    pub key: String,
    pub entity: Entity,
    /// From the node's own view over all its conversations, those beyond a focus or cut included.
    pub values: Vec<Option<f64>>,
    pub group: Option<String>,
}

/// One arrow.
#[derive(Clone, Debug, PartialEq)]
pub struct MapEdge {
    pub client: String,
    pub server: String,
    pub values: Vec<Option<f64>>,
}

/// An edge as node indexes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    pub client: usize,
    pub server: usize,
}

struct Node {
    key: String,
    entity: Entity,
    zone: Option<String>,
}

/// Makes the map. Pairs of the same two entities may come more than once; they are added up.
pub fn build(metrics: &Metrics<'_>, pairs: Vec<Edge>, options: &Options) -> Map {
    let (nodes, links, values) = index(metrics, pairs);
    let node_values = totals(metrics, nodes.len(), &links, &values, Some);

    let start = options.focus.as_ref().map(|focus| nodes.iter().position(|n| n.key == focus.key));
    let in_reach = match (&options.focus, start) {
        (Some(focus), Some(Some(start))) => reach(&links, nodes.len(), start, focus),
        (Some(_), _) => vec![false; links.len()],
        (None, _) => vec![true; links.len()],
    };
    let kept = keep(metrics, &node_values, &links, &values, &in_reach, start.flatten(), options);

    let kind = resolve(options.grouping, kept.nodes.iter().map(|n| &nodes[*n].entity));
    let places: Vec<Option<Place>> =
        nodes.iter().map(|node| place(kind?, &node.entity, node.zone.as_deref())).collect();
    let (groups, group_edges) = group_up(metrics, kind, &nodes, &places, &kept, &links, &values);

    let node = |n: &usize| MapNode {
        key: nodes[*n].key.clone(),
        entity: nodes[*n].entity.clone(),
        values: known(&node_values[*n]),
        group: places[*n].as_ref().map(|place| place.id.clone()),
    };
    let edge = |e: &usize| MapEdge {
        client: nodes[links[*e].client].key.clone(),
        server: nodes[links[*e].server].key.clone(),
        values: known(&values[*e]),
    };
    Map {
        nodes: kept.nodes.iter().map(node).collect(),
        edges: kept.edges.iter().map(edge).collect(),
        groups,
        group_edges,
        cut: kept.cut,
        focus_found: start.is_none_or(|start| start.is_some()),
    }
}

/// Numbers the entities and adds up pairs that come more than once.
fn index(
    metrics: &Metrics<'_>,
    pairs: Vec<Edge>,
) -> (Vec<Node>, Vec<Links>, Vec<Vec<Option<f64>>>) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut numbers: HashMap<(EntityKind, String), usize> = HashMap::new();
    let mut number = |entity: Entity, zone: Option<String>| {
        *numbers.entry((entity.kind, entity.id.clone())).or_insert_with(|| {
            nodes.push(Node { key: key(&entity), entity, zone });
            nodes.len() - 1
        })
    };
    let mut links: Vec<Links> = Vec::new();
    let mut totals: Vec<Totals> = Vec::new();
    let mut edges: HashMap<(usize, usize), usize> = HashMap::new();
    for pair in pairs {
        let client = number(pair.client, pair.client_zone);
        let server = number(pair.server, pair.server_zone);
        let edge = *edges.entry((client, server)).or_insert_with(|| {
            links.push(Links { client, server });
            totals.push(Totals::new(metrics));
            links.len() - 1
        });
        totals[edge].add(metrics, &pair.values, View::Client);
    }
    let values = totals.into_iter().map(|total| total.finish(metrics)).collect();
    (nodes, links, values)
}

/// Adds the edges up at whatever `owner` says that their ends belong to.
fn totals(
    metrics: &Metrics<'_>,
    count: usize,
    links: &[Links],
    values: &[Vec<Option<f64>>],
    owner: impl Fn(usize) -> Option<usize>,
) -> Vec<Vec<Option<f64>>> {
    let mut totals: Vec<Totals> = vec![Totals::new(metrics); count];
    for (link, values) in links.iter().zip(values) {
        let (client, server) = (owner(link.client), owner(link.server));
        if client == server {
            if let Some(both) = client {
                totals[both].add(metrics, values, View::Inside);
            }
            continue;
        }
        if let Some(client) = client {
            totals[client].add(metrics, values, View::Client);
        }
        if let Some(server) = server {
            totals[server].add(metrics, values, View::Server);
        }
    }
    totals.into_iter().map(|total| total.finish(metrics)).collect()
}

/// Indexes of what is on the map, heaviest first.
struct Kept {
    nodes: Vec<usize>,
    edges: Vec<usize>,
    cut: Cut,
}

fn keep(
    metrics: &Metrics<'_>,
    node_values: &[Vec<Option<f64>>],
    links: &[Links],
    values: &[Vec<Option<f64>>],
    in_reach: &[bool],
    start: Option<usize>,
    options: &Options,
) -> Kept {
    let mut is_wanted = vec![false; node_values.len()];
    for (link, _) in links.iter().zip(in_reach).filter(|(_, reached)| **reached) {
        is_wanted[link.client] = true;
        is_wanted[link.server] = true;
    }
    let wanted: Vec<usize> = (0..node_values.len()).filter(|n| is_wanted[*n]).collect();
    let node_weight = |n: &usize| {
        if Some(*n) == start { f64::INFINITY } else { weight(metrics, &node_values[*n]) }
    };
    let weights: Vec<f64> = wanted.iter().map(node_weight).collect();
    let nodes: Vec<usize> =
        heaviest(&weights, options.nodes_max).into_iter().map(|i| wanted[i]).collect();

    let mut is_kept = vec![false; node_values.len()];
    for n in &nodes {
        is_kept[*n] = true;
    }
    let between = |e: &usize| is_kept[links[*e].client] && is_kept[links[*e].server];
    let candidates: Vec<usize> =
        (0..links.len()).filter(|e| in_reach[*e]).filter(between).collect();
    let weights: Vec<f64> = candidates.iter().map(|e| weight(metrics, &values[*e])).collect();
    let edges: Vec<usize> =
        heaviest(&weights, options.edges_max).into_iter().map(|i| candidates[i]).collect();

    let cut = Cut {
        nodes: nodes.len(),
        nodes_total: wanted.len(),
        edges: edges.len(),
        edges_total: candidates.len(),
    };
    Kept { nodes, edges, cut }
}

/// Groups of the kept nodes with the kept edges between and inside them.
fn group_up(
    metrics: &Metrics<'_>,
    kind: Option<GroupKind>,
    nodes: &[Node],
    places: &[Option<Place>],
    kept: &Kept,
    links: &[Links],
    values: &[Vec<Option<f64>>],
) -> (Vec<Group>, Vec<MapEdge>) {
    let Some(kind) = kind else { return (Vec::new(), Vec::new()) };
    let mut found: Vec<(&Place, usize)> = Vec::new();
    let mut numbers: HashMap<&Place, usize> = HashMap::new();
    for place in kept.nodes.iter().filter_map(|n| places[*n].as_ref()) {
        let number = *numbers.entry(place).or_insert_with(|| {
            found.push((place, 0));
            found.len() - 1
        });
        found[number].1 += 1;
    }
    let kept_links: Vec<Links> = kept.edges.iter().map(|e| links[*e]).collect();
    let kept_values: Vec<Vec<Option<f64>>> =
        kept.edges.iter().map(|e| values[*e].clone()).collect();
    let owner = |n: usize| numbers.get(places[n].as_ref()?).copied();
    let group_values = totals(metrics, found.len(), &kept_links, &kept_values, owner);
    let groups = found
        .iter()
        .zip(group_values)
        .map(|((place, nodes), values)| Group {
            id: place.id.clone(),
            kind: if place.is_external { GroupKind::External } else { kind },
            name: place.name.clone(),
            nodes: *nodes,
            values: known(&values),
        })
        .collect();

    let end = |n: usize| match &places[n] {
        Some(place) => place.id.as_str(),
        None => nodes[n].key.as_str(),
    };
    let mut between: Vec<((&str, &str), Totals)> = Vec::new();
    let mut numbers: HashMap<(&str, &str), usize> = HashMap::new();
    for (link, values) in kept_links.iter().zip(&kept_values) {
        let ends = (end(link.client), end(link.server));
        if ends.0 == ends.1 {
            continue;
        }
        let number = *numbers.entry(ends).or_insert_with(|| {
            between.push((ends, Totals::new(metrics)));
            between.len() - 1
        });
        between[number].1.add(metrics, values, View::Client);
    }
    let edge = |(ends, total): ((&str, &str), Totals)| MapEdge {
        client: ends.0.to_owned(),
        server: ends.1.to_owned(),
        values: known(&total.finish(metrics)),
    };
    let group_edges = between.into_iter().map(edge).collect();
    (groups, group_edges)
}
