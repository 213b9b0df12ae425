//! Ids of events: UUIDs of version 7 that are a function of the command, so that a retry and a replay make the same ones.

use sha2::{Digest, Sha256};

use crate::number_text::write_integer;
use crate::state::hex;

/// The id of event `index` of a command decided at `time`; None where that is no `YYYY-MM-DDTHH:MM:SS[.fraction]Z` from 1970 on.
pub fn event_id(tenant_id: &str, aggregate_id: &str, command_id: &str, time: &str, index: u64) -> Option<String> {
    let milliseconds = unix_milliseconds(time)?;
    let mut text = Vec::with_capacity(128);
    for part in [tenant_id, aggregate_id, command_id] {
        text.extend_from_slice(part.as_bytes());
        text.push(0);
    }
    write_integer(false, index, &mut text);
    let hash = Sha256::digest(&text);
    let mut raw = [0u8; 16];
    raw[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    raw[6] = 0x70 | (hash[0] & 0x0f);
    raw[7] = hash[1];
    raw[8] = 0x80 | (hash[2] & 0x3f);
    raw[9..].copy_from_slice(&hash[3..10]);
    let text = hex(&raw);
    Some(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]))
}

fn unix_milliseconds(time: &str) -> Option<u64> {
    let bytes = time.as_bytes();
    let number = |start: usize, length: usize| -> Option<u64> {
        let digits = bytes.get(start..start + length)?;
        digits.iter().try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !separators.iter().all(|&(at, separator)| bytes.get(at) == Some(&separator)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let fraction = match bytes.get(19..)? {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
            (0..3).fold(0, |value, at| value * 10 + digits.get(at).map_or(0, |digit| u64::from(digit - b'0')))
        }
        _ => return None,
    };
    let in_range = year >= 1970 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let years = year - 1970;
    let leap_days = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    let days = years * 365 + leap_days + months + day - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + fraction)
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(unix_milliseconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_milliseconds("2000-03-01T00:00:00.5Z"), Some(951_868_800_500));
        assert_eq!(unix_milliseconds("2024-12-31T23:59:59.999999999Z"), Some(1_735_689_599_999));
        for bad in [
            "",
            "1969-12-31T23:59:59Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01 00:00:00Z",
        ] {
            assert_eq!(unix_milliseconds(bad), None, "{bad}");
        }
    }
}
