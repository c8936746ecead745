//! Three-valued logic: the value of a condition before all probes have answered.

use serde::{Deserialize, Serialize};

/// True, false, or not known yet (Kleene's strong logic).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// Holds, whatever the rest of this round finds.
    True,
    /// Does not hold, whatever the rest of this round finds.
    False,
    /// Depends on a probe that has not answered.
    Unknown,
}

impl Truth {
    /// False as soon as one is false; true when all are.
    pub fn all(values: impl IntoIterator<Item = Truth>) -> Truth {
        let mut result = Truth::True;
        for value in values {
            match value {
                Truth::False => return Truth::False,
                Truth::Unknown => result = Truth::Unknown,
                Truth::True => {}
            }
        }
        result
    }

    /// True as soon as one is true; false when all are false.
    pub fn any(values: impl IntoIterator<Item = Truth>) -> Truth {
        !Truth::all(values.into_iter().map(|value| !value))
    }

    /// Decides "at least `n` of these" as early as the count allows.
    pub fn at_least(n: usize, values: impl IntoIterator<Item = Truth>) -> Truth {
        let (mut yes, mut open) = (0, 0);
        for value in values {
            match value {
                Truth::True => yes += 1,
                Truth::Unknown => open += 1,
                Truth::False => {}
            }
        }
        if yes >= n {
            Truth::True
        } else if yes + open < n {
            Truth::False
        } else {
            Truth::Unknown
        }
    }

    /// Reports whether it is decided.
    pub fn is_known(self) -> bool {
        self != Truth::Unknown
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Truth {
        if value { Truth::True } else { Truth::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Truth::{self, False, True, Unknown};

    #[test]
    fn one_false_settles_all_and_one_true_settles_any() {
        assert_eq!(Truth::all([True, Unknown, False]), False);
        assert_eq!(Truth::all([True, Unknown]), Unknown);
        assert_eq!(Truth::all([]), True);
        assert_eq!(Truth::any([Unknown, True]), True);
        assert_eq!(Truth::any([Unknown, False]), Unknown);
        assert_eq!(Truth::any([]), False);
    }

    #[test]
    fn at_least_is_settled_by_the_count() {
        assert_eq!(Truth::at_least(2, [True, Unknown, True]), True);
        assert_eq!(Truth::at_least(2, [False, Unknown, False]), False);
        assert_eq!(Truth::at_least(2, [True, Unknown, False]), Unknown);
        assert_eq!(Truth::at_least(0, []), True);
    }

    fn truths() -> impl Strategy<Value = Vec<Truth>> {
        proptest::collection::vec(proptest::sample::select(vec![True, False, Unknown]), 0..6)
    }

    /// Returns every way in which the unknown values can turn out.
    fn outcomes(values: &[Truth]) -> Vec<Vec<bool>> {
        values.iter().fold(vec![Vec::new()], |all, value| {
            let ways: &[bool] = match value {
                True => &[true],
                False => &[false],
                Unknown => &[true, false],
            };
            let grown = all.iter().flat_map(|known| {
                ways.iter()
                    .map(move |way| [known.as_slice(), &[*way]].concat())
            });
            grown.collect()
        })
    }

    /// Returns a known value exactly when all outcomes agree.
    fn settled(values: &[Truth], says: impl Fn(&[bool]) -> bool) -> Truth {
        let said: Vec<bool> = outcomes(values).iter().map(|known| says(known)).collect();
        match (said.contains(&true), said.contains(&false)) {
            (true, false) => True,
            (false, true) => False,
            _ => Unknown,
        }
    }

    proptest! {
        #[test]
        fn a_value_is_settled_as_soon_as_no_outcome_can_change_it(values in truths(), n in 0usize..7) {
            let all = settled(&values, |known| known.iter().all(|v| *v));
            let any = settled(&values, |known| known.iter().any(|v| *v));
            let enough = settled(&values, |known| known.iter().filter(|v| **v).count() >= n);
            prop_assert_eq!(Truth::all(values.clone()), all);
            prop_assert_eq!(Truth::any(values.clone()), any);
            prop_assert_eq!(Truth::at_least(n, values.clone()), enough);
        }
    }
}
