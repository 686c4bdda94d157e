//! The suite that every store passes, and the builders that its tests and others' are made with.
//!
//! A backend's test calls [`crate::store_conformance!`] with a function that opens an empty store.
//! Each case runs over fresh rows and again after maintenance has moved them to wherever the
//! backend keeps them. `random` compares whatever the cases do not think of with `oracle`, a
//! row-by-row reading of what [`crate::Store`] promises.

pub mod groups;
pub mod ingest;
pub mod oracle;
pub mod perspective;
pub mod random;
pub mod raw;
pub mod requests;
pub mod rows;
pub mod samples;
pub mod series;

use std::any::Any;
use std::time::Duration;

use weir_model::Perspective;
use weir_query::{Answer, Expr, Question, Shape, TimeWindow, parse_filter};
use weir_schema::Table;

use crate::{Store, Stored};
use rows::{Row, batches_of};

/// Start of the suite's rows: a full hour.
pub const START_MS: i64 = 1_700_002_800_000;
/// Length of an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Length of a window.
pub const WINDOW_MS: i64 = 10_000;

/// An empty store and what must outlive it (its directory, its server).
pub struct Opened {
    pub store: Box<dyn Store>,
    pub keep: Box<dyn Any>,
}

/// Opens an empty store.
pub type Open<'a> = &'a dyn Fn() -> Opened;

/// Makes one `#[test]` of each case of the suite. The argument is the path of a function
/// `fn() -> weir_store::conformance::Opened`.
#[macro_export]
macro_rules! store_conformance {
    ($open:path) => {
        $crate::store_conformance! { @cases $open;
            ingest::a_batch_sent_twice_counts_once,
            ingest::batches_that_do_not_fit_the_schema_are_refused,
            ingest::columns_may_be_missing_from_a_batch,
            ingest::an_empty_batch_is_stored,
            ingest::losses_are_kept_with_their_time,
            ingest::what_is_older_than_the_retention_is_gone_and_stays_gone,
            ingest::status_counts_what_is_stored,
            ingest::a_closed_store_says_so,
            groups::an_empty_store_answers,
            groups::totals_add_up_what_is_there,
            groups::pairs_of_processes_read_from_client_to_server,
            groups::the_end_that_is_not_observed_is_named_by_what_is_known,
            groups::external_ends_fold_by_domain_and_class,
            groups::levels_fall_back,
            groups::local_and_remote_ends_are_not_turned,
            groups::fields_group_by_text_and_number,
            groups::sort_limit_and_offset_cut_pages,
            groups::active_connections_count_the_last_window_of_each_agent,
            groups::what_is_not_a_question_is_refused,
            perspective::both_ends_observed_count_once,
            perspective::unknown_direction_observed_twice_counts_once,
            perspective::the_range_is_half_open,
            series::steps_are_aligned_and_hold_what_starts_in_them,
            series::lines_beyond_the_limit_fold_into_the_rest,
            series::active_connections_are_read_once_a_step,
            series::steps_are_limited,
            raw::facets_count_rows,
            raw::rows_come_newest_first_with_every_column,
            raw::pages_hold_each_row_once_while_rows_come_and_move,
            raw::rows_sort_by_any_column,
            raw::foreign_cursors_are_refused,
            requests::counts_and_rates_add_up,
            requests::quantiles_are_those_of_all_requests,
            requests::quantiles_do_not_depend_on_how_rows_were_batched,
            requests::quantiles_of_a_series_are_those_of_its_steps,
            requests::filters_and_facets_know_what_was_asked,
            requests::requests_seen_at_both_ends_count_once,
            requests::lookups_are_grouped_by_name_and_code,
            requests::bytes_that_are_no_sketch_are_refused,
            requests::tables_are_apart,
            samples::requests_come_newest_first_by_when_they_began,
            samples::requests_weigh_what_they_stand_for,
            samples::a_path_is_looked_for_as_sent_and_as_template,
            samples::requests_sort_and_group_by_what_they_have,
            random::any_question_is_answered_as_the_oracle_does,
            random::any_question_about_requests_is_answered_as_the_oracle_does,
            random::any_question_about_single_requests_is_answered_as_the_oracle_does,
            random::any_question_about_lookups_is_answered_as_the_oracle_does,
        }
    };
    (@cases $open:path; $($module:ident :: $case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::conformance::$module::$case(&$open);
            }
        )*
    };
}

/// A question about transport flows over the suite's first hour.
pub fn question(shape: Shape) -> Question {
    question_of(Table::L4Flows, shape)
}

/// A question about a table over the suite's first hour.
pub fn question_of(table: Table, shape: Shape) -> Question {
    Question {
        table,
        window: TimeWindow { from_ms: START_MS, to_ms: START_MS + HOUR_MS },
        perspective: Perspective::Merged,
        filter: Expr::all(),
        shape,
    }
}

/// The filter of a text about transport flows. Panics where it is not one.
pub fn filter(text: &str) -> Expr {
    filter_of(Table::L4Flows, text)
}

/// The filter of a text about a table. Panics where it is not one.
pub fn filter_of(table: Table, text: &str) -> Expr {
    parse_filter(table, text).expect(text)
}

/// Stores transport flows under a sequence that no other call of the case uses.
pub fn store_rows(store: &dyn Store, sequence: u64, rows: &[Row]) {
    store_rows_of(Table::L4Flows, store, sequence, rows);
}

/// Stores rows of a table under a sequence that no other call of the case uses for it.
pub fn store_rows_of(table: Table, store: &dyn Store, sequence: u64, rows: &[Row]) {
    for batch in batches_of(table, rows, sequence) {
        assert_eq!(store.ingest(&batch).expect("rows are stored"), Stored::New);
    }
}

/// Has the store do whatever is due some hours after [`START_MS`].
pub fn settle(store: &dyn Store) {
    for hours in [2, 3] {
        while store.maintain(START_MS + hours * HOUR_MS).expect("maintenance") == Duration::ZERO {}
    }
}

/// Runs a check over transport flows just stored, and again once they have settled.
pub fn over(open: Open, rows: &[Row], check: impl Fn(&dyn Store, &str)) {
    over_of(Table::L4Flows, open, rows, check);
}

/// Runs a check over rows of a table just stored, and again once they have settled.
pub fn over_of(table: Table, open: Open, rows: &[Row], check: impl Fn(&dyn Store, &str)) {
    let opened = open();
    store_rows_of(table, &*opened.store, 1, rows);
    check(&*opened.store, "just stored");
    settle(&*opened.store);
    check(&*opened.store, "settled");
}

/// Asks, where an answer is certain.
pub fn ask(store: &dyn Store, question: &Question) -> Answer {
    store.ask(question).unwrap_or_else(|error| panic!("{question:?}: {error}"))
}
