//! Sizes as people write them.

/// `500MB`, `2GB`, `1.5 GiB`, `4096`: bytes. `K`, `M`, `G`, `T` alone are powers of 1000.
///
/// # Errors
/// In words for a message, when it is no number with such a unit.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number
        .parse()
        .map_err(|_| "it is a number with a unit: 500MB, 2GB".to_owned())?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        other => {
            return Err(format!(
                "no unit {other:?}: kB, MB, GB, TB or KiB, MiB, GiB, TiB"
            ));
        }
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to an integer saturates"
    )]
    Ok((number * factor as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("500MB", 500_000_000),
            ("1.5 GiB", 1_610_612_736),
            ("2g", 2_000_000_000),
            ("4096", 4096),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MB", "-1MB", "2 parsec", "1.2.3MB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
