//! The reference page of columns and metrics is made from the tables.

use expect_test::expect_file;
use weir_model::Layer;
use weir_schema::{Formula, LOSSES, LossMeaning, Table, Unit, metrics};

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "-",
        Unit::Bytes => "bytes",
        Unit::Packets => "packets",
        Unit::Count => "count",
        Unit::Microseconds => "us",
        Unit::Milliseconds => "ms",
        Unit::Ratio => "0 to 1",
        Unit::PerSecond => "1/s",
    }
}

fn formula(formula: Formula) -> String {
    match formula {
        Formula::Sum { column } => format!("sum of `{column}`"),
        Formula::Min { column } => format!("least `{column}`"),
        Formula::Max { column } => format!("largest `{column}`"),
        Formula::Last { column } => format!("`{column}` of the last window, summed over flows"),
        Formula::Ratio { numerator, denominator } => {
            format!("sum of `{numerator}` / sum of `{denominator}`")
        }
        Formula::PerSecond { column } => format!("sum of `{column}` / seconds asked for"),
        Formula::Quantile { column, percent } => format!("{percent} % quantile of `{column}`"),
    }
}

#[test]
fn columns_and_metrics() {
    let mut page = String::from(
        "# Reference: columns and metrics\n\n\
         Made from `crates/schema` by `make generate`.\n\n\
         A value that a kernel cannot give is absent (null), never 0.\n\n\
         ## Metrics\n\n\
         In a pair, *sent* means from client to server. On a single flow, *sent* means from the \
         local end to the remote end.\n",
    );
    for (layer, name) in [
        (Layer::L4, "Transport, `layer=l4`"),
        (Layer::L7, "Requests, `layer=l7`"),
        (Layer::Dns, "Name lookups, `layer=dns`"),
    ] {
        page.push_str(&format!(
            "\n### {name}\n\n| metric | unit | meaning | made from |\n|---|---|---|---|\n"
        ));
        for metric in metrics(Table::of_flows(layer)) {
            page.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                metric.name,
                unit(metric.unit),
                metric.doc,
                formula(metric.formula)
            ));
        }
    }
    page.push_str(
        "\n## Filter fields\n\nEvery column but times and parts of metrics is a filter field, and so \
         is every metric but the sample counts, read of a single row. A pair of columns `local_x`, \
         `remote_x` gives the fields `client_x`, `server_x` (the same pair, turned by direction) \
         and `x` (either end).\n",
    );
    for table in Table::ALL {
        page.push_str(&format!(
            "\n## Columns of `{}`\n\n{}\n\n\
             | column | type | unit | when rows merge | filled by | meaning |\n\
             |---|---|---|---|---|---|\n",
            table.name(),
            table.doc()
        ));
        for column in table.columns() {
            page.push_str(&format!(
                "| `{}` | {:?}{} | {} | {:?} | {:?} | {} |\n",
                column.name,
                column.ty,
                if column.nullable { ", may be absent" } else { "" },
                unit(column.unit),
                column.merge,
                column.origin,
                column.doc
            ));
        }
    }
    expect_file!["../../../docs/reference/columns.md"].assert_eq(&page);
}

#[test]
fn losses() {
    let mut page = String::from(
        "# Reference: losses\n\n\
         Made from `crates/schema` by `make generate`.\n\n\
         Every place where something can go missing counts it, once. The counts travel with the \
         data: each answer of the API has those of its range under `incomplete`, the status page \
         and `/metrics` have those since the start.\n\n\
         | component | reason | meaning |\n|---|---|---|\n",
    );
    for LossMeaning { component, reason, meaning } in LOSSES {
        page.push_str(&format!("| `{component}` | `{reason}` | {meaning} |\n"));
    }
    expect_file!["../../../docs/reference/losses.md"].assert_eq(&page);
}
