//! Strings with escapes, for the careful reader.

use crate::failure::Halt;
use crate::json_reader::Text;
use crate::scan::plain_end;
use crate::text::Str;

impl Text<'_> {
    #[cold]
    pub(crate) fn escaped_string(&mut self, mut start: usize) -> Result<Str, Halt> {
        let mut text = String::new();
        loop {
            let end = plain_end(self.bytes, start);
            text.push_str(&self.text[start..end]);
            match self.bytes.get(end) {
                None => return Err(self.document.fail("bad_input.end").into()),
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(Str::new(&text));
                }
                Some(b'\\') => start = self.escape(end, &mut text)?,
                Some(_) => return Err(self.fail("bad_input.control", end)),
            }
        }
    }

    /// Read the escape whose backslash is at `at`; gives where it ends.
    fn escape(&mut self, at: usize, text: &mut String) -> Result<usize, Halt> {
        let character = match self.bytes.get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let Some(unit) = self.unit(at) else { return Err(self.fail("bad_input.escape", at)) };
                if let Some(character) = char::from_u32(unit) {
                    text.push(character);
                    return Ok(at + 6);
                }
                let low =
                    if unit < 0xDC00 { self.unit(at + 6).filter(|low| (0xDC00..0xE000).contains(low)) } else { None };
                let pair = low.and_then(|low| char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)));
                let Some(character) = pair else { return Err(self.fail("bad_input.surrogate", at)) };
                text.push(character);
                return Ok(at + 12);
            }
            _ => return Err(self.fail("bad_input.escape", at)),
        };
        text.push(character);
        Ok(at + 2)
    }

    /// The four hex digits of a `\u` escape at `at`.
    fn unit(&self, at: usize) -> Option<u32> {
        let escape = self.bytes.get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
    }
}
