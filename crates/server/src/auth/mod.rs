//! Who may use the server.
//!
//! Owns the token (made once, kept as a hash), the sessions of the UI and the guard that every
//! request passes. Users and roles are not here: there is one token.

mod guard;
mod session;
mod token;

pub use guard::guard;
pub use session::{COOKIE, Sessions};
pub use token::{Token, TokenError, TokenHash, TokenState, load_or_create, read, replace};
