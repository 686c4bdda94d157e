//! HTTP/2 written by hand, byte by byte as RFC 9113 and RFC 7541 have it.

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const PRIORITY: u8 = 0x20;
/// A message in one frame.
pub const WHOLE: u8 = END_STREAM | END_HEADERS;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

pub fn data(flags: u8, stream: u32, length: usize) -> Vec<u8> {
    frame(0, flags, stream, vec![b'x'; length])
}

pub fn headers(flags: u8, stream: u32, block: impl AsRef<[u8]>) -> Vec<u8> {
    frame(1, flags, stream, block)
}

pub fn reset(stream: u32) -> Vec<u8> {
    frame(3, 0, stream, 8u32.to_be_bytes())
}

pub fn settings() -> Vec<u8> {
    // SETTINGS_HEADER_TABLE_SIZE 65536, SETTINGS_INITIAL_WINDOW_SIZE 65535.
    frame(4, 0, 0, [0, 1, 0, 1, 0, 0, 0, 4, 0, 0, 0xff, 0xff])
}

pub fn continuation(flags: u8, stream: u32, block: impl AsRef<[u8]>) -> Vec<u8> {
    frame(9, flags, stream, block)
}

pub fn goaway(last: u32) -> Vec<u8> {
    frame(7, 0, 0, [last.to_be_bytes(), [0; 4]].concat())
}

fn text(out: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ ..127 => out.push(length as u8),
        length => {
            out.push(127);
            let mut rest = length - 127;
            while rest >= 128 {
                out.push(rest as u8 | 128);
                rest >>= 7;
            }
            out.push(rest as u8);
        }
    }
    out.extend(text.as_bytes());
}

/// Fields as literals that are not kept in the table.
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    literal(0x00, fields)
}

/// Fields as literals that go into the table.
pub fn kept(fields: &[(&str, &str)]) -> Vec<u8> {
    literal(0x40, fields)
}

fn literal(first: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(first);
        text(&mut out, name);
        text(&mut out, value);
    }
    out
}

pub fn get(path: &str) -> Vec<u8> {
    fields(&[(":method", "GET"), (":scheme", "http"), (":path", path)])
}

pub fn grpc(path: &str) -> Vec<u8> {
    fields(&[(":method", "POST"), (":path", path), ("content-type", "application/grpc+proto")])
}

pub fn status(status: &str) -> Vec<u8> {
    fields(&[(":status", status)])
}
