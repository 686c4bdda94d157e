//! Damaged, cut and oversized batches: an error, never a panic, never more memory than allowed.

mod common;

use std::sync::LazyLock;

use proptest::prelude::*;

use common::{batch, batch_of};
use weir_schema::Table;
use weir_wire::{Limits, WireError, decode, encode};

static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| encode(&batch(50)).expect("encoded"));
/// A batch with a column of bytes.
static WITH_SKETCHES: LazyLock<Vec<u8>> =
    LazyLock::new(|| encode(&batch_of(Table::L7Flows, 50)).expect("encoded"));

/// Small limits, so that a length made up by damage is refused and not allocated.
fn limits() -> Limits {
    Limits { decoded_bytes_max: 1 << 20, rows_max: 1_000, ..Limits::default() }
}

#[test]
fn every_cut_is_found() {
    let whole = &*SAMPLE;
    for end in 0..whole.len() {
        match decode(&whole[..end], &limits()) {
            Err(WireError::Truncated { bytes, .. }) => assert_eq!(bytes, end),
            other => panic!("cut at {end}: {other:?}"),
        }
    }
    decode(whole, &limits()).expect("the whole is fine");
}

#[test]
fn what_follows_the_end_is_refused() {
    let mut bytes = SAMPLE.clone();
    bytes.extend_from_slice(&SAMPLE);
    let err = decode(&bytes, &limits()).expect_err("two batches in one");
    assert!(err.to_string().contains("follow the end"), "{err}");
}

#[test]
fn limits_hold() {
    let kind = |limits: Limits| decode(&SAMPLE, &limits).expect_err("over the limit").kind();
    assert_eq!(kind(Limits { rows_max: 49, ..limits() }), "too_many_rows");
    assert_eq!(kind(Limits { bytes_max: SAMPLE.len() - 1, ..limits() }), "too_large");
    assert_eq!(kind(Limits { decoded_bytes_max: 500, ..limits() }), "too_large");
    assert_eq!(kind(Limits { losses_max: 0, ..limits() }), "bad_header");
    let exact = Limits { rows_max: 50, bytes_max: SAMPLE.len(), losses_max: 1, ..limits() };
    decode(&SAMPLE, &exact).expect("a batch at its limits");
}

/// A frame that claims to decompress to terabytes is refused before anything is allocated.
#[test]
fn a_bomb_is_not_unpacked() {
    let mut found = 0;
    for at in 0..SAMPLE.len() - 12 {
        // zstd's magic number (RFC 8878, 3.1.1) follows the decompressed length of a buffer
        if SAMPLE[at + 8..at + 12] == [0x28, 0xb5, 0x2f, 0xfd] {
            let mut bytes = SAMPLE.clone();
            bytes[at..at + 8].copy_from_slice(&(1i64 << 42).to_le_bytes());
            let err = decode(&bytes, &limits()).expect_err("a bomb");
            assert_eq!(err.kind(), "too_large", "{err}");
            found += 1;
        }
    }
    assert!(found > 0, "the sample has compressed buffers");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn flipped_bits_never_panic(
        flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..8),
        has_sketches in any::<bool>(),
    ) {
        let mut bytes = if has_sketches { WITH_SKETCHES.clone() } else { SAMPLE.clone() };
        for (index, bit) in flips {
            let at = index.index(bytes.len());
            bytes[at] ^= 1 << (bit % 8);
        }
        if let Ok(read) = decode(&bytes, &limits()) {
            prop_assert!(read.rows.num_rows() <= limits().rows_max);
        }
    }

    #[test]
    fn overwritten_words_never_panic(
        at in any::<prop::sample::Index>(),
        word in any::<i64>(),
        has_sketches in any::<bool>(),
    ) {
        let mut bytes = if has_sketches { WITH_SKETCHES.clone() } else { SAMPLE.clone() };
        let at = at.index(bytes.len() - 8) & !7;
        bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        if let Ok(read) = decode(&bytes, &limits()) {
            prop_assert!(read.rows.num_rows() <= limits().rows_max);
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(decode(&bytes, &limits()).is_err());
    }
}
