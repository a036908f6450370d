//! Texts, sixteen bytes at a time: each block is copied to where it belongs, and on its way looked at for what must be
//! escaped. Few texts have anything, so what was copied is judged once, at the end.

/// What one instruction looks at on every processor that we build for.
const BLOCK: usize = 16;

/// Appends a text in quotes.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let begin = out.len();
    out.reserve(bytes.len() + BLOCK + 2);
    let room = out.spare_capacity_mut();
    // SAFETY: there is room for a quote, the text, what a short text is filled up with, and a quote.
    let is_clean = unsafe {
        let to: *mut u8 = room.as_mut_ptr().cast();
        to.write(b'"');
        let is_clean = copy(bytes, to.add(1));
        to.add(1 + bytes.len()).write(b'"');
        is_clean
    };
    if is_clean {
        // SAFETY: all of it was written just now.
        unsafe { out.set_len(begin + bytes.len() + 2) };
    } else {
        push_escaped(out, bytes);
    }
}

/// Copies a text to where there is room for it and for a block more; whether nothing of it must be escaped.
///
/// # Safety
/// `to` must be good for writing the text and [`BLOCK`] bytes more, none of which is borrowed.
#[inline]
unsafe fn copy(bytes: &[u8], to: *mut u8) -> bool {
    let mut escapes = Escapes::default();
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (place, block) in blocks.iter().enumerate() {
        escapes.look_at(block);
        // SAFETY: within the text.
        unsafe { to.add(place * BLOCK).cast::<[u8; BLOCK]>().write(*block) };
    }
    if !rest.is_empty() {
        // The last block begins among bytes that were copied already; a text without one is filled up.
        let (last, place) = match bytes.last_chunk::<BLOCK>() {
            Some(last) => (*last, bytes.len() - BLOCK),
            None => (filled_up(bytes), 0),
        };
        escapes.look_at(&last);
        // SAFETY: within the text, or from its beginning within the block more.
        unsafe { to.add(place).cast::<[u8; BLOCK]>().write(last) };
    }
    escapes.none()
}

/// A text shorter than a block with spaces behind it.
#[inline]
fn filled_up(bytes: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    // Two overlapping moves of a known size: copying by length is a call.
    macro_rules! ends {
        ($size:literal) => {
            if let (Some(first), Some(last)) = (bytes.first_chunk::<$size>(), bytes.last_chunk::<$size>()) {
                let behind = bytes.len().min(BLOCK) - $size;
                block[..$size].copy_from_slice(first);
                block[behind..behind + $size].copy_from_slice(last);
                return block;
            }
        };
    }
    ends!(8);
    ends!(4);
    for (to, byte) in block.iter_mut().zip(bytes) {
        *to = *byte;
    }
    block
}

/// What of the blocks looked at must be escaped: control characters, quotes and backslashes. Control characters and the
/// quote are the lowest of all once the quote has changed places with the space.
#[cfg(target_arch = "x86_64")]
struct Escapes {
    /// The lowest byte of each lane, the quote in the place of the space.
    lowest: std::arch::x86_64::__m128i,
    backslashes: std::arch::x86_64::__m128i,
}

/// What changes quote and space: only the two of them, and `!` and `#`, of what is not higher than both.
#[cfg(target_arch = "x86_64")]
const QUOTE_FOR_SPACE: i8 = (b'"' ^ b' ').cast_signed();

#[cfg(target_arch = "x86_64")]
impl Default for Escapes {
    fn default() -> Self {
        use std::arch::x86_64::{_mm_set1_epi8, _mm_setzero_si128};
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            Self {
                lowest: _mm_set1_epi8(-1),
                backslashes: _mm_setzero_si128(),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Escapes {
    #[inline(always)]
    fn look_at(&mut self, block: &[u8; BLOCK]) {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_or_si128, _mm_set1_epi8, _mm_xor_si128,
        };
        // SAFETY: SSE2 is part of x86-64, and the load reads the sixteen bytes that are borrowed, wherever they stand.
        unsafe {
            let bytes = _mm_loadu_si128(block.as_ptr().cast());
            let changed = _mm_xor_si128(bytes, _mm_set1_epi8(QUOTE_FOR_SPACE));
            self.lowest = _mm_min_epu8(self.lowest, changed);
            let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
            self.backslashes = _mm_or_si128(self.backslashes, backslashes);
        }
    }

    #[inline(always)]
    fn none(self) -> bool {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        };
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let quote = _mm_set1_epi8(b'"'.cast_signed() ^ QUOTE_FOR_SPACE);
            let low = _mm_cmpeq_epi8(self.lowest, _mm_min_epu8(self.lowest, quote));
            _mm_movemask_epi8(_mm_or_si128(low, self.backslashes)) == 0
        }
    }
}

/// What of the blocks looked at must be escaped: control characters, quotes and backslashes.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Default)]
struct Escapes(bool);

#[cfg(not(target_arch = "x86_64"))]
impl Escapes {
    #[inline(always)]
    fn look_at(&mut self, block: &[u8; BLOCK]) {
        for byte in block {
            self.0 |= must_be_escaped(*byte);
        }
    }

    #[inline(always)]
    fn none(self) -> bool {
        !self.0
    }
}

fn must_be_escaped(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Appends a text of which something must be escaped.
#[cold]
fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let mut rest = bytes;
    while let Some(length) = rest.iter().position(|byte| must_be_escaped(*byte)) {
        out.extend_from_slice(&rest[..length]);
        match rest[length] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = &rest[length + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
