//! Times in JSON as Go reads them: `time.Time.UnmarshalJSON`, which is more lenient than RFC 3339
//! (golang/go#54580): an hour of one digit, a comma before the fraction, an offset of 24:60.

/// Can Go read this as a time? `text` stands between the quotes, escapes and all.
pub(super) fn is_time(text: &[u8]) -> bool {
    read(text).is_some_and(<[u8]>::is_empty)
}

/// `time.Parse(time.RFC3339, …)`; what is left over, or `None` where it fails.
fn read(text: &[u8]) -> Option<&[u8]> {
    let (year, text) = number(text, 4)?;
    let (month, text) = number(text.strip_prefix(b"-")?, 2)?;
    let (day, text) = number(text.strip_prefix(b"-")?, 2)?;
    let text = text.strip_prefix(b"T")?;
    let (hour, text) = number(text, 2).or_else(|| number(text, 1))?;
    let (minute, text) = number(text.strip_prefix(b":")?, 2)?;
    let (second, text) = number(text.strip_prefix(b":")?, 2)?;
    let within = (1..=12).contains(&month)
        && (1..=days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let text = match text {
        [b'.' | b',', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => {
            let end = digits.iter().position(|byte| !byte.is_ascii_digit());
            digits.get(end.unwrap_or(digits.len())..)?
        }
        text => text,
    };
    within.then(|| offset(text))?
}

/// `Z`, or `+07:00`.
fn offset(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"Z") {
        return Some(rest);
    }
    let [b'+' | b'-', text @ ..] = text else {
        return None;
    };
    let (hours, text) = number(text, 2)?;
    let (minutes, text) = number(text.strip_prefix(b":")?, 2)?;
    (hours <= 24 && minutes <= 60).then_some(text)
}

/// So many digits.
fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let value = head
        .iter()
        .try_fold(0, |sum, byte| Some(sum * 10 + digit(byte)?))?;
    Some((value, rest))
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
