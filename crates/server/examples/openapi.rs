//! Prints the OpenAPI description: what docs/reference/openapi.json is made from.

fn main() {
    print!("{}", weir_server::openapi_json());
}
