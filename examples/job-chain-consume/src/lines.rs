//! Lines out of bytes that come in pieces.

use bytes::BytesMut;
use skill_sdk::prelude::*;

/// Longest line in bytes. What has longer ones is no lines of JSON, and would fill the memory.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Cuts bytes into lines, wherever pieces end.
#[derive(Default)]
pub(crate) struct Lines {
    /// What has come and was not given out.
    rest: BytesMut,
    /// How much of that is known to hold no line end.
    searched: usize,
}

impl Lines {
    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
    }

    /// The next line that has come whole, without its end.
    ///
    /// # Errors
    ///
    /// When a line is longer than [`LONGEST`].
    pub(crate) fn next(&mut self) -> Result<Option<BytesMut>> {
        let end = self.rest[self.searched..].iter().position(|byte| *byte == b'\n').map(|found| self.searched + found);
        self.searched = end.map_or(self.rest.len(), |_| 0);
        if end.unwrap_or(self.rest.len()) > LONGEST {
            return Err(SkillError::new(format!("it is longer than {LONGEST} bytes")));
        }
        let Some(end) = end else { return Ok(None) };
        let mut line = self.rest.split_to(end + 1);
        line.truncate(end);
        Ok(Some(line))
    }

    /// The last line, if it has no end.
    pub(crate) fn last(self) -> Option<BytesMut> {
        (!self.rest.is_empty()).then_some(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next()? {
                found.push(line.to_vec());
            }
        }
        found.extend(lines.last().map(|line| line.to_vec()));
        Ok(found)
    }

    #[test]
    fn lines_are_the_same_wherever_pieces_end() {
        let text = b"one\n\ntwo \xc3\xbc\nthree";
        let expected: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(lines(&pieces).unwrap(), expected, "{first} {second}");
            }
        }
        assert_eq!(lines(&[b"one\n"]).unwrap(), [b"one"]);
        assert!(lines(&[]).unwrap().is_empty() && lines(&[b""]).unwrap().is_empty());
    }

    #[test]
    fn a_line_has_a_longest_length() {
        let longest = vec![b'x'; LONGEST];
        assert_eq!(lines(&[&longest, b"\n", &longest]).unwrap(), [&*longest, &*longest]);
        // Whether or not its end has come.
        for pieces in [[&longest[..], b"x", b"\n"], [b"a\n", &longest, b"x"], [&longest, b"", b"x\nb"]] {
            let error = lines(&pieces).unwrap_err();
            assert_eq!(error.to_string(), "it is longer than 65536 bytes");
        }
    }
}
