//! Who may use the server.
//!
//! Owns the operator's token (made once, kept as a hash), the tokens that let agents send, the
//! sessions of the UI and the guard that every request passes. Users and roles are not here.

mod agent_tokens;
mod enrolment;
mod guard;
mod private_file;
mod session;
mod token;

pub use agent_tokens::{AgentToken, AgentTokenFile, AgentTokenSources, AgentTokens, Use, uses};
pub use enrolment::{Enrolment, EnrolmentError, NewEnrolment, Standing, create, list, revoke};
pub use guard::{Caller, guard};
pub use session::{COOKIE, Sessions};
pub use token::{Token, TokenError, TokenHash, TokenState, load_or_create, read, replace};
