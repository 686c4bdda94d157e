//! Groups with their metrics: summary, map, connections, totals.

use std::cmp::Ordering;

use weir_query::{Group, GroupBy, Groups, Incomplete, MAX_GROUPS, Sort};
use weir_schema::{Side, metric};
use weir_store::StoreError;

use crate::errors::invalid;
use crate::exec::Scan;
use crate::exec::keys::{Interner, KeyPart, KeyPlan, Keys};
use crate::exec::last::{LastWindows, Steps};
use crate::exec::metrics::{MetricPlan, Totals};
use crate::exec::select::select;
use crate::segment::ScanError;

/// Resolution that is said where nothing is stored: the agents' default window.
const WINDOW_MS_DEFAULT: i64 = 10_000;

/// Which groups of the whole, in which order.
pub struct Page<'a> {
    pub sort: Option<&'a Sort>,
    pub limit: usize,
    pub offset: usize,
}

/// The groups that matched, with their running values.
pub struct Grouped {
    pub keys: Keys,
    pub totals: Totals,
}

impl Grouped {
    /// Rows of groups beyond the limit.
    pub fn beyond_rows(&self) -> u64 {
        self.totals.rows(Interner::BEYOND as usize)
    }
}

enum Order {
    Metric(usize),
    Key(usize),
    None,
}

/// Answers `Shape::Groups`. Without `by` there is one group, even if no row matched.
pub fn answer(
    scan: &Scan,
    by: &[GroupBy],
    metrics: &[String],
    page: &Page,
) -> Result<Groups, ScanError> {
    let mut computed = metrics.to_vec();
    let order = order_of(scan, by, &mut computed, page.sort)?;
    let key_plan = KeyPlan::new(scan.table(), by, scan.shared.options.groups_max)?;
    let range_ms = scan.question.window.length_ms();
    let metric_plan = MetricPlan::new(scan.table(), &computed, key_plan.is_local, range_ms)?;
    let grouped = group(scan, &key_plan, &metric_plan)?;

    let mut all = scan.totals(&metric_plan);
    all.grow(1);
    for group in 0..grouped.totals.len() {
        all.merge(0, &grouped.totals, group)?;
    }
    let descending = page.sort.is_some_and(|sort| sort.descending);
    let chosen = choose(&grouped, &order, descending, page);
    let row = |group: u32| Group {
        key: grouped.keys.key(group).into_iter().map(KeyPart::to_value).collect(),
        metrics: cut(grouped.totals.metrics(group as usize), metrics.len()),
    };
    let mut incomplete = scan.incomplete.clone();
    incomplete.extend(beyond_limit(&grouped));
    Ok(Groups {
        total: grouped.keys.count() as u64,
        groups: chosen.into_iter().map(row).collect(),
        totals: cut(all.metrics(0), metrics.len()),
        resolution_ms: resolution_ms(scan),
        incomplete,
    })
}

/// Groups every selected row of the question.
pub fn group(
    scan: &Scan,
    key_plan: &KeyPlan,
    metric_plan: &MetricPlan,
) -> Result<Grouped, ScanError> {
    let steps = Steps::one(scan.question.window);
    let last = match metric_plan.needs_last() {
        true => Some(LastWindows::find(scan, steps)?),
        false => None,
    };
    let make = || Grouped { keys: Keys::new(key_plan), totals: scan.totals(metric_plan) };
    let partials = scan.fold(make, |partial, view| {
        let selection = select(scan.question, view)?;
        if selection.is_empty() {
            return Ok(());
        }
        let groups = partial.keys.groups(view, &selection)?;
        let is_last = match &last {
            Some(last) => last.mark(steps, view, &selection)?,
            None => Vec::new(),
        };
        partial.totals.grow(partial.keys.count() + 1);
        partial.totals.add(view, &selection, &groups, &is_last)
    })?;
    let mut partials = partials.into_iter();
    let mut all = partials.next().unwrap_or_else(make);
    for partial in partials {
        merge(&mut all, &partial)?;
    }
    all.totals.grow(all.keys.count() + 1);
    Ok(all)
}

fn merge(all: &mut Grouped, partial: &Grouped) -> Result<(), StoreError> {
    for from in 0..partial.totals.len() {
        let group = match from as u32 {
            Interner::BEYOND => Interner::BEYOND,
            from => {
                let key: Vec<KeyPart> = partial.keys.key(from).into_iter().cloned().collect();
                all.keys.group_of(&key)
            }
        };
        all.totals.grow(group as usize + 1);
        all.totals.merge(group as usize, &partial.totals, from)?;
    }
    Ok(())
}

fn order_of(
    scan: &Scan,
    by: &[GroupBy],
    computed: &mut Vec<String>,
    sort: Option<&Sort>,
) -> Result<Order, StoreError> {
    let Some(sort) = sort else { return Ok(Order::None) };
    let is_named = |group: &GroupBy| match group {
        GroupBy::Entity { side, .. } => side_name(*side) == sort.by,
        GroupBy::Field(name) => *name == sort.by,
    };
    if let Some(place) = by.iter().position(is_named) {
        return Ok(Order::Key(place));
    }
    if metric(scan.table(), &sort.by).is_none() {
        return Err(invalid(format!(
            "cannot sort by {:?}: it is neither a metric nor what is grouped by",
            sort.by
        )));
    }
    let place = computed.iter().position(|name| *name == sort.by).unwrap_or_else(|| {
        computed.push(sort.by.clone());
        computed.len() - 1
    });
    Ok(Order::Metric(place))
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
        Side::Local => "local",
        Side::Remote => "remote",
        Side::Flow | Side::Either => "",
    }
}

fn choose(grouped: &Grouped, order: &Order, descending: bool, page: &Page) -> Vec<u32> {
    let mut groups: Vec<u32> = (1..=grouped.keys.count() as u32).collect();
    let metrics: Vec<Option<f64>> = match order {
        Order::Metric(output) => {
            (0..grouped.totals.len()).map(|g| grouped.totals.metric(g, *output)).collect()
        }
        _ => Vec::new(),
    };
    let compare = |a: &u32, b: &u32| {
        let first = match order {
            Order::Metric(_) => {
                compare_metrics(metrics[*a as usize], metrics[*b as usize], descending)
            }
            Order::Key(place) => {
                let (a, b) = (grouped.keys.key(*a), grouped.keys.key(*b));
                compare_parts(a[*place], b[*place], descending)
            }
            Order::None => Ordering::Equal,
        };
        first.then_with(|| compare_keys(&grouped.keys.key(*a), &grouped.keys.key(*b)))
    };
    let limit = page.limit.min(MAX_GROUPS);
    let end = page.offset.saturating_add(limit).min(groups.len());
    if end == 0 {
        return Vec::new();
    }
    if end < groups.len() {
        groups.select_nth_unstable_by(end - 1, compare);
        groups.truncate(end);
    }
    groups.sort_unstable_by(compare);
    groups.drain(..page.offset.min(end));
    groups
}

/// Absent values last, whichever the direction.
pub fn compare_metrics(a: Option<f64>, b: Option<f64>, descending: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn compare_parts(a: &KeyPart, b: &KeyPart, descending: bool) -> Ordering {
    if descending && !a.is_absent() && !b.is_absent() { b.compare(a) } else { a.compare(b) }
}

/// The order of keys, part by part.
pub fn compare_keys(a: &[&KeyPart], b: &[&KeyPart]) -> Ordering {
    let parts = a.iter().zip(b).map(|(a, b)| a.compare(b));
    parts.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn cut(mut metrics: Vec<Option<f64>>, len: usize) -> Vec<Option<f64>> {
    metrics.truncate(len);
    metrics
}

fn beyond_limit(grouped: &Grouped) -> Option<Incomplete> {
    let count = grouped.beyond_rows();
    (count > 0).then(|| Incomplete {
        kind: "cut".to_owned(),
        component: "store".to_owned(),
        reason: "groups_max".to_owned(),
        count,
        message: format!("{count} flow rows are of further groups and count in the totals only"),
    })
}

fn resolution_ms(scan: &Scan) -> i64 {
    let longest = scan.segments.iter().map(|segment| segment.window_ms_max).max();
    longest.filter(|ms| *ms > 0).unwrap_or(WINDOW_MS_DEFAULT)
}
