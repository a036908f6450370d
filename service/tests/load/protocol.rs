//! As much of Redis's protocol as it takes to tell one command, and one answer, from the next.
//!
//! The tests of the service and the drills on a cluster both take this file.

/// The first command, and how many bytes it takes: an array of strings, each after its length. `None` until it is whole.
pub(crate) fn command(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let (count, mut position) = number(bytes, 0)?;
    assert_eq!(bytes[0], b'*', "a client sends arrays of strings");
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, begin) = number(bytes, position)?;
        let end = begin + usize::try_from(length).expect("a string has a length");
        position = end + 2;
        words.push(bytes.get(begin..end)?.to_vec());
    }
    (position <= bytes.len()).then_some((words, position))
}

/// How many bytes the first answer takes; `None` until it is whole.
pub(crate) fn answer(bytes: &[u8]) -> Option<usize> {
    answer_from(bytes, 0)
}

fn answer_from(bytes: &[u8], position: usize) -> Option<usize> {
    let members = |count: i64| {
        let (_, begin) = number(bytes, position)?;
        (0..count).try_fold(begin, |position, _| answer_from(bytes, position))
    };
    match *bytes.get(position)? {
        b'$' | b'=' | b'!' => {
            let (length, begin) = number(bytes, position)?;
            let end = usize::try_from(length).map_or(begin, |length| begin + length + 2);
            (end <= bytes.len()).then_some(end)
        }
        b'*' | b'~' | b'>' => members(number(bytes, position)?.0),
        b'%' => members(2 * number(bytes, position)?.0),
        _ => line_end(bytes, position),
    }
}

/// The number on a line after its mark, and where the next line begins.
fn number(bytes: &[u8], position: usize) -> Option<(i64, usize)> {
    let next = line_end(bytes, position)?;
    let text = std::str::from_utf8(&bytes[position + 1..next - 2]).expect("digits");
    Some((text.parse().expect("a number"), next))
}

/// Where the next line begins.
fn line_end(bytes: &[u8], position: usize) -> Option<usize> {
    let rest = bytes.get(position..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    Some(position + end + 2)
}
