//! Which rows of a segment a question reads: time, perspective, filter, in this order of cost.

use weir_model::Perspective;
use weir_query::Question;

use crate::exec::filter::{Mask, by_code, evaluate};
use crate::segment::{ColumnData, NULL_CODE, ScanError, View};

/// Row numbers, ascending.
pub fn select(question: &Question, view: &View) -> Result<Vec<u32>, ScanError> {
    let mut mask = in_window(question, view)?;
    if mask != Mask::Nothing {
        mask = mask.and(seen_by(question.perspective, view)?);
    }
    if mask != Mask::Nothing {
        mask = mask.and(evaluate(&question.filter, view)?);
    }
    Ok(match mask {
        Mask::All => (0..view.rows() as u32).collect(),
        Mask::Nothing => Vec::new(),
        Mask::Rows(rows) => {
            let taken = rows.iter().enumerate().filter(|(_, taken)| **taken);
            taken.map(|(row, _)| row as u32).collect()
        }
    })
}

/// The rows whose time lies in the question's range.
pub fn in_window(question: &Question, view: &View) -> Result<Mask, ScanError> {
    let window = question.window;
    if view.segment.min_ms >= window.from_ms && view.segment.max_ms < window.to_ms {
        return Ok(Mask::All);
    }
    let range = window.from_ms.max(0) as u64..window.to_ms.max(0) as u64;
    Ok(match view.times()? {
        Some(times) => Mask::Rows(times.iter().map(|time| range.contains(time)).collect()),
        None => Mask::Nothing,
    })
}

fn seen_by(perspective: Perspective, view: &View) -> Result<Mask, ScanError> {
    if perspective == Perspective::Both {
        return Ok(Mask::All);
    }
    let direction = view.named("direction")?;
    let Some(ColumnData::Codes { codes, values }) = direction.as_deref() else {
        return Ok(Mask::Nothing);
    };
    let is = |word: &str| -> Vec<bool> { values.iter().map(|v| v == Some(word)).collect() };
    let incoming = is("incoming");
    if perspective == Perspective::Server {
        return Ok(by_code(codes, &incoming));
    }
    let outgoing_or_unknown: Vec<bool> = incoming.iter().map(|incoming| !incoming).collect();
    let first = by_code(codes, &outgoing_or_unknown);
    let remote_agent = view.named("remote_agent")?;
    let Some(ColumnData::Codes { codes: agents, .. }) = remote_agent.as_deref() else {
        // The other end is observed nowhere: each row stands for itself.
        return Ok(if perspective == Perspective::Client { first } else { Mask::All });
    };
    let unknown = is("unknown");
    let ends = Ends::of(view)?;
    let of = |table: &[bool], row: usize| table.get(codes[row] as usize).copied().unwrap_or(false);
    let take = |row: usize| {
        let both_observed = agents[row] != NULL_CODE;
        if of(&unknown, row) {
            return !both_observed || ends.is_first(row);
        }
        if of(&incoming, row) {
            return perspective == Perspective::Merged && !both_observed;
        }
        true
    };
    Ok(Mask::Rows((0..view.rows()).map(take).collect()))
}

/// The ends of conversations whose direction is not known.
struct Ends {
    columns: [crate::segment::Loaded; 4],
}

impl Ends {
    fn of(view: &View) -> Result<Self, ScanError> {
        let [local_ip, local_port] = [view.named("local_ip")?, view.named("local_port")?];
        let [remote_ip, remote_port] = [view.named("remote_ip")?, view.named("remote_port")?];
        Ok(Self { columns: [local_ip, local_port, remote_ip, remote_port] })
    }

    /// Whether this row, not the one from the other end, stands for the conversation.
    fn is_first(&self, row: usize) -> bool {
        let [local_ip, local_port, remote_ip, remote_port] = &self.columns;
        let ip = |column: &'_ crate::segment::Loaded| {
            column.as_deref().and_then(|column| column.text(row).map(str::to_owned))
        };
        let port = |column: &crate::segment::Loaded| {
            column.as_deref().and_then(|column| column.number(row))
        };
        (ip(local_ip), port(local_port)) <= (ip(remote_ip), port(remote_port))
    }
}
