//! The nearest right spelling of a wrong word.

/// Longer words are not compared: the distance costs the product of the lengths.
const LONGEST: usize = 64;

/// The known word that is nearest to `word`, if one is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let folded = word.to_lowercase().replace('-', "_");
    let best = known
        .filter(|known| known.len() <= LONGEST)
        .map(|known| {
            let other = known.to_lowercase().replace('-', "_");
            (strsim::damerau_levenshtein(&folded, &other), known)
        })
        .min_by_key(|(distance, _)| *distance)?;
    let length = word.chars().count();
    let near = if length <= 3 {
        1
    } else {
        (length / 3).clamp(1, 3)
    };
    (best.0 <= near).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_mended_and_a_stranger_is_not() {
        let known = ["goproxy", "sumdb", "first_byte", "all", "any"];
        for (word, want) in [
            ("gopoxy", Some("goproxy")),
            ("GoProxy", Some("goproxy")),
            ("first-byte", Some("first_byte")),
            ("sumbd", Some("sumdb")),
            ("al", Some("all")),
            ("wifi", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), want, "{word}");
        }
        assert_eq!(nearest(&"goproxy".repeat(100), known.into_iter()), None);
    }
}
