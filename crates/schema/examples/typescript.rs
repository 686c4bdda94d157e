//! Prints the TypeScript module of the web UI (`make generate`).

fn main() {
    print!("{}", weir_schema::typescript::module());
}
