//! Sessions of the UI: a cookie in place of the token, held in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE as COOKIE_HEADER;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::token::TokenError;

/// Name of the cookie.
pub const COOKIE: &str = "weir_session";

/// The open sessions. Their ids are kept as hashes, so looking one up tells nothing by its time.
pub struct Sessions {
    /// Hash of the id, and when the session ends, Unix milliseconds.
    open: Mutex<HashMap<[u8; 32], i64>>,
    sessions_max: usize,
    age_max: Duration,
}

fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

impl Sessions {
    pub fn new(sessions_max: usize, age_max: Duration) -> Self {
        Self { open: Mutex::new(HashMap::new()), sessions_max, age_max }
    }

    /// Opens a session and returns the value of `Set-Cookie`. When there are too many, the one that
    /// would end first is ended.
    pub fn open(&self, now_ms: i64) -> Result<String, TokenError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(TokenError::Random)?;
        let id = HEXLOWER.encode(&random);
        let ends_ms = now_ms.saturating_add(self.age_max.as_millis() as i64);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, ends_ms| *ends_ms > now_ms);
        while open.len() >= self.sessions_max.max(1) {
            let Some(first) = open.iter().min_by_key(|(_, ends)| **ends).map(|(id, _)| *id) else {
                break;
            };
            open.remove(&first);
        }
        open.insert(hash(&id), ends_ms);
        let age_s = self.age_max.as_secs();
        Ok(format!("{COOKIE}={id}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict"))
    }

    /// Whether the request carries an open session.
    pub fn is_open(&self, headers: &HeaderMap, now_ms: i64) -> bool {
        let Some(id) = cookie(headers) else { return false };
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&hash(id)).is_some_and(|ends_ms| *ends_ms > now_ms)
    }

    /// Ends the request's session and returns the value of `Set-Cookie` that forgets it.
    pub fn close(&self, headers: &HeaderMap) -> String {
        if let Some(id) = cookie(headers) {
            self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(id));
        }
        format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(COOKIE_HEADER).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, id)| id.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(set_cookie: &str) -> HeaderMap {
        let pair = set_cookie.split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE_HEADER, format!("theme=dark; {pair}").parse().unwrap());
        headers
    }

    #[test]
    fn a_session_opens_ends_and_expires() {
        let sessions = Sessions::new(10, Duration::from_secs(60));
        let cookie = sessions.open(1_000).unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        let headers = request(&cookie);
        assert!(sessions.is_open(&headers, 1_000));
        assert!(sessions.is_open(&headers, 60_999));
        assert!(!sessions.is_open(&headers, 61_000), "it expires");
        assert!(!sessions.is_open(&HeaderMap::new(), 1_000));
        assert!(!sessions.is_open(&request("weir_session=0000"), 1_000));
        assert!(sessions.close(&headers).contains("Max-Age=0"));
        assert!(!sessions.is_open(&headers, 1_000));
    }

    #[test]
    fn too_many_sessions_end_the_first() {
        let sessions = Sessions::new(2, Duration::from_secs(60));
        let cookies: Vec<_> = (0..3).map(|i| request(&sessions.open(i).unwrap())).collect();
        let open: Vec<_> = cookies.iter().map(|c| sessions.is_open(c, 3)).collect();
        assert_eq!(open, [false, true, true]);
    }
}
