//! Writes JSON, byte for byte as `serde_json` does, in a fraction of the time for answers of many short texts and
//! amounts of money.
//!
//! Two things are quicker: a text is looked through sixteen bytes at a time for what must be escaped, and a number with
//! at most three decimals is written from an integer. What is rare is left to `serde_json`.

mod known;
mod number;
mod text;

use std::{cell::RefCell, fmt};

use actix_web::web::Bytes;
use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use text::push_text;

pub use known::{Tenths, Written};

/// What a thread keeps to write into. The longest list of cars is some 250 KB.
const KEPT_BYTES: usize = 512 << 10;

thread_local! {
    /// Written into by one answer after the other, so that none of them grows a buffer of its own.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Why a value has no JSON.
#[derive(Debug, thiserror::Error)]
#[error("failed to write JSON: {0}")]
pub struct WriteError(Box<Reason>);

/// Behind a pointer, so that what every value gives back fits a register.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Reason(String);

impl ser::Error for WriteError {
    fn custom<Message: fmt::Display>(message: Message) -> Self {
        Self(Box::new(Reason(message.to_string())))
    }
}

/// Writes a value and hands its text on, which is gone afterwards.
///
/// # Errors
/// A map whose keys are no texts, or an error of the value itself.
pub fn with_text<T: Serialize + ?Sized, Output>(
    value: &T,
    take: impl FnOnce(&[u8]) -> Output,
) -> Result<Output, WriteError> {
    // Taken, not borrowed: a value may well write another on its way.
    let mut out = BUFFER.take();
    out.clear();
    let written = value.serialize(Writer::of(&mut out));
    let output = written.map(|()| take(&out));
    if out.capacity() <= KEPT_BYTES {
        BUFFER.set(out);
    }
    output
}

/// Writes a value as the body of an answer. The memory is lent: it comes back once the body is sent, so a body that is
/// kept should be copied.
///
/// # Errors
/// As [`with_text`].
pub fn body_of<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, WriteError> {
    let mut lent = Lent(BUFFER.take());
    lent.0.clear();
    value.serialize(Writer::of(&mut lent.0))?;
    Ok(Bytes::from_owner(lent))
}

/// Memory that goes back to whichever thread gives it up.
struct Lent(Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.0.capacity() <= KEPT_BYTES {
            // The thread may be at its end.
            let _ = BUFFER.try_with(|buffer| buffer.replace(std::mem::take(&mut self.0)));
        }
    }
}

/// Writes values one behind the other.
struct Writer<'out> {
    out: &'out mut Vec<u8>,
    next: Next,
}

/// What is known of the next value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Any,
    /// A text that is JSON already.
    Written,
    /// A number that came of tenths.
    Tenths,
}

/// Something with parts. Each has a comma before it; the place of the first is for what opens the whole.
struct Parts<'out> {
    out: &'out mut Vec<u8>,
    begin: usize,
    open: u8,
    close: &'static [u8],
}

impl<'out> Writer<'out> {
    fn of(out: &'out mut Vec<u8>) -> Self {
        Self { out, next: Next::Any }
    }

    fn parts(self, open: u8, close: &'static [u8]) -> Parts<'out> {
        Parts {
            begin: self.out.len(),
            out: self.out,
            open,
            close,
        }
    }

    /// `{"variant":`
    fn variant(self, variant: &str) -> Self {
        self.out.push(b'{');
        push_text(self.out, variant);
        self.out.push(b':');
        self
    }

    fn whole(self, number: impl itoa::Integer) -> Result<(), WriteError> {
        self.out
            .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        Ok(())
    }

    fn number(self, number: f64) -> Result<(), WriteError> {
        if number::push_thousandths(self.out, number) {
            return Ok(());
        }
        self.library_text(&number)
    }

    fn library_text(self, value: &impl Serialize) -> Result<(), WriteError> {
        serde_json::to_writer(self.out, value).map_err(ser::Error::custom)
    }
}

impl Parts<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.out.push(b',');
        value.serialize(Writer::of(self.out))
    }

    /// Names of fields are words of ours, which need no escape. Always inlined: a name of known length is then written
    /// by a move or two.
    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), WriteError> {
        debug_assert!(
            !name
                .bytes()
                .any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\'),
            "{name:?} needs an escape"
        );
        if let Some(block) = field_name(name) {
            self.out.extend_from_slice(&block[..name.len() + 4]);
        } else {
            self.out.extend_from_slice(b",\"");
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"\":");
        }
        value.serialize(Writer::of(self.out))
    }

    fn finish(self) -> Result<(), WriteError> {
        match self.out.get_mut(self.begin) {
            Some(first) => *first = self.open,
            None => self.out.push(self.open),
        }
        self.out.extend_from_slice(self.close);
        Ok(())
    }
}

/// `,"name":` with whatever behind it, put together where the length is known: then it is a move or two to where it
/// belongs. `None` for a name that is longer than any.
#[inline(always)]
fn field_name(name: &'static str) -> Option<[u8; 32]> {
    let mut block = [0; 32];
    let (before, rest) = block.split_at_mut(2);
    let (middle, rest) = rest.split_at_mut_checked(name.len())?;
    let after = rest.first_chunk_mut()?;
    before.copy_from_slice(b",\"");
    middle.copy_from_slice(name.as_bytes());
    *after = *b"\":";
    Some(block)
}

impl<'out> ser::Serializer for Writer<'out> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Parts<'out>;
    type SerializeTuple = Parts<'out>;
    type SerializeTupleStruct = Parts<'out>;
    type SerializeTupleVariant = Parts<'out>;
    type SerializeMap = Parts<'out>;
    type SerializeStruct = Parts<'out>;
    type SerializeStructVariant = Parts<'out>;

    fn serialize_bool(self, flag: bool) -> Result<(), WriteError> {
        self.out.extend_from_slice(if flag { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, number: i8) -> Result<(), WriteError> {
        self.whole(number)
    }

    fn serialize_i16(self, number: i16) -> Result<(), WriteError> {
        self.whole(number)
    }

    fn serialize_i32(self, number: i32) -> Result<(), WriteError> {
        self.whole(number)
    }

    fn serialize_i64(self, number: i64) -> Result<(), WriteError> {
        self.whole(number)
    }

    fn serialize_u8(self, number: u8) -> Result<(), WriteError> {
        self.whole(number)
    }

    fn serialize_u16(self, number: u16) -> Result<(), WriteError> {
        self.whole(number)
    }

    fn serialize_u32(self, number: u32) -> Result<(), WriteError> {
        self.whole(number)
    }

    fn serialize_u64(self, number: u64) -> Result<(), WriteError> {
        self.whole(number)
    }

    fn serialize_f32(self, number: f32) -> Result<(), WriteError> {
        self.library_text(&number)
    }

    #[inline]
    fn serialize_f64(self, number: f64) -> Result<(), WriteError> {
        if self.next == Next::Tenths {
            number::push_tenths(self.out, number);
            return Ok(());
        }
        self.number(number)
    }

    fn serialize_char(self, letter: char) -> Result<(), WriteError> {
        self.serialize_str(letter.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), WriteError> {
        if self.next == Next::Written {
            self.out.extend_from_slice(text.as_bytes());
        } else {
            push_text(self.out, text);
        }
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), WriteError> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), WriteError> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        self.serialize_str(variant)
    }

    #[inline(always)]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        let next = match name {
            Written::NAME => Next::Written,
            Tenths::NAME => Next::Tenths,
            _ => self.next,
        };
        value.serialize(Writer { next, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        let Self { out, .. } = self.variant(variant);
        value.serialize(Writer::of(&mut *out))?;
        out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'out>, WriteError> {
        Ok(self.parts(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'out>, WriteError> {
        Ok(self.parts(b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'out>, WriteError> {
        Ok(self.parts(b'[', b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'out>, WriteError> {
        Ok(self.variant(variant).parts(b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'out>, WriteError> {
        Ok(self.parts(b'{', b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'out>, WriteError> {
        Ok(self.parts(b'{', b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'out>, WriteError> {
        Ok(self.variant(variant).parts(b'{', b"}}"))
    }
}

/// Lists of all kinds.
macro_rules! items {
    ($($kind:ident :: $add:ident),+) => {$(
        impl $kind for Parts<'_> {
            type Ok = ();
            type Error = WriteError;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
                self.item(value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.finish()
            }
        }
    )+};
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// Objects whose fields are known.
macro_rules! fields {
    ($($kind:ident),+) => {$(
        impl $kind for Parts<'_> {
            type Ok = ();
            type Error = WriteError;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), WriteError> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.finish()
            }
        }
    )+};
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        self.out.push(b',');
        let begin = self.out.len();
        key.serialize(Writer::of(self.out))?;
        if self.out.get(begin) != Some(&b'"') {
            return Err(ser::Error::custom("the name of a field must be a text"));
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.out.push(b':');
        value.serialize(Writer::of(self.out))
    }

    fn end(self) -> Result<(), WriteError> {
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, collections::BTreeMap};

    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    fn written(value: &impl Serialize) -> String {
        with_text(value, |text| String::from_utf8(text.to_vec()).unwrap()).unwrap()
    }

    /// One of every shape.
    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(Option<i8>),
        Tuple(char, (), u64),
        Struct { name: &'static str, inner: Flat },
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Pair(f32, i64);

    #[derive(Serialize)]
    struct Flat {
        first: bool,
        #[serde(flatten)]
        more: BTreeMap<Cow<'static, str>, Vec<f64>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        left_out: Option<u8>,
    }

    /// Prevents a value of any shape from being written otherwise than by the library.
    #[test]
    fn every_shape_is_written_library_text_does() {
        let flat = || Flat {
            first: true,
            more: BTreeMap::from([("a\"b".into(), vec![]), ("c".into(), vec![0.5, 1e300, f64::NAN])]),
            left_out: None,
        };
        let shapes = (
            [Shape::Unit, Shape::Newtype(None), Shape::Newtype(Some(-7))],
            Shape::Tuple('é', (), u64::MAX),
            Shape::Struct {
                name: "x",
                inner: flat(),
            },
            (
                Unit,
                Pair(0.1, i64::MIN),
                &[1_u8][..],
                (1_i16, 2_i32, 3_u16, 4_u32),
            ),
            serde_json::json!({"list": [], "object": {}, "deep": [[{"a": null}]]}),
        );
        assert_eq!(written(&shapes), serde_json::to_string(&shapes).unwrap());
        assert!(with_text(&BTreeMap::from([(1, 2)]), |_| ()).is_err());
    }

    /// Prevents a percentage from reaching an app as 87.30000000000001, whoever writes it.
    #[test]
    fn tenths_have_one_decimal() {
        for tenths in (0..=1000).chain([1001, 9_999, 10_000, u16::MAX]) {
            let expected = format!("{}.{}", tenths / 10, tenths % 10);
            assert_eq!(written(&Tenths(tenths)), expected);
            assert_eq!(serde_json::to_string(&Tenths(tenths)).unwrap(), expected);
        }
    }

    /// Prevents an amount or a share from losing or gaining a digit.
    #[test]
    fn every_share_and_amount_is_written_library_text_does() {
        let shares = (0..=1000).map(|step| f64::from(step) / 1000.0);
        let amounts = (0..200_000).map(|step| f64::from(step * 37) / 100.0);
        let odd = [
            -0.0,
            -1.5,
            5e-324,
            0.0004,
            0.0005,
            999_999_999_999.999,
            1e12,
            1e15,
            1e16,
            123_456_789_012.25,
            0.1 + 0.2,
            f64::MAX,
            f64::INFINITY,
        ];
        for number in shares.chain(amounts).chain(odd) {
            assert_eq!(written(&number), serde_json::to_string(&number).unwrap());
        }
    }

    proptest! {
        /// Prevents a text of a dealer from breaking out of its quotes, at whatever place of sixteen it stands.
        #[test]
        fn texts_are_written_library_text_does(text in r#"[ -~]{0,40}[\x00-\x22\\é𝄞]{0,3}[ -~]{0,40}"#) {
            prop_assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
        }

        /// Prevents a number from being rounded on its way out.
        #[test]
        fn numbers_are_written_library_text_does(number in any::<f64>(), thousandths in 0..1_u64 << 50) {
            let decimal = thousandths as f64 / 1000.0;
            for number in [number, decimal, decimal.next_up()] {
                prop_assert_eq!(written(&number), serde_json::to_string(&number).unwrap());
            }
        }
    }
}
